"""Arms, events, event-form mapping, repeating parts, instruments."""

from dataclasses import asdict
from typing import Any

from simulators.redcap.api.call import Call, Reply
from simulators.redcap.formats import ApiError, Row
from simulators.redcap.model import Project, unique_name

# The offsets stand last: servers without scheduling leave them out, and clients that know only the others read on.
_EVENT_COLUMNS = (
    "event_name", "arm_num", "unique_event_name", "custom_event_label", "event_id", "day_offset", "offset_min",
    "offset_max",
)  # fmt: skip
_NO_DESIGN = "You do not have Project Design and Setup privileges"


def _longitudinal(call: Call, what: str) -> Project:
    if not call.project.longitudinal:
        raise ApiError(400, f"You cannot {what} for classic projects")
    return call.project


def _designer(call: Call, details: str) -> None:
    call.need("design", _NO_DESIGN)
    call.log("manage", "Manage/Design ", details)


def export_instruments(call: Call) -> Reply:
    """Forms and their labels."""
    rows = [{"instrument_name": name, "instrument_label": label} for name, label in call.project.forms.items()]
    return call.table(rows, ("instrument_name", "instrument_label"), "instruments")


def export_arms(call: Call) -> Reply:
    """Arms that have an event."""
    project = _longitudinal(call, "export arms")
    used = {event.arm for event in project.events.values()}
    wanted = call.names("arms")
    rows = [
        {"arm_num": number, "name": name}
        for number, name in sorted(project.doc["arms"])
        if number in used and (not wanted or str(number) in wanted)
    ]
    return call.table(rows, ("arm_num", "name"), "arms")


def import_arms(call: Call) -> Reply:
    """Add or rename arms; ``override`` first wipes arms, events and mappings."""
    rows = call.rows()
    with call.store.writing():
        project = _longitudinal(call, "import arms")
        _designer(call, "Import arms")
        arms = {} if call.flag("override") else dict(project.doc["arms"])
        for row in rows:
            if not row.get("arm_num", "").isdigit():
                raise ApiError(400, f"arm_num '{row.get('arm_num', '')}' is not a number")
            arms[int(row["arm_num"])] = row.get("name", "")
        if call.flag("override"):
            _keep_events(project, [])
        project.doc["arms"] = [[number, arms[number]] for number in sorted(arms)]
        call.store.save_project(project)
    return call.number(len(rows))


def delete_arms(call: Call) -> Reply:
    """Delete arms with their events and data."""
    wanted = {int(arm) for arm in call.names("arms") if arm.isdigit()}
    with call.store.writing():
        project = _longitudinal(call, "delete arms")
        _designer(call, "Delete arms")
        known = {number for number, _ in project.doc["arms"]}
        if not wanted or wanted - known:
            raise ApiError(400, f"The following arms do not exist: {', '.join(map(str, sorted(wanted - known)))}")
        project.doc["arms"] = [arm for arm in project.doc["arms"] if arm[0] not in wanted]
        gone = [event["id"] for event in project.doc["events"] if event["arm"] in wanted]
        _keep_events(project, [event for event in project.doc["events"] if event["arm"] not in wanted])
        _drop_data(call, gone)
        call.store.save_project(project)
    return call.number(len(wanted))


def _keep_events(project: Project, events: list[dict[str, Any]]) -> None:
    kept = {event["id"] for event in events}
    project.doc["events"] = events
    project.doc["mapping"] = [pair for pair in project.doc["mapping"] if pair[0] in kept]
    project.doc["repeating"] = [entry for entry in project.doc["repeating"] if entry[0] in kept]


def _drop_data(call: Call, event_ids: list[int]) -> None:
    with call.store.writing() as db:
        db.executemany(
            "DELETE FROM row WHERE project_id = ? AND event_id = ?", [(call.project_id, key) for key in event_ids]
        )


def event_rows(project: Project) -> list[Row]:
    """Events as the API shows them."""
    rows = []
    for event in project.events.values():
        shown = asdict(event)
        shown |= {"event_name": event.name, "arm_num": event.arm, "unique_event_name": event.unique}
        shown |= {"custom_event_label": event.label, "event_id": event.id}
        rows.append({name: shown[name] for name in _EVENT_COLUMNS})
    return rows


def export_events(call: Call) -> Reply:
    """Events with arm, day offset and window in days."""
    project = _longitudinal(call, "export events")
    wanted = call.names("arms")
    rows = [row for row in event_rows(project) if not wanted or str(row["arm_num"]) in wanted]
    return call.table(rows, _EVENT_COLUMNS, "events")


def _days(row: dict[str, str], name: str, old: float) -> float:
    text = row.get(name, "")
    if text == "":
        return old
    try:
        value = float(text)
    except ValueError as error:
        raise ApiError(400, f"{name} '{text}' is not a number of days") from error
    return int(value) if value.is_integer() else value


