"""The verbs: make accounts, sign in and out. Those on roles are in `people`, those on tokens in `tokens`; they are named here too."""

from typing import Final
from uuid import UUID

from datamodel.access import people, store, tokens
from datamodel.access.actor import Actor
from datamodel.access.passwords import hash_password
from datamodel.access.reads import INSTALLER_NAME, SERVICE_NAME
from datamodel.access.rights import may
from datamodel.access.sessions import LONGEST
from datamodel.access.tables import AccountRow, MembershipRow, SessionRow
from datamodel.audit import ledger
from datamodel.kernel.errors import BadInputError, NotFoundError, Refused, RefusedError, require
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import UnitOfWork
from datamodel.vault.seal import new_token, token_hash

#: Verbs of other files, named here for those who give the first roles and tokens.
grant, make_token = people.grant, tokens.make_token
_KINDS: Final = ("staff", "participant", "caregiver", "machine")
_CLOSED: Final = Refused("account-closed", "This account is closed, so nothing was opened.", "Ask your administrator.")
SIGNED_OUT: Final = Refused(
    "signed-out", "This browser is not signed in any more, so nothing was done.", "Sign in again."
)
_NO_SUCH_SESSION: Final = "There is no such signed-in browser among yours. Load the list again; nothing was changed."
_LINK_SPENT: Final = Refused(
    "link-spent", "This sign-in link was used already or is too old.", "Ask for a new one; each link works once."
)


def install(unit: UnitOfWork[Actor]) -> UUID:
    """Make the installer's machine account, which is an administrator; only on a database without accounts."""
    row = store.account_by_name(unit.session, kind="machine", name=INSTALLER_NAME)
    if row is not None:
        return row.id
    return _add_account(unit, account_id=unit.actor.id, kind="machine", name=INSTALLER_NAME, is_administrator=True)


def create_account(
    unit: UnitOfWork[Actor],
    *,
    kind: str,
    name: str,
    sign_in_name: str | None = None,
    password: str | None = None,
    participant_id: UUID | None = None,
    is_administrator: bool = False,
) -> UUID:
    """Create an account and return its id. `name` is the printed name of staff, the pseudonym of participants.

    Raises
    ------
    RefusedError
        When the actor may not manage users.
    BadInputError
        When the kind is unknown, the sign-in name is taken or the password too short.
    """
    require(may(unit.actor, "system:users:manage"))
    if kind not in _KINDS:
        raise BadInputError(f"Received the kind “{kind}”; allowed are {', '.join(_KINDS)}.")
    if sign_in_name and store.account_by_sign_in(unit.session, sign_in_name):
        raise BadInputError("This sign-in name is taken already; nothing was created. Choose another one.")
    return _add_account(
        unit,
        account_id=new_id(),
        kind=kind,
        name=name,
        sign_in_name=sign_in_name.strip().lower() if sign_in_name else None,
        password_hash=hash_password(password) if password else None,
        participant_id=participant_id,
        is_administrator=is_administrator,
    )


def _add_account(unit: UnitOfWork[Actor], *, account_id: UUID, kind: str, name: str, **fields: object) -> UUID:
    store.add(unit.session, AccountRow(id=account_id, kind=kind, name=name, created_at=unit.instant, **fields))
    ledger.record(
        unit,
        "access.create_account",
        subject=f"account:{account_id}",
        change={
            "new": {
                "kind": kind,
                "name": name,
                "has_password": fields.get("password_hash") is not None,
                "is_administrator": bool(fields.get("is_administrator")),
            }
        },
    )
    return account_id


def enlist_service(unit: UnitOfWork[Actor], *, study_id: UUID) -> None:
    """Let the flows' machine account work in a new study; part of creating it, and told in its event."""
    row = store.account_by_name(unit.session, kind="machine", name=SERVICE_NAME)
    account_id = row.id if row else new_id()
    if row is None:
        store.add(unit.session, AccountRow(id=account_id, kind="machine", name=SERVICE_NAME, created_at=unit.instant))
    store.add(
        unit.session,
        MembershipRow(id=new_id(), account_id=account_id, study_id=study_id, role="service", created_at=unit.instant),
    )


