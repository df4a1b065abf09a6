"""Reads: what happened lately in a study. Who may read it is for the caller to ask (access stands above this room)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from datamodel.audit.tables import EventRow


@dataclass(frozen=True, slots=True)
class Happening:
    """One event of the ledger, as far as it can be told to people: `subject` is `kind:pseudonym`."""

    at: datetime
    actor_name: str
    actor_kind: str
    action: str
    subject: str
    change: dict[str, Any]


def happenings(session: Session, *, study_id: UUID, actions: Collection[str], limit: int = 50) -> list[Happening]:
    """Return a study's newest events with one of these actions, newest first."""
    rows = session.scalars(
        select(EventRow)
        .where(EventRow.study_id == study_id, EventRow.action.in_(list(actions)))
        .order_by(EventRow.seq.desc())
        .limit(limit)
    )
    return [
        Happening(
            at=row.at,
            actor_name=row.actor_name,
            actor_kind=row.actor_kind,
            action=row.action,
            subject=row.subject,
            change=row.change,
        )
        for row in rows
    ]


def checkpoint_of(session: Session, study: str = "") -> str:
    """Return the newest signed head of a study's tree (of the installation's without `study`), or an empty text.

    Every export carries it, so that whoever holds an export holds a witness of the ledger.
    """
    found: str | None = session.execute(
        text(
            "select c.note from app.checkpoint c where c.study_id is not distinct from "
            "(select id from app.study where code = :study) and (c.study_id is not null or :study = '') "
            "order by c.size desc limit 1"
        ),
        {"study": study},
    ).scalar_one_or_none()
    return found or ""
