"""Survey links and codes, the participant list, and reports."""

import base64
import hashlib
import hmac

from simulators.redcap.api.call import Call, Reply
from simulators.redcap.formats import ApiError
from simulators.redcap.model import Column
from simulators.redcap.records.logic import compile_logic
from simulators.redcap.records.rows_out import Look, flat_rows, stream
from simulators.redcap.records.selection import Selection, select

_PARTICIPANT = (
    "email", "email_occurrence", "identifier", "record", "invitation_sent_status", "invitation_send_time",
    "response_status", "survey_access_code", "survey_link", "survey_queue_link",
)  # fmt: skip
_LINK, _ACCESS, _RETURN = 16, 9, 8
_TEXT = "text/html; charset=utf-8"


def _code(call: Call, length: int, *parts: str) -> str:
    """A code that is always the same for the same place and cannot be guessed from it."""
    secret = call.store.setting("survey_secret").encode()
    digest = hmac.new(secret, "\x1f".join((str(call.project_id), *parts)).encode(), hashlib.sha256).digest()
    return "".join(sign for sign in base64.b32encode(digest).decode() if sign.isalnum())[:length]


def _place(call: Call) -> tuple[str, ...]:
    project, record, form = call.project, call.get("record"), call.get("instrument")
    with call.store.reading() as db:
        known = db.execute(
            "SELECT 1 FROM record WHERE project_id = ? AND record = ?", (call.project_id, record)
        ).fetchone()
    if known is None:
        raise ApiError(400, f'The record "{record}" does not exist')
    _survey(call)
    event = call.get("event") or project.first_event.unique
    if event not in project.events:
        raise ApiError(400, f"The event '{event}' does not exist")
    return record, form, event, call.get("repeat_instance") or "1"


def _survey(call: Call) -> None:
    form = call.get("instrument")
    if form not in call.project.doc["surveys"]:
        raise ApiError(400, f'The instrument "{form}" has not been enabled as a survey')


def _base(call: Call) -> str:
    return f"{call.server.public_url}/surveys/"


def survey_link(call: Call) -> Reply:
    """The link of one survey of one record."""
    return Reply(f"{_base(call)}?s={_code(call, _LINK, 'link', *_place(call))}", _TEXT)


def access_code(call: Call) -> Reply:
    """The access code of one survey of one record."""
    return Reply(_code(call, _ACCESS, "access", *_place(call)), _TEXT)


def return_code(call: Call) -> Reply:
    """The code with which a participant returns."""
    return Reply(_code(call, _RETURN, "return", *_place(call)), _TEXT)


def queue_link(call: Call) -> Reply:
    """The survey queue of a record."""
    record = call.get("record")
    with call.store.reading() as db:
        key = (call.project_id, record)
        if db.execute("SELECT 1 FROM record WHERE project_id = ? AND record = ?", key).fetchone() is None:
            raise ApiError(400, f'The record "{record}" does not exist')
    return Reply(f"{_base(call)}?sq={_code(call, _LINK, 'queue', record)}", _TEXT)


def participant_list(call: Call) -> Reply:
    """One line per record for a survey; status 0 not begun, 1 begun, 2 complete."""
    _survey(call)
    project, form = call.project, call.get("instrument")
    event = call.get("event") or project.first_event.unique
    if event not in project.events:
        raise ApiError(400, f"The event '{event}' does not exist")
    with call.store.reading() as db:
        found = db.execute(
            "SELECT record.record, json_extract(row.data, '$.' || ?) FROM record LEFT JOIN row ON row.project_id = record.project_id "
            "AND row.record = record.record AND row.event_id = ? AND row.instrument = '' AND row.instance = 1 "
            "WHERE record.project_id = ?",
            (f"{form}_complete", project.events[event].id, call.project_id),
        ).fetchall()
    rows = [
        {
            "email": "", "email_occurrence": 1, "identifier": "", "record": record, "invitation_sent_status": 0,
            "invitation_send_time": "", "response_status": {"2": 2, "1": 1, "0": 1}.get(str(status), 0),
            "survey_access_code": _code(call, _ACCESS, "access", record, form, event, "1"),
            "survey_link": f"{_base(call)}?s={_code(call, _LINK, 'link', record, form, event, '1')}",
            "survey_queue_link": f"{_base(call)}?sq={_code(call, _LINK, 'queue', record)}",
        }
        for record, status in found
    ]  # fmt: skip
    return call.table(rows, _PARTICIPANT, "participants")


def export_report(call: Call) -> Reply:
    """A report: its own columns in its own order, its own filter."""
    project = call.project
    report = next((one for one in project.doc["reports"] if str(one["id"]) == call.get("report_id")), None)
    if report is None:
        raise ApiError(400, f'The value of the parameter "report_id" is not valid: {call.get("report_id")}')
    chosen = select(call, project)
    by_field: dict[str, list[Column]] = {name: [] for name in report["fields"]}
    for column in project.columns:
        name = column.field.name if column.field else column.name
        if name in by_field and name != project.id_field:
            by_field[name].append(column)
    columns = [column for name in report["fields"] for column in by_field[name]]
    selection = Selection(
        columns, project.id_field in by_field, chosen.records, chosen.events, chosen.lead, chosen.dags
    )
    if report["logic"]:
        compile_logic(report["logic"], project)
    rows = flat_rows(call, project, selection, logic=report["logic"], look=Look.of(call))
    if report["remove_line_breaks"]:
        rows = ([_one_line(value) for value in row] for row in rows)
    header = [project.id_field, *selection.lead] if selection.with_id else []
    return stream(call, header + [column.name for column in columns], rows)


def _one_line(value: str | int) -> str | int:
    return " ".join(value.splitlines()) if isinstance(value, str) else value
