"""Writes the project XML: CDISC ODM 1.3.1 with REDCap's attributes, in the dialect of `simulators/redcap/PROJECT_XML.md`."""

from typing import Final

from lxml import etree

from simulators.cdiscpilot.dictionary import Field, Form, Project, project

ODM: Final = "http://www.cdisc.org/ns/odm/v1.3"
REDCAP: Final = "https://projectredcap.org"
_CREATED: Final = "2026-01-01T00:00:00"
_OID: Final = "CDISCPilot"
# What REDCap calls these field types and checks inside the XML.
_FIELD_TYPE: Final = {"notes": "textarea", "dropdown": "select"}
_VALIDATION: Final = {"integer": "int", "number": "float"}
_DATA_TYPE: Final = {"integer": "integer", "number": "float", "date_ymd": "date", "time": "partialTime"}

type _Node = etree._Element  # noqa: SLF001 - lxml has no public name for its element class


def project_xml() -> bytes:
    """Give the whole project as XML: dictionary, events, event-instrument mapping and repeating instruments."""
    definition = project()
    root = etree.Element(
        f"{{{ODM}}}ODM",
        {
            "ODMVersion": "1.3.1",
            "FileOID": "000-00-0000",
            "FileType": "Snapshot",
            "Description": definition.title,
            "AsOfDateTime": _CREATED,
            "CreationDateTime": _CREATED,
            "SourceSystem": "REDCap",
        },
        nsmap={None: ODM, "redcap": REDCAP},  # type: ignore[dict-item]  # the stubs forget the default namespace
    )
    study = _add(root, "Study", OID=f"Project.{_OID}")
    _globals(study, definition)
    version = _add(study, "MetaDataVersion", OID=f"Metadata.{_OID}", Name=definition.title)
    version.set(_redcap("RecordIdField"), definition.record_id_field)
    _events(version, definition)
    for form in definition.forms:
        _form(version, form)
    for form in definition.forms:
        for section in _sections(form):
            _item_group(version, form, section)
    for form in definition.forms:
        for field in form.fields:
            _items(version, definition, field)
        _status_item(version, form)
    for form in definition.forms:
        for field in form.fields:
            _code_lists(version, definition, field)
        _status_codes(version, form)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _redcap(name: str) -> str:
    return f"{{{REDCAP}}}{name}"


def _add(parent: _Node, tag: str, /, text: str | None = None, **attributes: str) -> _Node:
    """Add an element; attributes whose name starts with `r_` are REDCap's own."""
    named = {_redcap(key[2:]) if key.startswith("r_") else key: value for key, value in attributes.items()}
    child = etree.SubElement(parent, tag if tag.startswith("{") else f"{{{ODM}}}{tag}", named)
    child.text = text
    return child


def _globals(study: _Node, definition: Project) -> None:
    node = _add(study, "GlobalVariables")
    _add(node, "StudyName", definition.title)
    _add(node, "StudyDescription", definition.notes)
    _add(node, "ProtocolName", definition.title)
    settings = {
        "RecordAutonumberingEnabled": "0",
        "SchedulingEnabled": "0",
        "SurveysEnabled": "0",
        "Purpose": "0",
        "ProjectNotes": definition.notes,
    }
    for name, value in settings.items():
        _add(node, _redcap(name), value)
    outer = _add(node, _redcap("RepeatingInstrumentsAndEvents"))
    inner = _add(outer, _redcap("RepeatingInstruments"))
    for form in definition.forms:
        for event in form.repeats_in:
            _add(
                inner,
                _redcap("RepeatingInstrument"),
                r_UniqueEventName=event,
                r_RepeatInstrument=form.form,
                r_CustomLabel=form.instance_label,
            )


def _events(version: _Node, definition: Project) -> None:
    protocol = _add(version, "Protocol")
    events = sorted(definition.events, key=lambda event: event.day)
    for number, event in enumerate(events, start=1):
        _add(protocol, "StudyEventRef", StudyEventOID=f"Event.{event.event}", OrderNumber=str(number), Mandatory="No")
    for event in events:
        node = _add(
            version,
            "StudyEventDef",
            OID=f"Event.{event.event}",
            Name=event.name,
            Type="Common",
            Repeating="No",
            r_EventName=event.name,
            r_CustomEventLabel="",
            r_UniqueEventName=event.event,
            r_ArmNum=str(definition.arm.number),
            r_ArmName=definition.arm.name,
            r_DayOffset=str(event.day),
            r_OffsetMin=str(event.before),
            r_OffsetMax=str(event.after),
        )
        forms = [form.form for form in definition.forms if event.event in form.events]
        for number, form in enumerate(forms, start=1):
            _add(node, "FormRef", FormOID=f"Form.{form}", OrderNumber=str(number), Mandatory="No", r_FormName=form)


