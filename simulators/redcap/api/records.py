"""Records: export, import, delete, rename, next name."""

import orjson

from simulators.redcap.api.call import Call, Reply
from simulators.redcap.formats import MEDIA, XML_HEAD, ApiError, to_csv, xml_value
from simulators.redcap.records.incoming import eav_to_flat, next_record_name
from simulators.redcap.records.rows_in import Imported, Importer
from simulators.redcap.records.rows_out import export_rows

_NO_IMPORT = "You do not have API Import/Update privileges"
_NO_EXPORT = "You do not have API Export privileges"
_MISSING = (
    "One or more of the records provided cannot be deleted because they do not exist in the project. The following "
    "records do not exist: "
)


def export_records(call: Call) -> Reply:
    """Rows as asked for."""
    call.need("api_export", _NO_EXPORT)
    if call.fmt == "odm":
        from simulators.redcap.api.projects import export_odm

        return export_odm(call)
    return export_rows(call)


def import_records(call: Call) -> Reply:
    """Keep the rows of ``data``, all or none."""
    call.need("api_import", _NO_IMPORT)
    order = call.get("dateFormat").upper() or "YMD"
    if order not in {"YMD", "DMY", "MDY"}:
        raise ApiError(400, f"The value of the parameter 'dateFormat' is not valid: {order}")
    rows = call.raw_rows()
    with call.store.writing():
        project = call.project
        if call.get("type") == "eav":
            rows = eav_to_flat(project, rows)
        importer = Importer(
            call,
            project,
            overwrite=call.get("overwriteBehavior") == "overwrite",
            order=order,
            auto_number=call.flag("forceAutoNumber"),
        )
        done = importer.run(rows)
    if call.flag("backgroundProcess"):
        return _background(call)
    return _imported(call, done)


def _background(call: Call) -> Reply:
    if call.return_fmt == "json":
        return Reply('{"success":true}', MEDIA["json"])
    if call.return_fmt == "csv":
        return Reply("true", MEDIA["csv"])
    return Reply(f"{XML_HEAD}<success>true</success>", MEDIA["xml"])


def _imported(call: Call, done: Imported) -> Reply:
    wanted, fmt = call.get("returnContent") or "count", call.return_fmt
    if wanted == "nothing":
        return Reply("", MEDIA[fmt])
    if wanted == "auto_ids" and call.flag("forceAutoNumber"):
        ids = [f"{made},{given}" for given, made in done.given.items()]
    else:
        ids = done.ids
    if wanted in {"ids", "auto_ids"}:
        if fmt == "json":
            return Reply(orjson.dumps(ids), MEDIA["json"])
        if fmt == "csv":
            return Reply(to_csv([{"id": name} for name in ids], ["id"]), MEDIA["csv"])
        items = "".join(f"<id>{xml_value(name)}</id>" for name in ids)
        return Reply(f"{XML_HEAD}<ids>{items}</ids>", MEDIA["xml"])
    if fmt == "json":
        return Reply(orjson.dumps({"count": len(done.ids)}), MEDIA["json"])
    return call.number(len(done.ids), "count")


def delete_records(call: Call) -> Reply:
    """Delete whole records, or one arm, event, instrument or instance of them."""
    call.need("record_delete", "You do not have Delete Record privileges")
    wanted = call.names("records")
    if not wanted:
        raise ApiError(400, "No records were provided in the parameter 'records', so that nothing was deleted.")
    with call.store.writing() as db:
        known = {row[0] for row in db.execute("SELECT record FROM record WHERE project_id = ?", (call.project_id,))}
        missing = [record for record in wanted if record not in known]
        if missing:
            raise ApiError(400, _MISSING + ", ".join(missing))
        for record in dict.fromkeys(wanted):
            _delete_one(call, record)
    return call.number(len(set(wanted)))


def _delete_one(call: Call, record: str) -> None:
    project = call.project
    arm, event, instrument, instance = (call.get(name) for name in ("arm", "event", "instrument", "repeat_instance"))
    clauses, values = ["project_id = ?", "record = ?"], [call.project_id, record]
    if event:
        if event not in project.events:
            raise ApiError(400, f"The event '{event}' does not exist")
        clauses.append("event_id = ?")
        values.append(project.events[event].id)
    elif arm:
        ids = [found.id for found in project.events.values() if str(found.arm) == arm]
        clauses.append(f"event_id IN ({','.join('?' * len(ids))})")
        values += ids
    with call.store.writing() as db:
        if instrument:
            _delete_instrument(call, record, instrument, clauses, values)
        else:
            if instance:
                clauses.append("instance = ?")
                values.append(int(instance))
            db.execute(f"DELETE FROM row WHERE {' AND '.join(clauses)}", values)  # noqa: S608 fixed clauses
        key = (call.project_id, record)
        left = db.execute("SELECT count(*) FROM row WHERE project_id = ? AND record = ?", key).fetchone()[0]
        if not left:
            db.execute("DELETE FROM record WHERE project_id = ? AND record = ?", key)
    whole = not left
    call.log(
        "delete" if whole else "edit",
        f"{'Delete' if whole else 'Update'} record (API) {record}",
        f"{project.id_field} = '{record}'",
        record,
    )


def _delete_instrument(call: Call, record: str, instrument: str, clauses: list[str], values: list[object]) -> None:
    project, instance = call.project, call.get("repeat_instance")
    if instrument not in project.forms:
        raise ApiError(400, f"The instrument '{instrument}' does not exist")
    names = {column.name for column in project.columns if column.form == instrument and column.name != project.id_field}
    where = " AND ".join(clauses) + (" AND instance = ?" if instance else "")
    bound = [*values, int(instance)] if instance else values
    with call.store.writing() as db:
        db.execute(f"DELETE FROM row WHERE {where} AND instrument = ?", [*bound, instrument])  # noqa: S608 fixed clauses
        found = db.execute(f"SELECT event_id, instance, data FROM row WHERE {where} AND instrument = ''", bound)  # noqa: S608
        for event_id, number, data in found.fetchall():
            kept = {name: value for name, value in orjson.loads(data).items() if name not in names}
            db.execute(
                "UPDATE row SET data = ? WHERE project_id = ? AND record = ? AND event_id = ? AND instrument = '' AND instance = ?",
                (orjson.dumps(kept), call.project_id, record, event_id, number),
            )


def rename_record(call: Call) -> Reply:
    """Give a record another name."""
    call.need("record_rename", "You do not have Rename Record privileges")
    old, new = call.get("record"), call.get("new_record_name")
    with call.store.writing() as db:
        known = {row[0] for row in db.execute("SELECT record FROM record WHERE project_id = ?", (call.project_id,))}
        if old not in known:
            raise ApiError(400, f'The record "{old}" does not exist')
        if not new or new in known:
            raise ApiError(400, f'The record "{old}" cannot be renamed to "{new}": the new name is blank or taken')
        db.execute("UPDATE record SET record = ? WHERE project_id = ? AND record = ?", (new, call.project_id, old))
        db.execute("UPDATE row SET record = ? WHERE project_id = ? AND record = ?", (new, call.project_id, old))
        call.log("edit", f"Update record (API) {new}", f"{call.project.id_field} = '{new}'", new)
    return call.number(1)


def next_name(call: Call) -> Reply:
    """The next record name, as plain text."""
    with call.store.reading() as db:
        return Reply(next_record_name(call, db, taken=[]), "text/html; charset=utf-8")
