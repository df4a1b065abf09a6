"""The catalogue: what every column of every form's table means; and the design's events and forms as frames. Pure."""

from typing import Any, Final

import polars as pl

from datamodel.study.protocol import Choice, Field, Form, Protocol
from exports.marts.columns import Column, form_columns, key_columns
from exports.marts.names import form_table

_YES_NO: Final = (Choice("1", "Yes"), Choice("0", "No"))
_CHOICES: Final = pl.List(pl.Struct({"code": pl.String, "label": pl.String}))
CATALOGUE_SCHEMA: Final[dict[str, Any]] = {
    "form_id": pl.String,
    "field": pl.String,
    "column": pl.String,
    "label": pl.String,
    "field_label": pl.String,
    "role": pl.String,
    "kind": pl.String,
    "type": pl.String,
    "unit": pl.String,
    "choices": _CHOICES,
    "validation": pl.String,
    "minimum": pl.String,
    "maximum": pl.String,
    "is_required": pl.Boolean,
    "logic": pl.String,
    "section": pl.String,
    "note": pl.String,
    "missing_codes": _CHOICES,
    "order": pl.Int64,
}


def catalogue(protocol: Protocol, *, blinded: frozenset[str] | None = None) -> pl.DataFrame:
    """Return one row for each column of each form's table, in dictionary order.

    With `blinded`, what blinded fields are called and which choices they have is left out too.
    """
    rows = [
        _row(form, column, protocol, order)
        for form in protocol.forms
        for order, column in enumerate(form_columns(form, protocol, blinded=blinded), start=1)
    ]
    return pl.DataFrame(rows, schema=CATALOGUE_SCHEMA, orient="row")


def choices_of(field: Field) -> tuple[Choice, ...]:
    """Return a field's codes with their labels; yes/no fields have theirs by nature."""
    return field.choices or (_YES_NO if field.kind == "yesno" else ())


def events_frame(protocol: Protocol) -> pl.DataFrame:
    """Return the events of the design in their order."""
    schema: dict[str, Any] = {
        "event_id": pl.String,
        "label": pl.String,
        "arm_id": pl.String,
        "ordinal": pl.Int64,
        "day": pl.Int64,
        "days_before": pl.Int64,
        "days_after": pl.Int64,
        "is_repeating": pl.Boolean,
        "forms": pl.List(pl.String),
    }
    rows = [
        (
            one.name,
            one.label,
            one.arm,
            one.ordinal,
            one.day,
            one.days_before,
            one.days_after,
            one.is_repeating,
            list(one.forms),
        )
        for one in protocol.events
    ]
    return pl.DataFrame(rows, schema=schema, orient="row")


FORMS_SCHEMA: Final[dict[str, Any]] = {
    "form_id": pl.String,
    "label": pl.String,
    "structure": pl.String,
    "table": pl.String,
    "key": pl.List(pl.String),
    "rows": pl.Int64,
    "columns": pl.Int64,
    "pct_missing": pl.Float64,
    "pct_complete": pl.Float64,
}


def structure(form: str, protocol: Protocol) -> str:
    """Return `single`, `repeating`, or `mixed` (repeating in some events only)."""
    events = [event for event in protocol.events if form in event.forms]
    repeating = [event for event in events if event.is_repeating or form in event.repeating_forms]
    if not repeating:
        return "single"
    return "repeating" if len(repeating) == len(events) else "mixed"


def form_row(form: Form, protocol: Protocol, frame: pl.DataFrame, *, source: str) -> tuple[Any, ...]:
    """Return a form's row of the index: label, structure, table, key, rows, columns, share of empty and of complete."""
    values = [
        column.name
        for column in form_columns(form, protocol)
        if column.role == "value" and column.name in frame.columns
    ]
    cells = frame.height * len(values)
    empty = sum(frame[name].null_count() for name in values)
    complete = frame.filter(pl.col("form_status").is_in(["complete", "verified", "signed", "locked"])).height
    return (
        form.name,
        form.label,
        structure(form.name, protocol),
        form_table(form.name, source=source),
        [key for key in key_columns(form, protocol) if key in frame.columns],
        frame.height,
        frame.width,
        round(100 * empty / cells, 1) if cells else None,
        round(100 * complete / frame.height, 1) if frame.height else None,
    )


def _row(form: Form, column: Column, protocol: Protocol, order: int) -> tuple[Any, ...]:
    field = column.field
    is_value = column.role == "value"
    return (
        form.name,
        field.name,
        column.name,
        column.label,
        field.label,
        column.role,
        field.kind,
        str(column.dtype() if isinstance(column.dtype, type) else column.dtype),
        field.unit if is_value else "",
        _pairs(_choices(column)),
        field.validation,
        field.minimum,
        field.maximum,
        field.is_required,
        field.branching,
        field.section,
        field.note,
        _pairs(protocol.missing_codes) if is_value else [],
        order,
    )


def _choices(column: Column) -> tuple[Choice, ...]:
    if column.role == "choice":
        return tuple(choice for choice in column.field.choices if choice.code == column.code)
    return choices_of(column.field) if column.role == "value" else ()


def _pairs(choices: tuple[Choice, ...]) -> list[dict[str, str]]:
    return [{"code": choice.code, "label": choice.label} for choice in choices]
