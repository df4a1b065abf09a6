"""A Define-XML as the examples of a check write it: datasets with their variables, and what these are under conditions."""

from collections.abc import Iterator, Mapping
from typing import Any

from validators.conformance.define import DefineFacts, facts
from validators.library.define import (
    CodedTerm,
    Condition,
    Define,
    DefineCodelist,
    Item,
    Ref,
    Table,
    ValueList,
    WhereClause,
)


def define_of(said: Mapping[str, Mapping[str, Any]]) -> DefineFacts:
    """Return the facts of datasets by name: `label`, `no_data` and `variables`, each with name, label, type, length.

    A variable may have a `codelist` (its values) or a `dictionary`, and `levels`: `where` (a variable and its values), type,
    length, codelist, `mandatory`.
    """
    items: list[Item] = []
    lists: list[DefineCodelist] = []
    levels: list[ValueList] = []
    clauses: list[WhereClause] = []
    for name, dataset in said.items():
        for variable in dataset["variables"]:
            oid = f"IT.{name}.{variable['name']}"
            items.append(_item(oid, variable, lists, value_list=f"VL.{oid}" if "levels" in variable else ""))
            refs = []
            for place, level in enumerate(variable.get("levels", ()), start=1):
                tests = tuple(Condition(f"IT.{name}.{one}", "IN", tuple(two)) for one, two in level["where"].items())
                clauses.append(WhereClause(f"WC.{oid}.{place}", tests))
                items.append(_item(f"{oid}.{place}", {"name": variable["name"]} | level, lists))
                refs.append(Ref(f"{oid}.{place}", is_mandatory=level.get("mandatory", False), where=(clauses[-1].oid,)))
            levels.append(ValueList(f"VL.{oid}", tuple(refs)))
    return facts(
        Define(
            *("DEF", "2026-01-01T00:00:00Z", "ST", "ST", "ST", "ST", "MDV", "MDV"),
            tables=tuple(_tables(said)),
            items=tuple(items),
            value_lists=tuple(levels),
            where_clauses=tuple(clauses),
            codelists=tuple(lists),
        )
    )


def _tables(said: Mapping[str, Mapping[str, Any]]) -> Iterator[Table]:
    for name, one in said.items():
        refs = tuple(Ref(f"IT.{name}.{v['name']}", order) for order, v in enumerate(one["variables"], start=1))
        yield Table(f"IG.{name}", name, one["label"], refs, domain=name, has_no_data=one.get("no_data", False))


def _item(oid: str, one: Mapping[str, Any], lists: list[DefineCodelist], *, value_list: str = "") -> Item:
    codelist = ""
    if "codelist" in one or "dictionary" in one:
        codelist = f"CL.{oid}"
        terms = tuple(CodedTerm(value) for value in one.get("codelist", ()))
        lists.append(DefineCodelist(codelist, codelist, terms=terms, dictionary=one.get("dictionary", "")))
    return Item(
        oid,
        one["name"],
        one["type"],
        one.get("label", ""),
        one.get("length"),
        codelist=codelist,
        value_list=value_list,
    )
