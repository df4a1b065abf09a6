"""Check the ledger against itself and against the rows whose digests it carries."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from datamodel.audit.canonical import leaf_hash, plain
from datamodel.audit.ledger import UNSTAMPED

_COLUMNS = (
    "id",
    "at",
    "study_id",
    "actor_id",
    "actor_kind",
    "actor_name",
    "role",
    "action",
    "subject",
    "reason",
    "request_id",
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and where."""

    study: str
    position: int
    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verification found."""

    checked: int
    problems: tuple[Problem, ...]

    @property
    def is_ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


#: Tells whether an event's bytes carry their stamp (`datamodel.vault.stamps`).
StampCheck = Callable[[bytes, bytes | None], bool]
_NOT_OURS: Final = "This program did not write the event: somebody put it into the database."
#: Given an event's row, yields what is wrong with the rows it speaks of.
DigestCheck = Callable[[Session, Row[Any]], Iterator[str]]


def verify(session: Session, *, digests: dict[str, DigestCheck] | None = None) -> Verdict:
    """Verify all sealed events: no gap, leaf equals bytes, columns equal bytes, digests equal rows.

    `digests` maps an action to the check of the rows it wrote; the rooms that write in bulk provide them. Signed heads are
    verified by `datamodel.checkpoints.verify`, which does this as well.
    """
    problems: list[Problem] = []
    checked = 0
    for row, found in entries(session, digests or {}):
        checked += 1
        problems += [Problem(row.study_code, *one) for one in found]
    problems += out_of_order(session)
    return Verdict(checked=checked, problems=tuple(problems))


def entries(
    session: Session, digests: dict[str, DigestCheck], stamp: StampCheck | None = None
) -> Iterator[tuple[Row[Any], list[tuple[int, str, str]]]]:
    """Yield every sealed entry by position, with what is wrong with it or missing before it: position, kind, detail."""
    rows = session.execute(
        text(
            "select e.*, s.position, s.leaf, s.event_id as entry_event, s.study_id as entry_study, s.study_position, "
            "coalesce(st.code, '') as study_code from app.audit_entry s "
            "left join app.audit_event e on e.id = s.event_id "
            "left join app.study st on st.id = coalesce(e.study_id, s.study_id) order by s.position"
        ).execution_options(yield_per=2000)
    )
    expected = 1
    places: Counter[UUID] = Counter()
    for row in rows:
        gap = [(expected, "gap", f"Position {expected} is missing; the next one found is {row.position}.")]
        found = gap if row.position != expected else []
        expected = row.position + 1
        wrong = [*_wrong(row), *_misplaced(row, places)]
        if not wrong and row.action in digests:
            wrong = [("rows", detail) for detail in digests[row.action](session, row)]
        if not wrong and stamp is not None and row.id is not None and not _is_ours(row, stamp):
            wrong = [("stamp", _NOT_OURS)]
        yield row, found + [(row.position, kind, detail) for kind, detail in wrong]


def _is_ours(row: Row[Any], stamp: StampCheck) -> bool:
    """Return whether this program wrote the event; of what a process without the root key tells, nobody can say."""
    return stamp(bytes(row.body), row.stamp) or (row.stamp is None and row.action in UNSTAMPED)


def _misplaced(row: Row[Any], places: "Counter[UUID]") -> Iterator[tuple[str, str]]:
    """Say when the entry's study, or its place among the study's entries, is not the event's."""
    if row.entry_study is not None:
        places[row.entry_study] += 1
        expected = places[row.entry_study]
        if row.study_position != expected:
            places[row.entry_study] = row.study_position or expected
            yield "order", f"The entry is number {row.study_position} of its study; it should be number {expected}."
    elif row.study_position is not None:
        yield "order", f"The entry is number {row.study_position} of no study."
    if row.id is not None and row.entry_study != row.study_id:
        yield "study", "The entry is filed under another study than its event."


def _wrong(row: Row[Any]) -> Iterator[tuple[str, str]]:
    if row.id is None:
        yield "missing", "The event of this position is no longer in the ledger."
        return
    body = bytes(row.body)
    if leaf_hash(body) != bytes(row.leaf):
        yield "leaf", "The event's bytes differ from the hash that was sealed."
        return
    try:
        event = orjson.loads(body)
        differing = [name for name in _COLUMNS if plain(getattr(row, name)) != event[name]]
        if row.change != event["change"]:
            differing.append("change")
    except (orjson.JSONDecodeError, KeyError, TypeError):
        yield "bytes", "The event's bytes are not an event in its canonical form."
        return
    if differing:
        yield "columns", f"The columns {', '.join(differing)} differ from the event's sealed bytes."


def out_of_order(session: Session) -> Iterator[Problem]:
    """Find events that have no position but are older than one that has: they were slipped in, or their position removed."""
    rows = session.execute(
        text(
            "with newest as (select n.xid from app.audit_entry s join app.audit_event n on n.id = s.event_id "
            "order by s.position desc limit 1) "
            "select e.seq, e.action, coalesce(st.code, '') as study_code, ("
            "  select coalesce(max(s.position), 0) + 1 from app.audit_entry s join app.audit_event x on x.id = s.event_id "
            "  where (x.xid, x.seq) < (e.xid, e.seq)) as place "
            "from app.audit_event e left join app.study st on st.id = e.study_id "
            "where e.xid <= (select xid from newest) "
            "and not exists (select from app.audit_entry s where s.event_id = e.id) order by e.xid, e.seq"
        )
    ).all()
    for row in rows:
        yield Problem(
            row.study_code,
            row.place,
            "unsealed",
            f"Event {row.seq} ({row.action}) belongs before this position by its transaction, but has none of its own.",
        )
