"""Values as other programs keep them, as the numbers and texts of a dataset: dates, durations, lists, decimals."""

from collections.abc import Iterator
from typing import Any, Final

import orjson
import polars as pl

#: Days from the first of 1960, from which SAS counts, to the first of 1970; seconds of a day.
_SAS_DAYS: Final = 3653
_DAY: Final = 86_400
_MICRO: Final = 1_000_000
_FALLBACK: Final = "cp1252"


def as_stored(name: str, dtype: pl.DataType) -> pl.Expr:
    """Dates and times as the numbers that a transport file holds: days or seconds since 1960, seconds since midnight."""
    value = pl.col(name)
    if dtype == pl.Date:
        return value.cast(pl.Int64) + _SAS_DAYS
    if dtype == pl.Time:
        return value.cast(pl.Int64) / (1000 * _MICRO)
    return value.cast(pl.Datetime("us")).cast(pl.Int64) / _MICRO + _SAS_DAYS * _DAY


def is_plain(dtype: pl.DataType) -> bool:
    """Whether a column is numbers or text already."""
    return dtype.is_numeric() or isinstance(dtype, pl.String | pl.Boolean | pl.Categorical | pl.Enum | pl.Null)


def as_text(name: str, dtype: pl.DataType) -> pl.Expr:
    """A column that is neither numbers nor text as text: dates, times and durations in ISO 8601, lists as JSON."""
    value = pl.col(name)
    if isinstance(dtype, pl.Datetime):
        zone = "Z" if dtype.time_zone else ""
        utc = value.dt.convert_time_zone("UTC") if dtype.time_zone else value
        return utc.dt.strftime(f"%Y-%m-%dT%H:%M:%S%.f{zone}")
    if dtype.is_temporal():
        return value.dt.to_string("iso:strict")
    if dtype == pl.Binary:
        return value.map_elements(lambda raw: raw.decode(_FALLBACK, errors="replace"), return_dtype=pl.String)
    return value.map_elements(_written, return_dtype=pl.String)


def _written(value: Any) -> str:
    """A list, or a record inside a value, as JSON."""
    plain = value.to_list() if isinstance(value, pl.Series) else value
    return orjson.dumps(plain, default=str).decode()


def decimals(frame: pl.DataFrame, columns: list[dict[str, Any]]) -> Iterator[pl.Series]:
    """Columns of decimals, which Dataset-JSON writes as texts, as numbers; one with a text that is none stays as it is."""
    for name in (str(one["name"]) for one in columns if one.get("dataType") == "decimal"):
        texts = frame.get_column(name)
        if texts.dtype == pl.String:
            numbers = texts.cast(pl.Float64, strict=False)
            if numbers.null_count() == texts.null_count():
                yield numbers
