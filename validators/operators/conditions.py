"""Trees of conditions: all, any, not, and the operators at their leaves."""

from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any

import polars as pl

from validators.operators.codelists import CODELISTS
from validators.operators.compare import COMPARISONS
from validators.operators.dates import DATES
from validators.operators.groups import GROUPS
from validators.operators.order import ORDER
from validators.operators.strings import STRINGS
from validators.operators.table import Condition, MissingError, Operator, Table, UnsupportedError, key, mask, repeated
from validators.operators.titles import TITLES

OPERATORS: Mapping[str, Operator] = {**COMPARISONS, **STRINGS, **DATES, **GROUPS, **ORDER, **TITLES, **CODELISTS}


#: Operators that compare with nothing, or need not.
ALONE = frozenset(
    {
        *("empty", "non_empty", "exists", "not_exists", *TITLES),
        *("is_complete_date", "is_incomplete_date", "invalid_date", "invalid_duration"),
        *("split_parts_have_equal_length", "split_parts_have_unequal_length"),
        *("is_unique_set", "is_not_unique_set", "has_same_values", "has_different_values"),
        *("present_on_multiple_rows_within", "not_present_on_multiple_rows_within"),
        *("inconsistent_enumerated_columns", "additional_columns_empty", "additional_columns_not_empty"),
        *("is_ordered_by", "is_not_ordered_by"),
    }
)


def leaves(check: Any) -> Iterator[Condition]:
    """All conditions of a tree that are no `all`, `any` or `not`."""
    if isinstance(check, Mapping):
        if "operator" in check:
            yield check
            return
        for one in check.values():
            yield from leaves(one)
    elif isinstance(check, list):
        for one in check:
            yield from leaves(one)


def leaf(table: Table, condition: Condition) -> pl.Series | None:
    """Which records meet one condition; None where a variable that it needs is not there, so that nothing can be said."""
    name = str(condition["operator"])
    test = OPERATORS.get(name)
    if test is None:
        raise UnsupportedError(f"The operator {name} is not one that this engine has.")
    if isinstance(condition.get("value"), Mapping) or not isinstance(condition.get("name", ""), str | list):
        raise UnsupportedError(
            f"The operator {name} takes names, texts, numbers and lists; the condition is {condition!r}."
        )
    if condition.get("value") is None and name not in ALONE:
        raise UnsupportedError(f"The operator {name} needs the parameter 'value'; the condition lacks it.")
    remembered = key(table, condition)
    memo = table.memory(condition)
    if remembered not in memo:
        try:
            memo[remembered] = mask(table, test(table, condition))
        except MissingError as error:
            table.missing.add(error.name)
            return None
        except KeyError as error:
            raise UnsupportedError(
                f"The operator {name} needs the parameter {error}; the condition lacks it."
            ) from error
        except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
            raise UnsupportedError(f"The operator {name} cannot test what the condition gives it: {error}") from error
    return memo[remembered]


def holds(table: Table, check: Any) -> pl.Series:
    """Which records meet a tree of conditions; none does where what decides is not in the dataset."""
    found = met(table, check)
    return repeated(value=False, height=table.height) if found is None else found


def met(table: Table, check: Any) -> pl.Series | None:
    """Which records meet a tree of conditions, None where that cannot be said for want of a variable.

    Of `any`, the conditions that can be tested decide; `all` and `not` need every variable that they name.
    """
    if isinstance(check, list):
        return met(table, {"all": check})
    if not isinstance(check, Mapping):
        raise UnsupportedError(f"A condition is {check!r}; it must be a mapping with all, any, not, or an operator.")
    if "operator" in check:
        return leaf(table, check)
    (how, parts), *others = check.items() or [("", None)]
    if others or how not in {"all", "any", "not"}:
        raise UnsupportedError(
            f"A condition has the keys {', '.join(map(str, check)) or 'none'}; all, any, not, or one with an operator "
            "may be there."
        )
    if how == "not":
        found = met(table, parts)
        return None if found is None else ~found
    listed = parts if isinstance(parts, list) else [parts]
    masks = [met(table, one) for one in listed]
    known = [one for one in masks if one is not None]
    if not known or (how == "all" and len(known) < len(masks)):
        return None
    return reduce((lambda a, b: a & b) if how == "all" else (lambda a, b: a | b), known)
