"""Operators that compare a value with a value: equal, less, empty, exists, lengths."""

import operator
from collections.abc import Callable
from typing import Any

import polars as pl

from validators.operators.table import (
    WILDCARD,
    Condition,
    MissingError,
    Operator,
    Table,
    number,
    repeated,
    sure,
    text,
)

FLAGS = ("false", "true")


def compared(table: Table, condition: Condition) -> pl.Series:
    """The values to compare with: a variable's, a result's, or one literal repeated."""
    value = condition.get("value")
    if condition.get("value_is_reference"):
        return referenced(table, str(value))
    if isinstance(value, str) and not condition.get("value_is_literal"):
        if table.has(value):
            return table.column(value)
        dataset, dot, _ = value.partition(".")
        if value.startswith((WILDCARD, "$")) or (dot and dataset in table.beside):
            raise MissingError(table.called(value))
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return repeated(value, table.height)


def worded(table: Table, condition: Condition) -> str:
    """The literal text that a condition compares with, "" where it compares with a variable or with anything else."""
    value = condition.get("value")
    return value if isinstance(value, str) and not table.has(value) else ""


def referenced(table: Table, name: str) -> pl.Series:
    """For each record the value of the variable that another variable names."""
    names = table.column(name)
    found = pl.Series([None] * table.height, dtype=pl.String)
    for one in names.unique().drop_nulls():
        if one and table.has(str(one)):
            found = text(table.column(str(one))).zip_with(names == one, found)
    return found


def equality(table: Table, condition: Condition, *, fold: bool = False) -> tuple[pl.Series, pl.Series, pl.Series]:
    """Where two values are equal, where the target is empty, where what it is compared with is."""
    target, other = table.column(str(condition["name"])), compared(table, condition)
    empty, none = table.empty(target), table.empty(other)
    if condition.get("round_values"):
        return rounded(target, other, fold=fold), empty, none
    if isinstance(target.dtype, pl.List) or isinstance(other.dtype, pl.List):
        return same_lists(target, other), empty, none
    if condition.get("type_insensitive"):
        target, other = trimmed(target), trimmed(other)
    elif pl.Boolean in {target.dtype, other.dtype}:
        target, other = flags(target), flags(other)
    elif target.dtype != other.dtype:
        return repeated(value=False, height=table.height), empty, none
    return alike(target, other, fold=fold), empty, none


def alike(target: pl.Series, other: pl.Series, *, fold: bool) -> pl.Series:
    """Where two values of one type are the same, in whatever case where that does not count."""
    if fold and target.dtype == pl.String:
        target, other = target.str.to_lowercase(), other.str.to_lowercase()
    return sure(target == other)


def rounded(target: pl.Series, other: pl.Series, *, fold: bool) -> pl.Series:
    """Where two numbers are the same as whole numbers; what is no number is compared as it is written."""
    left, right = number(target).round(0), number(other).round(0)
    same = alike(text(target), text(other), fold=fold)
    return (left == right).fill_null(value=False).zip_with(left.is_not_null() & right.is_not_null(), same)


def same_lists(target: pl.Series, other: pl.Series) -> pl.Series:
    """Where two lists are the same; a list of one value equals that value."""
    pairs = zip(target.to_list(), other.to_list(), strict=True)
    return pl.Series([listed(left) == listed(right) for left, right in pairs], dtype=pl.Boolean)


def listed(value: Any) -> list[str]:
    """A value as a list of texts."""
    return [str(one) for one in value] if isinstance(value, list) else [] if value is None else [str(value)]


def trimmed(series: pl.Series) -> pl.Series:
    """Values as text, numbers in their shortest form."""
    as_text, as_number = text(series), number(series)
    return text(as_number).zip_with(as_number.is_not_null(), as_text.str.strip_chars())


def flags(series: pl.Series) -> pl.Series:
    """True and false as text, however they were written."""
    return text(series).str.to_lowercase()


