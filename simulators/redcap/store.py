"""What the simulator keeps: one SQLite file in WAL mode, one row per (record, event, instrument, instance).

A write is acknowledged only after its transaction is committed, so a killed process loses nothing it answered for.
Reads use connections of their own and see one consistent moment.
"""

import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import orjson

from simulators.redcap.model import Project

_SCHEMA = """
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS project (id INTEGER PRIMARY KEY AUTOINCREMENT, revision INTEGER NOT NULL, doc BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS token (token TEXT PRIMARY KEY, project_id INTEGER NOT NULL, username TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS record (
    project_id INTEGER NOT NULL, record TEXT NOT NULL, dag TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (project_id, record)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS row (
    project_id INTEGER NOT NULL, record TEXT NOT NULL, event_id INTEGER NOT NULL,
    instrument TEXT NOT NULL, instance INTEGER NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (project_id, record, event_id, instrument, instance)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS log (
    id INTEGER PRIMARY KEY AUTOINCREMENT, project_id INTEGER NOT NULL, at TEXT NOT NULL, username TEXT NOT NULL,
    kind TEXT NOT NULL, action TEXT NOT NULL, details TEXT NOT NULL, record TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS log_when ON log (project_id, at, record);
CREATE TABLE IF NOT EXISTS file (
    id INTEGER PRIMARY KEY AUTOINCREMENT, project_id INTEGER NOT NULL, name TEXT NOT NULL, mime TEXT NOT NULL,
    content BLOB NOT NULL, in_repository INTEGER NOT NULL DEFAULT 0, folder_id INTEGER);
CREATE TABLE IF NOT EXISTS folder (
    id INTEGER PRIMARY KEY AUTOINCREMENT, project_id INTEGER NOT NULL, name TEXT NOT NULL, parent_id INTEGER,
    dag_id INTEGER, role_id INTEGER);
"""
_TOKEN_BYTES = 16


class Store:
    """The simulator's data folder; made if it is not there."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "redcap-sim.sqlite3"
        self._lock = threading.RLock()
        self._projects: dict[int, tuple[int, Project]] = {}
        self._writer = self._connect()
        with self.writing() as db:
            for statement in _SCHEMA.split(";\n"):
                db.execute(statement)

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None, timeout=30)
        db.execute("PRAGMA journal_mode=WAL")
        # NORMAL keeps every commit through a kill of the process; only a power cut may lose the last ones.
        db.execute("PRAGMA synchronous=NORMAL")
        return db

    def close(self) -> None:
        """Close the writing connection; the file stays."""
        with self._lock:
            self._writer.close()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One write transaction: committed whole on leaving, rolled back whole on an exception."""
        with self._lock:
            if self._writer.in_transaction:
                yield self._writer
                return
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
            except BaseException:
                self._writer.execute("ROLLBACK")
                raise
            self._writer.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees one moment, closed on leaving."""
        with closing(self._connect()) as db:
            db.execute("BEGIN")
            yield db

    def setting(self, name: str, default: str | None = None) -> str:
        """A stored setting; kept with ``default``, or with a random secret, the first time it is asked for."""
        with self.writing() as db:
            found = db.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
            if found:
                return str(found[0])
            value = default if default is not None else secrets.token_hex(32).upper()
            db.execute("INSERT INTO setting VALUES (?, ?)", (name, value))
            return value

    def set_setting(self, name: str, value: str) -> None:
        """Replace a stored setting."""
        with self.writing() as db:
            db.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (name, value))

    def next_id(self, *, count: int = 1) -> int:
        """The first of ``count`` fresh numbers for events, groups and roles; never given twice."""
        with self.writing():
            first = int(self.setting("next_id", "101"))
            self.set_setting("next_id", str(first + count))
            return first

    def add_project(self, doc: dict[str, Any]) -> Project:
        """Keep a new project and return it with its number."""
        with self.writing() as db:
            key = db.execute("INSERT INTO project (revision, doc) VALUES (1, ?)", (orjson.dumps(doc),)).lastrowid
            return Project(int(key or 0), doc)

    def save_project(self, project: Project) -> None:
        """Keep a project's changed structure."""
        with self.writing() as db:
            db.execute(
                "UPDATE project SET revision = revision + 1, doc = ? WHERE id = ?",
                (orjson.dumps(project.doc), project.id),
            )

    def project(self, key: int) -> Project:
        """The project as last committed, parsed once per revision; inside a transaction, a copy that may be changed."""
        with self._lock:
            if self._writer.in_transaction:
                found = self._writer.execute("SELECT doc FROM project WHERE id = ?", (key,)).fetchone()
                return Project(key, orjson.loads(found[0]))
            row = self._writer.execute("SELECT revision FROM project WHERE id = ?", (key,)).fetchone()
            cached = self._projects.get(key)
            if cached is None or cached[0] != row[0]:
                doc = self._writer.execute("SELECT doc FROM project WHERE id = ?", (key,)).fetchone()[0]
                cached = self._projects[key] = (row[0], Project(key, orjson.loads(doc)))
            return cached[1]

    def project_ids(self) -> list[int]:
        """Numbers of all projects, oldest first."""
        with self.reading() as db:
            return [row[0] for row in db.execute("SELECT id FROM project ORDER BY id")]

    def add_token(self, project_id: int, username: str) -> str:
        """A new API token for a user of a project: 32 upper-case hexadecimal characters."""
        token = secrets.token_hex(_TOKEN_BYTES).upper()
        with self.writing() as db:
            db.execute("INSERT INTO token VALUES (?, ?, ?)", (token, project_id, username))
        return token

    def token_owner(self, token: str) -> tuple[int, str] | None:
        """Project number and user name behind a token, or None."""
        with self._lock:
            found = self._writer.execute("SELECT project_id, username FROM token WHERE token = ?", (token,)).fetchone()
        return (int(found[0]), str(found[1])) if found else None
