"""File fields and the file repository."""

import mimetypes

import orjson

from simulators.redcap.api.call import Call, Reply
from simulators.redcap.formats import ApiError, Row
from simulators.redcap.model import Project

_FOLDER = (
    "The File Repository folder folder_id={} does not exist or else you do not have permission to that folder because "
    "it is DAG-restricted or Role-restricted."
)


def _download(name: str, mime: str, content: bytes) -> Reply:
    charset = ";charset=UTF-8" if mime.startswith("text/") else ""
    return Reply(content, f'{mime}; name="{name}"{charset}')


def _row_key(project: Project, field: str, place: dict[str, str]) -> tuple[int, str, int]:
    event = project.events.get(place.get("event", ""), None) if project.longitudinal else project.first_event
    if event is None:
        if place.get("event"):
            raise ApiError(400, f"The event '{place['event']}' does not exist")
        event = project.first_event
    form = project.fields[field].form
    instrument = form if project.repeats_in(form, event.id) else ""
    return event.id, instrument, int(place.get("repeat_instance") or 1)


def _place(call: Call) -> dict[str, str]:
    return {name: call.get(name) for name in ("event", "repeat_instance")}


def _checked_field(call: Call) -> str:
    field = call.get("field")
    found = call.project.fields.get(field)
    if found is None or found.kind != "file":
        raise ApiError(400, f"The field '{field}' does not exist or is not a 'file' field")
    with call.store.reading() as db:
        key = (call.project_id, call.get("record"))
        if db.execute("SELECT 1 FROM record WHERE project_id = ? AND record = ?", key).fetchone() is None:
            raise ApiError(400, f"The record '{call.get('record')}' does not exist")
    return field


_ONE = "project_id = ? AND record = ? AND event_id = ? AND instrument = ? AND instance = ?"


def _set(call: Call, record: str, field: str, place: dict[str, str], value: str) -> None:
    project = call.project
    key = (project.id, record, *_row_key(project, field, place))
    with call.store.writing() as db:
        found = db.execute(f"SELECT data FROM row WHERE {_ONE}", key).fetchone()  # noqa: S608 a constant
        cells = orjson.loads(found[0]) if found else {}
        cells.pop(field, None)
        if value:
            cells[field] = value
            cells.setdefault(f"{project.fields[field].form}_complete", "0")
        db.execute("INSERT OR REPLACE INTO row VALUES (?, ?, ?, ?, ?, ?)", (*key, orjson.dumps(cells)))
        call.log("edit", f"Update record (API) {record}", f"{field} = '{value}'", record)


def attach(call: Call, *, record: str, field: str, place: dict[str, str], name: str, mime: str, content: bytes) -> None:
    """Put a file into a file field; whatever was there is let go."""
    with call.store.writing() as db:
        key = db.execute(
            "INSERT INTO file (project_id, name, mime, content) VALUES (?, ?, ?, ?)",
            (call.project_id, name, mime, content),
        ).lastrowid
        _set(call, record, field, place, str(key))


def import_file(call: Call) -> Reply:
    """Upload a file into a field of a record."""
    call.need("api_import", "You do not have API Import/Update privileges")
    field = _checked_field(call)
    if call.upload is None:
        raise ApiError(400, "No valid file was uploaded")
    sent = call.upload
    attach(
        call,
        record=call.get("record"),
        field=field,
        place=_place(call),
        name=sent.name,
        mime=sent.mime,
        content=sent.content,
    )
    return Reply("")


def _stored_key(call: Call, field: str) -> str:
    project = call.project
    key = (project.id, call.get("record"), *_row_key(project, field, _place(call)))
    with call.store.reading() as db:
        found = db.execute(f"SELECT data FROM row WHERE {_ONE}", key).fetchone()  # noqa: S608 a constant
    value = orjson.loads(found[0]).get(field, "") if found else ""
    if not value:
        raise ApiError(400, f"There is no file to download for the field '{field}' of this record")
    return str(value)


