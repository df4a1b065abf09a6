"""Contracts of the tables beside the forms."""

from dataclasses import dataclass
from typing import Any, Final

import pandera.polars as pa
import polars as pl

from validators.core.report import Breach, breaches, duplicates

_INSTANT: Final = pl.Datetime("us", "UTC")


def _text(*allowed: str) -> pa.Column:
    """A text column that is never empty; with `allowed`, one of these words."""
    return pa.Column(pl.String, checks=[pa.Check.isin(list(allowed))] if allowed else [])


def _maybe(dtype: Any) -> pa.Column:
    return pa.Column(dtype, nullable=True)


@dataclass(frozen=True, slots=True)
class Contract:
    """Key and columns of one table."""

    key: tuple[str, ...]
    columns: dict[str, pa.Column]


#: short name of the table -> its contract; the arm's columns exist only in unblinded tables
CONTRACTS: Final[dict[str, Contract]] = {
    "participants": Contract(
        ("subject_id",),
        {
            "subject_id": _text(),
            "site_id": _maybe(pl.String),
            "status": _text("screened", "screen_failed", "enrolled", "completed", "withdrawn"),
            "status_on": _maybe(pl.Date),
            "enrolled_on": _maybe(pl.Date),
            "anchor_on": _maybe(pl.Date),
            "language": _text(),
        },
    ),
    "visits": Contract(
        ("subject_id", "event_id", "event_repeat"),
        {
            "subject_id": _text(),
            "site_id": _maybe(pl.String),
            "event_id": _text(),
            "event_repeat": pa.Column(pl.Int64, checks=[pa.Check.ge(0)]),
            "event_label": _text(),
            "planned_on": _maybe(pl.Date),
            "opens_on": _maybe(pl.Date),
            "closes_on": _maybe(pl.Date),
            "actual_on": _maybe(pl.Date),
            "days_off_target": _maybe(pl.Int64),
            "state": _text("done", "out_of_window", "due", "overdue", "upcoming", "missed", "not_applicable"),
        },
    ),
    "status": Contract(
        ("subject_id", "event_id", "event_repeat", "form_id"),
        {
            "subject_id": _text(),
            "site_id": _maybe(pl.String),
            "event_id": _text(),
            "event_repeat": pa.Column(pl.Int64, checks=[pa.Check.ge(0)]),
            "form_id": _text(),
            "state": _text("not_started", "in_progress", "complete", "verified", "signed", "locked"),
            "instances": pa.Column(pl.Int64, checks=[pa.Check.ge(0)]),
            "open_queries": pa.Column(pl.Int64, checks=[pa.Check.ge(0)]),
            "form_updated_at": _maybe(_INSTANT),
        },
    ),
    "sessions": Contract(
        ("session_id",),
        {
            "subject_id": _text(),
            "site_id": _maybe(pl.String),
            "session_id": pa.Column(pl.Int64),
            "task": _text(),
            "battery": _text(),
            "battery_version": pa.Column(pl.Int64),
            "consent_version": _maybe(pl.String),
            "state": _text("created", "started", "partial", "complete", "scored", "void"),
            "started_at": pa.Column(_INSTANT),
            "ended_at": _maybe(_INSTANT),
            "actor": _maybe(pl.String),
            "is_simulated": pa.Column(pl.Boolean),
            "flags": _maybe(pl.String),
            "device": _maybe(pl.String),
        },
    ),
    "scores": Contract(
        ("session_id", "score", "rule"),
        {
            "subject_id": _text(),
            "site_id": _maybe(pl.String),
            "session_id": pa.Column(pl.Int64),
            "task": _text(),
            "score": _text(),
            "rule": _text(),
            "value": _maybe(pl.Float64),
            "unit": pa.Column(pl.String),
        },
    ),
    "trials": Contract(
        ("session_id", "trial_index"),
        {
            "subject_id": _text(),
            "site_id": _maybe(pl.String),
            "session_id": pa.Column(pl.Int64),
            "task": _text(),
            "trial_index": pa.Column(pl.Int64),
            "trial_type": _maybe(pl.String),
            "rt_ms": _maybe(pl.Float64),
            "response": _maybe(pl.String),
            "is_correct": _maybe(pl.Boolean),
            "data": _text(),
        },
    ),
    "consents": Contract(
        (),
        {
            "subject_id": _text(),
            "site_id": _maybe(pl.String),
            "document": _maybe(pl.String),
            "version": _maybe(pl.String),
            "language": _maybe(pl.String),
            "state": _text("signed", "declined", "withdrawn"),
            "at": pa.Column(_INSTANT),
            "received_at": pa.Column(_INSTANT),
            "method": _maybe(pl.String),
            "scope": pa.Column(pl.String),
            "receipt": _maybe(pl.Int64),
        },
    ),
    "discrepancies": Contract(
        (),
        {
            "subject_id": _text(),
            "site_id": _maybe(pl.String),
            "event_id": pa.Column(pl.String),
            "event_repeat": pa.Column(pl.Int64),
            "form_id": pa.Column(pl.String),
            "form_repeat": pa.Column(pl.Int64),
            "field": pa.Column(pl.String),
            "value": _maybe(pl.String),
            "rule": _text(),
            "reason": _text(),
            "state": _text("open", "answered", "closed", "reopened", "cancelled"),
            "opened_at": pa.Column(_INSTANT),
            "changed_at": pa.Column(_INSTANT),
        },
    ),
    "catalogue": Contract(
        ("form_id", "column"), {"form_id": _text(), "field": _text(), "column": _text(), "order": pa.Column(pl.Int64)}
    ),
    "events": Contract(("event_id",), {"event_id": _text(), "label": _text(), "day": _maybe(pl.Int64)}),
}
#: tables whose columns are not all listed here
_OPEN_ENDED: Final = frozenset({"catalogue", "events"})


def check_table(name: str, frame: pl.DataFrame, *, is_blinded: bool) -> list[Breach]:
    """Return what the table with this short name breaks of its contract; an unlisted table breaks nothing.

    An unblinded subject-level table may carry `arm_id` (participants also `arm_label`); a blinded one may not.
    """
    contract = CONTRACTS.get(name)
    if contract is None:
        return []
    columns = dict(contract.columns)
    if not is_blinded:
        columns |= {arm: _maybe(pl.String) for arm in ("arm_id", "arm_label") if arm in frame.columns}
    schema = pa.DataFrameSchema(columns, strict=name not in _OPEN_ENDED)
    return breaches(name, frame, schema) + duplicates(name, frame, list(contract.key))
