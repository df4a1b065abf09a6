"""Operators on dates and durations in ISO 8601, partial ones included."""

import operator
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import polars as pl

from validators.operators.compare import compared, worded
from validators.operators.table import (
    Condition,
    MissingError,
    Operator,
    Table,
    UnsupportedError,
    by_value,
    different,
    sure,
    text,
)

#: A date or date and time, each part optional from the right.
PARTS = (
    r"^(?<year>\d{4})(?:-(?<month>\d{2})(?:-(?<day>\d{2})(?:[T ](?<hour>\d{2})(?::(?<minute>\d{2})"
    r"(?::(?<second>\d{2})(?<fraction>[.,]\d+)?)?)?(?<zone>Z|[+-]\d{2}:?\d{2})?)?)?)?$"
)
LEVELS = ("year", "month", "day", "hour", "minute", "second", "microsecond")
#: A complete date: year, month and day, with or without time.
COMPLETE = 3
#: A date in which a part that is not known is a hyphen, as ISO 8601 in SDTM writes it.
MONTH, DAY, HOUR, SIXTY = (
    "(?:0[1-9]|1[0-2]|-)",
    "(?:0[1-9]|[12][0-9]|3[01]|-)",
    "(?:[01][0-9]|2[0-4]|-)",
    "(?:[0-5][0-9]|-)",
)
ZONE = r"(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)?"
TIME = rf"T{HOUR}(?::{SIXTY}(?::{SIXTY}(?:[.,][0-9]+)?)?)?{ZONE}"
ONE = rf"(?:[0-9]{{4}}|-)(?:-{MONTH}(?:-{DAY}(?:{TIME})?)?)?"
VALID = rf"^(?:{ONE})(?:/(?:{ONE}))?$"
DURATION = (
    r"P(?:\d+(?:[.,]\d+)?W|(?=\d|T\d)(?:\d+(?:[.,]\d+)?Y)?(?:\d+(?:[.,]\d+)?M)?(?:\d+(?:[.,]\d+)?D)?"
    r"(?:T(?=\d)(?:\d+(?:[.,]\d+)?H)?(?:\d+(?:[.,]\d+)?M)?(?:\d+(?:[.,]\d+)?S)?)?)"
)
#: What is no date and can be the name of a variable.
NAME = re.compile(r"[A-Z_][A-Z0-9_.]*")
#: A fraction that is not in the smallest part of a duration.
EARLY = re.compile(r"[.,]\d+[YMWDH](?=.)")


def taken(values: pl.Series) -> pl.DataFrame:
    """Year to microsecond of each value, null where a part is not there, with the instant and the number of parts."""
    numbers, microsecond, found = steps()
    return grouped(values).with_columns(numbers).with_columns(microsecond).with_columns(found).collect()


@cache
def steps() -> tuple[list[pl.Expr], pl.Expr, list[pl.Expr]]:
    """From parts as text to numbers, microseconds, and the instant with the number of parts; written once."""
    fraction = ("0" + pl.col("fraction").str.replace(",", ".", literal=True)).cast(pl.Float64).alias("fraction")
    numbers = [*(pl.col(name).cast(pl.Int32) for name in LEVELS[:-1]), fraction]
    microsecond = (pl.col("fraction") * 1_000_000).round(0).cast(pl.Int32).alias("microsecond")
    known = pl.sum_horizontal(pl.col(name).is_not_null() for name in LEVELS).alias("known")
    return numbers, microsecond, [instant(), known]


def grouped(values: pl.Series) -> pl.LazyFrame:
    """The parts of each value as text, null where a part is not there."""
    groups = pl.col("value").str.strip_chars().str.extract_groups(PARTS)
    return values.to_frame("value").lazy().select(groups).unnest("value")


def instant() -> pl.Expr:
    """The instant that parts name, the first of what is not known; null for a day that no calendar has."""
    day = pl.datetime(
        pl.col("year"),
        pl.col("month").fill_null(1),
        pl.col("day").fill_null(1),
        pl.col("hour").fill_null(0),
        pl.col("minute").fill_null(0),
        pl.col("second").fill_null(0),
        pl.col("microsecond").fill_null(0),
        ambiguous="null",
    )
    digits = pl.col("zone").str.replace_all("[^0-9]", "")
    minutes = digits.str.head(2).cast(pl.Int64, strict=False) * 60 + digits.str.tail(2).cast(pl.Int64, strict=False)
    sign = pl.when(pl.col("zone").str.starts_with("-")).then(-1).otherwise(1)
    return (day.cast(pl.Int64) - (sign * minutes).fill_null(0) * 60_000_000).alias("instant")


def possible(values: pl.Series) -> pl.Series:
    """Which values name a day that the calendar has: months 1 to 12, days as the month has, hours to 24."""
    numbers = steps()[0][:-1]
    return grouped(values).select(numbers).select(bounds()).collect().to_series()


@cache
def bounds() -> pl.Expr:
    """Whether parts of a date are within what the calendar has."""
    last = pl.date(pl.col("year"), pl.col("month").fill_null(1).clip(1, 12), 1).dt.month_end().dt.day()
    limits = [
        pl.col("year").is_not_null(),
        pl.col("month").is_between(1, 12),
        (pl.col("day") >= 1) & (pl.col("day") <= last),
        pl.col("hour") < 24,  # noqa: PLR2004 - hours of a day
        pl.col("minute") < 60,  # noqa: PLR2004 - minutes of an hour
        pl.col("second") < 60,  # noqa: PLR2004 - seconds of a minute
    ]
    return pl.all_horizontal(one.fill_null(value=True) for one in limits).alias("value")