def export_file(call: Call) -> Reply:
    """Download the file of a field."""
    key = _stored_key(call, _checked_field(call))
    with call.store.reading() as db:
        return _download(*db.execute("SELECT name, mime, content FROM file WHERE id = ?", (int(key),)).fetchone())


def delete_file(call: Call) -> Reply:
    """Take the file out of a field."""
    field = _checked_field(call)
    _stored_key(call, field)
    _set(call, call.get("record"), field, _place(call), "")
    return Reply("")


def _folder(call: Call) -> int | None:
    text = call.get("folder_id")
    if not text:
        return None
    with call.store.reading() as db:
        known = (
            text.isdigit()
            and db.execute(
                "SELECT 1 FROM folder WHERE project_id = ? AND id = ?", (call.project_id, int(text))
            ).fetchone()
        )
    if not known:
        raise ApiError(400, _FOLDER.format(text))
    return int(text)


def create_folder(call: Call) -> Reply:
    """Make a folder in the repository."""
    if not call.get("name"):
        raise ApiError(400, "The folder needs a name")
    parent = _folder(call)
    with call.store.writing() as db:
        key = db.execute(
            "INSERT INTO folder (project_id, name, parent_id) VALUES (?, ?, ?)",
            (call.project_id, call.get("name"), parent),
        ).lastrowid
    return _listed(call, [{"folder_id": key}], ("folder_id",))


def _listed(call: Call, rows: list[Row], columns: tuple[str, ...]) -> Reply:
    # These calls name their format in returnFormat only.
    call.params["format"] = call.return_fmt
    return call.table(rows, columns, "items")


def list_folder(call: Call) -> Reply:
    """Folders and files of one folder."""
    folder = _folder(call)
    with call.store.reading() as db:
        folders = db.execute(
            "SELECT id, name FROM folder WHERE project_id = ? AND parent_id IS ? ORDER BY name",
            (call.project_id, folder),
        ).fetchall()
        files = db.execute(
            "SELECT id, name FROM file WHERE project_id = ? AND in_repository = 1 AND folder_id IS ? ORDER BY name",
            (call.project_id, folder),
        ).fetchall()
    rows: list[Row] = [{"folder_id": key, "name": name} for key, name in folders]
    rows += [{"doc_id": key, "name": name} for key, name in files]
    return _listed(call, rows, ("folder_id", "doc_id", "name", "dag", "role"))


def _document(call: Call) -> tuple[str, str, bytes]:
    with call.store.reading() as db:
        found = (
            call.get("doc_id").isdigit()
            and db.execute(
                "SELECT name, mime, content FROM file WHERE project_id = ? AND in_repository = 1 AND id = ?",
                (call.project_id, int(call.get("doc_id"))),
            ).fetchone()
        )
    if not found:
        raise ApiError(400, f"The File Repository file doc_id={call.get('doc_id')} does not exist.")
    return found[0], found[1], found[2]


def export_document(call: Call) -> Reply:
    """Download a file of the repository."""
    return _download(*_document(call))


def import_document(call: Call) -> Reply:
    """Put a file into the repository."""
    folder = _folder(call)
    if call.upload is None:
        raise ApiError(400, "No valid file was uploaded")
    sent = call.upload
    mime = sent.mime or mimetypes.guess_type(sent.name)[0] or "application/octet-stream"
    with call.store.writing() as db:
        db.execute(
            "INSERT INTO file (project_id, name, mime, content, in_repository, folder_id) VALUES (?, ?, ?, ?, 1, ?)",
            (call.project_id, sent.name, mime, sent.content, folder),
        )
    return Reply("")


def delete_document(call: Call) -> Reply:
    """Delete a file of the repository."""
    _document(call)
    with call.store.writing() as db:
        db.execute("DELETE FROM file WHERE id = ?", (int(call.get("doc_id")),))
    return Reply("")
