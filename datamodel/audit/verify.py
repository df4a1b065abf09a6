"""Check the ledger against itself and against the rows whose digests it carries."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from datamodel.audit.canonical import leaf_hash, plain

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


#: Given an event's row, yields what is wrong with the rows it speaks of.
DigestCheck = Callable[[Session, Row[Any]], Iterator[str]]


def verify(session: Session, *, digests: dict[str, DigestCheck] | None = None) -> Verdict:
    """Verify all sealed events: no gap, leaf equals bytes, columns equal bytes, digests equal rows.

    `digests` maps an action to the check of the rows it wrote; the rooms that write in bulk provide them.
    """
    problems: list[Problem] = []
    checked = 0
    rows = session.execute(
        text(
            "select e.*, s.position, s.leaf, coalesce(st.code, '') as study_code from app.audit_entry s "
            "left join app.audit_event e on e.id = s.event_id left join app.study st on st.id = e.study_id "
            "order by s.position"
        ).execution_options(yield_per=2000)
    )
    for expected, row in enumerate(rows, start=1):
        checked += 1
        found = list(_wrong(row, expected))
        if not found and digests and row.action in digests:
            found = [("rows", detail) for detail in digests[row.action](session, row)]
        problems += [Problem(row.study_code, row.position, kind, detail) for kind, detail in found]
    problems += _unsealed_behind(session)
    return Verdict(checked=checked, problems=tuple(problems))


def _wrong(row: Row[Any], expected: int) -> Iterator[tuple[str, str]]:
    if row.position != expected:
        yield "gap", f"Position {expected} is missing; the next one found is {row.position}."
    if row.id is None:
        yield "missing", "The event of this position is no longer in the ledger."
        return
    body = bytes(row.body)
    if leaf_hash(body) != bytes(row.leaf):
        yield "leaf", "The event's bytes differ from the hash that was sealed."
        return
    event = orjson.loads(body)
    differing = [name for name in _COLUMNS if plain(getattr(row, name)) != event[name]]
    if row.change != event["change"]:
        differing.append("change")
    if differing:
        yield "columns", f"The columns {', '.join(differing)} differ from the event's sealed bytes."


def _unsealed_behind(session: Session) -> list[Problem]:
    """Find events older than the newest sealed one that have no position: they were slipped in."""
    rows = session.execute(
        text(
            "select e.seq, e.action from app.audit_event e left join app.audit_entry s on s.event_id = e.id "
            "where s.event_id is null and e.xid < (select max(x.xid) from app.audit_event x "
            "join app.audit_entry y on y.event_id = x.id)"
        )
    ).all()
    return [
        Problem("", 0, "unsealed", f"Event {row.seq} ({row.action}) is older than the sealed part and has no position.")
        for row in rows
    ]
