"""Operators on text: patterns, beginnings and ends, parts, lists that a value is or is not in."""

import re
from collections.abc import Callable
from typing import Any

import polars as pl

from validators.operators.compare import compared
from validators.operators.table import (
    Condition,
    MissingError,
    Operator,
    Table,
    UnsupportedError,
    by_value,
    number,
    repeated,
    sure,
    text,
)

#: Above this many different values the faster pattern engine is asked first.
MANY = 5_000
#: Signs of patterns that two pattern engines may read differently.
PECULIAR = ("(?", "[[", "&&", "~~", "--", "\\1", "\\Z", "\\b")


def pattern(condition: Condition, name: str = "value") -> re.Pattern[str]:
    """The regular expression of a condition.

    Raises
    ------
    UnsupportedError
        It is none, or none that can be read.
    """
    source = condition.get(name)
    if isinstance(source, list | dict):
        raise UnsupportedError(f"A pattern is one text; the condition on {condition.get('name')} gives {source!r}.")
    try:
        return re.compile(str(source))
    except re.error as error:
        raise UnsupportedError(f"The pattern {source!r} cannot be read: {error}.") from error


def matching(values: pl.Series, wanted: re.Pattern[str]) -> pl.Series:
    """Which values start with what the pattern describes."""
    source = wanted.pattern
    if len(values) > MANY and not any(sign in source for sign in PECULIAR) and not source.endswith("$"):
        return values.str.contains(f"^(?:{source})")
    return pl.Series([wanted.match(one) is not None for one in values], dtype=pl.Boolean)


def cut(series: pl.Series, condition: Condition, side: str) -> pl.Series:
    """The first or last characters of values, as many as the condition says."""
    count = condition.get(side, condition.get("prefix" if side == "suffix" else "suffix"))
    if count is None:
        raise UnsupportedError(f"The condition on {condition.get('name')} gives no number of characters ({side}).")
    values = text(series)
    return values.str.head(int(count)) if side == "prefix" else values.str.tail(int(count))


def whole(series: pl.Series, condition: Condition) -> pl.Series:
    """Values as they are."""
    del condition
    return text(series)


def start(series: pl.Series, condition: Condition) -> pl.Series:
    """The first characters."""
    return cut(series, condition, "prefix")


def end(series: pl.Series, condition: Condition) -> pl.Series:
    """The last characters."""
    return cut(series, condition, "suffix")


type Side = Callable[[pl.Series, Condition], pl.Series]


def found_in(values: pl.Series, wanted: re.Pattern[str]) -> pl.Series:
    """Which values hold what the pattern describes, wherever it is in them."""
    return pl.Series([wanted.search(one) is not None for one in values], dtype=pl.Boolean)


def matches(side: Side, *, wanted: bool) -> Operator:
    """Whether the value starts with what the pattern describes, or its first or last characters hold it.

    A missing number does neither.
    """
    test_values = matching if side is whole else found_in

    def test(table: Table, condition: Condition) -> pl.Series:
        series, source = side(table.column(str(condition["name"])), condition), pattern(condition)
        hits = by_value(series, lambda values: test_values(values, source), table)
        return hits if wanted else ~hits & series.is_not_null()

    return test


def equals(side: Side, *, wanted: bool) -> Operator:
    """Whether the beginning or end equals another value."""

    def test(table: Table, condition: Condition) -> pl.Series:
        series = side(table.column(str(condition["name"])), condition)
        letters = condition.get("value") == "DOMAIN" and not condition.get("value_is_literal")
        other = repeated(table.prefix, table.height) if letters else text(compared(table, condition))
        same = sure(series == other)
        return same if wanted else ~same

    return test


def starts(table: Table, condition: Condition) -> pl.Series:
    """The value begins with another one that is not empty."""
    frame = pl.DataFrame({"a": table.text(str(condition["name"])), "b": text(compared(table, condition))})
    return (
        frame.select(pl.col("a").str.starts_with(pl.col("b")) & (pl.col("b") != "")).to_series().fill_null(value=False)
    )


