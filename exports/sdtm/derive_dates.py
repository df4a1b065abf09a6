"""Dates, days and epochs. Dates are ISO 8601 texts, whole or partial, as SDTM holds them."""

from collections.abc import Callable
from typing import Literal

import polars as pl

from exports.sdtm.partial import iso_date, iso_time
from exports.sdtm.registry import Number, Study, Text, derivation
from exports.sdtm.spec_types import table_frame


@derivation
def iso8601(date: pl.Expr, time: pl.Expr | None = None, order: Literal["ymd", "dmy", "mdy"] = "ymd") -> Text:
    """Write a date as far as it is known in ISO 8601, with the time if the whole date is known.

    `2023-10-NK`, `UN-OCT-2023` and `10/2023` become `2023-10`; `2003-UN-15` becomes `2003---15`. `order` tells a day from a month
    where both are numbers and the year stands last. A text that is no date gives a missing value.
    """
    day = _each_once(date, lambda text: iso_date(text, order))
    if time is None:
        return day
    clock = _each_once(time, iso_time)
    whole = day.str.contains(r"^\d{4}-\d{2}-\d{2}$") & clock.is_not_null()
    return pl.when(whole).then(day + "T" + clock).otherwise(day)


def _each_once(texts: pl.Expr, read: Callable[[str], str | None]) -> pl.Expr:
    """Read each different text once."""

    def made(column: pl.Series) -> pl.Series:
        known = {text: read(text) for text in column.unique().to_list() if text is not None}
        return column.replace_strict(list(known), list(known.values()), default=None, return_dtype=pl.String)

    return texts.cast(pl.String).map_batches(made, return_dtype=pl.String)


@derivation
def instant(of: pl.Expr) -> Text:
    """Write an instant that Metricis took in ISO 8601, to the second, in UTC (`2026-03-01T09:30:00Z`)."""
    return of.dt.strftime("%Y-%m-%dT%H:%M:%SZ")


@derivation
def in_force(
    date: pl.Expr, study: Study, table: str, version: str, since: str, where: dict[str, list[str]] | None = None
) -> Text:
    """Give the version that was in force for the subject when something was recorded, from a table such as `consents`.

    The newest row of the table whose instant in `since` is not later than `date` counts; `where` picks rows. Missing before the
    first.
    """
    rows = study.frames[table_frame(table)]
    for column, wanted in (where or {}).items():
        rows = rows.filter(pl.col(column).cast(pl.String).is_in(wanted))
    known = rows.select(
        pl.col("subject_id").alias(":subject"), pl.col(since).cast(pl.String).str.slice(0, 19).str.replace(" ", "T").alias(":since"),
        pl.col(version).cast(pl.String).alias(":version"),
    ).drop_nulls().sort(":since")  # fmt: skip

    def made(pairs: pl.Series) -> pl.Series:
        asked = pairs.struct.unnest().with_row_index(":line").with_columns(pl.col("at").fill_null("")).sort("at")
        found = asked.join_asof(
            known, left_on="at", right_on=":since", by_left="subject", by_right=":subject", check_sortedness=False
        )
        return found.sort(":line")[":version"]

    moment = date.cast(pl.String).str.slice(0, 19).str.replace(" ", "T")
    # A day without a time is looked up at its end: what was signed on that day held on it.
    moment = pl.when(moment.str.len_chars() == len("2014-01-02")).then(moment + "T23:59:59").otherwise(moment)
    pair = pl.struct(pl.col("subject_id").alias("subject"), moment.alias("at"))
    return pair.map_batches(made, return_dtype=pl.String)


@derivation
def study_day(date: pl.Expr, reference: pl.Expr) -> Number:
    """Count days from the reference date, which is day 1; there is no day 0 (SDTMIG, --DY).

    Missing unless both dates are known to the day.
    """
    days = (_day(date) - _day(reference)).dt.total_days()
    return pl.when(days >= 0).then(days + 1).otherwise(days).cast(pl.Float64)


@derivation
def duration(start: pl.Expr, end: pl.Expr) -> Text:
    """Write the days from start to end, both included, as an ISO 8601 duration such as `P14D`; missing if end < start."""
    days = (_day(end) - _day(start)).dt.total_days() + 1
    return pl.when(days > 0).then(pl.lit("P") + days.cast(pl.String) + "D")


@derivation
def age(birth: pl.Expr, at: pl.Expr) -> Number:
    """Count completed years from birth to a date; missing unless both are known to the day."""
    born, then = _day(birth), _day(at)
    before_birthday = (then.dt.month() * 100 + then.dt.day()) < (born.dt.month() * 100 + born.dt.day())
    return (then.dt.year() - born.dt.year() - before_birthday.cast(pl.Int32)).cast(pl.Float64)


@derivation
def years_before(date: pl.Expr, years: pl.Expr) -> Text:
    """Give the day so many years before another one (a date of birth that was made from the age)."""
    year = date.str.slice(0, 4).cast(pl.Int64, strict=False) - years.cast(pl.Int64)
    return year.cast(pl.String) + date.str.slice(4, 6)


@derivation
def epoch(
    date: pl.Expr,
    starts: list[pl.Expr],
    names: list[str],
    from_next_day: list[str] = [],  # noqa: B006 # a literal default is what the manual shows; it is never changed
    earlier: str | None = None,
) -> Text:
    """Find the epoch of a date: the last of `names` whose start (same place in `starts`) has come.

    An epoch of `from_next_day` begins the day after its start date; a start that is missing never comes. Before the first
    start it is `earlier`. A partial date that may lie on either side of a start gives a missing value.
    """
    if len(starts) != len(names):
        raise ValueError(f"epoch has {len(names)} names and {len(starts)} starts; each epoch needs one start.")
    day = date.str.slice(0, 10)
    found = pl.lit(earlier, dtype=pl.String)
    unsure = pl.lit(value=False)
    for start, name in zip(starts, names, strict=True):
        known = start.str.slice(0, 10).str.slice(0, day.str.len_chars())
        on_the_day = pl.lit(value=False) if name in from_next_day else day == known
        unsure = unsure | ((day.str.len_chars() < len("2014-01-02")) & (day == known))
        found = pl.when(((day > known) | on_the_day).fill_null(value=False)).then(pl.lit(name)).otherwise(found)
    return pl.when(day.is_not_null() & ~unsure.fill_null(value=False)).then(found)


@derivation
def on_or_after(date: pl.Expr, reference: pl.Expr, then: str = "Y", otherwise: str | None = "N") -> Text:
    """Say Y where a date is the reference date or later, N where it is before or the reference is missing (treatment emergence).

    A partial date is compared as far as it is known, and counts as after when it may be.
    """
    day = date.str.slice(0, 10)
    after = (day >= reference.str.slice(0, 10).str.slice(0, day.str.len_chars())).fill_null(value=False)
    return pl.when(after).then(pl.lit(then)).when(day.is_not_null()).then(pl.lit(otherwise, dtype=pl.String))


@derivation
def later(date: pl.Expr, than: pl.Expr) -> Text:
    """Say Y where one date is after another; nothing where it is not, or one of them is missing."""
    return pl.when(date.cast(pl.String).str.slice(0, 10) > than.cast(pl.String).str.slice(0, 10)).then(pl.lit("Y"))


def _day(date: pl.Expr) -> pl.Expr:
    whole = date.cast(pl.String).str.extract(r"^(\d{4}-\d{2}-\d{2})", 1)
    return whole.str.to_date("%Y-%m-%d", strict=False)
