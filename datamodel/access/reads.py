"""Reads: who is this."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from datamodel.access import store
from datamodel.access.actor import Actor, Membership
from datamodel.access.rights import may
from datamodel.access.sessions import SessionInfo
from datamodel.access.tables import AccountRow, SessionRow
from datamodel.kernel.errors import NotFoundError, require
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


def password_of(session: Session, account_id: UUID) -> str | None:
    """Return the password hash of an active account; None when it has none, or one that this program did not set."""
    return store.password_of(session, account_id)


def password_by_name(session: Session, sign_in_name: str) -> tuple[UUID | None, str | None]:
    """Return id and password hash of the active member of staff with that sign-in name: one question, found or not."""
    return store.password_by_name(session, sign_in_name)


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


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who works in a study, as its people see them."""

    account_id: UUID
    kind: str
    name: str
    sign_in_name: str
    role: str
    site: str | None
    is_unblinded: bool
    since: datetime
    is_active: bool


@dataclass(frozen=True, slots=True)
class Account:
    """An account as administrators see it; `roles` are (study, role, site)."""

    id: UUID
    kind: str
    name: str
    sign_in_name: str
    is_administrator: bool
    is_active: bool
    created_at: datetime
    seen_at: datetime | None
    roles: tuple[tuple[str, str, str | None], ...]


def members(session: Session, actor: Actor, *, study: str) -> list[Member]:
    """Return who works in a study, by name.

    Raises
    ------
    RefusedError
        When the actor may not see the study's people.
    NotFoundError
        When there is no such study for this actor.
    """
    require(may(actor, "study:people:read", study=study))
    study_id = store.study_id(session, study)
    if study_id is None:
        raise NotFoundError(f"There is no study with the code “{study}”.")
    found = store.members(session, study_id)
    return [
        Member(
            account_id=account.id,
            kind=account.kind,
            name=account.name,
            sign_in_name=account.sign_in_name or "",
            role=row.role,
            site=row.site_code,
            is_unblinded=row.is_unblinded,
            since=row.created_at,
            is_active=account.is_active,
        )
        for account, row in found
    ]


def last_seen(session: Session, account_ids: Sequence[UUID]) -> dict[UUID, datetime]:
    """Return when accounts were last seen in a browser; for the door, and whoever asks has checked who may know."""
    return store.last_seen(session, account_ids)


def accounts(session: Session, actor: Actor) -> list[Account]:
    """Return every account of staff and machines; for administrators."""
    require(may(actor, "system:users:manage"))
    found = store.accounts(session)
    seen = store.last_seen(session, [row.id for row in found])
    return [
        Account(
            id=row.id,
            kind=row.kind,
            name=row.name,
            sign_in_name=row.sign_in_name or "",
            is_administrator=row.is_administrator,
            is_active=row.is_active,
            created_at=row.created_at,
            seen_at=seen.get(row.id),
            roles=tuple((code, role, site) for code, role, site, *_ in store.memberships(session, row.id)),
        )
        for row in found
    ]


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
    """Return whose notebook or machine token this is, with no more rights than the token has, or None; notes its use."""
    row = store.live_token(session, token_hash(token), now=now)
    actor = _active(session, row.account_id) if row else None
    if row is None or actor is None or row.scopes is None:
        return actor
    code = store.study_codes(session, [row.study_id]).get(row.study_id) if row.study_id else None
    reach = frozenset(row.scopes)
    return replace(
        actor,
        is_administrator=False,
        scopes=reach,
        memberships=tuple(one for one in actor.memberships if row.study_id is None or one.study == code),
    )


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
            Membership(study=code, role=role, site=site, is_unblinded=unblinded, is_closed=is_closed)
            for code, role, site, unblinded, is_closed in store.memberships(session, row.id)
        ),
        is_administrator=row.is_administrator,
        # for whom a caregiver acts is told by relations (`participants.caregivers.acting`), never by the account
        participant_id=None if row.kind == "caregiver" else row.participant_id,
    )