def equal(*, fold: bool) -> Operator:
    """Equal and not empty."""

    def test(table: Table, condition: Condition) -> pl.Series:
        same, empty, none = equality(table, condition, fold=fold)
        return same & ~(empty & none)

    return test


def unequal(*, fold: bool) -> Operator:
    """Not equal; two empty values are no difference, one empty value is."""

    def test(table: Table, condition: Condition) -> pl.Series:
        same, empty, none = equality(table, condition, fold=fold)
        return ~same & ~(empty & none)

    return test


def ordered(test: Callable[[Any, Any], Any]) -> Operator:
    """Comparison of numbers; what is no number is neither less nor greater."""

    def compare(table: Table, condition: Condition) -> pl.Series:
        left, right = number(table.column(str(condition["name"]))), number(compared(table, condition))
        if (word := worded(table, condition)) and right.null_count() and not condition.get("value_is_literal"):
            raise MissingError(table.called(word))  # no number: the name of a variable that is not there
        found: pl.Series = test(left, right)
        return sure(found)

    return compare


def empty(table: Table, condition: Condition) -> pl.Series:
    """No value."""
    return table.empty(table.column(str(condition["name"])))


def filled(table: Table, condition: Condition) -> pl.Series:
    """A value."""
    return ~table.empty(table.column(str(condition["name"])))


def exists(table: Table, condition: Condition) -> bool:
    """The variable is in the dataset, or in a list of variables that an operation of the rule found."""
    called = table.called(str(condition["name"]))
    if called in table.hidden:
        return False
    lists = (one for name, one in table.constants.items() if name.startswith("$") and isinstance(one, list))
    return called in table.frame.columns or called in table.constants or any(called in one for one in lists)


def exists_not(table: Table, condition: Condition) -> bool:
    """The variable is not in the dataset."""
    return not exists(table, condition)


def length(test: Callable[[Any, Any], Any]) -> Operator:
    """Comparison of a text's number of characters with a number, or with another text's."""

    def compare(table: Table, condition: Condition) -> pl.Series:
        found = table.text(str(condition["name"])).str.len_chars().cast(pl.Float64)
        hits: pl.Series = test(found, lengths(table, condition))
        return sure(hits)

    return compare


def lengths(table: Table, condition: Condition) -> pl.Series:
    """The number of characters to compare with: a number as it is, also a literal in quotes, and a text's own."""
    value = condition.get("value")
    other = compared(table, condition)
    if other.dtype.is_numeric():
        return number(other)
    if isinstance(value, str) and not table.has(value) and value.strip().isdigit():
        return number(other)
    return text(other).str.len_chars().cast(pl.Float64)


def same_length(*, wanted: bool) -> Operator:
    """Whether a text has as many characters as another has, or as a number says."""

    def compare(table: Table, condition: Condition) -> pl.Series:
        left = table.text(str(condition["name"])).str.len_chars().cast(pl.Float64)
        same = sure(left == lengths(table, condition))
        return same if wanted else ~same

    return compare


COMPARISONS: dict[str, Operator] = {
    "equal_to": equal(fold=False),
    "not_equal_to": unequal(fold=False),
    "equal_to_case_insensitive": equal(fold=True),
    "not_equal_to_case_insensitive": unequal(fold=True),
    "greater_than": ordered(operator.gt),
    "greater_than_or_equal_to": ordered(operator.ge),
    "less_than": ordered(operator.lt),
    "less_than_or_equal_to": ordered(operator.le),
    "empty": empty,
    "non_empty": filled,
    "exists": exists,
    "not_exists": exists_not,
    "longer_than": length(operator.gt),
    "longer_than_or_equal_to": length(operator.ge),
    "shorter_than": length(operator.lt),
    "shorter_than_or_equal_to": length(operator.le),
    "has_equal_length": same_length(wanted=True),
    "has_not_equal_length": same_length(wanted=False),
}
