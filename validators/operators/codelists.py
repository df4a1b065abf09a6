"""Operators on codelists: whether a variable is tied to the codelist that the standard gives it."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from validators.operators.table import WILDCARD, Condition, MissingError, Operator, Table, text

#: Name of the constant that holds, for each variable of the standard, the codelists that it may be tied to.
ASSIGNED = "\x00codelists"


def codelists_of(known: Mapping[str, Any], name: str, prefix: str) -> Any:
    """Codelists of a variable by its name or its general one (--DECOD); None where the standard gives it none."""
    general = WILDCARD + name.removeprefix(prefix) if prefix and name.startswith(prefix) else name
    return known.get(name) or known.get(general)


def referenced(*, wanted: bool) -> Operator:
    """Whether the codelist beside a variable's name is one of the standard's for it; a variable without any has none to miss."""

    def test(table: Table, condition: Condition) -> pl.Series:
        known = table.constants.get(ASSIGNED)
        if known is None:
            raise MissingError("codelists of the standard's variables")
        names = text(table.column(str(condition["name"]))).fill_null("")
        lists = text(table.column(str(condition["value"]))).fill_null("")
        found = []
        for name, codelist in zip(names, lists, strict=True):
            allowed = codelists_of(known, name, table.prefix)
            found.append((not allowed or codelist in allowed) is wanted)
        return pl.Series(found, dtype=pl.Boolean)

    return test


CODELISTS: dict[str, Operator] = {
    "references_correct_codelist": referenced(wanted=True),
    "does_not_reference_correct_codelist": referenced(wanted=False),
}
