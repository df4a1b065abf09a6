"""Record import: every row is checked before the first is kept, and a batch is kept whole or not at all."""

import re
import sqlite3
from dataclasses import dataclass, field
from typing import Any

import orjson

from simulators.redcap.api.call import Call
from simulators.redcap.formats import ApiError
from simulators.redcap.model import Column, Event, Project
from simulators.redcap.records.incoming import LEAD, Fault, as_text, next_record_name
from simulators.redcap.records.validation import Check, check_for

type Key = tuple[str, int, str, int]
_NEW = "new"


@dataclass(slots=True)
class Imported:
    """Record ids of an import in the order met, and for auto-numbered ones the ids that were given."""

    ids: list[str] = field(default_factory=list)
    given: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Target:
    """What happens to one incoming column in one kind of row."""

    column: Column
    check: Check
    refusal: str


class Importer:
    """One import into one project, inside one write transaction."""

    def __init__(
        self, call: Call, project: Project, *, overwrite: bool = False, order: str = "YMD", auto_number: bool = False
    ) -> None:
        self.call = call
        self.project = project
        self.overwrite = overwrite
        self.order = order
        self.auto_number = auto_number
        self.mark = " (API)"  # how the log tells an import from a save in the browser
        self.faults: list[Fault] = []
        self.result = Imported()
        self._checks: dict[str, Check] = {}
        self._plans: dict[tuple[int, str, tuple[str, ...]], list[tuple[str, _Target | None]]] = {}
        self._targets: dict[tuple[str, int, str], _Target | None] = {}
        self._pending: dict[Key, dict[str, str]] = {}
        self._changes: dict[Key, list[str]] = {}
        self._new_keys: set[Key] = set()
        self._dags: dict[str, str] = {}
        self._met: set[str] = set()
        self._own_dag: str = (project.user(call.username) or {}).get("data_access_group", "")

    def run(self, rows: list[dict[str, Any]]) -> Imported:
        """Check all rows, then keep them.

        Raises
        ------
        ApiError
            400 with one line per fault; nothing has been kept then.
        """
        self._refuse_unknown_names(rows)
        with self.call.store.writing() as db:
            for row in rows:
                self._take(db, row)
            if self.faults:
                raise ApiError(400, "\n".join(fault.line() for fault in self.faults))
            self._keep(db)
        return self.result

    def _refuse_unknown_names(self, rows: list[dict[str, Any]]) -> None:
        project = self.project
        if any(project.id_field not in row for row in rows):
            raise ApiError(400, f"The record ID field '{project.id_field}' is missing from the data being imported.")
        ignored = {f"{form}_timestamp" for form in project.forms}
        known = {project.id_field, *LEAD, *project.columns_by_name, *project.fields, *ignored}
        unknown = list(dict.fromkeys(name for row in rows for name in row if name not in known and name))
        if unknown:
            raise ApiError(
                400, f"The following fields were not found in the project as real data fields: {', '.join(unknown)}"
            )

    def _fault(self, record: str, name: str, value: str, message: str) -> None:
        self.faults.append(Fault(record, name, value, message))

    def _take(self, db: sqlite3.Connection, row: dict[str, Any]) -> None:
        record = self._record_id(db, as_text(row[self.project.id_field]).strip())
        event = self._event(record, as_text(row.get("redcap_event_name")))
        if event is None:
            return
        instrument = as_text(row.get("redcap_repeat_instrument")).strip()
        instance = self._instance(db, record, event, instrument, as_text(row.get("redcap_repeat_instance")).strip())
        if instance is None:
            return
        self._group(record, as_text(row.get("redcap_data_access_group")))
        self._values((record, event.id, instrument, instance), row, db)

    def _record_id(self, db: sqlite3.Connection, given: str) -> str:
        if self.auto_number:
            if given not in self.result.given:
                made = next_record_name(self.call, db, taken=list(self.result.given.values()))
                self.result.given[given] = made
                self.result.ids.append(made)
            return self.result.given[given]
        if not given:
            self._fault("", self.project.id_field, "", "The record ID is blank in a row. Every row needs a record ID.")
        elif given not in self._met:
            self._met.add(given)
            self.result.ids.append(given)
        return given

    def _event(self, record: str, name: str) -> Event | None:
        if not name or not self.project.longitudinal:
            return self.project.first_event
        found = self.project.events.get(name)
        if found is None:
            self._fault(
                record, "redcap_event_name", name, "The event name is not a valid unique event name of the project"
            )
        return found

    def _instance(self, db: sqlite3.Connection, record: str, event: Event, instrument: str, text: str) -> int | None:
        repeats = (event.id, instrument) in self.project.repeating
        if instrument and not repeats:
            self._fault(
                record, "redcap_repeat_instrument", instrument,
                f"The instrument is not a repeating instrument of the event {event.unique}",
            )  # fmt: skip
            return None
        if not repeats:
            return 1
        if text == _NEW:
            key = (self.project.id, record, event.id, instrument)
            stored = db.execute(
                "SELECT max(instance) FROM row WHERE project_id = ? AND record = ? AND event_id = ? AND instrument = ?",
                key,
            ).fetchone()[0]
            pending = [k[3] for k in self._pending if k[:3] == (record, event.id, instrument)]
            return int(max([stored or 0, *pending])) + 1
        if re.fullmatch(r"[1-9]\d*(\.0)?", text):
            return int(float(text))
        self._fault(
            record, "redcap_repeat_instance", text,
            "The row belongs to a repeating instrument or event, so that redcap_repeat_instance must be a number from 1, "
            f"or '{_NEW}'",
        )  # fmt: skip
        return None

    def _group(self, record: str, dag: str) -> None:
        own = self._own_dag
        if dag and not own:
            if not any(group["unique"] == dag for group in self.project.doc["dags"]):
                self._fault(
                    record, "redcap_data_access_group", dag, "The data access group does not exist in the project"
                )
            self._dags[record] = dag
        elif own:
            self._dags[record] = own

    def _target(self, name: str, event_id: int, instrument: str) -> _Target | None:
        project = self.project
        column = project.columns_by_name.get(name)
        if column is None or name == project.id_field or column.kind == "file":
            return None
        if column.field and column.field.kind == "calc":
            return None
        form = column.form
        refusal = ""
        if project.repeats_in(form, event_id) and instrument != form:
            refusal = (
                "The field is on a repeating instrument, so that the row must name redcap_repeat_instrument and "
                "redcap_repeat_instance"
            )
        elif instrument and instrument != form:
            refusal = f"The field is not on the repeating instrument {instrument} that the row names"
        elif form not in project.designated[event_id]:
            refusal = f"The field is on an instrument that is not designated for the event {project.events_by_id[event_id].unique}"
        if name not in self._checks:
            self._checks[name] = check_for(column, order=self.order, missing_codes=project.missing_codes)
        return _Target(column, self._checks[name], refusal)

    def _plan(self, event_id: int, instrument: str, names: tuple[str, ...]) -> list[tuple[str, _Target | None]]:
        key = (event_id, instrument, names)
        if key not in self._plans:
            self._plans[key] = [
                (name, target) for name in names if (target := self._target(name, event_id, instrument)) is not None
            ]
        return self._plans[key]

    def _values(self, key: Key, row: dict[str, Any], db: sqlite3.Connection) -> None:
        record = key[0]
        cells = self._stored(key, db)
        changed = self._changes.setdefault(key, [])
        for name, target in self._plan(key[1], key[2], tuple(row)):
            raw = row[name]
            value = raw if raw.__class__ is str else as_text(raw)
            if value == "" or target is None:
                if self.overwrite and target and not target.refusal and cells.get(name, "") != "":
                    del cells[name]
                    changed.append(f"{name} = ''")
                continue
            try:
                if target.refusal:
                    raise ValueError(target.refusal)  # noqa: TRY301 both kinds of refusal become a line
                kept = target.check(value)
            except ValueError as problem:
                self._fault(record, name, value, str(problem))
                continue
            if cells.get(name) != kept and not (target.column.kind == "checkbox" and kept == "0" and name not in cells):
                cells[name] = kept
                changed.append(f"{name} = '{kept}'")
                cells.setdefault(f"{target.column.form}_complete", "0")

    def _stored(self, key: Key, db: sqlite3.Connection) -> dict[str, str]:
        if key not in self._pending:
            found = db.execute(
                "SELECT data FROM row WHERE project_id = ? AND record = ? AND event_id = ? AND instrument = ? AND instance = ?",
                (self.project.id, *key),
            ).fetchone()
            if found is None:
                self._new_keys.add(key)
            self._pending[key] = orjson.loads(found[0]) if found else {}
        return self._pending[key]

    def _keep(self, db: sqlite3.Connection) -> None:
        project_id, now, user = self.project.id, self.call.server.now(), self.call.username
        known = {row[0] for row in db.execute("SELECT record FROM record WHERE project_id = ?", (project_id,))}
        fresh = [record for record in self.result.ids if record not in known]
        db.executemany(
            "INSERT INTO record (project_id, record) VALUES (?, ?)", [(project_id, record) for record in fresh]
        )
        db.executemany(
            "UPDATE record SET dag = ? WHERE project_id = ? AND record = ?",
            [(dag, project_id, record) for record, dag in self._dags.items()],
        )
        touched = [key for key in self._pending if self._changes[key] or key in self._new_keys]
        db.executemany(
            "INSERT OR REPLACE INTO row VALUES (?, ?, ?, ?, ?, ?)",
            [(project_id, *key, orjson.dumps(self._pending[key])) for key in touched],
        )
        first_time = set(fresh)
        lines = []
        for key in touched:
            kind, verb = ("add", "Create") if key[0] in first_time else ("edit", "Update")
            first_time.discard(key[0])
            details = ", ".join([*self._place(key), *self._changes[key]]) or f"{self.project.id_field} = '{key[0]}'"
            lines.append((project_id, now, user, kind, f"{verb} record{self.mark} {key[0]}", details, key[0]))
        db.executemany(
            "INSERT INTO log (project_id, at, username, kind, action, details, record) VALUES (?,?,?,?,?,?,?)", lines
        )

    def _place(self, key: Key) -> list[str]:
        return [f"[instance = {key[3]}]"] if key[3] > 1 else []
