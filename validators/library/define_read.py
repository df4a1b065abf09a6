"""The one reader of Define-XML: 2.1 and 2.0 that others wrote, without trusting it.

People's Define is read strictly; rules take what there is (`is_lenient`), since to find what is missing is what they are for.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from lxml import etree

from datamodel.kernel.errors import BadInputError
from validators.library.define import (
    CodedTerm,
    Condition,
    Define,
    DefineCodelist,
    DefineComment,
    Document,
    DocumentRef,
    Item,
    Method,
    Origin,
    Pages,
    Ref,
    Standard,
    Table,
    ValueList,
    WhereClause,
)
from validators.library.define_names import DEF, DEF_2_0, DOMAIN, ODM, XLINK
from validators.library.xml import LARGEST, RefusedXmlError, parse

#: How version 2.0 calls the standards that 2.1 names otherwise.
_STANDARDS_2_0: Final = {"SDTM-IG": "SDTMIG", "SEND-IG": "SENDIG", "ADaM-IG": "ADaMIG"}
_DEF_ANY: Final = "http://www.cdisc.org/ns/def/"
_ORIGINS_2_0: Final = {"CRF": "Collected", "eDT": "Collected"}


class UnreadableDefineError(BadInputError, ValueError):
    """A file that is no Define-XML 2.0 or 2.1, is damaged, or asks for what is refused."""


def read_define(path: str | os.PathLike[str], *, is_lenient: bool = False) -> Define:
    """Read a Define-XML; a lenient reader asks for a MetaDataVersion only, in whatever namespaces and of whatever version.

    Raises
    ------
    UnreadableDefineError
        When it is not there, is no XML, declares a document type, is too large, or is not a Define-XML 2.0 or 2.1.
    """
    source = Path(path)
    if not source.is_file():
        raise UnreadableDefineError(f"The Define-XML {source.name} is not there.")
    with source.open("rb") as file:  # one byte more than is read tells that it is too large
        return parse_define(file.read(LARGEST + 1), f"The Define-XML {source.name}", is_lenient=is_lenient)


def parse_define(content: bytes, name: str = "The Define-XML", *, is_lenient: bool = False) -> Define:
    """Read a Define-XML from its bytes; `name` is what messages call it. Arguments and errors as `read_define`."""
    try:
        root: Any = parse(content)
    except RefusedXmlError as error:
        raise UnreadableDefineError(f"{name} {error} Nothing was taken from it.") from error
    version = (
        next(root.iter("{*}MetaDataVersion"), None)
        if is_lenient
        else root.find(f"{{{ODM}}}Study/{{{ODM}}}MetaDataVersion")
    )
    if version is None or (root.tag != f"{{{ODM}}}ODM" and not is_lenient):
        raise UnreadableDefineError(f"{name} is not a Define-XML: it has no ODM/Study/MetaDataVersion of ODM 1.3.")
    namespace = _namespace(root, version, is_lenient=is_lenient)
    if not namespace:
        raise UnreadableDefineError(f"{name} says no def:DefineVersion; versions 2.0 and 2.1 are read.")
    try:
        return _Reader(namespace, etree.QName(version).namespace or "").define(root, version)
    except ValueError as error:
        raise UnreadableDefineError(f"{name} holds a number that is none: {error}.") from error


def _namespace(root: Any, version: Any, *, is_lenient: bool) -> str:
    """Return the namespace of Define-XML's own parts: that of the version, or for the lenient the one that is used."""
    said = next((one for one in (DEF, DEF_2_0) if version.get(f"{{{one}}}DefineVersion")), "")
    if said or not is_lenient:
        return said
    declared = {space for one in (root, version) for space in one.nsmap.values() if space.startswith(_DEF_ANY)}
    return min(declared, default=DEF)


