"""The contract of a form's table, built from the design."""

from typing import Any, Final

import pandera.polars as pa
import polars as pl

from datamodel.study.protocol import Field, Form
from validators.core.report import Breach, breaches, duplicates

_TYPES: Final[dict[str, Any]] = {
    "number": pl.Float64,
    "calc": pl.Float64,
    "integer": pl.Int64,
    "slider": pl.Int64,
    "date": pl.Date,
    "datetime": pl.Datetime("us"),
}
_KEYS: Final = ("event_id", "event_repeat", "form_repeat")
_STATUS: Final = ["not_started", "in_progress", "complete", "verified", "signed", "locked"]


def form_contract(form: Form, *, columns: list[str]) -> pa.DataFrameSchema:
    """Return the contract of a form's table: the types of its keys, of its fields and of its own state.

    A field that is a column must have its kind's type; which fields a reader gets is decided elsewhere.
    """
    wanted: dict[str, pa.Column] = {
        "subject_id": pa.Column(pl.String),
        "form_status": pa.Column(pl.String, checks=[pa.Check.isin(_STATUS)]),
        "form_updated_at": pa.Column(pl.Datetime("us", "UTC")),
    }
    for name in _KEYS:
        if name in columns:
            wanted[name] = pa.Column(pl.String if name == "event_id" else pl.Int64)
    for field in form.fields:
        if field.name in columns and field.name not in wanted and field.name not in {"site_id", "arm_id"}:
            wanted[field.name] = _column(field)
    return pa.DataFrameSchema(wanted, strict=False)


def check_form(form: Form, frame: pl.DataFrame) -> list[Breach]:
    """Return what a form's table breaks: types, code lists, and the uniqueness of its key."""
    key = ["subject_id", *(name for name in _KEYS if name in frame.columns)]
    contract = form_contract(form, columns=frame.columns)
    return breaches(form.name, frame, contract) + duplicates(form.name, frame, key)


def _column(field: Field) -> pa.Column:
    return pa.Column(_TYPES.get(field.kind, pl.String), nullable=True)