def ends(table: Table, condition: Condition) -> pl.Series:
    """The value ends with another one that is not empty."""
    frame = pl.DataFrame({"a": table.text(str(condition["name"])), "b": text(compared(table, condition))})
    return frame.select(pl.col("a").str.ends_with(pl.col("b")) & (pl.col("b") != "")).to_series().fill_null(value=False)


def string_part(*, wanted: bool) -> Operator:
    """Whether the value equals what a pattern takes out of another value."""

    def test(table: Table, condition: Condition) -> pl.Series:
        source = pattern(condition, "regex")
        other = text(compared(table, condition))
        taken = {one: part(source, one) for one in other.unique().drop_nulls()}
        parts = other.replace_strict(taken, return_dtype=pl.String, default=None) if taken else other
        same = sure(table.text(str(condition["name"])) == parts)
        return same if wanted else ~same

    return test


def part(source: re.Pattern[str], value: str) -> str | None:
    """What the pattern takes out of a value: its first group, or all of it."""
    found = source.match(value)
    return None if found is None else found.group(1 if source.groups else 0)


def allowed(table: Table, condition: Condition) -> tuple[list[Any] | None, pl.Series | None]:
    """The list that a condition allows: one for the whole table, or one for each record."""
    value = condition.get("value")
    if isinstance(value, str) and not condition.get("value_is_literal"):
        named = table.list_of(value)
        if named is not None:
            return named, None
        if table.has(value):
            column = table.column(value)
            return None, column
        if value.startswith("$"):
            raise MissingError(value)
    if not isinstance(value, list):
        return [value], None
    found: list[Any] = []
    for one in value:
        named = table.list_of(one) if isinstance(one, str) else None
        if named is not None:
            found += named
        elif isinstance(one, str) and not condition.get("value_is_literal") and one.startswith("$") and table.has(one):
            found += table.column(one).unique().to_list()
        else:
            found.append(one)
    return found, None


def within(series: pl.Series, table: Table, condition: Condition, *, fold: bool) -> pl.Series:
    """Whether each value is in the list."""
    listed, column = allowed(table, condition)
    if column is not None:
        return in_row(series, column, fold=fold)
    if isinstance(series.dtype, pl.List):
        allowed_texts = [str(one) for one in listed or []]
        return series.list.eval(pl.element().is_in(allowed_texts)).list.any().fill_null(value=False)
    if series.dtype.is_numeric():
        numbers = number(pl.Series([one for one in listed or [] if isinstance(one, int | float)], dtype=pl.Float64))
        return sure(series.is_in(numbers.implode()))
    texts = [str(one) for one in listed or [] if isinstance(one, str) or series.dtype == pl.Boolean]
    if "" in [one for one in listed or [] if isinstance(one, str)] or None in (listed or []):
        texts.append("")
    return is_among(table.once(series, "text", text), texts, fold=fold)


def is_among(values: pl.Series, texts: list[str], *, fold: bool) -> pl.Series:
    """Whether each text is one of a list."""
    if fold:
        values, texts = values.str.to_lowercase(), [one.lower() for one in texts]
    return sure(values.is_in(pl.Series([list(dict.fromkeys(texts))], dtype=pl.List(pl.String))))


def in_row(series: pl.Series, column: pl.Series, *, fold: bool) -> pl.Series:
    """Whether each value is in the list that its own record holds; or, in a variable without lists, on any record."""
    values = text(series)
    if not isinstance(column.dtype, pl.List):
        return is_among(values, text(column).unique().drop_nulls().to_list(), fold=fold)
    frame = pl.DataFrame({"value": values, "list": column.cast(pl.List(pl.String))})
    value, listed = pl.col("value"), pl.col("list")
    if fold:
        value, listed = value.str.to_lowercase(), listed.list.eval(pl.element().str.to_lowercase())
    return frame.select(listed.list.contains(value)).to_series().fill_null(value=False)


