"""Columns as JSON texts, and which values of a column its declared type does not allow."""

import io
from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl

#: What must be escaped in a JSON text.
_ESCAPES: Final = {chr(code): f"\\u{code:04x}" for code in (*range(0x20), ord('"'), ord("\\"))}
_SPECIAL: Final = r'["\\\x00-\x1f]'
_BLANK: Final = 0x20
_DECIMAL: Final = r"^-?\d+(\.\d+)?$"
_COMPLETE: Final = "complete ISO 8601; a partial date is a string"
_INSTANTS: Final = {
    "date": r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$",
    "time": r"^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?(Z|[+-][0-2]\d:[0-5]\d)?$",
    "datetime": r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?(Z|[+-][0-2]\d:[0-5]\d)?$",
}
#: type of Dataset-JSON -> columns that fit it as they are, how a text must look that does, what is allowed in words
_ALLOWED: Final[dict[str, tuple[tuple[type[pl.DataType], ...], str, str]]] = {
    "string": ((pl.String, pl.Categorical, pl.Enum), "", "texts"),
    "boolean": ((pl.Boolean,), "", "true or false"),
    "decimal": ((pl.Decimal,), _DECIMAL, "decimals, or texts such as 12.50"),
    "date": ((pl.Date,), _INSTANTS["date"], _COMPLETE),
    "time": ((pl.Time,), _INSTANTS["time"], _COMPLETE),
    "datetime": ((pl.Datetime,), _INSTANTS["datetime"], _COMPLETE),
}
_NUMBERS: Final = frozenset({"integer", "float", "double"})


def check_values(values: pl.Series, data_type: str) -> tuple[str, pl.Series] | None:
    """Return what is wrong with a column for its declared type and in which rows (from 0); None when all is well."""
    dtype = values.dtype
    if dtype == pl.Null:
        return None
    if data_type in _NUMBERS:
        return _check_numbers(values, data_type)
    fitting, pattern, allowed = _ALLOWED.get(data_type, _ALLOWED["string"])
    if isinstance(dtype, fitting):
        return None
    return _pattern(values, pattern, data_type, allowed) if pattern else _whole(values, data_type, allowed)


def _check_numbers(values: pl.Series, data_type: str) -> tuple[str, pl.Series] | None:
    if values.dtype.is_integer():
        return None
    if not values.dtype.is_float():
        return _whole(values, data_type, "numbers")
    odd = (~values.is_finite()).fill_null(value=False).arg_true()
    if odd.len():
        return "holds NaN or infinity; a missing number must be null", odd
    if data_type == "integer":
        broken = (values != values.round(0)).fill_null(value=False).arg_true()
        if broken.len():
            return "is declared integer but holds numbers with a fraction", broken
    return None


def _whole(values: pl.Series, data_type: str, allowed: str) -> tuple[str, pl.Series]:
    return f"is declared {data_type} but the data are {values.dtype}; allowed are {allowed}", values.head(
        0
    ).is_null().arg_true()


def _pattern(values: pl.Series, pattern: str, data_type: str, allowed: str) -> tuple[str, pl.Series] | None:
    if values.dtype != pl.String:
        return _whole(values, data_type, allowed)
    odd = (~values.str.contains(pattern)).fill_null(value=False).arg_true()
    return (f"is declared {data_type} and holds other texts; allowed are {allowed}", odd) if odd.len() else None


def json_rows(frame: pl.DataFrame, types: Sequence[str]) -> bytes:
    """Return the rows of a frame (whose values `check_values` has passed) as JSON arrays, each on its own line.

    Rows of CSV with texts in quotes are JSON but for their brackets, as long as no text holds what JSON escapes. Whether
    one does is seen afterwards by counting quotes, backslashes and control characters, which costs less than looking
    at each value before.
    """
    plain = frame.select(_plain(frame[name], kind) for name, kind in zip(frame.columns, types, strict=True))
    if pl.Boolean in plain.dtypes:  # CSV would quote them
        return _by_concatenation(plain)
    rows = _csv(plain)
    texts = plain.select(pl.col(pl.String).count()).sum_horizontal().sum() if pl.String in plain.dtypes else 0
    control = int(np.count_nonzero(np.frombuffer(rows, dtype=np.uint8) < _BLANK))
    if (
        rows.count(b'"') != 2 * texts or b"\\" in rows or control != plain.height + 1
    ):  # `_csv` ends with one more line break
        rows = _csv(plain.with_columns(_escaped(plain)))
    return b"[" + rows[:-2] + b"\n"


def _csv(frame: pl.DataFrame) -> bytes:
    out = io.BytesIO()
    frame.write_csv(out, include_header=False, quote_style="non_numeric", null_value="null", line_terminator="]\n[")
    return out.getvalue()[:-1] + b"\n"


def _escaped(frame: pl.DataFrame) -> list[pl.Expr]:
    """Escape the columns that hold something to escape."""
    texts = [name for name, dtype in frame.schema.items() if dtype == pl.String]
    return [pl.col(one).str.replace_many(_ESCAPES) for one in texts if frame[one].str.contains(_SPECIAL).any()]


def _by_concatenation(frame: pl.DataFrame) -> bytes:
    safe = frame.with_columns(_escaped(frame))
    texts = [name for name, dtype in frame.schema.items() if dtype == pl.String]
    quoted = safe.with_columns(pl.concat_str(pl.lit('"'), pl.col(one), pl.lit('"')).alias(one) for one in texts)
    row = pl.concat_str(pl.all().cast(pl.String).fill_null("null"), separator=",")
    lines = quoted.select(pl.concat_str(pl.lit("["), row, pl.lit("]\n")).alias("row"))["row"]
    return "".join(lines.to_list()).encode()


def _plain(values: pl.Series, data_type: str) -> pl.Series:
    """Return the values as numbers, truth values or texts."""
    dtype = values.dtype
    if data_type == "boolean":
        return values
    if data_type in _NUMBERS:
        return values.cast(pl.Int64) if data_type == "integer" else values
    if isinstance(dtype, pl.Datetime):
        return _instants(values)
    return values.dt.to_string("iso:strict") if dtype in {pl.Date, pl.Time} else values.cast(pl.String)


def _instants(values: pl.Series) -> pl.Series:
    """Date-times as ISO 8601; a fraction of a second only where one is."""
    dtype = values.dtype
    zone = "Z" if isinstance(dtype, pl.Datetime) and dtype.time_zone else ""
    plain = values.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if zone else values
    return plain.dt.strftime(f"%Y-%m-%dT%H:%M:%S%.f{zone}")
