"""Load and save accounts, memberships, sessions, links and tokens."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from datamodel.access.tables import AccountRow, LinkRow, MembershipRow, SessionRow, TokenRow


def add(session: Session, row: AccountRow | MembershipRow | SessionRow | LinkRow | TokenRow) -> None:
    """Insert one row."""
    session.add(row)
    session.flush()


def account(session: Session, account_id: UUID) -> AccountRow | None:
    """Return the account, or None."""
    return session.get(AccountRow, account_id)


def account_by_sign_in(session: Session, sign_in_name: str) -> AccountRow | None:
    """Return the active staff account with that sign-in name (case does not count)."""
    return session.scalars(
        select(AccountRow).where(AccountRow.sign_in_name == sign_in_name.strip().lower(), AccountRow.is_active)
    ).one_or_none()


def account_by_name(session: Session, *, kind: str, name: str) -> AccountRow | None:
    """Return the account of that kind and printed name."""
    return session.scalars(select(AccountRow).where(AccountRow.kind == kind, AccountRow.name == name)).one_or_none()


def account_of_participant(session: Session, participant_id: UUID) -> AccountRow | None:
    """Return a participant's own account."""
    return session.scalars(
        select(AccountRow).where(AccountRow.kind == "participant", AccountRow.participant_id == participant_id)
    ).one_or_none()


def memberships(session: Session, account_id: UUID) -> list[Any]:
    """Return (study code, role, site code, is_unblinded) rows of an account."""
    return list(
        session.execute(
            text(
                "select s.code, m.role, m.site_code, m.is_unblinded from app.membership m "
                "join app.study s on s.id = m.study_id where m.account_id = :account order by s.code"
            ),
            {"account": account_id},
        )
    )


def study_id(session: Session, code: str) -> UUID | None:
    """Return the id of the study with that code (the study room stands above this one)."""
    found: UUID | None = session.execute(
        text("select id from app.study where code = :code"), {"code": code}
    ).scalar_one_or_none()
    return found


def live_session(session: Session, token_hash: bytes, *, now: datetime, idle_since: datetime) -> SessionRow | None:
    """Return the signed-in browser with that token, unless it ended, idled out or was revoked."""
    return session.scalars(
        select(SessionRow).where(
            SessionRow.token_hash == token_hash,
            SessionRow.revoked_at.is_(None),
            SessionRow.ends_at > now,
            SessionRow.seen_at > idle_since,
        )
    ).one_or_none()


def touch(session: Session, session_id: UUID, *, now: datetime) -> None:
    """Note that a signed-in browser was seen."""
    session.execute(update(SessionRow).where(SessionRow.id == session_id).values(seen_at=now))


def spend_link(session: Session, token_hash: bytes, *, now: datetime) -> LinkRow | None:
    """Mark the link used and return it; None when it is unknown, used or over. Two at once: one wins."""
    return session.scalars(
        update(LinkRow)
        .where(LinkRow.token_hash == token_hash, LinkRow.used_at.is_(None), LinkRow.ends_at > now)
        .values(used_at=now)
        .returning(LinkRow)
    ).one_or_none()


def revoke_session(session: Session, token_hash: bytes, *, now: datetime) -> SessionRow | None:
    """End the signed-in browser with that token; None when there is none."""
    return session.scalars(
        update(SessionRow)
        .where(SessionRow.token_hash == token_hash, SessionRow.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(SessionRow)
    ).one_or_none()


def live_token(session: Session, token_hash: bytes, *, now: datetime) -> TokenRow | None:
    """Return the token, unless it ended or was revoked, and note its use."""
    return session.scalars(
        update(TokenRow)
        .where(TokenRow.token_hash == token_hash, TokenRow.revoked_at.is_(None), TokenRow.ends_at > now)
        .values(used_at=now)
        .returning(TokenRow)
    ).one_or_none()
