"""Reads: which mails wait, and what became of those of a participant; never to whom or what they said."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from datamodel.notices import store


@dataclass(frozen=True, slots=True)
class Notice:
    """What became of one mail."""

    kind: str
    state: str
    created_at: datetime
    done_at: datetime | None
    tries: int
    outcome: str


def due(session: Session, *, now: datetime, limit: int = 100) -> list[UUID]:
    """Return the mails to be sent now."""
    return store.due(session, now=now, limit=limit)


def of_participant(session: Session, participant_id: UUID, *, limit: int = 20) -> list[Notice]:
    """Return what became of a participant's mails, newest first."""
    return [
        Notice(row.kind, row.state, row.created_at, row.done_at, row.tries, row.outcome)
        for row in store.of_participant(session, participant_id, limit=limit)
    ]


def counts(session: Session) -> dict[str, int]:
    """Return how many mails wait, were sent, failed or were too late."""
    return {"waiting": 0, "sent": 0, "failed": 0, "late": 0} | store.counts(session)