class _Reader:
    """Reads the elements, in one of the two namespaces of Define-XML."""

    def __init__(self, namespace: str, odm: str) -> None:
        self.space, self.odm = namespace, odm
        self.leaves: dict[str, Document] = {}

    def define(self, root: Any, version: Any) -> Define:
        study = version if version.getparent() is None else version.getparent()
        about = study.find(f"{{{self.odm}}}GlobalVariables")
        self.leaves = {one.get("ID", ""): self.leaf(one) for one in version.iter(self.tag("leaf"))}
        return Define(
            file_oid=root.get("FileOID", ""),
            created=root.get("CreationDateTime", ""),
            study_oid=study.get("OID", ""),
            study_name=self.child_text(about, "StudyName"),
            study_description=self.child_text(about, "StudyDescription"),
            protocol=self.child_text(about, "ProtocolName"),
            oid=version.get("OID", ""),
            name=version.get("Name", ""),
            description=version.get("Description", ""),
            version=self.own(version, "DefineVersion"),
            context=self.own(root, "Context"),
            originator=root.get("Originator", ""),
            source_system=root.get("SourceSystem", ""),
            source_system_version=root.get("SourceSystemVersion", ""),
            comment=self.own(version, "CommentOID"),
            standards=self.standards(version),
            annotated_crf=self.references(version.find(self.tag("AnnotatedCRF"))),
            supplements=self.references(version.find(self.tag("SupplementalDoc"))),
            value_lists=tuple(
                ValueList(one.get("OID", ""), self.refs(one), self.description(one))
                for one in version.iterchildren(self.tag("ValueListDef"))
            ),
            where_clauses=tuple(self.clause(one) for one in version.iterchildren(self.tag("WhereClauseDef"))),
            tables=tuple(self.table(one) for one in self.children(version, "ItemGroupDef")),
            items=tuple(self.item(one) for one in self.children(version, "ItemDef")),
            codelists=tuple(self.codelist(one) for one in self.children(version, "CodeList")),
            methods=tuple(self.method(one) for one in self.children(version, "MethodDef")),
            comments=tuple(
                DefineComment(one.get("OID", ""), self.description(one), self.references(one))
                for one in version.iterchildren(self.tag("CommentDef"))
            ),
            documents=tuple(self.leaf(one) for one in version.iterchildren(self.tag("leaf"))),
        )

    def tag(self, name: str) -> str:
        return f"{{{self.space}}}{name}"

    def own(self, element: Any, name: str) -> str:
        """Return an attribute of Define-XML's own namespace."""
        return str(element.get(self.tag(name), ""))

    def standards(self, version: Any) -> tuple[Standard, ...]:
        if name := self.own(version, "StandardName"):  # version 2.0 knows one standard, and no status
            return (Standard("STD.1", _STANDARDS_2_0.get(name, name), "IG", self.own(version, "StandardVersion"), ""),)
        return tuple(
            Standard(
                one.get("OID", ""),
                one.get("Name", ""),
                one.get("Type", ""),
                one.get("Version", ""),
                one.get("Status", ""),
                one.get("PublishingSet", ""),
                self.own(one, "CommentOID"),
            )
            for one in version.iterfind(f"{self.tag('Standards')}/{self.tag('Standard')}")
        )

    def clause(self, element: Any) -> WhereClause:
        conditions = tuple(
            Condition(
                self.own(one, "ItemOID"),
                one.get("Comparator", ""),
                tuple(value.text or "" for value in self.children(one, "CheckValue")),
                one.get("SoftHard", "Soft"),
            )
            for one in self.children(element, "RangeCheck")
        )
        return WhereClause(element.get("OID", ""), conditions, self.own(element, "CommentOID"))

    def table(self, element: Any) -> Table:
        class_ = element.find(self.tag("Class"))
        subclass = None if class_ is None else class_.find(self.tag("SubClass"))
        leaf = element.find(self.tag("leaf"))
        return Table(
            oid=element.get("OID", ""),
            name=element.get("Name", ""),
            label=self.description(element) or self.own(element, "Label"),
            refs=self.refs(element),
            domain=element.get("Domain", ""),
            structure=self.own(element, "Structure"),
            class_=self.own(element, "Class") if class_ is None else class_.get("Name", ""),
            subclass="" if subclass is None else subclass.get("Name", ""),
            purpose=element.get("Purpose", ""),
            is_repeating=element.get("Repeating") == "Yes",
            is_reference_data=element.get("IsReferenceData") == "Yes",
            sas_name=element.get("SASDatasetName", ""),
            standard=self.own(element, "StandardOID"),
            is_non_standard=self.own(element, "IsNonStandard") == "Yes",
            has_no_data=self.own(element, "HasNoData") == "Yes",
            comment=self.own(element, "CommentOID"),
            parent_label=self.alias(element, DOMAIN),
            document=self.leaves.get(self.own(element, "ArchiveLocationID")) if leaf is None else self.leaf(leaf),
        )

    def refs(self, element: Any) -> tuple[Ref, ...]:
        return tuple(
            Ref(
                item=one.get("ItemOID", ""),
                order=_number(one, "OrderNumber"),
                is_mandatory=one.get("Mandatory") == "Yes",
                key=_number(one, "KeySequence"),
                method=one.get("MethodOID", ""),
                role=one.get("Role", ""),
                where=tuple(ref.get("WhereClauseOID", "") for ref in one.iterchildren(self.tag("WhereClauseRef"))),
                is_non_standard=self.own(one, "IsNonStandard") == "Yes",
                has_no_data=self.own(one, "HasNoData") == "Yes",
            )
            for one in self.children(element, "ItemRef")
        )

    def item(self, element: Any) -> Item:
        codelist = element.find(f"{{{self.odm}}}CodeListRef")
        values = element.find(self.tag("ValueListRef"))
        return Item(
            oid=element.get("OID", ""),
            name=element.get("Name", ""),
            data_type=element.get("DataType", ""),
            label=self.description(element),
            length=_number(element, "Length"),
            significant_digits=_number(element, "SignificantDigits"),
            sas_name=element.get("SASFieldName", ""),
            display_format=self.own(element, "DisplayFormat"),
            codelist="" if codelist is None else codelist.get("CodeListOID", ""),
            value_list="" if values is None else values.get("ValueListOID", ""),
            origins=tuple(self.origin(one) for one in element.iterchildren(self.tag("Origin"))),
            comment=self.own(element, "CommentOID"),
        )

    def origin(self, element: Any) -> Origin:
        stated = element.get("Type", "")
        kind = _ORIGINS_2_0.get(stated, stated) if self.space == DEF_2_0 else stated
        return Origin(kind, element.get("Source", ""), self.description(element), self.references(element), stated)

    def codelist(self, element: Any) -> DefineCodelist:
        external = element.find(f"{{{self.odm}}}ExternalCodeList")
        return DefineCodelist(
            oid=element.get("OID", ""),
            name=element.get("Name", ""),
            data_type=element.get("DataType", ""),
            terms=tuple(
                self.term(one)
                for one in element
                if one.tag in {f"{{{self.odm}}}CodeListItem", f"{{{self.odm}}}EnumeratedItem"}
            ),
            code=self.alias(element, "nci:ExtCodeID"),
            standard=self.own(element, "StandardOID"),
            is_non_standard=self.own(element, "IsNonStandard") == "Yes",
            sas_format=element.get("SASFormatName", ""),
            comment=self.own(element, "CommentOID"),
            dictionary="" if external is None else external.get("Dictionary", ""),
            dictionary_version="" if external is None else external.get("Version", ""),
        )

    def term(self, element: Any) -> CodedTerm:
        decode = element.find(f"{{{self.odm}}}Decode")
        return CodedTerm(
            element.get("CodedValue", ""),
            "" if decode is None else self.child_text(decode, "TranslatedText"),
            self.alias(element, "nci:ExtCodeID"),
            self.own(element, "ExtendedValue") == "Yes",
            _number(element, "OrderNumber"),
            self.description(element),
        )

    def method(self, element: Any) -> Method:
        return Method(
            element.get("OID", ""),
            element.get("Name", ""),
            self.description(element),
            element.get("Type", ""),
            tuple((one.get("Context", ""), one.text or "") for one in self.children(element, "FormalExpression")),
            self.references(element),
        )

    def references(self, element: Any) -> tuple[DocumentRef, ...]:
        if element is None:
            return ()
        return tuple(
            DocumentRef(
                one.get("leafID", ""),
                tuple(
                    Pages(
                        page.get("Type", ""),
                        tuple(page.get("PageRefs", "").split()),
                        _number(page, "FirstPage"),
                        _number(page, "LastPage"),
                        page.get("Title", ""),
                    )
                    for page in one.iterchildren(self.tag("PDFPageRef"))
                ),
            )
            for one in element.iterchildren(self.tag("DocumentRef"))
        )

    def leaf(self, element: Any) -> Document:
        title = element.find(self.tag("title"))
        text = "" if title is None else title.text or ""
        return Document(element.get("ID", ""), element.get(f"{{{XLINK}}}href", ""), text)

    def children(self, element: Any, name: str) -> Iterator[Any]:
        yield from element.iterchildren(f"{{{self.odm}}}{name}")

    def child_text(self, element: Any, name: str) -> str:
        found = None if element is None else element.find(f"{{{self.odm}}}{name}")
        return "" if found is None else found.text or ""

    def description(self, element: Any) -> str:
        found = element.find(f"{{{self.odm}}}Description")
        return "" if found is None else self.child_text(found, "TranslatedText")

    def alias(self, element: Any, context: str) -> str:
        named = self.children(element, "Alias")
        return next((str(one.get("Name")) for one in named if one.get("Context") == context), "")


def _number(element: Any, name: str) -> int | None:
    text = element.get(name)
    return int(text) if text else None
