"""The frame that findings come in."""

from collections.abc import Iterable
from typing import Final

import polars as pl

#: column -> type
SHAPE: Final = pl.Schema(
    {
        "record": pl.String(),
        "event_name": pl.String(),
        "form_name": pl.String(),
        "event_repeat": pl.Int32(),
        "form_repeat": pl.Int32(),
        "field": pl.String(),
        "value": pl.String(),
        "rule": pl.String(),
        "reason": pl.String(),
        "is_rejected": pl.Boolean(),
    }
)


def empty() -> pl.DataFrame:
    """Return no findings."""
    return pl.DataFrame(schema=SHAPE)


def join(parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Return the findings of several checks as one frame."""
    return pl.concat([empty(), *(part.select(list(SHAPE)).cast(SHAPE) for part in parts)])
