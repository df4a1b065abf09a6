"""Load and save proposals and what became of them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from datamodel.approvals.tables import ApprovalRow, StepRow


def add(session: Session, row: ApprovalRow) -> None:
    """Insert a proposal."""
    session.add(row)
    session.flush()


def step(session: Session, row: dict[str, object]) -> bool:
    """Insert a step; return whether it is the first of its kind. Two at once: one waits, and is told no."""
    done = session.execute(
        insert(StepRow)
        .values(**row)
        .on_conflict_do_nothing(index_elements=["approval_id", "step"])
        .returning(StepRow.id)
    )
    return done.scalar_one_or_none() is not None


def approval(session: Session, approval_id: UUID) -> tuple[ApprovalRow, dict[str, StepRow]] | None:
    """Return a proposal with its steps by name, or None."""
    row = session.get(ApprovalRow, approval_id)
    return (row, _steps(session, [approval_id]).get(approval_id, {})) if row else None


def approvals(
    session: Session, *, study_id: UUID | None, since: datetime
) -> list[tuple[ApprovalRow, dict[str, StepRow]]]:
    """Return the proposals of a study (of the installation: None) that end after `since`, newest first."""
    of_study = ApprovalRow.study_id.is_(None) if study_id is None else ApprovalRow.study_id == study_id
    rows = list(
        session.scalars(
            select(ApprovalRow).where(of_study, ApprovalRow.ends_at > since).order_by(ApprovalRow.proposed_at.desc())
        )
    )
    steps = _steps(session, [row.id for row in rows])
    return [(row, steps.get(row.id, {})) for row in rows]


def _steps(session: Session, ids: list[UUID]) -> dict[UUID, dict[str, StepRow]]:
    found: dict[UUID, dict[str, StepRow]] = {}
    for row in session.scalars(select(StepRow).where(StepRow.approval_id.in_(ids))):
        found.setdefault(row.approval_id, {})[row.step] = row
    return found


def study_id(session: Session, code: str) -> UUID | None:
    """Return the id of the study with that code (the study room stands above this one)."""
    found: UUID | None = session.execute(
        text("select id from app.study where code = :code"), {"code": code}
    ).scalar_one_or_none()
    return found


def study_code(session: Session, study_id: UUID) -> str:
    """Return the code of a study, or an empty text."""
    found: str | None = session.execute(
        text("select code from app.study where id = :id"), {"id": study_id}
    ).scalar_one_or_none()
    return found or ""
