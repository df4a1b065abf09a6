"""What an event of the study is called in SDTM."""

import polars as pl

from exports.sdtm.derive_texts import number_text
from exports.sdtm.registry import Number, Study, Text, derivation
from exports.sdtm.spec_types import EVENTS


@derivation
def visit_number(study: Study, unscheduled: pl.Expr | None = None) -> Number:
    """Give VISITNUM of the event, or the number typed on the form of an unscheduled visit."""
    planned = _visit({event: visit.number for event, visit in study.tables.visits.items()}, pl.Float64)
    return planned if unscheduled is None else pl.coalesce(planned, unscheduled.cast(pl.Float64))


@derivation
def visit_name(study: Study, unscheduled: pl.Expr | None = None) -> Text:
    """Give VISIT of the event, or UNSCHEDULED and the number typed on the form."""
    planned = _visit({event: visit.name for event, visit in study.tables.visits.items()}, pl.String)
    if unscheduled is None:
        return planned
    return pl.coalesce(planned, pl.lit("UNSCHEDULED ") + number_text(of=unscheduled))


@derivation
def visit_day(study: Study) -> Number:
    """Give VISITDY: the planned day of the event, missing for a visit that is not planned."""
    days = dict(study.frames[EVENTS if EVENTS in study.frames else "events"].select("event_id", "day").iter_rows())
    return _visit({event: days.get(event) for event, visit in study.tables.visits.items() if visit.planned}, pl.Float64)


@derivation
def visit_epoch(study: Study) -> Text:
    """Give the epoch that the plan puts the event in."""
    return _visit({event: visit.epoch for event, visit in study.tables.visits.items()}, pl.String)


def _visit(table: dict[str, str | float | None], dtype: type[pl.DataType]) -> pl.Expr:
    return pl.col("event_id").replace_strict(list(table), list(table.values()), default=None, return_dtype=dtype)
