"""Read a project file into a project document and, if it carries data, into import rows."""

import re
from collections.abc import Callable
from typing import Any

from lxml import etree

from simulators.redcap.formats import ApiError, parse_xml
from simulators.redcap.model import METADATA_COLUMNS, classic_event, empty_document, unique_name
from simulators.redcap.project_xml.names import ATTRIBUTES, FIELD_TYPES, SETTINGS, VALIDATIONS, odm, red

_ATTRIBUTE = re.compile(r'="[^"<]*\n[^"<]*"')
type NextId = Callable[[], int]


def read_root(text: str) -> etree._Element:
    """The ODM root; line breaks inside attributes are kept, which a plain XML parser would turn into spaces."""
    root = parse_xml(_ATTRIBUTE.sub(lambda found: found.group(0).replace("\n", "&#10;"), text))
    if root.tag != odm("ODM") or root.find(f"{odm('Study')}/{odm('MetaDataVersion')}") is None:
        raise ApiError(
            400, "The 'odm' parameter is not a REDCap project XML file: ODM/Study/MetaDataVersion is missing."
        )
    return root


def read_project(root: etree._Element, next_id: NextId) -> dict[str, Any]:
    """The project document of an ODM root. ``next_id`` gives numbers for events, groups and roles."""
    study = root.find(odm("Study"))
    version = root.find(f"{odm('Study')}/{odm('MetaDataVersion')}")
    if study is None or version is None:  # read_root has refused this already
        raise ApiError(400, "ODM/Study/MetaDataVersion is missing.")
    doc = empty_document(study.findtext(f"{odm('GlobalVariables')}/{odm('StudyName')}") or "Untitled")
    forms, fields = _dictionary(version)
    if fields:
        doc["forms"], doc["fields"] = forms, fields
    _events(version, doc, next_id)
    variables = study.find(odm("GlobalVariables"))
    if variables is not None:
        _settings(variables, doc, next_id)
    return doc


def _all_text(element: etree._Element) -> str:
    return "".join(str(part) for part in element.itertext())


def _choices(code_list: etree._Element) -> str:
    packed = code_list.get(red("CheckboxChoices"))
    if packed is not None:
        return packed
    return " | ".join(
        f"{item.get('CodedValue')}, {_all_text(item).strip()}" for item in code_list.findall(odm("CodeListItem"))
    )


def _limit(item: etree._Element, comparator: str) -> str:
    found = item.find(f"{odm('RangeCheck')}[@Comparator='{comparator}']/{odm('CheckValue')}")
    return (found.text or "") if found is not None else ""


def _field(item: etree._Element, form: str, code_lists: dict[str, str]) -> dict[str, str]:
    row = dict.fromkeys(METADATA_COLUMNS, "")
    kind = item.get(red("FieldType"), "text")
    row["field_name"] = item.get(red("Variable")) or item.get("OID") or ""
    row["form_name"] = form
    row["field_type"] = FIELD_TYPES.get(kind, kind)
    label = item.find(f"{odm('Question')}/{odm('TranslatedText')}")
    row["field_label"] = _all_text(label) if label is not None else ""
    for column, attribute in ATTRIBUTES.items():
        row[column] = item.get(red(attribute)) or ""
    validation = "text_validation_type_or_show_slider_number"
    row[validation] = VALIDATIONS.get(row[validation], row[validation])
    row["text_validation_min"], row["text_validation_max"] = _limit(item, "GE"), _limit(item, "LE")
    reference = item.find(odm("CodeListRef"))
    if row["field_type"] == "calc":
        row["select_choices_or_calculations"] = item.get(red("Calculation")) or ""
    elif reference is not None and row["field_type"] not in {"yesno", "truefalse"}:
        row["select_choices_or_calculations"] = code_lists.get(reference.get("CodeListOID") or "", "")
    elif row["field_type"] in {"slider", "sql"}:
        row["select_choices_or_calculations"] = item.get(red("SliderLabels")) or ""
    return row


def _dictionary(version: etree._Element) -> tuple[list[list[str]], list[dict[str, str]]]:
    items = {item.get("OID", ""): item for item in version.findall(odm("ItemDef"))}
    groups = {group.get("OID", ""): group for group in version.findall(odm("ItemGroupDef"))}
    code_lists = {entry.get("OID", ""): _choices(entry) for entry in version.findall(odm("CodeList"))}
    forms, fields, seen = [], [], set()
    for form in version.findall(odm("FormDef")):
        name = form.get(red("FormName")) or form.get("OID", "").removeprefix("Form.")
        forms.append([name, form.get("Name", name)])
        for reference in form.findall(odm("ItemGroupRef")):
            group = groups.get(reference.get("ItemGroupOID", ""))
            for part in group.findall(odm("ItemRef")) if group is not None else []:
                item = items.get(part.get("ItemOID", ""))
                if item is None:
                    continue
                variable = item.get(red("Variable")) or item.get("OID", "")
                # What REDCap adds by itself carries no field type, or is the form status.
                if variable in seen or item.get(red("FieldType")) is None or variable == f"{name}_complete":
                    continue
                seen.add(variable)
                fields.append(_field(item, name, code_lists))
    return forms, fields


