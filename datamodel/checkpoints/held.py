"""Rows that change over time: what each holds after the event that changed it last, vouched for by the ledger itself.

Such a row names that event (`event_id`). Once the event has its position, the sealer records a digest of the row, so that a
row which is altered, added or removed without an event of its own no longer fits. A row is vouched for again only when it names
an event of that time: what was said before does not change. A row as it is before its event has a digest is not looked at.

The arm of a participant is among them: its digest tells nobody the arm, as it is made with a random number beside the arm that
is read by whoever may read the arm.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.orm import Session

from datamodel.checkpoints.rows import ACTION, KEEPER, plain, positions

#: table -> columns that may change without an event of the row's own
HELD: Final[Mapping[str, tuple[str, ...]]] = {
    "assessment_session": (),
    "battery": (),
    "caregiver": (),
    "consent_version": ("status",),
    "design": ("status",),
    "discrepancy": (),
    "participant": (),
    "participant_arm": (),
    "site": (),
    "study": (),
    "task_assignment": (),
}
#: tables whose rows are not known by an `id`
_KEYS: Final[Mapping[str, str]] = {"participant_arm": "participant_id"}
_DIGEST_CHARS: Final = 32

Columns = Mapping[str, Sequence[str]]


@dataclass(slots=True)
class _Row:
    """What was said of one row last."""

    event: str
    digest: str
    columns: bytes
    #: up to which position it was said
    upto: int


@dataclass(slots=True)
class Held:
    """What all attestations say of rows that change, as they are met in order."""

    #: table -> key -> what was said last
    rows: dict[str, dict[str, _Row]] = field(default_factory=dict)
    upto: int = 0
    #: the attestations, as they were met
    _said: list[Mapping[str, Any]] = field(default_factory=list)

    def take(self, action: str, change: Mapping[str, Any]) -> None:
        """Take in one verified event of the ledger."""
        if action == ACTION and "held" in change:
            self._said.append(change)

    def read(self, session: Session) -> None:
        """Read what was taken in: a row is vouched for again only under an event of that time."""
        names = {event for change in self._said for events in change["held"].values() for event in events}
        places = {str(event): at for event, at in positions(session, {UUID(one) for one in names}).items()}
        for change in self._said:
            self._read(change, places)

    def _read(self, change: Mapping[str, Any], places: Mapping[str, int]) -> None:
        first, last = int(change["from"]), int(change["to"])
        self.upto = max(self.upto, last)
        for table, events in change["held"].items():
            key = orjson.dumps(change["held_columns"][table])
            known = self.rows.setdefault(table, {})
            for event, digests in events.items():
                for row, digest in digests.items():
                    # what was said first counts, until the row names a later event
                    if row not in known or first <= places.get(event, 0) <= last:
                        known[row] = _Row(event, digest, key, last)


def columns(session: Session) -> dict[str, list[str]]:
    """Return the columns of each held table that are vouched for."""
    rows = session.execute(
        text(
            "select c.relname, array_agg(a.attname::text order by a.attname) as columns from pg_class c "
            "join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped "
            "where c.relnamespace = 'app'::regnamespace and c.relname = any(:names) group by c.relname"
        ),
        {"names": list(HELD)},
    )
    return {row.relname: [one for one in row.columns if one not in HELD[row.relname]] for row in rows}


def known(session: Session) -> Columns:
    """Return the tables and columns that were vouched for last."""
    found: Columns | None = session.execute(
        text(
            "select change->'held_columns' from app.audit_event where study_id is null and action = :action "
            "and actor_id = :keeper and change ? 'held_columns' order by seq desc limit 1"
        ),
        {"action": ACTION, "keeper": KEEPER},
    ).scalar_one_or_none()
    return found or {}


def digests(
    session: Session, table: str, names: Sequence[str], *, after: int = 0, upto: int | None = None
) -> dict[str, tuple[str, str, int | None]]:
    """Return key -> event, digest and the event's position (none yet: None); of all rows, or whose event lies in a span.

    A row that names no event of the ledger has the position 0.
    """
    quote = session.get_bind().dialect.identifier_preparer.quote_identifier
    values = ", ".join(plain(f"t.{quote(one)}") for one in names)
    # Of a span, its entries come first: they are found by their positions, however long the ledger is.
    source = (
        f"app.{quote(table)} t left join app.audit_event e on e.id = t.event_id left join app.audit_entry s on s.event_id = e.id"
        if upto is None
        else f"(select event_id, position from app.audit_entry where position > :after and position <= :upto) s "  # noqa: S608
        f"join app.{quote(table)} t on t.event_id = s.event_id"
    )
    place = "case when e.id is null then 0 else s.position end" if upto is None else "s.position"
    session.execute(text("set local timezone to 'UTC'"))
    rows = session.execute(
        text(
            f"select t.{quote(_KEYS.get(table, 'id'))}\\:\\:text as key, t.event_id, "  # noqa: S608 - names of ours
            f"left(encode(sha256(convert_to(jsonb_build_array({values})\\:\\:text, 'UTF8')), 'hex'), {_DIGEST_CHARS}) as digest, "
            f"{place} as position from {source}"
        ),
        {} if upto is None else {"after": after, "upto": upto},
    )
    return {row.key: (str(row.event_id), row.digest, row.position) for row in rows}


def said(session: Session, *, after: int, upto: int) -> dict[str, Any]:
    """Return what an attestation says of rows whose events lie in a span; of all earlier ones where nothing was said yet."""
    now, before = columns(session), known(session)
    found: dict[str, dict[str, dict[str, str]]] = {}
    for table, names in now.items():
        since = after if table in before else 0
        for key, (event, digest, _) in digests(session, table, names, after=since, upto=upto).items():
            found.setdefault(table, {}).setdefault(event, {})[key] = digest
    return {"held": found, "held_columns": now}


def differences(session: Session, held: Held) -> Iterator[tuple[str, int, str]]:
    """Yield study id, position and detail of each row that is not what was said of it."""
    held.read(session)
    wrong: list[tuple[str, str]] = []
    for table, expected in held.rows.items():
        present: dict[bytes, dict[str, tuple[str, str, int | None]]] = {}
        for key in {one.columns for one in expected.values()} or {orjson.dumps(columns(session)[table])}:
            present[key] = digests(session, table, orjson.loads(key))
        rows = next(iter(present.values()))
        for name, one in expected.items():
            row = present[one.columns].get(name)
            if row is None:
                wrong.append((one.event, f"A row of {table} that this event wrote was removed."))
            elif row[:2] != (one.event, one.digest) and _is_settled(row[2], held.upto):
                wrong.append((one.event, f"A row of {table} was altered after this event, by no event of its own."))
        wrong += [
            (event, f"A row of {table} names this event, which did not write it.")
            for name, (event, _, position) in rows.items()
            if name not in expected and _is_settled(position, held.upto)
        ]
    yield from _placed(session, wrong)


def _is_settled(position: int | None, upto: int) -> bool:
    """Say whether an event is so old that its rows were vouched for."""
    return position is not None and position <= upto


def _placed(session: Session, wrong: Sequence[tuple[str, str]]) -> Iterator[tuple[str, int, str]]:
    rows = session.execute(
        text("select event_id, study_id, position from app.audit_entry where event_id = any(:events)"),
        {"events": [UUID(event) for event, _ in wrong]},
    )
    places = {str(row.event_id): (str(row.study_id or ""), row.position) for row in rows}
    for event, detail in wrong:
        study, position = places.get(event, ("", 0))
        yield study, position, detail
