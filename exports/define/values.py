"""What type, length and significant digits the values of a variable have, in the words of Define-XML."""

from typing import Final

import polars as pl

from validators.library.define import Item

_DATE: Final = r"^\d{4}-\d\d-\d\d$"
_DATETIME: Final = r"^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?([+-]\d\d:\d\d|Z)?$"
_PARTIAL: Final = r"^\d{4}(-(\d\d|-)(-(\d\d|-)(T\d\d(:\d\d(:\d\d)?)?)?)?)?$"


def described(values: pl.Series, oid: str, name: str, *, width: int | None) -> Item:
    """Return the item of these values; `width` is the length that the mapping gives to a text."""
    if values.dtype.is_numeric():
        return _number(values, oid, name)
    texts = values.cast(pl.String).drop_nulls().unique()
    texts = texts.filter(texts != "")
    if name.endswith(("DTC", "DTM")) and texts.len():
        if kind := _temporal(texts):
            return Item(oid, name, kind)
    elif name.endswith(("DUR", "ELTM")) and texts.len():
        return Item(oid, name, "durationDatetime")
    longest = texts.str.len_bytes().max()
    return Item(oid, name, "text", length=width or max(1, int(longest) if isinstance(longest, int) else 1))


def _temporal(texts: pl.Series) -> str:
    is_date, is_instant = texts.str.contains(_DATE), texts.str.contains(_DATETIME)
    if is_date.all():
        return "date"
    if is_instant.all():
        return "datetime"
    if (is_date | is_instant | texts.str.contains(_PARTIAL)).all():
        return "incompleteDatetime" if texts.str.contains("T").any() else "incompleteDate"
    return ""


def _number(values: pl.Series, oid: str, name: str) -> Item:
    numbers = values.drop_nulls().unique()
    if numbers.dtype.is_integer() or not numbers.len() or bool((numbers == numbers.round(0)).all()):
        texts = numbers.cast(pl.Int64).cast(pl.String)
        longest = texts.str.len_bytes().max()
        return Item(oid, name, "integer", length=int(longest) if isinstance(longest, int) else 8)
    parts = numbers.cast(pl.String).str.split(".").to_list()
    digits = max(len(one[1]) if len(one) > 1 else 0 for one in parts)
    whole = max(len(one[0].lstrip("-")) for one in parts)
    return Item(oid, name, "float", length=whole + digits, significant_digits=digits)