def _sections(form: Form) -> list[list[Field]]:
    """Split a form at its section headers; REDCap keeps one item group for each."""
    sections: list[list[Field]] = []
    for field in form.fields:
        if field.section or not sections:
            sections.append([])
        sections[-1].append(field)
    return sections


def _group_oid(form: Form, section: list[Field]) -> str:
    return f"{form.form}.{section[0].name}"


def _form(version: _Node, form: Form) -> None:
    node = _add(version, "FormDef", OID=f"Form.{form.form}", Name=form.label, Repeating="No", r_FormName=form.form)
    for section in _sections(form):
        _add(node, "ItemGroupRef", ItemGroupOID=_group_oid(form, section), Mandatory="No")
    _add(node, "ItemGroupRef", ItemGroupOID=f"{form.form}.{form.form}_complete", Mandatory="No")


def _oids(definition: Project, field: Field) -> list[str]:
    if field.type == "checkbox":
        return [f"{field.name}___{choice.code}" for choice in definition.choices(field)]
    return [field.name]


def _item_group(version: _Node, form: Form, section: list[Field]) -> None:
    node = _add(version, "ItemGroupDef", OID=_group_oid(form, section), Name=form.label, Repeating="No")
    for field in section:
        for oid in _oids(project(), field):
            _add(node, "ItemRef", ItemOID=oid, Mandatory="Yes" if field.required else "No", r_Variable=field.name)
    if section[-1] is form.fields[-1]:
        status = f"{form.form}_complete"
        last = _add(version, "ItemGroupDef", OID=f"{form.form}.{status}", Name=form.label, Repeating="No")
        _add(last, "ItemRef", ItemOID=status, Mandatory="No", r_Variable=status)


def _items(version: _Node, definition: Project, field: Field) -> None:
    attributes = {
        "TextValidationType": _VALIDATION.get(field.validation or "", field.validation),
        "SectionHeader": field.section,
        "FieldNote": field.note,
        "RequiredField": "y" if field.required else None,
        "BranchingLogic": field.branch,
        "Calculation": field.calc,
        "FieldAnnotation": "@HIDDEN" if field.hidden else None,
    }
    for oid in _oids(definition, field):
        node = _add(
            version,
            "ItemDef",
            OID=oid,
            Name=oid,
            DataType=_DATA_TYPE.get(field.validation or "", "text"),
            Length="999",
            r_Variable=field.name,
            r_FieldType=_FIELD_TYPE.get(field.type, field.type),
        )
        for name, value in attributes.items():
            if value is not None:
                node.set(_redcap(name), value)
        _add(_add(node, "Question"), "TranslatedText", field.label)
        for comparator, limit in (("GE", field.min), ("LE", field.max)):
            if limit is not None:
                _add(_add(node, "RangeCheck", Comparator=comparator, SoftHard="Soft"), "CheckValue", limit)
        if _has_code_list(field):
            _add(node, "CodeListRef", CodeListOID=f"{oid}.choices")


def _has_code_list(field: Field) -> bool:
    return field.choices is not None and field.type != "yesno"


def _code_lists(version: _Node, definition: Project, field: Field) -> None:
    if not _has_code_list(field):
        return
    choices = definition.choices(field)
    for oid in _oids(definition, field):
        node = _add(version, "CodeList", OID=f"{oid}.choices", Name=oid, DataType="text", r_Variable=field.name)
        if field.type == "checkbox":
            node.set(_redcap("CheckboxChoices"), " | ".join(f"{one.code}, {one.label}" for one in choices))
            pairs = [("1", "Checked"), ("0", "Unchecked")]
        else:
            pairs = [(one.code, one.label) for one in choices]
        _code_items(node, pairs)


def _code_items(node: _Node, pairs: list[tuple[str, str]]) -> None:
    for code, label in pairs:
        _add(_add(_add(node, "CodeListItem", CodedValue=code), "Decode"), "TranslatedText", label)


def _status_item(version: _Node, form: Form) -> None:
    name = f"{form.form}_complete"
    node = _add(
        version,
        "ItemDef",
        OID=name,
        Name=name,
        DataType="text",
        Length="1",
        r_Variable=name,
        r_FieldType="select",
        r_SectionHeader="Form Status",
    )
    _add(_add(node, "Question"), "TranslatedText", "Complete?")
    _add(node, "CodeListRef", CodeListOID=f"{name}.choices")


def _status_codes(version: _Node, form: Form) -> None:
    name = f"{form.form}_complete"
    node = _add(version, "CodeList", OID=f"{name}.choices", Name=name, DataType="text", r_Variable=name)
    _code_items(node, [("0", "Incomplete"), ("1", "Unverified"), ("2", "Complete")])
