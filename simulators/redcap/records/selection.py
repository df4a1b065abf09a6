"""What an export asks for: columns, records, events; read from the call and refused if it names what does not exist."""

import re
from dataclasses import dataclass

from simulators.redcap.api.call import Call
from simulators.redcap.formats import ApiError
from simulators.redcap.model import Column, Project

_DIGITS = re.compile(r"(\d+)")
_PSEUDO = (
    "redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance", "redcap_data_access_group",
    "redcap_survey_identifier",
)  # fmt: skip


def natural(text: str) -> list[str | int]:
    """Sort key that puts 2 before 10."""
    return [int(part) if part.isdigit() else part.lower() for part in _DIGITS.split(text)]


@dataclass(frozen=True, slots=True)
class Selection:
    """Columns (the record id first if asked for), records in order, event numbers, and which lead columns are shown."""

    columns: list[Column]
    with_id: bool
    records: list[str]
    events: set[int]
    lead: list[str]
    dags: dict[str, str]


def refuse_unknown(parameter: str, given: list[str], known: object) -> None:
    """Refuse a list parameter that holds names which do not exist (400)."""
    wrong = [name for name in given if name not in known]  # type: ignore[operator]
    if wrong:
        listed = ", ".join(f"'{name}'" for name in wrong)
        raise ApiError(400, f'The following values in the parameter "{parameter}" are not valid: {listed}')


def _columns(call: Call, project: Project) -> tuple[list[Column], bool]:
    fields, forms = call.names("fields"), call.names("forms")
    complete = {f"{form}_complete" for form in project.forms}
    refuse_unknown("fields", fields, {*project.fields, *complete})
    refuse_unknown("forms", forms, project.forms)
    chosen = [
        column
        for column in project.columns
        if not (fields or forms)
        or column.form in forms
        or (column.field.name if column.field else column.name) in fields
    ]
    with_id = any(column.name == project.id_field for column in chosen)
    hidden = {form for form, right in (call.user.get("forms_export") or {}).items() if str(right) == "0"}
    columns = [c for c in chosen if c.name != project.id_field and c.form not in hidden]
    if call.flag("exportSurveyFields"):
        columns = _with_timestamps(project, columns)
    return columns, with_id


def _with_timestamps(project: Project, columns: list[Column]) -> list[Column]:
    out: list[Column] = []
    for column in columns:
        name = f"{column.form}_timestamp"
        if column.form in project.doc["surveys"] and not any(other.name == name for other in out):
            out.append(Column(name, column.form, "timestamp", None, "Survey Timestamp", {}))
        out.append(column)
    return out


def _changed_records(call: Call) -> set[str] | None:
    begin, end = call.get("dateRangeBegin"), call.get("dateRangeEnd")
    if not begin and not end:
        return None
    for name, value in (("dateRangeBegin", begin), ("dateRangeEnd", end)):
        if value and not re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?", value):
            raise ApiError(400, f"The parameter {name} must be in the format YYYY-MM-DD HH:MM:SS")
    with call.store.reading() as db:
        found = db.execute(
            "SELECT DISTINCT record FROM log WHERE project_id = ? AND at >= ? AND at <= ? AND kind IN ('add', 'edit')",
            (call.project_id, begin, end or "9999"),
        )
        return {row[0] for row in found}


def _records(call: Call, dags: dict[str, str]) -> list[str]:
    wanted = call.names("records")
    own_dag = call.user.get("data_access_group", "")
    changed = _changed_records(call)
    chosen = set(wanted) & set(dags) if wanted else set(dags)
    if own_dag:
        chosen = {record for record in chosen if dags[record] == own_dag}
    if changed is not None:
        chosen &= changed
    return sorted(chosen - call.hidden, key=natural)


def _lead(call: Call, project: Project, *, with_id: bool) -> list[str]:
    if not with_id:
        return []
    lead = ["redcap_event_name"] if project.longitudinal else []
    if project.repeating:
        lead += ["redcap_repeat_instrument", "redcap_repeat_instance"]
    if call.flag("exportDataAccessGroups") and project.doc["dags"] and not call.user.get("data_access_group"):
        lead.append("redcap_data_access_group")
    if call.flag("exportSurveyFields") and project.doc["surveys"]:
        lead.append("redcap_survey_identifier")
    return lead


def select(call: Call, project: Project) -> Selection:
    """The selection of a record export.

    Raises
    ------
    ApiError
        400 if a named field, form or event does not exist, or a date range is not one.
    """
    columns, with_id = _columns(call, project)
    events = call.names("events")
    if project.longitudinal:
        refuse_unknown("events", events, project.events)
    chosen = {project.events[name].id for name in events if name in project.events} or set(project.events_by_id)
    with call.store.reading() as db:
        dags = dict(db.execute("SELECT record, dag FROM record WHERE project_id = ?", (call.project_id,)))
    return Selection(columns, with_id, _records(call, dags), chosen, _lead(call, project, with_id=with_id), dags)
