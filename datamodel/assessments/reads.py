"""Reads: batteries, sessions, trials and scores."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from datamodel.assessments import store
from datamodel.assessments.scoring import Score
from datamodel.assessments.tables import BatteryRow, SessionRow
from datamodel.kernel.errors import NotFoundError


@dataclass(frozen=True, slots=True)
class Battery:
    """One version of a battery."""

    id: UUID
    code: str
    version: int
    title: str
    minutes: int
    tasks: list[dict[str, Any]]

    @property
    def only_task(self) -> str:
        """The code of the battery's task when it has just one, else an empty text."""
        return str(self.tasks[0]["task"]) if len(self.tasks) == 1 else ""


@dataclass(frozen=True, slots=True)
class AssessmentSession:
    """One run of a battery by one participant."""

    id: UUID
    participant_id: UUID
    battery_id: UUID
    assignment_id: UUID | None
    task: str
    state: str
    started_at: datetime
    ended_at: datetime | None
    consent_version_id: UUID | None
    device: dict[str, Any]
    flags: list[str]
    is_simulated: bool
    receipt: int


def battery(session: Session, battery_id: UUID) -> Battery:
    """Return one version of a battery; NotFoundError when there is none."""
    row = store.battery(session, battery_id)
    if row is None:
        raise NotFoundError("There is no such battery version.")
    return _battery(row)


def newest_battery(session: Session, *, study_id: UUID, code: str) -> Battery:
    """Return the newest version of a battery; NotFoundError when there is none."""
    row = store.newest_battery(session, study_id=study_id, code=code)
    if row is None:
        raise NotFoundError(f"This study has no battery with the code “{code}”. Create it first.")
    return _battery(row)


def batteries(session: Session, study_id: UUID) -> list[Battery]:
    """Return all versions of a study's batteries."""
    return [_battery(row) for row in store.batteries(session, study_id)]


def sessions(
    session: Session, *, study_id: UUID | None = None, participant_id: UUID | None = None
) -> list[AssessmentSession]:
    """Return the sessions of a study or of a participant, oldest first."""
    return [_session(row) for row in store.sessions(session, study_id=study_id, participant_id=participant_id)]


def trials(session: Session, session_id: UUID) -> list[dict[str, Any]]:
    """Return a session's raw trials in order, as jsPsych gave them."""
    return list(store.trials(session, session_id).values())


def trial_counts(session: Session, study_id: UUID) -> dict[UUID, int]:
    """Return how many trials each session of a study has."""
    return store.trial_counts(session, study_id)


def scores(session: Session, session_id: UUID) -> dict[str, Score]:
    """Return a session's scores by name."""
    return {
        row.name: Score(name=row.name, value=row.value, unit=row.unit)
        for row in store.scores(session, session_id=session_id)
    }


def _battery(row: BatteryRow) -> Battery:
    return Battery(id=row.id, code=row.code, version=row.version, title=row.title, minutes=row.minutes, tasks=row.tasks)


def _session(row: SessionRow) -> AssessmentSession:
    return AssessmentSession(
        id=row.id,
        participant_id=row.participant_id,
        battery_id=row.battery_id,
        assignment_id=row.assignment_id,
        task=row.task,
        state=row.state,
        started_at=row.started_at,
        ended_at=row.ended_at,
        consent_version_id=row.consent_version_id,
        device=row.device,
        flags=row.flags,
        is_simulated=row.is_simulated,
        receipt=row.receipt,
    )
