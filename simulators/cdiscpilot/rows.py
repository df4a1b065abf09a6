"""Turns SDTM rows back into REDCap rows: what was typed on each form, as text, in REDCap's flat layout."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import Final

import polars as pl

from simulators.cdiscpilot import source
from simulators.cdiscpilot.dictionary import Condition, Event, Field, Form, export_columns, project

KEYS: Final = ("record_id", "redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance")
UNSCHEDULED: Final = "unscheduled_arm_1"


@dataclass(frozen=True, slots=True)
class Batch:
    """All rows of one instrument; every column is text, and an empty text means that nothing was typed."""

    form: str
    frame: pl.DataFrame


def records(subjects: int | None = None) -> Iterator[Batch]:
    """Give the records of the whole trial, or of a small slice, one instrument after the other."""
    for form in project().forms:
        yield Batch(form.form, form_rows(form, subjects=subjects))


def form_rows(form: Form, *, subjects: int | None = None) -> pl.DataFrame:
    """Give the rows of one form.

    Raises
    ------
    polars.exceptions.InvalidOperationError
        SDTM holds a value that the form's code list does not know.
    """
    frame = _source_rows(form, subjects)
    values = [expression.alias(name) for field in form.fields for name, expression in _typed(field, frame.schema)]
    frame = frame.with_columns(_event(form)).with_columns(_record_id())
    frame = _with_instance(form, frame).select(*KEYS, pl.col("VISITNUM"), *_without_keys(values))
    if form.shape == "wide":
        # One value at most is not null in each group, so that max picks it.
        frame = frame.group_by(*KEYS, "VISITNUM").agg(pl.all().max())
    columns = [name for name in export_columns(form) if name in frame.columns and name not in KEYS]
    complete = pl.lit("2").alias(f"{form.form}_complete")
    return _sorted(frame).select(*KEYS, *columns, complete).with_columns(pl.all().fill_null(""))


def _source_rows(form: Form, subjects: int | None) -> pl.DataFrame:
    chosen = source.subjects(subjects)
    frame = pl.concat([source.read(name) for name in form.source], how="diagonal_relaxed")
    if "VISITNUM" not in frame.columns:
        frame = frame.with_columns(VISITNUM=pl.lit(None, pl.Float64))
    return frame.filter(pl.col("USUBJID").is_in(list(chosen)), _matches(form.only))


def _matches(condition: Condition) -> pl.Expr:
    tests = [
        pl.col(column).is_in(value) if isinstance(value, list) else pl.col(column).eq_missing(value)
        for column, value in condition.items()
    ]
    return reduce(and_, tests, pl.lit(value=True))


def _record_id() -> pl.Expr:
    return pl.col("USUBJID").str.strip_prefix(source.PREFIX).alias("record_id")


def _event(form: Form) -> pl.Expr:
    if form.at:
        return pl.lit(form.at).alias("redcap_event_name")
    numbers = {event.visitnum: event.event for event in project().events if event.visitnum is not None}
    event = pl.col("VISITNUM").replace_strict(numbers, default=UNSCHEDULED, return_dtype=pl.String)
    return event.alias("redcap_event_name")


def _with_instance(form: Form, frame: pl.DataFrame) -> pl.DataFrame:
    repeats = pl.col("redcap_event_name").is_in(form.repeats_in)
    if form.instance:
        number = pl.col(form.instance)
    elif form.order:
        number = pl.struct("VISITNUM", form.order).rank("ordinal").over("record_id", "redcap_event_name")
    else:
        frame = frame.join(_unscheduled_visits(), on=["USUBJID", "VISITNUM"], how="left", maintain_order="left")
        number = pl.col("unscheduled_visit")
    return frame.with_columns(
        pl.when(repeats).then(pl.lit(form.form)).otherwise(pl.lit("")).alias("redcap_repeat_instrument"),
        pl.when(repeats)
        .then(number.cast(pl.Int64).cast(pl.String))
        .otherwise(pl.lit(""))
        .alias("redcap_repeat_instance"),
    )


def _unscheduled_visits() -> pl.DataFrame:
    """Count each participant's unscheduled visits, so that all forms of one visit share an instance."""
    planned = [event.visitnum for event in project().events if event.visitnum is not None]
    visits = source.read("sv").filter(~pl.col("VISITNUM").is_in(planned)).select("USUBJID", "VISITNUM")
    return visits.with_columns(unscheduled_visit=pl.col("VISITNUM").rank("ordinal").over("USUBJID"))


def _typed(field: Field, schema: pl.Schema) -> Iterator[tuple[str, pl.Expr]]:
    """Give the name and value of each export column of a field; nothing for what REDCap computes."""
    if field.type in {"calc", "descriptive"}:
        return
    if field.type == "checkbox":
        for choice in project().choices(field):
            ticked = _matches(field.checked_when[choice.code])
            yield f"{field.name}___{choice.code}", pl.when(ticked).then(pl.lit("1")).otherwise(pl.lit("0"))
        return
    if field.value is not None:
        yield field.name, pl.lit(field.value)
        return
    if field.column is None:
        raise ValueError(f"Field {field.name} has neither `from` nor `value` in its definition; add one.")
    yield field.name, _answer(field, column=field.column, schema=schema)


def _answer(field: Field, *, column: str, schema: pl.Schema) -> pl.Expr:
    value = _text(column, schema)
    if field.when:
        value = pl.when(_matches(field.when)).then(value)
    if field.part == "date":
        value = value.str.slice(0, 10)
    elif field.part == "time":
        value = pl.when(value.str.len_chars() > len("2012-05-31T")).then(value.str.slice(11, 5))
    choices = {choice.sdtm: choice.code for choice in project().choices(field) if choice.sdtm is not None}
    if choices:
        value = value.replace_strict(choices, return_dtype=pl.String)
    if field.implied:
        value = pl.when(_matches(field.implied.when)).then(pl.lit(field.implied.code)).otherwise(value)
    if field.default is not None:
        value = value.fill_null(field.default)
    if field.unscheduled:
        planned = [event.visitnum for event in project().events if event.visitnum is not None]
        value = pl.when(~pl.col("VISITNUM").is_in(planned)).then(value)
    return value


def _text(column: str, schema: pl.Schema) -> pl.Expr:
    """Write a column as text; SAS doubles lose the noise of their last digits (0.049999999999999996 was typed 0.05)."""
    if schema[column].is_float():
        return pl.col(column).round(6).cast(pl.String).str.strip_suffix(".0")
    return pl.col(column).cast(pl.String)


def _without_keys(values: list[pl.Expr]) -> list[pl.Expr]:
    return [value for value in values if value.meta.output_name() not in KEYS]


def _sorted(frame: pl.DataFrame) -> pl.DataFrame:
    order = {event.event: number for number, event in enumerate(_by_day(project().events))}
    event = pl.col("redcap_event_name").replace_strict(order, return_dtype=pl.Int64)
    instance = pl.col("redcap_repeat_instance").cast(pl.Int64, strict=False).fill_null(0)
    return frame.sort("record_id", event, instance)


def _by_day(events: list[Event]) -> list[Event]:
    return sorted(events, key=lambda event: event.day)