def calendar(values: pl.Series) -> pl.DataFrame:
    """Those of different values that are dates, with their parts."""
    good = values.filter(possible(values))
    return taken(good).with_columns(good.alias("value"))


def dated(series: pl.Series, table: Table | None = None, *names: str) -> pl.DataFrame:
    """Parts of dates for each record, all or those named, found once for each different value.

    Those of the values of a table's column are kept.
    """
    if table is None:
        values = text(series)
        parts = calendar(different(values))
    else:
        values = table.once(series, "text", text)
        parts = table.once(table.once(values, "different", different), "calendar", calendar)
    if names:
        parts = parts.select("value", *names)
    return values.to_frame("value").join(parts, on="value", how="left", maintain_order="left")


def common(left: pl.DataFrame, right: pl.DataFrame, test: Callable[[Any, Any], Any]) -> pl.Series:
    """Comparison of two dates at the precision that both have."""
    both_known = pl.col("known").is_not_null() & pl.col("known_other").is_not_null()
    known = pl.when(both_known).then(pl.min_horizontal(pl.col("known"), pl.col("known_other")))
    both = pl.DataFrame(
        {
            **{name: left[name] for name in (*LEVELS, "known")},
            **{f"{name}_other": right[name] for name in (*LEVELS, "known")},
        }
    )

    def stamp(suffix: str) -> pl.Expr:
        """Parts up to the common precision as one number."""
        total = pl.lit(0, dtype=pl.Int64)
        for place, (name, size) in enumerate(zip(LEVELS, (1, 13, 32, 25, 61, 62, 1_000_001), strict=True)):
            kept = pl.when(known > place).then(pl.col(f"{name}{suffix}").fill_null(0)).otherwise(0)
            total = total * size + kept.cast(pl.Int64)
        return pl.when(known > 0).then(total)

    pair = both.select(stamp("").alias("a"), stamp("_other").alias("b"))
    found: pl.Series = test(pair["a"], pair["b"])
    return found


def date_compare(test: Callable[[Any, Any], Any]) -> Operator:
    """Comparison of dates; where one is missing or none, the answer is no."""

    def compare(table: Table, condition: Condition) -> pl.Series:
        unit = condition.get("date_component")
        target, other = table.column(str(condition["name"])), compared(table, condition)
        if NAME.fullmatch(word := worded(table, condition)) and not condition.get("value_is_literal"):
            raise MissingError(table.called(word))
        if unit == "auto":
            return sure(common(dated(target, table), dated(other, table), test))
        if unit is not None and unit not in LEVELS:
            raise UnsupportedError(f"date_component is {unit!r}; it may be auto or one of {', '.join(LEVELS)}.")
        column = str(unit or "instant")
        found: pl.Series = test(*(dated(one, table, column).get_column(column) for one in (target, other)))
        return sure(found)

    return compare


def complete(values: pl.Series, table: Table) -> pl.Series:
    """Which values are dates with year, month and day."""
    dates = table.once(values, "calendar", calendar)
    full = dates["value"].filter(dates["known"] >= COMPLETE)
    return values.is_in(full.implode())


def is_complete(*, wanted: bool) -> Operator:
    """Whether the date is complete; no date is not complete."""

    def test(table: Table, condition: Condition) -> pl.Series:
        hits = by_value(table.text(str(condition["name"])), lambda values: complete(values, table), table)
        return hits if wanted else ~hits

    return test


def valid(values: pl.Series) -> pl.Series:
    """Which values are dates, parts of dates or intervals as ISO 8601 writes them, on days that the calendar has."""
    shaped = values.str.contains(VALID)
    sides = values.str.split("/")
    known = [possible(sides.list.get(place, null_on_oob=True).fill_null("")) for place in (0, 1)]
    plain = [sides.list.get(place, null_on_oob=True).fill_null("").str.contains(PARTS) for place in (0, 1)]
    return shaped & (known[0] | ~plain[0]) & (known[1] | ~plain[1])


def invalid_date(table: Table, condition: Condition) -> pl.Series:
    """The value is no date."""
    return ~by_value(table.text(str(condition["name"])), valid, table)


def invalid_duration(table: Table, condition: Condition) -> pl.Series:
    """The value is no duration, or a negative one where they are not allowed."""
    source = re.compile(("" if condition.get("negative") is False else "-?") + DURATION)
    series = table.text(str(condition["name"]))
    return ~by_value(
        series, lambda values: [bool(source.fullmatch(one)) and not EARLY.search(one) for one in values], table
    )


DATES: dict[str, Operator] = {
    "date_equal_to": date_compare(operator.eq),
    "date_not_equal_to": date_compare(operator.ne),
    "date_greater_than": date_compare(operator.gt),
    "date_greater_than_or_equal_to": date_compare(operator.ge),
    "date_less_than": date_compare(operator.lt),
    "date_less_than_or_equal_to": date_compare(operator.le),
    "is_complete_date": is_complete(wanted=True),
    "is_incomplete_date": is_complete(wanted=False),
    "invalid_date": invalid_date,
    "invalid_duration": invalid_duration,
}
