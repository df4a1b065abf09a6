"""Load and save simulated days and rehearsal copies."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from datamodel.rehearsal.tables import CopyRow, RehearsalRow


def row(session: Session, study_id: UUID) -> RehearsalRow | None:
    """Return a study's simulation, or None."""
    return session.get(RehearsalRow, study_id)


def save(session: Session, *, study_id: UUID, days: int, event_id: UUID) -> None:
    """Write by how many days a study's day is moved."""
    found = row(session, study_id) or RehearsalRow(study_id=study_id)
    found.offset_days, found.event_id = days, event_id
    session.add(found)
    session.flush()


def add(session: Session, row: CopyRow) -> None:
    """Insert one row."""
    session.add(row)
    session.flush()


def copy(session: Session, study_id: UUID, *, is_locked: bool = False) -> CopyRow | None:
    """Return what makes a study a rehearsal copy, or None."""
    return session.get(CopyRow, study_id, with_for_update=is_locked)


def copies(session: Session, source_id: UUID) -> list[UUID]:
    """Return the ids of a study's rehearsal copies that the reader sees."""
    return list(session.scalars(select(CopyRow.study_id).where(CopyRow.source_id == source_id)))


def code(session: Session, study_id: UUID) -> str:
    """Return a study's code, or an empty text when the reader does not see it."""
    found: str | None = session.execute(
        text("select code from app.study where id = :id"), {"id": study_id}
    ).scalar_one_or_none()
    return found or ""


@dataclass(frozen=True, slots=True)
class Order:
    """What an administrator ordered, as the ledger has it. `is_done`: somebody carried it out."""

    study_id: UUID | None
    asked: dict[str, Any]
    is_done: bool


def order(session: Session, event_id: UUID, *, done: str) -> Order | None:
    """Return an order by its ledger event; `done` is the action that carries it out."""
    found = session.execute(
        text(
            "select e.study_id, e.change->'new' as asked, exists (select from app.audit_event d "
            "where d.study_id = e.study_id and d.action = :done and d.change->'new'->>'order' = cast(e.id as text)) as is_done "
            "from app.audit_event e where e.id = :id and e.action = 'rehearsal.order'"
        ),
        {"id": event_id, "done": done},
    ).one_or_none()
    return Order(found.study_id, found.asked, found.is_done) if found else None
