"""What rules ask of a Define-XML, read from the file: a row of facts for each dataset and variable."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lxml import etree

from validators.library.xml import LARGEST, RefusedXmlError, parse

#: What Define-XML calls a value that people collected, in 2.0 and 2.1.
COLLECTED = frozenset({"CRF", "Collected"})


class DefineError(ValueError):
    """A Define-XML that cannot be read; the message says why."""


@dataclass(frozen=True)
class DefineFacts:
    """Datasets and variables of a Define-XML, as rows under the names that rules use."""

    datasets: Mapping[str, Mapping[str, Any]]
    variables: Mapping[str, Sequence[Mapping[str, Any]]]
    #: Terms that a sponsor added, by codelist code and name.
    extended: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def dataset_row(self, name: str) -> Mapping[str, Any] | None:
        """Facts of a dataset, None where it is not in the file."""
        return self.datasets.get(name)

    def variable_rows(self, name: str) -> Sequence[Mapping[str, Any]]:
        """Facts of the variables of a dataset, in their order."""
        return self.variables.get(name, ())

    def extensions(self, codelists: Sequence[str]) -> list[str]:
        """Terms that the sponsor added to codelists, or to all with ["ALL"]."""
        wanted = self.extended if "ALL" in {one.upper() for one in codelists} else codelists
        return list(dict.fromkeys(term for one in wanted for term in self.extended.get(one, ())))


def read_define(path: Path) -> DefineFacts:
    """Facts of a Define-XML 2.0 or 2.1.

    Raises
    ------
    DefineError
        It is not there, is no XML, or declares a document type.
    """
    if not path.exists():
        raise DefineError(f"The Define-XML {path.name} is not there.")
    try:
        with path.open("rb") as file:
            return facts(parse(file.read(LARGEST + 1)))
    except RefusedXmlError as error:
        raise DefineError(f"The Define-XML {path.name} {error}") from error


def facts(tree: Any) -> DefineFacts:
    """Facts of a tree."""
    items = {one.get("OID"): one for one in found(tree, "ItemDef")}
    codelists = {one.get("OID"): one for one in found(tree, "CodeList")}
    leaves = {one.get("ID"): attribute(one, "href") for one in found(tree, "leaf")}
    datasets: dict[str, dict[str, Any]] = {}
    variables: dict[str, list[dict[str, Any]]] = {}
    for group in found(tree, "ItemGroupDef"):
        name = str(group.get("Name"))
        references = [one for one in group if local(one) == "ItemRef"]
        pairs = [(one, items[one.get("ItemOID")]) for one in references if one.get("ItemOID") in items]
        datasets[name] = dataset_facts(group, pairs, leaves)
        variables[name] = [variable_facts(one, item, codelists) for one, item in pairs]
    extended = {key: terms for one in codelists.values() for key in keys(one) if (terms := added(one))}
    return DefineFacts(datasets=datasets, variables=variables, extended=extended)


def local(element: Any) -> str:
    """The name of an element without its namespace; "" for a comment."""
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


def found(tree: Any, name: str) -> Iterator[Any]:
    """Elements of a name, in whatever namespace."""
    yield from tree.iter("{*}" + name)


def attribute(element: Any, name: str) -> str | None:
    """The value of an attribute, in whatever namespace."""
    return next((str(value) for key, value in element.attrib.items() if etree.QName(key).localname == name), None)


def description(element: Any) -> str:
    """The text of its description."""
    for one in element:
        if local(one) == "Description":
            return " ".join("".join(one.itertext()).split())
    return ""


def children(element: Any, name: str) -> list[Any]:
    """Direct children of a name."""
    return [one for one in element if local(one) == name]


def dataset_facts(group: Any, pairs: Sequence[tuple[Any, Any]], leaves: Mapping[str, str | None]) -> dict[str, Any]:
    """What the file says of a dataset."""
    classes = children(group, "Class")
    keyed = [(int(one.get("KeySequence")), item.get("Name")) for one, item in pairs if one.get("KeySequence")]
    names = [str(item.get("Name")) for _, item in pairs]
    ordered = sorted(pairs, key=lambda pair: int(pair[0].get("OrderNumber") or 0))
    return {
        "define_dataset_name": group.get("Name"),
        "define_dataset_label": description(group),
        "define_dataset_location": leaves.get(attribute(group, "ArchiveLocationID") or "", ""),
        "define_dataset_domain": group.get("Domain"),
        "define_dataset_class": classes[0].get("Name") if classes else attribute(group, "Class"),
        "define_dataset_structure": attribute(group, "Structure"),
        "define_dataset_is_non_standard": attribute(group, "IsNonStandard"),
        "define_dataset_has_no_data": attribute(group, "HasNoData") == "Yes",
        "define_dataset_key_sequence": [name for _, name in sorted(keyed)],
        "define_dataset_variables": names,
        "define_dataset_variable_order": [str(item.get("Name")) for _, item in ordered],
    }


def variable_facts(reference: Any, item: Any, codelists: Mapping[str, Any]) -> dict[str, Any]:
    """What the file says of a variable."""
    used = children(item, "CodeListRef")
    codelist = codelists.get(used[0].get("CodeListOID")) if used else None
    origins = children(item, "Origin")
    origin = origins[0].get("Type") if origins else ""
    length = item.get("Length")
    return {
        "define_variable_name": item.get("Name"),
        "define_variable_label": description(item),
        "define_variable_data_type": item.get("DataType"),
        "define_variable_role": reference.get("Role"),
        "define_variable_size": int(length) if length else None,
        "define_variable_length": int(length) if length else None,
        "define_variable_ccode": code(codelist),
        "define_variable_format": attribute(item, "DisplayFormat"),
        "define_variable_allowed_terms": decodes(codelist),
        "define_variable_origin_type": origin,
        "define_variable_is_collected": origin in COLLECTED,
        "define_variable_has_no_data": attribute(reference, "HasNoData") or "",
        "define_variable_order_number": int(reference.get("OrderNumber") or 0) or None,
        "define_variable_has_codelist": codelist is not None,
        "define_variable_codelist_coded_values": [str(one.get("CodedValue")) for one in items_of(codelist)],
        "define_variable_codelist_coded_codes": [code(one) for one in items_of(codelist) if code(one)],
        "define_variable_mandatory": reference.get("Mandatory"),
        "define_variable_has_comment": attribute(item, "CommentOID") is not None,
        "define_variable_has_method": reference.get("MethodOID") is not None,
    }


def items_of(codelist: Any) -> list[Any]:
    """The terms of a codelist."""
    return [] if codelist is None else [one for one in codelist if local(one) in {"CodeListItem", "EnumeratedItem"}]


def decodes(codelist: Any) -> list[str]:
    """The decoded texts of a codelist."""
    return [
        " ".join("".join(text.itertext()).split()) for one in items_of(codelist) for text in children(one, "Decode")
    ]


def code(element: Any) -> str:
    """The C-code that an alias gives; "" without one."""
    if element is None:
        return ""
    return next((str(one.get("Name")) for one in children(element, "Alias")), "")


def keys(codelist: Any) -> list[str]:
    """What a codelist is asked for by: its code and its name."""
    return [one for one in (code(codelist), codelist.get("Name")) if one]


def added(codelist: Any) -> list[str]:
    """Terms that are marked as the sponsor's own."""
    return [str(one.get("CodedValue")) for one in items_of(codelist) if attribute(one, "ExtendedValue") == "Yes"]
