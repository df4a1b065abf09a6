"""Writing Define-XML 2.1: the same Define gives the same bytes."""

import os
import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from lxml import etree

from validators.library.define import (
    CodedTerm,
    Define,
    DefineCodelist,
    Document,
    DocumentRef,
    Item,
    Ref,
    Standard,
    Table,
    ValueList,
    WhereClause,
)
from validators.library.define_names import DEF, DOMAIN, NCI, ODM, XLINK, XML


def define_bytes(define: Define) -> bytes:
    """Return the Define as the XML of version 2.1, with the instruction that shows it through `define2-1.xsl`."""
    spaces: Any = {None: ODM, "def": DEF, "xlink": XLINK}  # the types of lxml know no default namespace
    root = etree.Element(f"{{{ODM}}}ODM", nsmap=spaces)
    _set(
        root,
        FileType="Snapshot",
        FileOID=define.file_oid,
        CreationDateTime=define.created,
        ODMVersion="1.3.2",
        Originator=define.originator,
        SourceSystem=define.source_system,
        SourceSystemVersion=define.source_system_version,
        def_Context=define.context,
    )
    study = _add(root, "Study", OID=define.study_oid)
    about = _add(study, "GlobalVariables")
    for name, text in (
        ("StudyName", define.study_name),
        ("StudyDescription", define.study_description),
        ("ProtocolName", define.protocol),
    ):
        _add(about, name).text = text
    _version(study, define)
    root.addprevious(etree.ProcessingInstruction("xml-stylesheet", 'type="text/xsl" href="define2-1.xsl"'))
    return etree.tostring(root.getroottree(), xml_declaration=True, encoding="UTF-8", pretty_print=True)


def write_define(define: Define, path: str | os.PathLike[str]) -> None:
    """Write the Define to a file, whole or not at all."""
    target = Path(path)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        partial.write_bytes(define_bytes(define))
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _version(study: Any, define: Define) -> None:
    made = _add(
        study,
        "MetaDataVersion",
        OID=define.oid,
        Name=define.name,
        Description=define.description,
        def_DefineVersion=define.version if define.version.startswith("2.1") else "2.1.0",
        def_CommentOID=define.comment,
    )
    if define.standards:
        place = _add(made, "def_Standards")
        for standard in define.standards:
            _standard(place, standard)
    _documents(made, "def_AnnotatedCRF", define.annotated_crf)
    _documents(made, "def_SupplementalDoc", define.supplements)
    for value_list in define.value_lists:
        _value_list(made, value_list)
    for clause in define.where_clauses:
        _clause(made, clause)
    for table in define.tables:
        _table(made, table)
    for item in define.items:
        _item(made, item)
    for codelist in define.codelists:
        _codelist(made, codelist)
    _explain(made, define)
    for document in define.documents:
        _leaf(made, document)


def _explain(made: Any, define: Define) -> None:
    for method in define.methods:
        place = _add(made, "MethodDef", OID=method.oid, Name=method.name, Type=method.type)
        _describe(place, method.description)
        for context, code in method.expressions:
            _add(place, "FormalExpression", Context=context).text = code
        _refer(place, method.documents)
    for comment in define.comments:
        place = _add(made, "def_CommentDef", OID=comment.oid)
        _describe(place, comment.description)
        _refer(place, comment.documents)


def _standard(place: Any, one: Standard) -> None:
    _add(
        place,
        "def_Standard",
        OID=one.oid,
        Name=one.name,
        Type=one.type,
        PublishingSet=one.publishing_set,
        Version=one.version,
        Status=one.status,
        def_CommentOID=one.comment,
    )


def _value_list(place: Any, one: ValueList) -> None:
    made = _add(place, "def_ValueListDef", OID=one.oid)
    _describe(made, one.description)
    _refs(made, one.refs)


def _clause(place: Any, one: WhereClause) -> None:
    made = _add(place, "def_WhereClauseDef", OID=one.oid, def_CommentOID=one.comment)
    for condition in one.conditions:
        check = _add(
            made,
            "RangeCheck",
            Comparator=condition.comparator,
            SoftHard=condition.soft_hard,
            def_ItemOID=condition.item,
        )
        for value in condition.values:
            _add(check, "CheckValue").text = value


def _table(place: Any, one: Table) -> None:
    made = _add(
        place,
        "ItemGroupDef",
        OID=one.oid,
        Name=one.name,
        Domain=one.domain,
        Repeating=_yes_no(one.is_repeating),
        IsReferenceData=_yes_no(one.is_reference_data),
        SASDatasetName=one.sas_name,
        Purpose=one.purpose,
        def_Structure=one.structure,
        def_ArchiveLocationID=one.document.oid if one.document else "",
        def_StandardOID=one.standard,
        def_IsNonStandard=_yes(one.is_non_standard),
        def_HasNoData=_yes(one.has_no_data),
        def_CommentOID=one.comment,
    )
    _describe(made, one.label)
    _refs(made, one.refs)
    if one.parent_label:
        _add(made, "Alias", Context=DOMAIN, Name=one.parent_label)
    if one.class_:
        class_ = _add(made, "def_Class", Name=one.class_)
        if one.subclass:
            _add(class_, "def_SubClass", Name=one.subclass)
    if one.document:
        _leaf(made, one.document)


