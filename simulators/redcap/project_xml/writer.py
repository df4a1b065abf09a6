"""Write a project, and rows of its data if asked, as the project file that the reader reads."""

import base64
from collections.abc import Iterable, Iterator
from xml.sax.saxutils import escape, quoteattr

from simulators.redcap.formats import XML_HEAD
from simulators.redcap.model import Field, Project, checkbox_column
from simulators.redcap.project_xml.names import ATTRIBUTES, FIELD_TYPES, ODM, REDCAP, SETTINGS, VALIDATIONS
from simulators.redcap.store import Store

_TO_ODM_TYPE = {ours: theirs for theirs, ours in FIELD_TYPES.items()}
_TO_ODM_VALIDATION = {ours: theirs for theirs, ours in VALIDATIONS.items()}
_STATUS = {"0": "Incomplete", "1": "Unverified", "2": "Complete"}


def _attrs(**values: object) -> str:
    return "".join(
        f" {name.replace('redcap_', 'redcap:')}={quoteattr(str(value), {chr(10): '&#10;'})}"
        for name, value in values.items()
    )


def _element(name: str, text: object) -> str:
    return f"\t<redcap:{name}>{escape(str(text))}</redcap:{name}>\n"


def _globals(project: Project) -> Iterator[str]:
    info = project.doc["info"]
    title = escape(str(info.get("project_title", "")))
    yield f"<GlobalVariables>\n\t<StudyName>{title}</StudyName>\n\t<StudyDescription>Project {title}</StudyDescription>\n"
    yield f"\t<ProtocolName>{title}</ProtocolName>\n"
    for element, key in SETTINGS.items():
        yield _element(element, info.get(key, ""))
    if project.repeating:
        yield "\t<redcap:RepeatingInstrumentsAndEvents>\n"
        for (event_id, form), label in project.repeating.items():
            event = project.events_by_id[event_id].unique
            if form:
                one = _attrs(redcap_UniqueEventName=event, redcap_RepeatInstrument=form, redcap_CustomLabel=label)
                yield f"\t\t<redcap:RepeatingInstruments><redcap:RepeatingInstrument{one}/></redcap:RepeatingInstruments>\n"
            else:
                yield f"\t\t<redcap:RepeatingEvent{_attrs(redcap_UniqueEventName=event)}/>\n"
        yield "\t</redcap:RepeatingInstrumentsAndEvents>\n"
    yield from _group(
        "Surveys", [_attrs(form_name=form, title=title) for form, title in project.doc["surveys"].items()]
    )
    yield from _group("DataAccessGroups", [_attrs(group_name=dag["name"]) for dag in project.doc["dags"]])
    yield from _group("UserRoles", [_attrs(role_name=role["label"]) for role in project.doc["roles"]])
    yield from _group(
        "Reports",
        [
            _attrs(
                title=report["title"],
                redcap_reports_fields=",".join(report["fields"]),
                remove_line_breaks_in_values=int(report["remove_line_breaks"]),
                advanced_logic=report["logic"],
            ).replace("redcap:reports_fields", "redcap_reports_fields")
            for report in project.doc["reports"]
        ],
    )
    yield "</GlobalVariables>\n"


def _group(name: str, entries: list[str]) -> Iterator[str]:
    if entries:
        yield f"\t<redcap:{name}Group>\n"
        for entry in entries:
            yield f"\t\t<redcap:{name}{entry}/>\n"
        yield f"\t</redcap:{name}Group>\n"


def _events(project: Project) -> Iterator[str]:
    if not project.longitudinal:
        return
    arms = dict(project.doc["arms"])
    yield "\t<Protocol>\n"
    for place, event in enumerate(project.events.values(), start=1):
        yield f"\t\t<StudyEventRef{_attrs(StudyEventOID=f'Event.{event.unique}', OrderNumber=place, Mandatory='No')}/>\n"
    yield "\t</Protocol>\n"
    for event in project.events.values():
        shown = _attrs(
            OID=f"Event.{event.unique}", Name=event.name, Type="Common", Repeating="No", redcap_EventName=event.name,
            redcap_CustomEventLabel=event.label, redcap_UniqueEventName=event.unique, redcap_ArmNum=event.arm,
            redcap_ArmName=arms.get(event.arm, ""), redcap_DayOffset=event.day_offset, redcap_OffsetMin=event.offset_min,
            redcap_OffsetMax=event.offset_max,
        )  # fmt: skip
        yield f"\t<StudyEventDef{shown}>\n"
        forms = [form for form in project.forms if form in project.designated[event.id]]
        for place, form in enumerate(forms, start=1):
            reference = _attrs(FormOID=f"Form.{form}", OrderNumber=place, Mandatory="No", redcap_FormName=form)
            yield f"\t\t<FormRef{reference}/>\n"
        yield "\t</StudyEventDef>\n"