def _number(event: etree._Element, attribute: str) -> float:
    value = float(event.get(red(attribute)) or 0)
    return int(value) if value.is_integer() else value


def _events(version: etree._Element, doc: dict[str, Any], next_id: NextId) -> None:
    arms: dict[int, str] = {}
    for event in version.findall(odm("StudyEventDef")):
        arm = int(event.get(red("ArmNum")) or 1)
        arms[arm] = event.get(red("ArmName")) or f"Arm {arm}"
        name = event.get(red("EventName")) or event.get("Name") or ""
        made = {
            "id": next_id(),
            "name": name,
            "arm": arm,
            "unique": event.get(red("UniqueEventName")) or f"{unique_name(name)}_arm_{arm}",
            "label": event.get(red("CustomEventLabel"), ""),
            "day_offset": _number(event, "DayOffset"),
            "offset_min": _number(event, "OffsetMin"),
            "offset_max": _number(event, "OffsetMax"),
        }
        doc["events"].append(made)
        for form in event.findall(odm("FormRef")):
            doc["mapping"].append(
                [made["id"], form.get(red("FormName")) or form.get("FormOID", "").removeprefix("Form.")]
            )
    doc["longitudinal"] = bool(arms)
    doc["arms"] = [[number, arms[number]] for number in sorted(arms)] or [[1, "Arm 1"]]
    if not arms:
        doc["events"] = [classic_event(next_id())]


def _settings(variables: etree._Element, doc: dict[str, Any], next_id: NextId) -> None:
    for element, key in SETTINGS.items():
        text = variables.findtext(red(element))
        if text is not None:
            doc["info"][key] = text
    by_name = {event["unique"]: event["id"] for event in doc["events"]}
    for entry in variables.iter(red("RepeatingInstrument"), red("RepeatingEvent")):
        event_id = by_name.get(entry.get(red("UniqueEventName"), ""), doc["events"][0]["id"])
        doc["repeating"].append([event_id, entry.get(red("RepeatInstrument"), ""), entry.get(red("CustomLabel"), "")])
    for survey in variables.iter(red("Surveys")):
        doc["surveys"][survey.get("form_name", "")] = survey.get("title", "")
    for group in variables.iter(red("DataAccessGroups")):
        name = group.get("group_name", "")
        doc["dags"].append({"id": next_id(), "name": name, "unique": unique_name(name)})
    for role in variables.iter(red("UserRoles")):
        number = next_id()
        unique = role.get("unique_role_name") or f"U-{number:09d}R"
        doc["roles"].append({"id": number, "unique": unique, "label": role.get("role_name") or ""})
    for report in variables.iter(red("Reports")):
        doc["reports"].append(
            {
                "id": next_id(),
                "title": report.get("title", ""),
                "fields": [name for name in report.get("redcap_reports_fields", "").split(",") if name],
                "logic": (report.get("advanced_logic") or "").strip(),
                "remove_line_breaks": report.get("remove_line_breaks_in_values", "0") == "1",
            }
        )


def read_rows(root: etree._Element, doc: dict[str, Any]) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Import rows and files of ``ClinicalData``; empty if there is none."""
    rows: dict[tuple[str, str, str, str], dict[str, str]] = {}
    files: list[dict[str, str]] = []
    repeating = {(event_id, form) for event_id, form, _ in doc["repeating"]}
    ids = {event["unique"]: event["id"] for event in doc["events"]}
    id_field = doc["fields"][0]["field_name"]
    for form in root.iter(odm("FormData")):
        above = form.getparent()
        event = (
            above.get(red("UniqueEventName"), "") if above is not None and above.tag == odm("StudyEventData") else ""
        )
        subject = next(form.iterancestors(odm("SubjectData"))).get("SubjectKey", "")
        name = form.get("FormOID", "").removeprefix("Form.")
        event_id = ids.get(event, doc["events"][0]["id"])
        lead = {id_field: subject, "redcap_event_name": event or doc["events"][0]["unique"]}
        lead |= {"redcap_repeat_instrument": "", "redcap_repeat_instance": ""}
        if (event_id, name) in repeating:
            lead |= {"redcap_repeat_instrument": name, "redcap_repeat_instance": form.get("FormRepeatKey", "1")}
        elif (event_id, "") in repeating and above is not None:
            lead["redcap_repeat_instance"] = above.get("StudyEventRepeatKey", "1")
        key = (subject, lead["redcap_event_name"], lead["redcap_repeat_instrument"], lead["redcap_repeat_instance"])
        row = rows.setdefault(key, lead)
        for item in form.iter(odm("ItemData")):
            row.setdefault(item.get("ItemOID", ""), item.get("Value", ""))
        for item in form.iter(odm("ItemDataBase64Binary")):
            found = {"field": item.get("ItemOID") or "", "name": item.get(red("DocName")) or "file"}
            found |= {"mime": item.get(red("MimeType")) or "application/octet-stream", "content": item.text or ""}
            files += [lead | found]
    return list(rows.values()), files
