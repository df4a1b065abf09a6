"""Reads: who is this."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from datamodel.access import store
from datamodel.access.actor import Actor, Membership
from datamodel.access.sessions import SessionInfo
from datamodel.access.tables import AccountRow, SessionRow
from datamodel.kernel.errors import NotFoundError
from datamodel.vault.seal import token_hash

#: `seen_at` is written at most this often.
_TOUCH: Final = timedelta(seconds=30)
SERVICE_NAME: Final = "Metricis sync"
#: Account of the installation itself: it sets up the first people and studies.
INSTALLER_NAME: Final = "Metricis installer"


def actor(session: Session, account_id: UUID) -> Actor:
    """Return the account as an actor, with its memberships.

    Raises
    ------
    NotFoundError
        When there is no such active account.
    """
    row = store.account(session, account_id)
    if row is None or not row.is_active:
        raise NotFoundError("There is no active account with this identifier.")
    return _actor(session, row)


def service_actor(session: Session) -> Actor:
    """Return the machine account under which scheduled flows act."""
    return _machine(session, SERVICE_NAME)


def installer_actor(session: Session) -> Actor:
    """Return the machine account that the command line acts under on this machine."""
    return _machine(session, INSTALLER_NAME)


def participant_account(session: Session, participant_id: UUID) -> Actor | None:
    """Return a participant's own account, or None when none was made yet."""
    row = store.account_of_participant(session, participant_id)
    return _actor(session, row) if row else None


def staff_account(session: Session, sign_in_name: str) -> Actor | None:
    """Return the staff account with that sign-in name, or None."""
    row = store.account_by_sign_in(session, sign_in_name)
    return _actor(session, row) if row else None


def actor_of_session(session: Session, token: str, *, now: datetime) -> Actor | None:
    """Return who is signed in with this cookie, or None; notes that the browser was seen."""
    row = store.live_session(session, token_hash(token), now=now)
    if row is None:
        return None
    if now - row.seen_at > _TOUCH:
        store.touch(session, row.id, now=now)
    return _active(session, row.account_id)


def session_of(session: Session, token: str, *, now: datetime) -> SessionInfo | None:
    """Return what is known of the signed-in browser with this token, or None; looking does not keep it signed in."""
    row = store.live_session(session, token_hash(token), now=now) if token else None
    return _info(row) if row else None


def stay(session: Session, token: str, *, now: datetime) -> SessionInfo | None:
    """Note that the owner of a signed-in browser is here, and return what is known of it; None when it is over."""
    return session_of(session, token, now=now) if store.touch_live(session, token_hash(token), now=now) else None


def sessions_of(session: Session, account_id: UUID, *, now: datetime) -> list[SessionInfo]:
    """Return the signed-in browsers of an account, the one seen last first. Whoever asks shows an account its own."""
    return [_info(row) for row in store.live_sessions(session, account_id, now=now)]


def has_its_rights(session: Session, token: str) -> bool:
    """Return whether nothing that the account may do has changed since the session got its token."""
    return store.is_settled(session, token_hash(token))


def still_standing(session: Session, tokens: Sequence[str], *, now: datetime) -> set[str]:
    """Return which of these tokens still stand for a live session with unchanged rights; one question for many."""
    hashes = {token_hash(token): token for token in tokens}
    return {hashes[one] for one in store.settled(session, list(hashes), now=now)}


def _info(row: SessionRow) -> SessionInfo:
    return SessionInfo(
        id=row.id,
        account_id=row.account_id,
        kind=row.kind,
        how=row.how,
        device=row.device,
        created_at=row.created_at,
        seen_at=row.seen_at,
        ends_at=row.ends_at,
        confirmed_at=row.confirmed_at,
    )


def actor_of_token(session: Session, token: str, *, now: datetime) -> Actor | None:
    """Return whose notebook or machine token this is, or None."""
    row = store.live_token(session, token_hash(token), now=now)
    return _active(session, row.account_id) if row else None


def _machine(session: Session, name: str) -> Actor:
    row = store.account_by_name(session, kind="machine", name=name)
    if row is None:
        raise NotFoundError(f"The machine account “{name}” does not exist yet; create a study first, which makes it.")
    return _actor(session, row)


def _active(session: Session, account_id: UUID) -> Actor | None:
    row = store.account(session, account_id)
    return _actor(session, row) if row is not None and row.is_active else None


def _actor(session: Session, row: AccountRow) -> Actor:
    return Actor(
        id=row.id,
        kind=row.kind,
        name=row.name,
        memberships=tuple(
            Membership(study=code, role=role, site=site, is_unblinded=unblinded)
            for code, role, site, unblinded in store.memberships(session, row.id)
        ),
        is_administrator=row.is_administrator,
        participant_id=row.participant_id,
    )
