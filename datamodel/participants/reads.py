"""Reads: who is in, since when, at which site, and (for those who may) in which arm."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.kernel.errors import NotFoundError, require
from datamodel.participants.facts import STATUSES
from datamodel.study import reads as study_reads


@dataclass(frozen=True, slots=True)
class Participant:
    """A participant by pseudonym. `site` is a code, empty when unknown."""

    id: UUID
    code: str
    site: str
    site_name: str
    status: str
    enrolled_on: date | None
    anchor_on: date | None
    language: str


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A status from a day on, when the day is known; `at` is when Metricis learned of it."""

    status: str
    on: date | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Arm:
    """A treatment arm: blinded data."""

    code: str
    label: str


def participants(session: Session, actor: Actor, *, study: str, site: str | None = None) -> list[Participant]:
    """Return a study's participants by site and code, limited to the actor's own site where it has one."""
    require(may(actor, "study:participants:read", study=study, site=site))
    found = study_reads.study(session, study)
    rows = session.execute(
        text(_PARTICIPANTS), {"study": found.id, "site": _own_site(actor, study) or site, "code": None}
    )
    return [_participant(row) for row in rows]


def participant(session: Session, actor: Actor, *, study: str, code: str) -> Participant:
    """Return one participant.

    Raises
    ------
    NotFoundError
        When there is none, or it is at a site that the actor does not work at.
    """
    require(may(actor, "study:participants:read", study=study))
    found = study_reads.study(session, study)
    row = session.execute(
        text(_PARTICIPANTS), {"study": found.id, "site": _own_site(actor, study), "code": code}
    ).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no participant {code} in this study that you may see.")
    return _participant(row)


def status_history(session: Session, actor: Actor, *, study: str, code: str) -> list[StatusChange]:
    """Return a participant's statuses, oldest first."""
    one = participant(session, actor, study=study, code=code)
    rows = session.execute(
        text('select status, "on", at from app.participant_status where participant_id = :id order by at, id'),
        {"id": one.id},
    )
    return [StatusChange(row.status, row.on, row.at) for row in rows]


def arms(session: Session, actor: Actor, *, study: str) -> dict[str, Arm]:
    """Return the arm of each participant that has one; refused without `study:blinded:read`."""
    require(may(actor, "study:blinded:read", study=study))
    found = study_reads.study(session, study)
    rows = session.execute(text(_ARMS), {"study": found.id, "site": _own_site(actor, study)})
    return {row.code: Arm(row.arm_code, row.arm_label) for row in rows}


def revealed_arm(session: Session, actor: Actor, *, study: str, code: str) -> Arm | None:
    """Return the arm that was revealed to the actor and is noted as shown in this transaction; None when PostgreSQL shows none.

    Whose arm PostgreSQL shows to somebody who is blinded is decided there (`app.revealed_arms`), not here.
    """
    one = participant(session, actor, study=study, code=code)
    row = session.execute(
        text("select arm_code, arm_label from app.participant_arm where participant_id = :id"), {"id": one.id}
    ).one_or_none()
    return Arm(row.arm_code, row.arm_label) if row else None


def status_counts(session: Session, actor: Actor, *, study: str) -> dict[str, int]:
    """Return how many participants have each status."""
    require(may(actor, "study:overview:read", study=study))
    found = study_reads.study(session, study)
    rows = session.execute(text(_STATUS_COUNTS), {"study": found.id, "site": _own_site(actor, study)})
    counts = {row.status: row.number for row in rows}
    return {status: counts.get(status, 0) for status in STATUSES}


def enrolment(session: Session, actor: Actor, *, study: str) -> list[tuple[date, int]]:
    """Return (day, participants enrolled on it), oldest first; those without a day are left out."""
    require(may(actor, "study:overview:read", study=study))
    found = study_reads.study(session, study)
    rows = session.execute(text(_ENROLMENT), {"study": found.id, "site": _own_site(actor, study)})
    return [(row.enrolled_on, row.number) for row in rows]


def _own_site(actor: Actor, study: str) -> str | None:
    membership = actor.membership(study)
    return membership.site if membership else None


def _participant(row: Row[Any]) -> Participant:
    return Participant(
        id=row.id,
        code=row.code,
        site=row.site,
        site_name=row.site_name,
        status=row.status,
        enrolled_on=row.enrolled_on,
        anchor_on=row.anchor_on,
        language=row.language,
    )


_FROM = "from app.participant p left join app.site s on s.id = p.site_id"
_WHERE = "where p.study_id = :study and (cast(:site as text) is null or s.code = :site)"
_PARTICIPANTS = f"""
    select p.id, p.code, coalesce(s.code, '') as site, coalesce(s.name, '') as site_name, p.status, p.enrolled_on,
        p.anchor_on, p.language
    {_FROM} {_WHERE} and (cast(:code as text) is null or p.code = :code) order by s.code, p.code
"""
_ARMS = f"""
    select p.code, a.arm_code, a.arm_label {_FROM} join app.participant_arm a on a.participant_id = p.id {_WHERE}
"""
_STATUS_COUNTS = f"select p.status, count(*) as number {_FROM} {_WHERE} group by p.status"
_ENROLMENT = f"""
    select p.enrolled_on, count(*) as number {_FROM} {_WHERE} and p.enrolled_on is not null
    group by p.enrolled_on order by p.enrolled_on
"""
