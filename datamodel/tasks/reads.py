"""Reads: a participant's one queue, and one assignment."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.assessments import reads as assessments
from datamodel.assessments.reads import Battery
from datamodel.consent import reads as consent
from datamodel.consent.reads import Who
from datamodel.intake import reads as intake
from datamodel.kernel.errors import NotFoundError, require
from datamodel.kernel.settings import settings
from datamodel.rehearsal.surfaces import is_simulation_honoured
from datamodel.tasks import queue as rules
from datamodel.tasks import store
from datamodel.tasks.queue import Assigned, Run, Task

#: Reading and signing a consent takes about this long.
_CONSENT_MINUTES = 5


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a participant was asked to do."""

    id: UUID
    participant_id: UUID
    battery: Battery
    opens_on: date
    due_on: date


def queue(session: Session, actor: Actor, *, at: datetime) -> list[Task]:
    """Return the acting participant's own cards.

    Raises
    ------
    RefusedError
        When the actor is not a participant.
    """
    person = own(session, actor)
    rows = store.of_participant(session, person.id)
    batteries = {row.battery_id: assessments.battery(session, row.battery_id) for row in rows}
    runs = [
        Run(assignment_id=one.assignment_id, state=one.state, receipt=one.receipt)
        for one in assessments.sessions(session, participant_id=person.id)
        if one.assignment_id is not None
    ]
    return rules.queue(
        [
            Assigned(
                id=row.id,
                title=batteries[row.battery_id].title,
                minutes=batteries[row.battery_id].minutes,
                opens_on=row.opens_on,
                due_on=row.due_on,
                task=batteries[row.battery_id].only_task,
            )
            for row in rows
        ],
        runs,
        gate=consent.gate(session, person.id, at=at, scope="assessments"),
        today=today(person, at=at),
        consent=_consent(session, person, at=at),
    )


def assignment(session: Session, actor: Actor, assignment_id: UUID) -> Assignment:
    """Return one of the acting participant's own assignments; NotFoundError for anything else."""
    person = own(session, actor)
    row = store.assignment(session, assignment_id)
    if row is None or row.participant_id != person.id:
        raise NotFoundError("There is no such task of yours. Open your task list and choose one there.")
    return Assignment(
        id=row.id,
        participant_id=row.participant_id,
        battery=assessments.battery(session, row.battery_id),
        opens_on=row.opens_on,
        due_on=row.due_on,
    )


def own(session: Session, actor: Actor) -> Who:
    """Return the participant that the actor is; RefusedError when it is none."""
    if actor.participant_id is None:
        raise NotFoundError("This page is for participants. Sign in with the link that your study team gave you.")
    person = consent.who(session, actor.participant_id)
    require(may(actor, "self:tasks:read", study=person.study))
    return person


def today(person: Who, *, at: datetime) -> date:
    """Return the day it is where the participant's site is; outside production the simulated one, where there is one."""
    moved = timedelta(days=person.offset_days if is_simulation_honoured(settings()) else 0)
    return (at + moved).astimezone(ZoneInfo(person.time_zone)).date()


def _consent(session: Session, person: Who, *, at: datetime) -> Task | None:
    found = consent.consent(session, person.id, at=at)
    waiting = intake.unsettled(session, participant_id=person.id, kind="consent")
    return rules.consent_card(
        found.state,
        title="",
        minutes=_CONSENT_MINUTES,
        receipt=waiting[-1].receipt if waiting else found.receipt,
        is_waiting=bool(waiting),
    )
