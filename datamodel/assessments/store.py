"""Load and save batteries, sessions, trials and scores."""

from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from datamodel.assessments.tables import BatteryRow, ScoreRow, SessionRow, TrialRow


def add(session: Session, *rows: BatteryRow | SessionRow | TrialRow | ScoreRow) -> None:
    """Insert rows."""
    session.add_all(rows)
    session.flush()


def battery(session: Session, battery_id: UUID) -> BatteryRow | None:
    """Return one version of a battery."""
    return session.get(BatteryRow, battery_id)


def newest_battery(session: Session, *, study_id: UUID, code: str) -> BatteryRow | None:
    """Return the newest version of a battery."""
    return session.scalars(
        select(BatteryRow)
        .where(BatteryRow.study_id == study_id, BatteryRow.code == code)
        .order_by(BatteryRow.version.desc())
        .limit(1)
    ).one_or_none()


def batteries(session: Session, study_id: UUID) -> list[BatteryRow]:
    """Return all versions of a study's batteries."""
    return list(
        session.scalars(
            select(BatteryRow).where(BatteryRow.study_id == study_id).order_by(BatteryRow.code, BatteryRow.version)
        )
    )


def locked_session(session: Session, session_id: UUID) -> SessionRow | None:
    """Return a session, locked, so that two parts of it cannot be filed at once."""
    return session.get(SessionRow, session_id, with_for_update=True)


def sessions(session: Session, *, study_id: UUID | None = None, participant_id: UUID | None = None) -> list[SessionRow]:
    """Return the sessions of a study or of a participant, oldest first."""
    asked = select(SessionRow).order_by(SessionRow.started_at, SessionRow.id)
    if study_id is not None:
        asked = asked.where(SessionRow.study_id == study_id)
    if participant_id is not None:
        asked = asked.where(SessionRow.participant_id == participant_id)
    return list(session.scalars(asked))


def trials(session: Session, session_id: UUID) -> dict[int, dict[str, Any]]:
    """Return a session's raw trials by their index, in order."""
    rows = session.execute(
        select(TrialRow.trial_index, TrialRow.data)
        .where(TrialRow.session_id == session_id)
        .order_by(TrialRow.trial_index)
    )
    return {row.trial_index: row.data for row in rows}


def trial_counts(session: Session, study_id: UUID) -> dict[UUID, int]:
    """Return how many trials each session of a study has."""
    rows = session.execute(
        select(TrialRow.session_id, func.count())
        .join(SessionRow, SessionRow.id == TrialRow.session_id)
        .where(SessionRow.study_id == study_id)
        .group_by(TrialRow.session_id)
    )
    return dict(rows.tuples())


def scores(session: Session, *, study_id: UUID | None = None, session_id: UUID | None = None) -> list[ScoreRow]:
    """Return the scores of a session, or of all sessions of a study."""
    asked = select(ScoreRow).order_by(ScoreRow.session_id, ScoreRow.rule, ScoreRow.name)
    if session_id is not None:
        asked = asked.where(ScoreRow.session_id == session_id)
    if study_id is not None:
        asked = asked.join(SessionRow, SessionRow.id == ScoreRow.session_id).where(SessionRow.study_id == study_id)
    return list(session.scalars(asked))
