"""Load and save notices."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from datamodel.notices.tables import NoticeRow


def add(session: Session, row: NoticeRow) -> None:
    """Insert a notice and tell the dispatcher when this transaction commits."""
    session.add(row)
    session.flush()
    session.execute(text("select pg_notify('metricis', 'notice')"))


def due(session: Session, *, now: datetime, limit: int) -> list[UUID]:
    """Return the notices to be sent now, oldest first."""
    found = select(NoticeRow.id).where(NoticeRow.state == "waiting", NoticeRow.due_at <= now)
    return list(session.scalars(found.order_by(NoticeRow.due_at).limit(limit)))


def claim(session: Session, notice_id: UUID) -> NoticeRow | None:
    """Hold a waiting notice until the transaction ends; None when another one has it or it has gone."""
    return session.scalars(
        select(NoticeRow)
        .where(NoticeRow.id == notice_id, NoticeRow.state == "waiting")
        .with_for_update(skip_locked=True)
    ).one_or_none()


def put(session: Session, notice_id: UUID, **values: Any) -> None:
    """Write what became of a notice."""
    session.execute(update(NoticeRow).where(NoticeRow.id == notice_id).values(**values))


def of_participant(session: Session, participant_id: UUID, *, limit: int) -> list[NoticeRow]:
    """Return a participant's notices, newest first."""
    return list(
        session.scalars(
            select(NoticeRow)
            .where(NoticeRow.participant_id == participant_id)
            .order_by(NoticeRow.created_at.desc())
            .limit(limit)
        )
    )


def counts(session: Session) -> dict[str, int]:
    """Return how many notices are in each state."""
    rows = session.execute(select(NoticeRow.state, func.count()).group_by(NoticeRow.state))
    return {state: number for state, number in rows}  # noqa: C416 - rows are not pairs to the type checker


def study_code(session: Session, study_id: UUID) -> str:
    """Return the code of a study (the study room stands above this one), or an empty text when it is not seen."""
    found = session.execute(text("select code from app.study where id = :id"), {"id": study_id}).scalar_one_or_none()
    return str(found or "")
