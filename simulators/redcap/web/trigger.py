"""Save a form as a user would, and send the Data Entry Trigger that such a save causes (imports cause none)."""

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from simulators.redcap.api.call import Call, Server
from simulators.redcap.formats import ApiError
from simulators.redcap.records.rows_in import Importer
from simulators.redcap.web.switches import Switches

_DET_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger to send: an address (blank if the project has none) and its form fields."""

    url: str
    fields: dict[str, str]


def save_form(server: Server, wanted: dict[str, Any]) -> Trigger:
    """Save one form of one record.

    ``wanted`` has ``project_id``, ``record``, ``instrument``, ``values`` (field to value; a blank erases), and as needed
    ``event`` (unique name), ``instance``, ``username``, ``status`` (0, 1, 2), ``survey`` (true for a survey page).

    Raises
    ------
    ApiError
        If the form, the event or a value is not valid; nothing has been saved then.
    """
    is_survey = bool(wanted.get("survey"))
    user = "[survey respondent]" if is_survey else str(wanted.get("username") or "site_user")
    with server.store.writing():
        call = Call(server, [], project_id=int(wanted["project_id"]), username=user)
        project, form = call.project, str(wanted["instrument"])
        if form not in project.forms:
            raise ApiError(400, f"The instrument '{form}' does not exist; there are {', '.join(project.forms)}")
        event = project.events.get(str(wanted.get("event") or project.first_event.unique))
        if event is None:
            raise ApiError(
                400, f"The event '{wanted.get('event')}' does not exist; there are {', '.join(project.events)}"
            )
        values = {str(name): value for name, value in dict(wanted.get("values") or {}).items()}
        row: dict[str, Any] = {project.id_field: str(wanted["record"]), "redcap_event_name": event.unique}
        if project.repeats_in(form, event.id):
            row |= {"redcap_repeat_instrument": form, "redcap_repeat_instance": str(wanted.get("instance") or 1)}
        elif (event.id, "") in project.repeating:
            row |= {"redcap_repeat_instance": str(wanted.get("instance") or 1)}
        status = str(wanted.get("status") if wanted.get("status") is not None else 2 if is_survey else 0)
        row |= values | {f"{form}_complete": status}
        importer = Importer(call, project, overwrite=True)
        importer.mark = ""
        importer.run([row])
        if is_survey:
            _survey_time(call, row, form, event_id=event.id, done=status == "2")
        return Trigger(project.doc["det_url"], _det_fields(call, row, form, status))


def _survey_time(call: Call, row: dict[str, Any], form: str, *, event_id: int, done: bool) -> None:
    """Keep when a survey was completed; one that was only begun says so in its place."""
    stamp = call.server.now() if done else "[not completed]"
    instrument = str(row.get("redcap_repeat_instrument", ""))
    instance = int(row.get("redcap_repeat_instance", 1))
    key = (call.project_id, str(row[call.project.id_field]), event_id, instrument, instance)
    with call.store.writing() as db:
        db.execute(
            "UPDATE row SET data = CAST(json_set(data, '$.' || ?, ?) AS BLOB) WHERE project_id = ? AND record = ? "
            "AND event_id = ? AND instrument = ? AND instance = ?",
            (f"{form}_timestamp", stamp, *key),
        )


def _det_fields(call: Call, row: dict[str, Any], form: str, status: str) -> dict[str, str]:
    project, record = call.project, str(row[call.project.id_field])
    sent = {
        "project_id": str(project.id),
        "username": call.username,
        "instrument": form,
        "record": record,
        f"{form}_complete": status,
        "redcap_url": f"{call.server.public_url}/",
        "project_url": f"{call.server.public_url}/redcap_v{call.server.version}/index.php?pid={project.id}",
    }
    if project.longitudinal:
        sent["redcap_event_name"] = str(row["redcap_event_name"])
    with call.store.writing() as db:
        dag = db.execute("SELECT dag FROM record WHERE project_id = ? AND record = ?", (project.id, record)).fetchone()
    if dag and dag[0]:
        sent["redcap_data_access_group"] = str(dag[0])
    for name in ("redcap_repeat_instance", "redcap_repeat_instrument"):
        if row.get(name):
            sent[name] = str(row[name])
    return sent


async def fire(trigger: Trigger, switches: Switches) -> None:
    """Send a trigger once, as REDCap does: whatever the receiver answers is ignored, and nothing is tried again."""
    if not trigger.url or switches.det_drop:
        return
    await asyncio.sleep(switches.det_delay_ms / 1000)
    async with httpx.AsyncClient(timeout=_DET_SECONDS) as client:
        for _ in range(switches.det_times):
            try:
                await client.post(trigger.url, data=trigger.fields)
            except httpx.HTTPError:
                return  # nobody is told, which is how REDCap treats a receiver that is away


def stored_cells(server: Server, project_id: int, record: str) -> list[tuple[int, str, int, dict[str, str]]]:
    """Stored rows of a record: event number, instrument, instance, values."""
    with server.store.reading() as db:
        found = db.execute(
            "SELECT event_id, instrument, instance, data FROM row WHERE project_id = ? AND record = ?",
            (project_id, record),
        )
        return [(event_id, instrument, instance, orjson.loads(data)) for event_id, instrument, instance, data in found]