def _refs(place: Any, refs: Iterable[Ref]) -> None:
    for one in refs:
        made = _add(
            place,
            "ItemRef",
            ItemOID=one.item,
            OrderNumber=_number(one.order),
            Mandatory=_yes_no(one.is_mandatory),
            KeySequence=_number(one.key),
            MethodOID=one.method,
            Role=one.role,
            def_IsNonStandard=_yes(one.is_non_standard),
            def_HasNoData=_yes(one.has_no_data),
        )
        for clause in one.where:
            _add(made, "def_WhereClauseRef", WhereClauseOID=clause)


def _item(place: Any, one: Item) -> None:
    made = _add(
        place,
        "ItemDef",
        OID=one.oid,
        Name=one.name,
        DataType=one.data_type,
        Length=_number(one.length),
        SignificantDigits=_number(one.significant_digits),
        SASFieldName=one.sas_name,
        def_DisplayFormat=one.display_format,
        def_CommentOID=one.comment,
    )
    _describe(made, one.label)
    if one.codelist:
        _add(made, "CodeListRef", CodeListOID=one.codelist)
    for origin in one.origins:
        source = _add(made, "def_Origin", Type=origin.type, Source=origin.source)
        _describe(source, origin.description)
        _refer(source, origin.documents)
    if one.value_list:
        _add(made, "def_ValueListRef", ValueListOID=one.value_list)


def _codelist(place: Any, one: DefineCodelist) -> None:
    made = _add(
        place,
        "CodeList",
        OID=one.oid,
        Name=one.name,
        DataType=one.data_type,
        SASFormatName=one.sas_format,
        def_StandardOID=one.standard,
        def_IsNonStandard=_yes(one.is_non_standard),
        def_CommentOID=one.comment,
    )
    has_decodes = any(term.decode for term in one.terms)
    for term in one.terms:
        _term(made, term, has_decodes=has_decodes)
    if one.dictionary:
        _add(made, "ExternalCodeList", Dictionary=one.dictionary, Version=one.dictionary_version)
    if one.code:
        _add(made, "Alias", Context=NCI, Name=one.code)


def _term(place: Any, one: CodedTerm, *, has_decodes: bool) -> None:
    made = _add(
        place,
        "CodeListItem" if has_decodes else "EnumeratedItem",
        CodedValue=one.value,
        OrderNumber=_number(one.order),
        def_ExtendedValue=_yes(one.is_extended),
    )
    if has_decodes:
        _text(_add(made, "Decode"), one.decode)
    if one.code:
        _add(made, "Alias", Context=NCI, Name=one.code)
    _describe(made, one.description)


def _documents(place: Any, name: str, refs: Sequence[DocumentRef]) -> None:
    if refs:
        _refer(_add(place, name), refs)


def _refer(place: Any, refs: Iterable[DocumentRef]) -> None:
    for one in refs:
        made = _add(place, "def_DocumentRef", leafID=one.document)
        for pages in one.pages:
            _add(
                made,
                "def_PDFPageRef",
                Type=pages.type,
                PageRefs=" ".join(pages.numbers),
                FirstPage=_number(pages.first),
                LastPage=_number(pages.last),
                Title=pages.title,
            )


def _leaf(place: Any, one: Document) -> None:
    made = _add(place, "def_leaf", ID=one.oid)
    made.set(f"{{{XLINK}}}href", one.href)
    _add(made, "def_title").text = one.title


def _describe(place: Any, text: str) -> None:
    if text:
        _text(_add(place, "Description"), text)


def _text(place: Any, text: str) -> None:
    made = _add(place, "TranslatedText")
    made.set(f"{{{XML}}}lang", "en")
    made.text = text


def _add(place: Any, name: str, **attributes: str) -> Any:
    return _set(etree.SubElement(place, _qualified(name, ODM)), **attributes)


def _set(element: Any, **attributes: str) -> Any:
    """Set the attributes that have a value; `def_` in front stands for the namespace of Define-XML."""
    for name, value in attributes.items():
        if value:
            element.set(_qualified(name, ""), value)
    return element


def _qualified(name: str, namespace: str) -> str:
    if name.startswith("def_"):
        return f"{{{DEF}}}{name[4:]}"
    return f"{{{namespace}}}{name}" if namespace else name


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _yes(value: bool) -> str:
    return "Yes" if value else ""


def _yes_no(value: bool) -> str:
    return "Yes" if value else "No"
