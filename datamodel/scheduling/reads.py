"""Reads: who has a visit this week."""

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.connections import reads as connection_reads
from datamodel.participants import reads as participant_reads
from datamodel.records.reads import StatusGrid
from datamodel.rehearsal import reads as rehearsal
from datamodel.scheduling.states import first_day
from datamodel.scheduling.week import Week, week
from datamodel.study import reads as study_reads


def this_week(session: Session, actor: Actor, *, study: str, grid: StatusGrid, now: datetime) -> Week:
    """Return who of the actor's participants has a visit this week, by the study's own calendar; `grid` says what is entered.

    Raises
    ------
    NotFoundError
        When the study has no design yet.
    """
    found = study_reads.study(session, study)
    protocol, first = study_reads.design(session, found.id).protocol, 0
    if may(actor, "study:connections:read", study=study):
        health = connection_reads.sync_health(session, actor, study=study)
        mapping = connection_reads.connection(session, actor, study=study).mapping if health.is_connected else None
        anchor = (mapping.anchor_on or mapping.enrolled_on) if mapping else None
        first = first_day(protocol, anchor.event) if anchor else 0
    return week(
        protocol,
        participant_reads.participants(session, actor, study=study),
        taken={key[:2] for key in grid.cells},
        today=rehearsal.effective(session, found.id, now).astimezone(ZoneInfo(found.time_zone)).date(),
        first=first,
    )
