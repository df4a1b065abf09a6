"""What events wrote in tables that are never changed: digests that the ledger itself vouches for.

An event says what happened; its rows hold the details (a consent's signature, a trial, a step of a data question). Once an event
has its position, the sealer computes a digest of the rows that name it and records it as an event of its own,
`ledger.attest`. Later, rows that were altered, removed or added no longer fit. Form values are not among them: the event that
writes them carries their digest already. Sealed values are left out, as a change of keys rewrites them; they cannot be
altered unseen anyway.

Of a form's revision, everything but its values is among them: when it was written, under which event, and whose form at which
visit it belongs to. Rows that change over time are in `held.py`.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.orm import Session

ACTION: Final = "ledger.attest"
#: Who attests: no account, and nobody's rights. What anybody else says under that name is not believed.
KEEPER: Final = UUID(int=1)
#: have digests of their own, or are the ledger
_OTHERS: Final = ("audit_event", "audit_entry", "checkpoint")
#: table -> columns that are attested elsewhere
_ELSEWHERE: Final[Mapping[str, frozenset[str]]] = {
    "form_revision": frozenset({"values"}),
    "form_blinded": frozenset({"moved"}),  # its revision's content hash is over these
}
#: table -> (its column, the table that it belongs to): what tells whose row it is and never changes either
_BELONGS: Final[Mapping[str, tuple[str, str]]] = {"form_revision": ("instance_id", "form_instance")}
_WHOSE: Final[Mapping[str, tuple[str, ...]]] = {
    "form_revision": ("study_id", "participant_id", "event_name", "form_name", "event_repeat", "form_repeat")
}
_UPDATE_AND_DELETE: Final = 24
#: How values are hashed now; in the first form, a sealed value that was taken away looked like one that is there.
FORM: Final = 2

#: table -> columns; those of the table that it belongs to are written `table.column`
Columns = Mapping[str, Sequence[str]]


def is_attestation(action: str, actor_id: UUID) -> bool:
    """Say whether an event of the ledger is what the sealer attested, and not somebody's who calls it so."""
    return action == ACTION and actor_id == KEEPER


@dataclass(slots=True)
class Attested:
    """What all `ledger.attest` events say, as they are met in order."""

    #: columns -> event -> digest
    digests: dict[bytes, dict[UUID, str]] = field(default_factory=dict)
    owner: dict[UUID, bytes] = field(default_factory=dict)
    #: events whose rows were lawfully changed by a removal, and are attested again
    again: set[UUID] = field(default_factory=set)
    #: columns -> spans of positions that were attested over them, both ends included
    spans: dict[bytes, list[tuple[int, int]]] = field(default_factory=dict)
    upto: int = 0

    def take(self, action: str, change: Mapping[str, Any]) -> None:
        """Take in one verified event of the ledger."""
        if action == "records.redact":
            self.again.update(UUID(one) for one in change.get("again", ()))
        if action != ACTION:
            return
        self.upto = max(self.upto, int(change["to"]))
        key = orjson.dumps([change.get("form", 1), change["tables"]], option=orjson.OPT_SORT_KEYS)
        self.spans.setdefault(key, []).append((int(change["from"]), int(change["to"])))
        for one, digest in change["rows"].items():
            event = UUID(one)
            if event in self.owner and event not in self.again:
                continue  # what was said first counts
            if event in self.owner:
                del self.digests[self.owner[event]][event]
            self.digests.setdefault(key, {})[event] = digest
            self.owner[event] = key


def tables(session: Session) -> dict[str, list[str]]:
    """Return the tables whose rows are never changed and name their event, with their columns."""
    rows = session.execute(
        text(
            "select c.relname, array_agg(a.attname::text order by a.attname) as columns from pg_class c "
            "join pg_trigger g on g.tgrelid = c.oid and g.tgname = 'keep_rows' and g.tgtype & :kinds = :kinds "
            "join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped "
            "where c.relnamespace = 'app'::regnamespace and c.relname <> all(:others) "
            "group by c.relname having bool_or(a.attname = 'event_id') order by c.relname"
        ),
        {"kinds": _UPDATE_AND_DELETE, "others": list(_OTHERS)},
    )
    return {row.relname: _attested(row.relname, row.columns) for row in rows}


def _attested(table: str, columns: Sequence[str]) -> list[str]:
    own = [one for one in columns if one not in _ELSEWHERE.get(table, ())]
    return [*own, *(f"{_BELONGS[table][1]}.{one}" for one in _WHOSE.get(table, ()))]


def digests(session: Session, columns: Columns, *, new: "New | None" = None, form: int = FORM) -> dict[UUID, str]:
    """Return the digest of each event's rows (of what is `new`, or of all) over these columns; no rows, no digest."""
    session.execute(text("set local timezone to 'UTC'"))
    found: dict[UUID, list[str]] = {}
    for table in sorted(columns):
        query = _query(session, table, columns[table], is_limited=new is not None, form=form)
        given = {} if new is None else {"after": new.after, "upto": new.upto, "again": list(new.again)}
        for row in session.execute(text(query), given):
            found.setdefault(row.event_id, []).append(f"{table}:{row.digest}")
    return {event: _joined(parts) for event, parts in found.items()}


