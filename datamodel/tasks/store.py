"""Load and save assignments."""

from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from datamodel.tasks.tables import AssignmentRow


def add(session: Session, row: AssignmentRow) -> None:
    """Insert one row."""
    session.add(row)
    session.flush()


def assignment(session: Session, assignment_id: UUID) -> AssignmentRow | None:
    """Return one assignment."""
    return session.get(AssignmentRow, assignment_id)


def same(session: Session, *, participant_id: UUID, battery_id: UUID, opens_on: date) -> AssignmentRow | None:
    """Return the assignment of that battery to that participant from that day on."""
    return session.scalars(
        select(AssignmentRow).where(
            AssignmentRow.participant_id == participant_id,
            AssignmentRow.battery_id == battery_id,
            AssignmentRow.opens_on == opens_on,
        )
    ).one_or_none()


def of_participant(session: Session, participant_id: UUID) -> list[AssignmentRow]:
    """Return what a participant was asked to do, in the order of the due days."""
    return list(
        session.scalars(
            select(AssignmentRow)
            .where(AssignmentRow.participant_id == participant_id)
            .order_by(AssignmentRow.due_on, AssignmentRow.id)
        )
    )
