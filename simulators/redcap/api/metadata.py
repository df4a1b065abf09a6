"""The data dictionary: export, import, export field names."""

import re

from simulators.redcap.api.call import Call, Reply
from simulators.redcap.formats import ApiError, Row
from simulators.redcap.model import METADATA_COLUMNS, Project
from simulators.redcap.records.selection import refuse_unknown

_KINDS = {
    "text", "notes", "dropdown", "radio", "checkbox", "yesno", "truefalse", "calc", "slider", "file", "descriptive", "sql",
}  # fmt: skip
_NAMES = ("original_field_name", "choice_value", "export_field_name")


def metadata(call: Call) -> Reply:
    """``content=metadata``: an import if ``data`` is sent."""
    return import_metadata(call) if "data" in call.params else export_metadata(call)


def export_metadata(call: Call) -> Reply:
    """Dictionary rows of all fields, or of those in ``fields`` and ``forms``."""
    project, fields, forms = call.project, call.names("fields"), call.names("forms")
    refuse_unknown("fields", fields, project.fields)
    refuse_unknown("forms", forms, project.forms)
    rows = [
        {name: field.row.get(name, "") for name in METADATA_COLUMNS}
        for field in project.fields.values()
        if not (fields or forms) or field.name in fields or field.form in forms
    ]
    return call.table(rows, METADATA_COLUMNS, "records")


def import_metadata(call: Call) -> Reply:
    """Replace the whole dictionary; data of fields that are gone stay stored and unseen, as in REDCap."""
    call.need("design", "You do not have Project Design and Setup privileges")
    rows = [_checked(row, place) for place, row in enumerate(call.rows(), start=1)]
    doubled = {row["field_name"] for row in rows if sum(r["field_name"] == row["field_name"] for r in rows) > 1}
    if doubled:
        raise ApiError(400, f"The following field names appear twice: {', '.join(sorted(doubled))}")
    with call.store.writing():
        project = call.project
        labels = project.forms
        forms = list(dict.fromkeys(row["form_name"] for row in rows))
        project.doc["forms"] = [[form, labels.get(form, form.replace("_", " ").title())] for form in forms]
        project.doc["fields"] = sorted(rows, key=lambda row: forms.index(row["form_name"]))
        project.doc["mapping"] = [pair for pair in project.doc["mapping"] if pair[1] in forms]
        project.doc["repeating"] = [entry for entry in project.doc["repeating"] if entry[1] in {"", *forms}]
        call.store.save_project(project)
        call.log("manage", "Manage/Design ", "Upload data dictionary (API)")
    return call.number(len(rows))


def _checked(row: dict[str, str], place: int) -> dict[str, str]:
    made = {name: row.get(name, "") for name in METADATA_COLUMNS}
    name, kind = made["field_name"], made["field_type"]
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ApiError(400, f"Row {place}: the field name '{name}' must be lower-case letters, digits and underscores")
    if kind not in _KINDS:
        raise ApiError(400, f"Row {place}: the field type '{kind}' of '{name}' is not valid")
    if not made["form_name"]:
        raise ApiError(400, f"Row {place}: the form name of '{name}' is missing")
    if kind in {"dropdown", "radio", "checkbox"} and not made["select_choices_or_calculations"].strip():
        raise ApiError(400, f"Row {place}: the field '{name}' has no choices")
    return made


def field_name_rows(project: Project) -> list[Row]:
    """One row per export column; none for files."""
    rows: list[Row] = []
    for column in project.columns:
        if column.kind == "file":
            continue
        if column.kind == "checkbox" and column.field:
            same = [c.name for c in project.columns if c.field is column.field]
            code = list(column.field.choices)[same.index(column.name)]
            rows.append(dict(zip(_NAMES, (column.field.name, code, column.name), strict=True)))
        else:
            rows.append(dict(zip(_NAMES, (column.name, "", column.name), strict=True)))
    return rows


def export_field_names(call: Call) -> Reply:
    """Export names of all fields, or of one."""
    wanted = call.get("field")
    rows = [row for row in field_name_rows(call.project) if not wanted or row["original_field_name"] == wanted]
    if wanted and not rows:
        raise ApiError(400, f"The field '{wanted}' does not exist")
    return call.table(rows, _NAMES, "fields")