def start_session(
    unit: UnitOfWork[Actor], account_id: UUID, *, kind: str = "staff", how: str = "link", device: str = ""
) -> str:
    """Open a session for an account whose every factor was shown, and return its token: shown once, kept as a hash.

    `kind` is the account's (it decides how long the browser may idle), `how` what was shown, `device` browser and system
    in words. The token is new each time, so an identifier that somebody planted before is worth nothing.

    Raises
    ------
    RefusedError
        When the account was closed.
    """
    row = store.account(unit.session, account_id)
    if row is None or not row.is_active:
        raise RefusedError(_LINK_SPENT if how == "link" else _CLOSED)
    token = new_token()
    store.add(
        unit.session,
        SessionRow(
            id=new_id(),
            token_hash=token_hash(token),
            account_id=account_id,
            created_at=unit.instant,
            seen_at=unit.instant,
            ends_at=unit.instant + LONGEST,
            kind=kind,
            how=how,
            device=device,
            # A link may have waited in a mailbox; it proves enough only where there is nothing else to show.
            confirmed_at=unit.instant if how != "link" or row.password_hash is None else None,
            rights=store.rights_digest(unit.session, account_id),
        ),
    )
    ledger.record(unit, "access.sign_in", subject=f"account:{account_id}", change={"new": {"how": how}})
    return token


def keep_password(unit: UnitOfWork[Actor], account_id: UUID, password_hash: str) -> None:
    """Keep a new password hash of an account; whoever checked that it may be set tells it in the ledger."""
    store.keep_password(unit.session, account_id, password_hash)


def rotate_session(unit: UnitOfWork[Actor], token: str, *, is_confirmed: bool = False, why: str = "") -> str:
    """Give a session a new token and return it; the old one opens nothing from now on.

    Done at step-up (`is_confirmed`) and when rights changed. Two at once: one wins.

    Raises
    ------
    RefusedError
        When the session is over.
    """
    fresh = new_token()
    confirmed = {"confirmed_at": unit.instant} if is_confirmed else {}
    row = store.rename_session(unit.session, token_hash(token), token_hash(fresh), now=unit.instant, **confirmed)
    if row is None:
        raise RefusedError(SIGNED_OUT)
    ledger.record(unit, "access.rotate_session", subject=f"account:{row.account_id}", change={"new": {"why": why}})
    return fresh


def sign_out(unit: UnitOfWork[Actor], token: str) -> None:
    """End the signed-in browser with this token; nothing happens when it had ended already."""
    ended = store.revoke_session(unit.session, token_hash(token), now=unit.instant)
    if ended is not None:
        ledger.record(unit, "access.sign_out", subject=f"account:{ended.account_id}")


def revoke_session(unit: UnitOfWork[Actor], session_id: UUID) -> None:
    """End one signed-in browser of one's own, or as an administrator anybody's.

    Raises
    ------
    NotFoundError
        When there is no such session for this actor.
    """
    owner = store.owner_of_session(unit.session, session_id)
    if owner is None or (owner != unit.actor.id and not may(unit.actor, "system:users:manage")):
        raise NotFoundError(_NO_SUCH_SESSION)
    _end_sessions(unit, owner, only=session_id)


def revoke_sessions(unit: UnitOfWork[Actor], *, account_id: UUID, except_token: str = "") -> int:
    """End all sessions of an account but the one with `except_token`; return how many.

    One's own, or as an administrator anybody's. Whoever shows a secret that proves more (a reset link) does it as that account.
    """
    if account_id != unit.actor.id:
        require(may(unit.actor, "system:users:manage"))
    return _end_sessions(unit, account_id, except_hash=token_hash(except_token) if except_token else b"")


def end_sessions(unit: UnitOfWork[Actor], account_id: UUID) -> None:
    """End all sessions of an account whose owner just proved more than a session does (a link to set a password)."""
    _end_sessions(unit, account_id)


def _end_sessions(
    unit: UnitOfWork[Actor], account_id: UUID, *, only: UUID | None = None, except_hash: bytes = b""
) -> int:
    ended = store.end_sessions(unit.session, account_id, now=unit.instant, only=only, except_hash=except_hash)
    ledger.record(unit, "access.revoke_sessions", subject=f"account:{account_id}", change={"new": {"ended": ended}})
    return ended


def _open_session(unit: UnitOfWork[Actor], account_id: UUID, *, how: str) -> str:
    row = store.account(unit.session, account_id)
    return start_session(unit, account_id, kind=row.kind if row else "staff", how=how)