def _query(session: Session, table: str, columns: Sequence[str], *, is_limited: bool, form: int) -> str:
    quote = session.get_bind().dialect.identifier_preparer.quote_identifier
    column, parent = _BELONGS.get(table, ("", ""))
    values = ", ".join(plain(".".join(quote(part) for part in _placed_column(one)), form=form) for one in columns)
    source = f"app.{quote(table)} t"
    if column:
        source += f" left join app.{quote(parent)} belongs on belongs.id = t.{quote(column)}"
    limit = (
        "where t.event_id in (select s.event_id from app.audit_entry s where s.position > :after and s.position <= :upto) "
        "or t.event_id = any(:again)"
    )
    return (
        "select h.event_id, encode(sha256(string_agg(h.one, ''\\:\\:bytea order by h.one)), 'hex') as digest from ("  # noqa: S608
        f"select t.event_id, sha256(convert_to(jsonb_build_array({values})\\:\\:text, 'UTF8')) as one "
        f"from {source} {limit if is_limited else ''}) h group by h.event_id"
    )


def _placed_column(name: str) -> tuple[str, str]:
    return ("belongs", name.partition(".")[2]) if "." in name else ("t", name)


def plain(column: str, *, form: int = FORM) -> str:
    """Return the SQL for a column's value as it is hashed: of a sealed one only that it is there, as keys change."""
    sealed = "null" if form == 1 else "'\"sealed\"'::jsonb"
    value = f"case when {column}::text like 'enc:v_:%' then {sealed} else to_jsonb({column}) end"
    return value.replace(":", "\\:")


def _joined(parts: list[str]) -> str:
    return parts[0].partition(":")[2] if len(parts) == 1 else ",".join(parts)


def attested_upto(session: Session) -> int:
    """Return the position up to which rows were attested."""
    found: str | None = session.execute(
        text(
            "select change->>'to' from app.audit_event where study_id is null and action = :action "
            "and actor_id = :keeper order by seq desc limit 1"
        ),
        {"action": ACTION, "keeper": KEEPER},
    ).scalar_one_or_none()
    return int(found or 0)


class New(NamedTuple):
    """Events whose rows are to be attested: after one position and up to another, and some again."""

    after: int
    upto: int
    again: tuple[UUID, ...]


def to_attest(session: Session, after: int, upto: int) -> New | None:
    """Return what came after one position and up to another; None when that is attestations only."""
    span = {"after": after, "upto": upto, "action": ACTION}
    events = "from app.audit_entry s join app.audit_event e on e.id = s.event_id where s.position > :after and s.position <= :upto "
    if not session.execute(text(f"select exists (select {events} and e.action <> :action)"), span).scalar_one():
        return None
    redacted = session.execute(text(f"select e.change {events} and e.action = 'records.redact'"), span).scalars()
    return New(after, upto, tuple(UUID(one) for change in redacted for one in change.get("again", ())))


def differences(session: Session, attested: Attested) -> Iterator[tuple[str, int, str]]:
    """Yield study id, position and detail of each event whose rows are not those that were attested."""
    present = tables(session)
    wrong: dict[UUID, str] = {}
    strange: dict[UUID, list[tuple[int, int]]] = {}
    for key, spans in attested.spans.items():
        form, columns = orjson.loads(key)
        lacking = [name for name, names in columns.items() if not set(names) <= set(present.get(name, ()))]
        if lacking:
            yield (
                "",
                0,
                f"The tables {', '.join(lacking)} no longer have the columns, or the guard, that were attested.",
            )
            columns = {name: names for name, names in columns.items() if name not in lacking}
        found = digests(session, columns, form=form)
        for event, digest in attested.digests.get(key, {}).items():
            if found.get(event) != digest:
                wrong[event] = "Rows that this event wrote were altered, removed or added since they were attested."
        for event in found.keys() - attested.owner.keys():
            strange.setdefault(event, []).extend(spans)
    for event, position in positions(session, strange).items():
        if any(first <= position <= last for first, last in strange[event]):
            wrong.setdefault(event, "Rows name this event, which had written none when its rows were attested.")
    yield from _placed(session, wrong, upto=attested.upto)


def positions(session: Session, events: Collection[UUID]) -> dict[UUID, int]:
    """Return the positions of these events; one without a position is left out."""
    rows = session.execute(
        text("select event_id, position from app.audit_entry where event_id = any(:events)"), {"events": list(events)}
    )
    return {row.event_id: row.position for row in rows}


def _placed(session: Session, wrong: Mapping[UUID, str], *, upto: int) -> Iterator[tuple[str, int, str]]:
    rows = session.execute(
        text(
            "select event_id, study_id, position from app.audit_entry where event_id = any(:events) and position <= :upto "
            "order by position"
        ),
        {"events": list(wrong), "upto": upto},
    )
    for row in rows:
        yield str(row.study_id or ""), row.position, wrong[row.event_id]