def _oids(field: Field) -> list[str]:
    if field.kind == "checkbox":
        return [checkbox_column(field.name, code) for code in field.choices]
    return [field.name]


def _forms(project: Project) -> Iterator[str]:
    for form, label in project.forms.items():
        shown = _attrs(OID=f"Form.{form}", Name=label, Repeating="No", redcap_FormName=form)
        group = f"{form}.fields"
        yield f'\t<FormDef{shown}>\n\t\t<ItemGroupRef{_attrs(ItemGroupOID=group)} Mandatory="No"/>\n\t</FormDef>\n'
    for form, label in project.forms.items():
        yield f"\t<ItemGroupDef{_attrs(OID=f'{form}.fields', Name=label, Repeating='No')}>\n"
        for field in project.fields.values():
            if field.form == form:
                for oid in _oids(field):
                    yield f'\t\t<ItemRef{_attrs(ItemOID=oid)} Mandatory="No"{_attrs(redcap_Variable=field.name)}/>\n'
        status = _attrs(ItemOID=f"{form}_complete", Mandatory="No", redcap_Variable=f"{form}_complete")
        yield f"\t\t<ItemRef{status}/>\n\t</ItemGroupDef>\n"


def _data_type(field: Field) -> str:
    if field.kind in {"yesno", "truefalse", "checkbox"}:
        return "boolean"
    if field.kind == "calc" or field.validation.startswith("number"):
        return "float"
    kinds = {"integer": "integer", "time": "time"}
    return kinds.get(
        field.validation, field.validation.split("_")[0] if field.validation.startswith("date") else "text"
    )


def _item(field: Field, oid: str) -> str:
    kind = _TO_ODM_TYPE.get(field.kind, field.kind)
    shown = _attrs(
        OID=oid, Name=oid, DataType=_data_type(field), Length=999, redcap_Variable=field.name, redcap_FieldType=kind
    )
    for column, attribute in ATTRIBUTES.items():
        value = field.row.get(column, "")
        if value:
            shown += _attrs(**{f"redcap_{attribute}": _TO_ODM_VALIDATION.get(value, value)})
    if field.kind == "calc":
        shown += _attrs(redcap_Calculation=field.row["select_choices_or_calculations"])
    elif field.kind in {"slider", "sql"}:
        shown += _attrs(redcap_SliderLabels=field.row["select_choices_or_calculations"])
    body = f"\t\t<Question><TranslatedText>{escape(field.label)}</TranslatedText></Question>\n"
    if field.choices and field.kind != "sql":
        body += f"\t\t<CodeListRef{_attrs(CodeListOID=f'{oid}.choices')}/>\n"
    for comparator, column in (("GE", "text_validation_min"), ("LE", "text_validation_max")):
        if field.row.get(column):
            check = f"<CheckValue>{escape(field.row[column])}</CheckValue>"
            body += f'\t\t<RangeCheck Comparator="{comparator}" SoftHard="Soft">{check}</RangeCheck>\n'
    return f"\t<ItemDef{shown}>\n{body}\t</ItemDef>\n"


def _code_list(oid: str, variable: str, choices: dict[str, str], packed: str | None = None) -> str:
    shown = _attrs(OID=f"{oid}.choices", Name=oid, DataType="text", redcap_Variable=variable)
    if packed is not None:
        shown += _attrs(redcap_CheckboxChoices=packed)
    items = "".join(
        f"\t\t<CodeListItem{_attrs(CodedValue=code)}><Decode><TranslatedText>{escape(label)}</TranslatedText></Decode></CodeListItem>\n"
        for code, label in choices.items()
    )
    return f"\t<CodeList{shown}>\n{items}\t</CodeList>\n"


