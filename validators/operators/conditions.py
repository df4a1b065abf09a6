"""Trees of conditions: all, any, not, and the operators at their leaves."""

from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any

import polars as pl

from validators.operators.compare import COMPARISONS
from validators.operators.dates import DATES
from validators.operators.groups import GROUPS
from validators.operators.order import ORDER
from validators.operators.strings import STRINGS
from validators.operators.table import Condition, MissingError, Operator, Table, UnsupportedError, key, mask, repeated

OPERATORS: Mapping[str, Operator] = {**COMPARISONS, **STRINGS, **DATES, **GROUPS, **ORDER}


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


def leaf(table: Table, condition: Condition) -> pl.Series:
    """Which records meet one condition; where a variable that it needs is not there, none does."""
    name = str(condition["operator"])
    test = OPERATORS.get(name)
    if test is None:
        raise UnsupportedError(f"The operator {name} is not one that this engine has.")
    remembered = key(table, condition)
    if remembered not in table.memo:
        try:
            table.memo[remembered] = mask(table, test(table, condition))
        except MissingError as error:
            table.missing.add(error.name)
            return repeated(value=False, height=table.height)
        except KeyError as error:
            raise UnsupportedError(
                f"The operator {name} needs the parameter {error}; the condition lacks it."
            ) from error
        except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
            raise UnsupportedError(f"The operator {name} cannot test what the condition gives it: {error}") from error
    return table.memo[remembered]


def holds(table: Table, check: Any) -> pl.Series:
    """Which records meet a tree of conditions."""
    if isinstance(check, list):
        return holds(table, {"all": check})
    if "operator" in check:
        return leaf(table, check)
    (how, parts), *others = check.items()
    if others or how not in {"all", "any", "not"}:
        raise UnsupportedError(
            f"A condition has the keys {', '.join(check)}; all, any, not, or one with an operator may be there."
        )
    if how == "not":
        return ~holds(table, parts)
    listed = parts if isinstance(parts, list) else [parts]
    found = [holds(table, one) for one in listed]
    return reduce((lambda a, b: a & b) if how == "all" else (lambda a, b: a | b), found)