def contained(side: Side | None, *, wanted: bool, fold: bool = False) -> Operator:
    """Whether the value, its beginning or its end is in the list."""

    def test(table: Table, condition: Condition) -> pl.Series:
        series = table.column(str(condition["name"]))
        hits = within(side(series, condition) if side else series, table, condition, fold=fold)
        return hits if wanted else ~hits

    return test


def contains(*, wanted: bool, fold: bool = False) -> Operator:
    """Whether a list holds a value, or a text holds another text."""

    def test(table: Table, condition: Condition) -> pl.Series:
        name, other = str(condition["name"]), text(compared(table, condition))
        held = table.list_of(name)
        series = other if held is not None else table.column(name)
        if held is not None:
            hits = is_among(other, [str(one) for one in held], fold=fold)
        elif isinstance(series.dtype, pl.List) or (not fold and beside(table, condition)):
            hits = in_row(other, series, fold=fold)
        else:
            frame = pl.DataFrame({"a": text(series), "b": other})
            value, piece = pl.col("a"), pl.col("b")
            if fold:
                value, piece = value.str.to_lowercase(), piece.str.to_lowercase()
            hits = frame.select(value.str.contains(piece, literal=True)).to_series().fill_null(value=False)
        return hits if wanted else ~hits

    return test


def beside(table: Table, condition: Condition) -> bool:
    """Whether a condition compares with a variable, whose values are then looked for among all values."""
    return not condition.get("value_is_literal") and table.has(str(condition.get("value")))


def split_lengths(*, wanted: bool) -> Operator:
    """Whether the two sides of a separator have as many characters; a value without it does, one with several does not."""

    def test(table: Table, condition: Condition) -> pl.Series:
        separator = str(condition.get("separator", "/"))
        parts = table.text(str(condition["name"])).fill_null("").str.split(separator)
        count = parts.list.len()
        left = parts.list.get(0, null_on_oob=True).str.len_chars()
        right = parts.list.get(1, null_on_oob=True).str.len_chars()
        same = (count <= 1) | ((count == 2) & (left == right)).fill_null(value=False)  # noqa: PLR2004 - a pair
        return same if wanted else ~same

    return test


def nothing(table: Table, name: str) -> pl.Series:
    """Where a variable is empty."""
    return table.empty(table.column(name))


def always(table: Table) -> pl.Series:
    """True for every record."""
    return repeated(value=True, height=table.height)


STRINGS: dict[str, Operator] = {
    "matches_regex": matches(whole, wanted=True),
    "not_matches_regex": matches(whole, wanted=False),
    "prefix_matches_regex": matches(start, wanted=True),
    "not_prefix_matches_regex": matches(start, wanted=False),
    "suffix_matches_regex": matches(end, wanted=True),
    "not_suffix_matches_regex": matches(end, wanted=False),
    "starts_with": starts,
    "ends_with": ends,
    "prefix_equal_to": equals(start, wanted=True),
    "prefix_not_equal_to": equals(start, wanted=False),
    "suffix_equal_to": equals(end, wanted=True),
    "suffix_not_equal_to": equals(end, wanted=False),
    "equals_string_part": string_part(wanted=True),
    "does_not_equal_string_part": string_part(wanted=False),
    "is_contained_by": contained(None, wanted=True),
    "is_not_contained_by": contained(None, wanted=False),
    "is_contained_by_case_insensitive": contained(None, wanted=True, fold=True),
    "is_not_contained_by_case_insensitive": contained(None, wanted=False, fold=True),
    "prefix_is_contained_by": contained(start, wanted=True),
    "prefix_is_not_contained_by": contained(start, wanted=False),
    "suffix_is_contained_by": contained(end, wanted=True),
    "suffix_is_not_contained_by": contained(end, wanted=False),
    "contains": contains(wanted=True),
    "does_not_contain": contains(wanted=False),
    "contains_case_insensitive": contains(wanted=True, fold=True),
    "does_not_contain_case_insensitive": contains(wanted=False, fold=True),
    "split_parts_have_equal_length": split_lengths(wanted=True),
    "split_parts_have_unequal_length": split_lengths(wanted=False),
}
