"""Load and save reveals, and find whom to tell."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from datamodel.reveals.rules import Reveal
from datamodel.reveals.tables import RevealRow, ShownRow


def add(session: Session, one: Reveal, *, approval_id: UUID | None, event_id: UUID) -> None:
    """Insert a reveal."""
    session.add(
        RevealRow(
            id=one.id,
            study_id=one.study_id,
            participant_id=one.participant_id,
            account_id=one.account_id,
            account_name=one.account_name,
            kind=one.kind,
            category=one.category,
            reason=one.reason,
            approval_id=approval_id,
            alerted=one.alerted,
            at=one.at,
            event_id=event_id,
        )
    )
    session.flush()


def show(session: Session, one: Reveal, *, at: datetime, event_id: UUID) -> bool:
    """Note that a revealed arm is shown; return whether this is the first time. Two at once: one waits, and is told no."""
    done = session.execute(
        insert(ShownRow)
        .values(reveal_id=one.id, study_id=one.study_id, participant_id=one.participant_id, at=at, event_id=event_id)
        .on_conflict_do_nothing(index_elements=["reveal_id"])
        .returning(ShownRow.reveal_id)
    )
    return done.scalar_one_or_none() is not None


def reveal(session: Session, reveal_id: UUID) -> Reveal | None:
    """Return one reveal, or None."""
    row = session.execute(text(f"{_REVEALS} where r.id = :id"), {"id": reveal_id}).one_or_none()
    return _reveal(row) if row else None


def of_participant(session: Session, participant_id: UUID) -> list[Reveal]:
    """Return the reveals of a participant, newest first."""
    rows = session.execute(
        text(f"{_REVEALS} where r.participant_id = :id order by r.at desc, r.id"), {"id": participant_id}
    )
    return [_reveal(row) for row in rows]


def to_alert(session: Session, study_id: UUID, site: str, roles: Collection[str]) -> list[Row[Any]]:
    """Return (account, mail address) of those with one of these roles for all sites or for `site` (a code, or empty)."""
    return list(
        session.execute(
            text(
                "select distinct a.id, a.sign_in_name from app.account a join app.membership m on m.account_id = a.id "
                "where m.study_id = :study and m.role = any(:roles) and m.ended_at is null and a.is_active "
                "and (m.site_code is null or m.site_code = :site) and a.sign_in_name like '%@%' order by a.id"
            ),
            {"study": study_id, "site": site, "roles": list(roles)},
        )
    )


def _reveal(row: Row[Any]) -> Reveal:
    return Reveal(
        id=row.id,
        study_id=row.study_id,
        participant_id=row.participant_id,
        participant=row.participant,
        account_id=row.account_id,
        account_name=row.account_name,
        kind=row.kind,
        category=row.category,
        reason=row.reason,
        alerted=row.alerted,
        at=row.at,
        shown_at=row.shown_at,
    )


_REVEALS = """
    select r.id, r.study_id, r.participant_id, p.code as participant, r.account_id, r.account_name, r.kind, r.category, r.reason,
        r.alerted, r.at, s.at as shown_at
    from app.arm_reveal r join app.participant p on p.id = r.participant_id
        left join app.arm_reveal_shown s on s.reveal_id = r.id
"""
