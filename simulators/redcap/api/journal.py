"""The project's log."""

from simulators.redcap.api.call import Call, Reply
from simulators.redcap.formats import ApiError

_COLUMNS = ("timestamp", "username", "action", "details", "record")
_KINDS = {
    "": (),
    "export": ("export",),
    "manage": ("manage",),
    "user": ("user",),
    "record": ("add", "edit", "delete"),
    "record_add": ("add",),
    "record_edit": ("edit",),
    "record_delete": ("delete",),
    "lock_record": ("lock",),
    "page_view": ("view",),
}
_MINUTES = len("YYYY-MM-DD HH:MM")


def export_log(call: Call) -> Reply:
    """Log entries, newest first; times are the server's local time, to the minute."""
    call.need("logging", "You do not have Logging privileges")
    kind = call.get("logtype")
    if kind not in _KINDS:
        raise ApiError(400, f"The value of the parameter 'logtype' is not valid: {kind}")
    clauses: list[str] = ["project_id = ?"]
    values: list[str | int] = [call.project_id]
    if _KINDS[kind]:
        clauses.append(f"kind IN ({','.join('?' * len(_KINDS[kind]))})")
        values += _KINDS[kind]
    for parameter, clause in (
        ("user", "username = ?"), ("record", "record = ?"), ("beginTime", "at >= ?"), ("endTime", "substr(at, 1, 16) <= ?"),
    ):  # fmt: skip
        if call.get(parameter):
            clauses.append(clause)
            values.append(call.get(parameter)[:_MINUTES] if parameter.endswith("Time") else call.get(parameter))
    if call.get("dag"):
        clauses.append("record IN (SELECT record FROM record WHERE project_id = ? AND dag = ?)")
        values += [call.project_id, call.get("dag")]
    with call.store.reading() as db:
        found = db.execute(
            f"SELECT at, username, action, details, record FROM log WHERE {' AND '.join(clauses)} ORDER BY id DESC",  # noqa: S608
            values,
        ).fetchall()
    rows = [dict(zip(_COLUMNS, (row[0][:_MINUTES], *row[1:]), strict=True)) for row in found]
    return call.table(rows, _COLUMNS, "logs")