def _dictionary(project: Project) -> Iterator[str]:
    for field in project.fields.values():
        for oid in _oids(field):
            yield _item(field, oid)
    for form in project.forms:
        oid = f"{form}_complete"
        shown = _attrs(OID=oid, Name=oid, DataType="text", Length=1, redcap_Variable=oid, redcap_FieldType="select")
        reference = f"<CodeListRef{_attrs(CodeListOID=f'{oid}.choices')}/>"
        yield f"\t<ItemDef{shown}><Question><TranslatedText>Complete?</TranslatedText></Question>{reference}</ItemDef>\n"
    for field in project.fields.values():
        for oid in _oids(field):
            if field.kind == "checkbox":
                packed = field.row["select_choices_or_calculations"]
                yield _code_list(oid, field.name, {"1": "Checked", "0": "Unchecked"}, packed)
            elif field.choices and field.kind != "sql":
                yield _code_list(oid, field.name, field.choices)
    for form in project.forms:
        yield _code_list(f"{form}_complete", f"{form}_complete", _STATUS)


def _file_item(name: str, key: str, files: Store, file_names: dict[str, str]) -> str:
    with files.reading() as db:
        found = db.execute("SELECT mime, content FROM file WHERE id = ?", (int(key),)).fetchone()
    shown = _attrs(ItemOID=name, redcap_DocName=file_names.get(key, ""), redcap_MimeType=found[0])
    return f"<ItemDataBase64Binary{shown}>{base64.b64encode(found[1]).decode()}</ItemDataBase64Binary>"


def _form_data(
    project: Project, row: tuple[str, int, str, int, dict[str, str]], files: Store | None, names: dict[str, str]
) -> str:
    record, event_id, instrument, instance, cells = row
    out = ""
    for form in project.forms:
        if instrument and form != instrument:
            continue
        items = (
            "<ItemData" + _attrs(ItemOID=project.id_field, Value=record) + "/>"
            if form == next(iter(project.forms))
            else ""
        )
        for column in project.columns:
            if column.form == form and column.name in cells and column.kind != "file":
                items += f"<ItemData{_attrs(ItemOID=column.name, Value=cells[column.name])}/>"
            elif column.form == form and column.name in cells and files is not None:
                items += _file_item(column.name, cells[column.name], files, names)
        if items:
            key = instance if instrument else 1
            group = (
                f'<ItemGroupData{_attrs(ItemGroupOID=f"{form}.fields")} ItemGroupRepeatKey="1">{items}</ItemGroupData>'
            )
            out += f"<FormData{_attrs(FormOID=f'Form.{form}', FormRepeatKey=key)}>{group}</FormData>\n"
    if project.longitudinal:
        unique = project.events_by_id[event_id].unique
        key = instance if not instrument else 1
        shown = _attrs(StudyEventOID=f"Event.{unique}", StudyEventRepeatKey=key, redcap_UniqueEventName=unique)
        return f"<StudyEventData{shown}>{out}</StudyEventData>\n"
    return out


def odm_stream(
    project: Project,
    rows: Iterable[tuple[str, int, str, int, dict[str, str]]] | None,
    *,
    files: Store | None,
    file_names: dict[str, str],
    now: str,
) -> Iterator[bytes]:
    """The file in pieces; ``rows`` None leaves the data out, ``files`` None leaves uploaded files out."""
    title = str(project.doc["info"].get("project_title", ""))
    oid = "".join(sign for sign in title if sign.isalnum())
    at = now.replace(" ", "T")
    head = _attrs(ODMVersion="1.3.1", FileOID="000-00-0000", FileType="Snapshot", Description=title, AsOfDateTime=at)
    head += _attrs(CreationDateTime=at, SourceSystem="REDCap")
    version = _attrs(OID=f"Metadata.{oid}", Name=title, redcap_RecordIdField=project.id_field)
    yield f'{XML_HEAD}\n<ODM xmlns="{ODM}" xmlns:redcap="{REDCAP}"{head}>\n<Study OID="Project.{oid}">\n'.encode()
    structure = [
        *_globals(project),
        f"<MetaDataVersion{version}>\n",
        *_events(project),
        *_forms(project),
        *_dictionary(project),
    ]
    yield "".join(structure).encode()
    yield b"</MetaDataVersion>\n</Study>\n"
    if rows is not None:
        yield f"<ClinicalData{_attrs(StudyOID=f'Project.{oid}', MetaDataVersionOID=f'Metadata.{oid}')}>\n".encode()
        for row in rows:
            subject = _attrs(SubjectKey=row[0], redcap_RecordIdField=project.id_field)
            data = _form_data(project, row, files, file_names)
            yield f"<SubjectData{subject}>{data}</SubjectData>\n".encode()
        yield b"</ClinicalData>\n"
    yield b"</ODM>"