def _after_all(events: dict[str, dict[str, Any]]) -> float:
    """A day after every event there is: where a new event without a day stands."""
    return max((event["day_offset"] for event in events.values()), default=0) + 1


def import_events(call: Call) -> Reply:
    """Add or change events; those not named stay, unless ``override``."""
    rows = call.rows()
    with call.store.writing():
        project = _longitudinal(call, "import events")
        _designer(call, "Import events")
        events = {} if call.flag("override") else {event["unique"]: event for event in project.doc["events"]}
        arms = {number for number, _ in project.doc["arms"]}
        for row in rows:
            name, arm = row.get("event_name", ""), row.get("arm_num", "1") or "1"
            if not name or not arm.isdigit() or int(arm) not in arms:
                raise ApiError(400, f"The event '{name}' needs a name and an arm_num that exists; got arm_num '{arm}'")
            unique = row.get("unique_event_name") or f"{unique_name(name)}_arm_{arm}"
            old = events.get(unique) or {
                "id": call.store.next_id(),
                "day_offset": _after_all(events),
                "offset_min": 0,
                "offset_max": 0,
            }
            events[unique] = {
                "id": old["id"],
                "name": name,
                "arm": int(arm),
                "unique": f"{unique_name(name)}_arm_{arm}" if old.get("name", name) != name else unique,
                "label": row.get("custom_event_label", old.get("label", "")),
                "day_offset": _days(row, "day_offset", old["day_offset"]),
                "offset_min": _days(row, "offset_min", old["offset_min"]),
                "offset_max": _days(row, "offset_max", old["offset_max"]),
            }
        _keep_events(project, list(events.values()))
        call.store.save_project(project)
    return call.number(len(rows))


def delete_events(call: Call) -> Reply:
    """Delete events with their data."""
    wanted = set(call.names("events"))
    with call.store.writing():
        project = _longitudinal(call, "delete events")
        _designer(call, "Delete events")
        if not wanted or wanted - set(project.events):
            raise ApiError(400, f"The following events do not exist: {', '.join(sorted(wanted - set(project.events)))}")
        gone = [project.events[name].id for name in wanted]
        _keep_events(project, [event for event in project.doc["events"] if event["unique"] not in wanted])
        _drop_data(call, gone)
        call.store.save_project(project)
    return call.number(len(wanted))


def export_mapping(call: Call) -> Reply:
    """Which form is filled in at which event."""
    project = _longitudinal(call, "export form/event mappings")
    wanted = call.names("arms")
    rows = [
        {"arm_num": event.arm, "unique_event_name": event.unique, "form": form}
        for event in project.events.values()
        for form in project.forms
        if form in project.designated[event.id] and (not wanted or str(event.arm) in wanted)
    ]
    return call.table(rows, ("arm_num", "unique_event_name", "form"), "items")


def import_mapping(call: Call) -> Reply:
    """Replace the whole mapping."""
    rows = call.rows()
    with call.store.writing():
        project = _longitudinal(call, "import form/event mappings")
        _designer(call, "Perform instrument-event mappings")
        mapping = []
        for row in rows:
            event, form = project.events.get(row.get("unique_event_name", "")), row.get("form", "")
            if event is None or form not in project.forms:
                raise ApiError(400, f"Unknown event '{row.get('unique_event_name', '')}' or form '{form}'")
            mapping.append([event.id, form])
        project.doc["mapping"] = mapping
        call.store.save_project(project)
    return call.number(len(rows))


def export_repeating(call: Call) -> Reply:
    """Repeating instruments and events."""
    project = call.project
    if not project.repeating:
        raise ApiError(
            400,
            "You cannot export repeating instruments and events because the project does not contain any repeating "
            "instruments and events",
        )
    rows: list[Row] = []
    for event in project.events.values():
        for form in ["", *project.forms]:
            if (event.id, form) in project.repeating:
                row = {"event_name": event.unique} if project.longitudinal else {}
                rows.append(row | {"form_name": form, "custom_form_label": project.repeating[event.id, form]})
    return call.table(rows, rows[0], "repeatingInstrumentsEvents")


def import_repeating(call: Call) -> Reply:
    """Replace the repeating setup."""
    rows = call.rows()
    with call.store.writing():
        project = call.project
        _designer(call, "Set up repeating instruments and events")
        entries = []
        for row in rows:
            name = row.get("event_name", "") or project.first_event.unique
            event, form = project.events.get(name), row.get("form_name", "")
            if event is None or (form and form not in project.forms):
                raise ApiError(400, f"Unknown event '{name}' or form '{form}'")
            entries.append([event.id, form, row.get("custom_form_label", "")])
        project.doc["repeating"] = entries
        call.store.save_project(project)
    return call.number(len(rows))
