"""Projects: creation by super token, project info, settings, project XML, version."""

import base64
from typing import Any

from simulators.redcap.api.call import Call, Reply
from simulators.redcap.api.people import new_user
from simulators.redcap.formats import MEDIA, ApiError, Row
from simulators.redcap.model import Project, classic_event, empty_document
from simulators.redcap.project_xml.reader import read_project, read_root, read_rows
from simulators.redcap.project_xml.writer import odm_stream
from simulators.redcap.records.rows_in import Importer
from simulators.redcap.records.rows_out import Look, kept_rows
from simulators.redcap.records.selection import select

CREATOR = "site_admin"
_FLAGS = (
    "is_longitudinal", "has_repeating_instruments_or_events", "surveys_enabled", "scheduling_enabled",
    "record_autonumbering_enabled", "randomization_enabled", "ddp_enabled",
)  # fmt: skip
_PURPOSES = range(5)


def create_project(call: Call) -> Reply:
    """Create a project from its attributes and, if ``odm`` is sent, from a project file; the answer is its token."""
    rows = call.rows()
    title = rows[0].get("project_title", "") if len(rows) == 1 else ""
    purpose = rows[0].get("purpose", "") if rows else ""
    if not title or not purpose.isdigit() or int(purpose) not in _PURPOSES:
        raise ApiError(400, "One project with a project_title and a purpose from 0 to 4 must be given in 'data'.")
    store = call.store
    root = read_root(call.get("odm")) if call.get("odm").strip() else None
    with store.writing():
        if root is not None:
            doc = read_project(root, store.next_id)
        else:
            doc = empty_document(title)
            doc["events"] = [classic_event(store.next_id())]
        doc["info"] |= {name: value for name, value in rows[0].items() if value != ""}
        doc["longitudinal"] = doc["longitudinal"] or rows[0].get("is_longitudinal") == "1"
        doc["info"]["creation_time"] = call.server.now()
        doc["users"] = [new_user(CREATOR, list(dict(doc["forms"])), creator=True)]
        call.project_id = store.add_project(doc).id
        call.username = CREATOR
        token = store.add_token(call.project_id, CREATOR)
        call.log("manage", "Manage/Design ", "Create project (API)")
        if root is not None:
            _load_data(call, *read_rows(root, doc))
    return Reply(token, "text/html; charset=utf-8")


def _load_data(call: Call, rows: list[dict[str, str]], files: list[dict[str, str]]) -> None:
    project = call.project
    known = {project.id_field, *project.columns_by_name}
    lead = ("redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance", "redcap_data_access_group")
    kept = [{name: value for name, value in row.items() if name in known or name in lead} for row in rows]
    if kept:
        Importer(call, project).run(kept)
    from simulators.redcap.api.files import attach

    for sent in files:
        if sent["field"] in project.fields:
            place = {"event": sent["redcap_event_name"], "repeat_instance": sent["redcap_repeat_instance"]}
            content = base64.b64decode(sent["content"])
            attach(
                call, record=sent[project.id_field], field=sent["field"], place=place, name=sent["name"],
                mime=sent["mime"], content=content,
            )  # fmt: skip


def _integer(value: object) -> int:
    return int(value) if str(value).isdigit() else 0  # type: ignore[call-overload]


def project_info(project: Project) -> Row:
    """The 27 attributes of a project; flags and numbers are ints."""
    info: dict[str, Any] = project.doc["info"]
    flags = dict.fromkeys(_FLAGS, 0) | {
        "is_longitudinal": int(project.longitudinal),
        "has_repeating_instruments_or_events": int(bool(project.repeating)),
        "surveys_enabled": int(bool(project.doc["surveys"]) or info.get("surveys_enabled") == "1"),
        "scheduling_enabled": _integer(info.get("scheduling_enabled", 0)),
        "record_autonumbering_enabled": _integer(
            info.get("record_autonumbering_enabled", info.get("is_autonumber", 0))
        ),
    }
    return {
        "project_id": project.id,
        "project_title": info.get("project_title", ""),
        "creation_time": info.get("creation_time", ""),
        "production_time": info.get("production_time", ""),
        "in_production": _integer(info.get("in_production", 0)),
        "project_language": info.get("project_language", "English"),
        "purpose": _integer(info.get("purpose", 0)),
        "purpose_other": info.get("purpose_other", ""),
        "project_notes": info.get("project_notes", ""),
        "custom_record_label": info.get("custom_record_label", ""),
        "secondary_unique_field": info.get("secondary_unique_field", ""),
        **{name: flags[name] for name in _FLAGS},
        "project_irb_number": info.get("project_irb_number", ""),
        "project_grant_number": info.get("project_grant_number", ""),
        "project_pi_firstname": info.get("project_pi_firstname", ""),
        "project_pi_lastname": info.get("project_pi_lastname", ""),
        "project_pi_email": info.get("project_pi_email", ""),
        "display_today_now_button": _integer(info.get("display_today_now_button", 1)),
        "missing_data_codes": info.get("missing_data_codes", ""),
        "external_modules": "",
        "bypass_branching_erase_field_prompt": _integer(info.get("bypass_branching_erase_field_prompt", 0)),
    }


def export_info(call: Call) -> Reply:
    """Project info: one object in JSON, one row in CSV, one element in XML."""
    row = project_info(call.project)
    if call.fmt == "xml":
        reply = call.table([row], row, "projects")
        return Reply(
            str(reply.body).replace("<projects><item>", "<items>").replace("</item></projects>", "</items>"),
            MEDIA["xml"],
        )
    reply = call.table([row], row, "items")
    if call.fmt == "json" and isinstance(reply.body, bytes):
        return Reply(reply.body[1:-1], MEDIA["json"])
    return reply


def import_info(call: Call) -> Reply:
    """``content=project_settings``: change attributes; the answer is how many were sent and known."""
    call.need("design", "You do not have Project Design and Setup privileges")
    rows = call.rows()
    with call.store.writing():
        project = call.project
        known = set(project_info(project)) - {"project_id", "creation_time", "external_modules"}
        changes = {name: value for name, value in rows[0].items() if name in known}
        project.doc["info"] |= changes
        if "is_longitudinal" in changes:
            project.doc["longitudinal"] = changes["is_longitudinal"] == "1"
        call.store.save_project(project)
        call.log("manage", "Manage/Design ", "Modify project settings (API)")
    return call.number(len(changes))


def export_odm(call: Call) -> Reply:
    """The project file (``content=project_xml``), or records as ODM (``format=odm``)."""
    project = call.project
    data = None
    if not call.flag("returnMetadataOnly"):
        data = kept_rows(call, project, select(call, project), call.get("filterLogic"))
    files = call.store if call.flag("exportFiles") else None
    names = Look.of(call).file_names
    return Reply(odm_stream(project, data, files=files, file_names=names, now=call.server.now()), MEDIA["xml"])


def export_version(call: Call) -> Reply:
    """The server's version, as plain text."""
    return Reply(call.server.version, "text/html; charset=utf-8")
