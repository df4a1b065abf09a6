"""What rules ask of a Define-XML: a row of facts for each dataset and variable, out of what the one reader read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from validators.library.define import Condition, Define, DefineCodelist, Item, Ref, Table
from validators.library.define_read import UnreadableDefineError as DefineError
from validators.library.define_read import read_define as define_of

__all__ = ["DefineError", "DefineFacts", "facts", "read_define"]

#: What Define-XML calls a value that people collected, in 2.0 and 2.1.
COLLECTED = frozenset({"CRF", "Collected"})


@dataclass(frozen=True, slots=True)
class Comparison:
    """One condition of a where clause: a variable of a dataset against values, by EQ, NE, IN, NOTIN, LT, LE, GT or GE."""

    dataset: str
    variable: str
    comparator: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Level:
    """What a variable is under any of its clauses, each of conditions that must all hold; `faults` say what cannot be known."""

    variable: str
    clauses: tuple[tuple[Comparison, ...], ...]
    facts: Mapping[str, Any]
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class DefineFacts:
    """Datasets and variables of a Define-XML, as rows under the names that rules use."""

    datasets: Mapping[str, Mapping[str, Any]]
    variables: Mapping[str, Sequence[Mapping[str, Any]]]
    #: Terms that a sponsor added, by codelist code and name.
    extended: Mapping[str, Sequence[str]] = field(default_factory=dict)
    #: What variables are under where clauses, by dataset.
    levels: Mapping[str, Sequence[Level]] = field(default_factory=dict)

    def dataset_row(self, name: str) -> Mapping[str, Any] | None:
        """Facts of a dataset, None where it is not in the file."""
        return self.datasets.get(name)

    def variable_rows(self, name: str) -> Sequence[Mapping[str, Any]]:
        """Facts of the variables of a dataset, in their order."""
        return self.variables.get(name, ())

    def level_rows(self, name: str) -> Sequence[Level]:
        """What the variables of a dataset are under their where clauses."""
        return self.levels.get(name, ())

    def extensions(self, codelists: Sequence[str]) -> list[str]:
        """Terms that the sponsor added to codelists, or to all with ["ALL"]."""
        wanted = self.extended if "ALL" in {one.upper() for one in codelists} else codelists
        return list(dict.fromkeys(term for one in wanted for term in self.extended.get(one, ())))


def read_define(path: Path) -> DefineFacts:
    """Facts of a Define-XML 2.0 or 2.1, as far as the file says them.

    Raises
    ------
    DefineError
        It is not there, is no XML, declares a document type, or holds no metadata of datasets.
    """
    return facts(define_of(path, is_lenient=True))


def facts(define: Define) -> DefineFacts:
    """Facts of a Define."""
    tables = [(one, _pairs(one, define)) for one in define.tables]
    return DefineFacts(
        datasets={one.name: _dataset(one, pairs) for one, pairs in tables},
        variables={one.name: [_variable(ref, item, define) for ref, item in pairs] for one, pairs in tables},
        extended={key: terms for one in define.codelists for key in _keys(one) if (terms := _added(one))},
        levels=_levels(define, tables),
    )


def _levels(define: Define, tables: Sequence[tuple[Table, list[tuple[Ref, Item]]]]) -> dict[str, list[Level]]:
    """What variables are under where clauses; conditions are told by dataset and variable instead of by OID."""
    places = {item.oid: (table.name, item.name) for table, pairs in tables for _, item in pairs}
    lists = {one.oid: one for one in define.value_lists}
    clauses = {one.oid: one.conditions for one in define.where_clauses}
    return {
        table.name: [
            _level(item.name, one, define, clauses, own)
            for _, item in pairs
            for one in (lists[item.value_list].refs if item.value_list in lists else ())
        ]
        for table, pairs in tables
        for own in [places | {item.oid: (table.name, item.name) for _, item in pairs}]
    }


def _level(
    variable: str,
    ref: Ref,
    define: Define,
    clauses: Mapping[str, tuple[Condition, ...]],
    places: Mapping[str, tuple[str, str]],
) -> Level:
    item = define.item_of.get(ref.item)
    known = [clauses[one] for one in ref.where if one in clauses]
    lost = [f"the where clause {one}" for one in ref.where if one not in clauses]
    lost += [f"the item {test.item} in a where clause" for tests in known for test in tests if test.item not in places]
    lost += [] if item else [f"the item {ref.item}"]
    if lost or item is None:
        fault = f"The value list of {variable} names {lost[0]}, which the Define-XML does not define."
        return Level(variable, (), {}, (fault,))
    facts = _variable(ref, item, define).items()
    return Level(
        variable,
        tuple(tuple(Comparison(*places[one.item], one.comparator, one.values) for one in tests) for tests in known),
        {key.replace("define_variable_", "define_vlm_", 1): fact for key, fact in facts},
    )


def _pairs(table: Table, define: Define) -> list[tuple[Ref, Item]]:
    """References of a dataset with the items that they name; what names no item of the file is left out."""
    return [(one, define.item_of[one.item]) for one in table.refs if one.item in define.item_of]


def _dataset(table: Table, pairs: Sequence[tuple[Ref, Item]]) -> dict[str, Any]:
    """What the file says of a dataset."""
    keyed = sorted((ref.key, item.name) for ref, item in pairs if ref.key)
    ordered = sorted(pairs, key=lambda pair: pair[0].order or 0)
    return {
        "define_dataset_name": table.name,
        "define_dataset_label": _plain(table.label),
        "define_dataset_location": table.document.href if table.document else "",
        "define_dataset_domain": table.domain or None,
        "define_dataset_class": table.class_ or None,
        "define_dataset_structure": table.structure or None,
        "define_dataset_is_non_standard": "Yes" if table.is_non_standard else None,
        "define_dataset_has_no_data": table.has_no_data,
        "define_dataset_key_sequence": [name for _, name in keyed],
        "define_dataset_variables": [item.name for _, item in pairs],
        "define_dataset_variable_order": [item.name for _, item in ordered],
    }


def _variable(ref: Ref, item: Item, define: Define) -> dict[str, Any]:
    """What the file says of a variable; the type of its origin is the file's own word."""
    codelist = define.codelist_of.get(item.codelist)
    terms = codelist.terms if codelist else ()
    origin = item.origins[0].stated or item.origins[0].type if item.origins else ""
    return {
        "define_variable_name": item.name,
        "define_variable_label": _plain(item.label),
        "define_variable_data_type": item.data_type or None,
        "define_variable_role": ref.role or None,
        "define_variable_size": item.length,
        "define_variable_length": item.length,
        "define_variable_ccode": codelist.code if codelist else "",
        "define_variable_format": item.display_format or None,
        "define_variable_allowed_terms": [_plain(one.decode) for one in terms if one.decode],
        "define_variable_origin_type": origin,
        "define_variable_is_collected": origin in COLLECTED,
        "define_variable_has_no_data": "Yes" if ref.has_no_data else "",
        "define_variable_order_number": ref.order or None,
        "define_variable_has_codelist": codelist is not None,
        "define_variable_codelist_coded_values": [one.value for one in terms],
        "define_variable_codelist_coded_codes": [one.code for one in terms if one.code],
        "define_variable_mandatory": "Yes" if ref.is_mandatory else "No",
        "define_variable_has_comment": bool(item.comment),
        "define_variable_has_method": bool(ref.method),
    }


def _plain(text: str) -> str:
    """A text on one line, however its file is indented."""
    return " ".join(text.split())


def _keys(codelist: DefineCodelist) -> list[str]:
    """What a codelist is asked for by: its code and its name."""
    return [one for one in (codelist.code, codelist.name) if one]


def _added(codelist: DefineCodelist) -> list[str]:
    """Terms that are marked as the sponsor's own."""
    return [one.value for one in codelist.terms if one.is_extended]
