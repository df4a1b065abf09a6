"""Reads: what became of a receipt, what waits, what went wrong."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from datamodel.access.actor import Actor
from datamodel.intake import store
from datamodel.intake.actions import PERMISSION
from datamodel.intake.tables import EnvelopeRow
from datamodel.kernel.errors import NotFoundError


@dataclass(frozen=True, slots=True)
class Envelope:
    """An envelope from outside: never its body."""

    id: UUID
    receipt: int
    kind: str
    state: str
    outcome: str
    received_at: datetime
    done_at: datetime | None
    tries: int


def receipt(session: Session, number: int, *, sender: Actor) -> Envelope:
    """Return what became of one's own receipt; NotFoundError for a number that is not one's own."""
    row = store.by_receipt(session, number)
    if row is None or row.sender_id != sender.id:
        raise NotFoundError(f"You have no receipt with the number {number}. Check the number.")
    return _envelope(row)


def due(session: Session, *, kinds: tuple[str, ...], study: str | None = None, limit: int = 500) -> list[UUID]:
    """Return the envelopes to open now: pending ones, and failed ones whose pause is over."""
    study_id = store.study_id(session, study) if study else None
    if study and study_id is None:
        raise NotFoundError(f"There is no study with the code “{study}”.")
    return store.due(session, kinds=kinds, study_id=study_id, limit=limit)


def has_pending(session: Session) -> bool:
    """Return whether there is anything to open now, for whoever starts the drain."""
    return bool(store.due(session, kinds=tuple(PERMISSION), study_id=None, limit=1))


def unsettled(session: Session, *, participant_id: UUID, kind: str) -> list[Envelope]:
    """Return a participant's envelopes of one kind that were not opened yet, oldest first."""
    return [_envelope(row) for row in store.unsettled(session, participant_id=participant_id, kind=kind)]


def newest(session: Session, *, participant_id: UUID, kind: str) -> Envelope | None:
    """Return a participant's newest envelope of one kind."""
    row = store.newest(session, participant_id=participant_id, kind=kind)
    return _envelope(row) if row else None


def counts(session: Session, *, study_id: UUID) -> dict[str, int]:
    """Return how many envelopes of a study are pending, processed, refused and failed."""
    return {"pending": 0, "processed": 0, "refused": 0, "failed": 0} | store.counts(session, study_id=study_id)


def with_trouble(session: Session, *, study_id: UUID, limit: int = 100) -> list[Envelope]:
    """Return a study's refused and failed envelopes, newest first."""
    return [_envelope(row) for row in store.with_trouble(session, study_id=study_id, limit=limit)]


def _envelope(row: EnvelopeRow) -> Envelope:
    return Envelope(
        id=row.id,
        receipt=row.receipt,
        kind=row.kind,
        state=row.state,
        outcome=row.outcome,
        received_at=row.received_at,
        done_at=row.done_at,
        tries=row.tries,
    )
