"""What somebody with the database owner's password can do to the ledger, as carefully as it can be done."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import psycopg

from datamodel.audit.canonical import canonical_bytes, leaf_hash
from datamodel.audit.merkle import Range
from datamodel.audit.verify import Verdict
from datamodel.checkpoints.heads import Record
from datamodel.checkpoints.note import Head, signed
from datamodel.checkpoints.verify import verify
from datamodel.kernel.unit import sealing
from datamodel.vault.signing import Signer

TABLES = ("audit_event", "audit_entry", "checkpoint")


@dataclass
class Forger:
    """An owner's connection with every guard taken away."""

    connection: psycopg.Connection[Any]
    url: str
    home: Path
    positions: dict[str, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for table in TABLES:
            self.run(f"alter table app.{table} disable trigger user")
        keys = self.run(
            "select conrelid::regclass::text, conname from pg_constraint where confrelid = 'app.audit_event'::regclass"
        )
        for table, name in keys:
            self.run(f"alter table {table} drop constraint {name}")

    def run(self, statement: str, *values: Any) -> list[Any]:
        """Run a statement and return its rows."""
        cursor = self.connection.execute(statement, list(values))
        return cursor.fetchall() if cursor.description else []

    def at(self, study: str, number: int) -> int:
        """Return the position of a study's event (from 1)."""
        return self.positions[study][number - 1]

    def verdict(self) -> Verdict:
        """Verify as somebody who has the folder of heads."""
        with sealing(self.url) as session:
            return verify(session, Record(self.home))

    # -- what is done to single entries

    def event_at(self, position: int) -> Any:
        """Return the id of the event at a position."""
        return self.run("select event_id from app.audit_entry where position = %s", position)[0][0]

    def edit(self, position: int, **fields: Any) -> None:
        """Change an event's columns, its bytes and its sealed hash, so that they agree."""
        body = orjson.loads(
            bytes(
                self.run(
                    "select body from app.audit_event e join app.audit_entry s on s.event_id = e.id where position = %s",
                    position,
                )[0][0]
            )
        )
        raw = canonical_bytes(body | fields)
        columns = {name: orjson.dumps(value).decode() if name == "change" else value for name, value in fields.items()}
        sets = ", ".join(f"{name} = %s" for name in columns)
        event = self.event_at(position)
        self.run(f"update app.audit_event set {sets}, body = %s where id = %s", *columns.values(), raw, event)
        self.run("update app.audit_entry set leaf = %s where position = %s", leaf_hash(raw), position)

    def delete(self, position: int) -> None:
        """Remove an event and its entry."""
        event = self.event_at(position)
        self.run("delete from app.audit_entry where position = %s", position)
        self.run("delete from app.audit_event where id = %s", event)

    def swap(self, one: int, other: int) -> None:
        """Let two events change places."""
        first, second = self.event_at(one), self.event_at(other)
        self.run("alter table app.audit_entry drop constraint if exists uq_audit_entry_event_id")
        for position, event in ((one, second), (other, first)):
            self.run(
                "update app.audit_entry set event_id = %s, leaf = sha256('\\x00'::bytea || "
                "(select body from app.audit_event where id = %s)) where position = %s",
                event,
                event,
                position,
            )

    # -- what makes it look whole again

    def close_gaps(self) -> None:
        """Number positions and places in studies anew, in their order."""
        self.run("alter table app.audit_entry drop constraint if exists pk_audit_entry")
        self.run("drop index if exists app.ix_audit_entry_study")
        self.run(
            "update app.audit_entry s set position = o.place, study_position = o.study_place from ("
            "select e.event_id, row_number() over (order by e.position) as place, case when e.study_id is not null "
            "then row_number() over (partition by e.study_id order by e.position) end as study_place "
            "from app.audit_entry e) o where o.event_id = s.event_id"
        )

    def cut_heads(self) -> None:
        """Remove every checkpoint that names more entries than there are."""
        self.run(
            "delete from app.checkpoint c where size > (select count(*) from app.audit_entry s "
            "where c.study_id is null or s.study_id = c.study_id)"
        )

    def sign_again(self, signer: Signer) -> None:
        """Put a newly signed head in the place of every checkpoint that is there."""
        rows = self.run("select origin, size, study_id from app.checkpoint")
        self.run("delete from app.checkpoint")
        for origin, size, study in rows:
            leaves = self.run(
                "select leaf from app.audit_entry where %s::uuid is null or study_id = %s::uuid order by position limit %s",
                study,
                study,
                size,
            )
            if len(leaves) < size:
                continue
            root = Range().extend(bytes(one[0]) for one in leaves).root()
            note = signed(Head(origin, size, root), signer)
            self.run(
                "insert into app.checkpoint (origin, size, study_id, position, root, note) values (%s, %s, %s, %s, %s, %s)",
                origin,
                size,
                study,
                size,
                root,
                note,
            )
