"""Accepted values as the canonical JSON text that records are kept and hashed as. Vectorised; frame to rows.

The text equals `datamodel.records.content.canonical_values` byte for byte: sorted names, blanks left out, escapes as
orjson writes them. A property test holds the two together.
"""

from collections.abc import Sequence
from typing import Final

import polars as pl

from pipelines.ingest.shape import STATUS
from validators.sources.redcap import KEYS, Contract

_SHORT: Final = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
#: what JSON text must escape
_ODD: Final = r'["\\\x00-\x1f]'
_ESCAPES: Final = {chr(n): f"\\u{n:04x}" for n in range(32)} | _SHORT


def values_json(frame: pl.DataFrame, columns: Sequence[str]) -> pl.Series:
    """Return each row's filled values of `columns` (text) as one JSON object, names sorted, blanks left out."""
    if not columns:
        return pl.Series("values", ["{}"] * frame.height, dtype=pl.String)
    odd = frame.select(pl.col(name).str.contains(_ODD).any() for name in columns).row(0, named=True)
    parts = [_member(name, is_odd=odd[name]) for name in sorted(columns)]
    body = pl.concat_str(parts).str.strip_prefix(",")
    return frame.select(pl.concat_str(pl.lit("{"), body, pl.lit("}")).alias("values")).to_series()


def rows_of(accepted: pl.DataFrame, contract: Contract) -> list[tuple[str, str, int, int, str, str]]:
    """Return accepted instances as `records.actions.revise_batch` takes them; the source's own form status stays a value."""
    return accepted.select(
        *KEYS,
        pl.col(contract.complete)
        .replace_strict(STATUS, default="in_progress", return_dtype=pl.String)
        .alias("@status"),
        values_json(accepted, [*contract.columns, contract.complete]),
    ).rows()


def _member(name: str, *, is_odd: bool) -> pl.Expr:
    value = pl.col(name)
    escaped = value.str.replace_many(_ESCAPES) if is_odd else value
    return pl.when(value == "").then(pl.lit("")).otherwise(pl.concat_str(pl.lit(f',"{name}":"'), escaped, pl.lit('"')))
