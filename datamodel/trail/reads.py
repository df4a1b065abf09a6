"""Reads: events and changes of values, as far as whoever asks may see them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.orm import Session

from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.kernel.errors import require
from datamodel.study import reads as studies
from datamodel.trail import store
from datamodel.trail.words import in_words

#: most rows of one answer
MOST: Final = 10_000
#: what a filter by kind of event means: its words and the rooms whose events it shows
KINDS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "data": ("Data and forms", ("records", "participants", "signatures", "trail")),
    "questions": ("Data questions", ("discrepancies",)),
    "consent": ("Consent", ("consent",)),
    "assessments": ("Assessments and tasks", ("assessments", "tasks", "intake")),
    "people": ("People and rights", ("access", "credentials", "approvals", "links", "notices")),
    "arms": ("Arms revealed", ("reveals",)),
    "exports": ("Snapshots and exports", ("marts", "sdtm", "packages")),
    "set-up": ("Study set-up and connection", ("study", "connections", "vault", "operations", "simulation")),
}


class Line(NamedTuple):
    """One event of the ledger in plain words; `subject` is a pseudonym or empty, `position` None before sealing."""

    id: UUID
    position: int | None
    at: datetime
    who: str
    role: str
    what: str
    action: str
    subject: str
    reason: str
    change: Mapping[str, Any]


class ValueChange(NamedTuple):
    """One value of one form that became another. `old` and `new` are None where there was, or is, no value."""

    instance: UUID
    revision: int
    participant: str
    site: str
    event_name: str
    form_name: str
    event_repeat: int
    form_repeat: int
    field: str
    old: str | None
    new: str | None
    at: datetime
    who: str
    reason: str
    source: str
    position: int | None
    #: accepted, questioned, or empty when nobody looked at it yet
    verdict: str
    note: str
    reviewer: str
    reviewed_at: datetime | None


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events; None asks for all."""

    since: datetime | None = None
    until: datetime | None = None
    who: str | None = None
    kind: str | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class ChangeFilter:
    """Which changes; None asks for all. `first` asks for first entries too, `critical` for critical fields only."""

    since: datetime | None = None
    until: datetime | None = None
    who: str | None = None
    participant: str | None = None
    event: str | None = None
    form: str | None = None
    field: str | None = None
    first: bool = False
    critical: bool = False
    reviewed: bool | None = None


@dataclass(frozen=True, slots=True)
class Page[T]:
    """Some rows, and how many there are in all."""

    rows: tuple[T, ...]
    total: int = field(default=0)


def events(
    session: Session, actor: Actor, *, study: str, asked: EventFilter, limit: int = MOST, offset: int = 0
) -> Page[Line]:
    """Return a study's events, newest first.

    Raises
    ------
    RefusedError
        When the actor may not read the audit trail.
    """
    require(may(actor, "study:audit:read", study=study))
    about = studies.study(session, study)
    rooms = ",".join(KINDS[asked.kind][1]) if asked.kind else None
    wanted = {
        "since": asked.since,
        "until": asked.until,
        "who": asked.who,
        "room": rooms,
        "subject": asked.subject,
        "site": _site(actor, study),
    }
    rows = store.events(session, about.id, wanted, limit=min(limit, MOST), offset=offset)
    return Page(tuple(_line(row) for row in rows), store.count_events(session, about.id, wanted))


def changes(
    session: Session, actor: Actor, *, study: str, asked: ChangeFilter, limit: int = MOST, offset: int = 0
) -> Page[ValueChange]:
    """Return changes of form values, newest first: blinded fields only for those who may see them, own sites only.

    Raises
    ------
    RefusedError
        When the actor may not read the audit trail or form values.
    """
    require(may(actor, "study:audit:read", study=study))
    require(may(actor, "study:records:read", study=study))
    about = studies.study(session, study)
    hidden = [] if may(actor, "study:blinded:read", study=study) else sorted(_blinded(session, about.id))
    marked = [f"{form}.{name}" for form, name in store.critical(session, about.id)]
    wanted = {**asdict(asked), "all": asked.first, "hidden": hidden, "marked": marked, "site": _site(actor, study)}
    del wanted["first"]
    rows = store.changes(session, about.id, wanted, limit=min(limit, MOST), offset=offset)
    return Page(tuple(_change(row) for row in rows), store.count_changes(session, about.id, wanted))


def actors(session: Session, actor: Actor, *, study: str) -> list[str]:
    """Return the names of those who did something in the study."""
    require(may(actor, "study:audit:read", study=study))
    return store.actors(session, studies.study(session, study).id)


def critical_fields(session: Session, actor: Actor, *, study: str) -> set[tuple[str, str]]:
    """Return the study's critical fields as (form, field)."""
    require(may(actor, "study:audit:read", study=study))
    return store.critical(session, studies.study(session, study).id)


def _blinded(session: Session, study_id: UUID) -> set[str]:
    return set(studies.blinded_fields(session, study_id))


def _site(actor: Actor, study: str) -> str | None:
    membership = actor.membership(study)
    return membership.site if membership else None


def _line(row: Row[Any]) -> Line:
    kind, _, name = row.subject.partition(":")
    return Line(
        id=row.id,
        position=row.position,
        at=row.at,
        who=row.actor_name,
        role=row.role,
        what=in_words(row.action, row.change),
        action=row.action,
        subject=f"{kind} {name}" if name else "",
        reason=row.reason,
        change=row.change,
    )


def _change(row: Row[Any]) -> ValueChange:
    return ValueChange(
        instance=row.instance_id,
        revision=row.number,
        participant=row.code,
        site=row.site,
        event_name=row.event_name,
        form_name=row.form_name,
        event_repeat=row.event_repeat,
        form_repeat=row.form_repeat,
        field=row.field,
        old=row.old,
        new=row.new,
        at=row.recorded_at,
        who=row.actor_name,
        reason=row.reason,
        source=row.source,
        position=row.position,
        verdict=row.verdict or "",
        note=row.note or "",
        reviewer=row.reviewer or "",
        reviewed_at=row.reviewed_at,
    )
