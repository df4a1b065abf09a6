"""Load and save simulated days."""

from uuid import UUID

from sqlalchemy.orm import Session

from datamodel.rehearsal.tables import RehearsalRow


def row(session: Session, study_id: UUID) -> RehearsalRow | None:
    """Return a study's simulation, or None."""
    return session.get(RehearsalRow, study_id)


def save(session: Session, *, study_id: UUID, days: int, event_id: UUID) -> None:
    """Write by how many days a study's day is moved."""
    found = row(session, study_id) or RehearsalRow(study_id=study_id)
    found.offset_days, found.event_id = days, event_id
    session.add(found)
    session.flush()
