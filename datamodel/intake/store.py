"""Load and save envelopes."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from datamodel.intake.tables import EnvelopeRow

#: A failed envelope is tried again after 1, 2, 4 … minutes, at most six hours apart.
_AGAIN = text("done_at + least(interval '1 minute' * power(2, tries - 1), interval '6 hours') <= now()")


def add_once(session: Session, values: dict[str, Any]) -> EnvelopeRow | None:
    """Insert an envelope and return it, or None when its key is taken (two at once: one wins, the other waits)."""
    return session.scalars(
        insert(EnvelopeRow)
        .values(**values)
        .on_conflict_do_nothing(index_elements=["study_id", "kind", "idempotency_key"])
        .returning(EnvelopeRow)
    ).one_or_none()


def by_key(session: Session, *, study_id: UUID, kind: str, key: str) -> EnvelopeRow | None:
    """Return the envelope with that key."""
    return session.scalars(
        select(EnvelopeRow).where(
            EnvelopeRow.study_id == study_id, EnvelopeRow.kind == kind, EnvelopeRow.idempotency_key == key
        )
    ).one_or_none()


def by_receipt(session: Session, receipt: int) -> EnvelopeRow | None:
    """Return the envelope with that receipt number."""
    return session.scalars(select(EnvelopeRow).where(EnvelopeRow.receipt == receipt)).one_or_none()


def due(session: Session, *, kinds: tuple[str, ...], study_id: UUID | None, limit: int) -> list[UUID]:
    """Return the ids of envelopes to open now, in the order of their receipts."""
    asked = select(EnvelopeRow.id).where(
        EnvelopeRow.kind.in_(kinds),
        (EnvelopeRow.state == "pending") | ((EnvelopeRow.state == "failed") & _AGAIN),
    )
    if study_id is not None:
        asked = asked.where(EnvelopeRow.study_id == study_id)
    return list(session.scalars(asked.order_by(EnvelopeRow.receipt).limit(limit)))


def claim(session: Session, envelope_id: UUID) -> EnvelopeRow | None:
    """Lock an unsettled envelope for this transaction; None when another one has it or it is settled."""
    return session.scalars(
        select(EnvelopeRow)
        .where(EnvelopeRow.id == envelope_id, EnvelopeRow.state.in_(("pending", "failed")))
        .with_for_update(skip_locked=True)
    ).one_or_none()


def settle(session: Session, envelope_id: UUID, *, state: str, outcome: str, at: datetime) -> None:
    """Write how an envelope ended, and count the try."""
    session.execute(
        update(EnvelopeRow)
        .where(EnvelopeRow.id == envelope_id)
        .values(state=state, outcome=outcome, done_at=at, tries=EnvelopeRow.tries + 1)
    )


def unsettled(session: Session, *, participant_id: UUID, kind: str) -> list[EnvelopeRow]:
    """Return a participant's envelopes of that kind that were not opened yet, oldest first."""
    return list(
        session.scalars(
            select(EnvelopeRow)
            .where(
                EnvelopeRow.participant_id == participant_id,
                EnvelopeRow.kind == kind,
                EnvelopeRow.state.in_(("pending", "failed")),
            )
            .order_by(EnvelopeRow.receipt)
        )
    )


def newest(session: Session, *, participant_id: UUID, kind: str) -> EnvelopeRow | None:
    """Return a participant's newest envelope of that kind."""
    return session.scalars(
        select(EnvelopeRow)
        .where(EnvelopeRow.participant_id == participant_id, EnvelopeRow.kind == kind)
        .order_by(EnvelopeRow.receipt.desc())
        .limit(1)
    ).one_or_none()


def counts(session: Session, *, study_id: UUID) -> dict[str, int]:
    """Return how many envelopes of a study are in each state."""
    rows = session.execute(
        select(EnvelopeRow.state, func.count()).where(EnvelopeRow.study_id == study_id).group_by(EnvelopeRow.state)
    )
    return {state: number for state, number in rows}  # noqa: C416 - rows are not pairs to the type checker


def with_trouble(session: Session, *, study_id: UUID, limit: int) -> list[EnvelopeRow]:
    """Return a study's refused and failed envelopes, newest first."""
    return list(
        session.scalars(
            select(EnvelopeRow)
            .where(EnvelopeRow.study_id == study_id, EnvelopeRow.state.in_(("refused", "failed")))
            .order_by(EnvelopeRow.receipt.desc())
            .limit(limit)
        )
    )


def study_id(session: Session, code: str) -> UUID | None:
    """Return the id of the study with that code (the study room stands above this one)."""
    found: UUID | None = session.execute(
        text("select id from app.study where code = :code"), {"code": code}
    ).scalar_one_or_none()
    return found


def study_code(session: Session, study_id: UUID) -> str:
    """Return the code of a study."""
    found: str = session.execute(text("select code from app.study where id = :id"), {"id": study_id}).scalar_one()
    return found
