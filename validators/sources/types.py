"""Accepted text as typed columns. Frame in, frame out.

Whole numbers become 64-bit integers, numbers 64-bit floats, dates and dates with time their own types, checkboxes true
or false; everything else stays text. Blanks and missing codes become null, so type only what the contract accepted.
"""

import polars as pl

from datamodel.study.protocol import Field, Form
from validators.sources.columns import columns_of


def typed(frame: pl.DataFrame, form: Form) -> pl.DataFrame:
    """Return `frame` with the columns of `form` typed; other columns stay as they are."""
    there = set(frame.columns)
    return frame.with_columns(
        _typed(field, column) for field in form.fields for column in columns_of(field) if column in there
    )


def _typed(field: Field, column: str) -> pl.Expr:
    text = pl.col(column)
    match field.kind:
        case "integer" | "slider":
            return text.cast(pl.Int64, strict=False)
        case "number":
            plain = text.str.replace(",", ".", literal=True) if "comma_decimal" in field.validation else text
            return plain.cast(pl.Float64, strict=False)
        case "date":
            return text.str.to_date("%Y-%m-%d", strict=False)
        case "datetime":
            long = text.str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False)
            return pl.coalesce(long, text.str.to_datetime("%Y-%m-%d %H:%M", strict=False))
        case "checkbox":
            return pl.when(text != "").then(text == "1")
        case _:
            return pl.when(text != "").then(text)
