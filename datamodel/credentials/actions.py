"""The verbs: sign in, confirm, set a password, invite."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from uuid import UUID

from datamodel.access import actions as access
from datamodel.access import reads as access_reads
from datamodel.access.actor import Actor
from datamodel.access.passwords import hash_password, is_outdated, is_password
from datamodel.access.rights import may
from datamodel.access.sessions import SessionInfo
from datamodel.audit import ledger
from datamodel.credentials import proofs, reads, store
from datamodel.credentials.passwords import check
from datamodel.credentials.tables import HalfRow, InvitationRow
from datamodel.credentials.tries import MOST_CONFIRMATIONS, WINDOW, Knock, for_account
from datamodel.kernel.errors import Allowed, Answer, NotFoundError, Refused, RefusedError, require
from datamodel.kernel.ids import new_id
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import UnitOfWork
from datamodel.vault.seal import new_token, token_hash

#: How long a second factor is waited for.
_HALF: Final = timedelta(minutes=10)
INVITED: Final = timedelta(hours=72)
RESET: Final = timedelta(hours=1)
_SIGN_IN_FAILED: Final = Refused(
    "sign-in-failed",
    "Name and password do not belong together.",
    "Check both, sign in with a passkey, or ask your administrator for a link.",
)
_NOT_CONFIRMED: Final = Refused(
    "not-confirmed",
    "What you typed does not prove that it is you, so nothing was done.",
    "Type your own password again, and a new code where you use one.",
)
_MISUSE: Final = Refused(
    "credentials-misuse",
    "What you typed was wrong five times, so nothing was done, you were signed out, and this was noted.",
    "Sign in again, or ask your administrator for a link to set a new password.",
)
_WRONG_CODE: Final = Refused(
    "code-wrong", "This code is wrong, was used already or is too old.", "Wait for the next code and type that one."
)
_HALF_OVER: Final = Refused(
    "sign-in-over", "This sign-in waited too long or was completed already.", "Start again with your name and password."
)
_INVITATION_OVER: Final = Refused(
    "invitation-over", "This link was used already or is too old.", "Ask your administrator for a new one."
)
NOT_FRESH: Final = Refused(
    "not-fresh", "This needs you to confirm that it is you, within the last five minutes.", "Confirm, then do it again."
)


@dataclass(frozen=True, slots=True)
class Entry:
    """What came of a first factor: a session's `token`, or a `half` sign-in that `needs` a factor, or one to be set up."""

    account_id: UUID
    token: str = field(default="", repr=False)
    half: str = field(default="", repr=False)
    #: empty, `factor` or `enrol`
    needs: str = ""


def confirm(unit: UnitOfWork[Actor], *, password: str, code: str = "") -> Answer:
    """Check the acting account's own password, and its code where it uses an authenticator.

    Tries are counted in transactions of their own, so they stay counted when the unit fails. Five wrong ones since the
    last right one end every session of the account and are told in the ledger as `credentials.misuse`.
    """
    account_id = unit.actor.id
    begun = proofs.begin(unit, for_account("confirm", account_id), most=MOST_CONFIRMATIONS)
    if isinstance(begun, Refused):
        _misuse(unit)
        return begun
    is_right = proofs.is_own_password(unit, account_id, password)
    if is_right and reads.factors(unit.session, account_id).has_totp:
        is_right = bool(proofs.spend_code(unit, account_id, code))
    if is_right:
        proofs.good(unit, begun)
        return Allowed()
    proofs.wrong(unit, actor=unit.actor, account_id=account_id, what="confirm")
    return _NOT_CONFIRMED if not _is_last(unit, account_id) else _misuse(unit)


def _is_last(unit: UnitOfWork[Actor], account_id: UUID) -> bool:
    with proofs.apart(unit) as own:
        knock = for_account("confirm", account_id)
        return len(store.wrong_tries(own.session, knock, since=own.instant - WINDOW)) >= MOST_CONFIRMATIONS


def _misuse(unit: UnitOfWork[Actor]) -> Refused:
    with proofs.apart(unit, unit.actor) as own:
        ledger.record(
            own, "credentials.misuse", subject=f"account:{unit.actor.id}", change={"new": {"wrong": MOST_CONFIRMATIONS}}
        )
        access.revoke_sessions(own, account_id=unit.actor.id)
    return _MISUSE


def sign_in(unit: UnitOfWork[Actor], *, name: str, password: str, source: str = "", device: str = "") -> Entry:
    """Check a sign-in name and password; the unit's actor is whoever knocks.

    Raises
    ------
    RefusedError
        When they do not belong together, or there were too many tries. Answer and work are the same for unknown names.
    """
    begun = proofs.begin(unit, Knock("password", name, source))
    if isinstance(begun, Refused):
        raise RefusedError(begun)
    account_id, stored = access_reads.password_by_name(unit.session, name)
    if not is_password(stored, password) or account_id is None or stored is None:
        proofs.wrong(unit, actor=unit.actor, account_id=account_id, what="password")
        raise RefusedError(_SIGN_IN_FAILED)
    proofs.good(unit, begun)
    if is_outdated(stored):
        access.keep_password(unit, account_id, hash_password(password))
        ledger.record(unit, "credentials.renew_hash", subject=f"account:{account_id}")
    return first_factor(unit, account_id, how="password", device=device)


def first_factor(unit: UnitOfWork[Actor], account_id: UUID, *, how: str, device: str = "") -> Entry:
    """Go on after a first factor was right (`how`: `password`, `link`, `invitation`, `institution`).

    Staff with a second factor are asked for it; staff without one set it up first where the installation requires it.
    """
    account = access_reads.actor(unit.session, account_id)
    needs = ""
    if account.kind == "staff":
        has_second = reads.factors(unit.session, account_id).has_second
        needs = "factor" if has_second else "enrol" if settings().requires_second_factor else ""
    if not needs:
        token = access.start_session(unit, account_id, kind=account.kind, how=how, device=device)
        return Entry(account_id=account_id, token=token)
    token = new_token()
    store.add(
        unit.session,
        HalfRow(
            id=new_id(),
            token_hash=token_hash(token),
            account_id=account_id,
            how=how,
            created_at=unit.instant,
            ends_at=unit.instant + _HALF,
        ),
    )
    ledger.record(unit, "credentials.first_factor", subject=f"account:{account_id}", change={"new": {"how": how}})
    return Entry(account_id=account_id, half=token, needs=needs)


def second_factor(unit: UnitOfWork[Actor], half: str, *, code: str, source: str = "", device: str = "") -> Entry:
    """Complete a half sign-in with a code of the authenticator or a recovery code.

    Raises
    ------
    RefusedError
        When the code is wrong or spent, the half is over, or there were too many tries.
    """
    row = store.half(unit.session, token_hash(half), now=unit.instant)
    if row is None:
        raise RefusedError(_HALF_OVER)
    begun = proofs.begin(unit, for_account("code", row.account_id, source=source))
    if isinstance(begun, Refused):
        raise RefusedError(begun)
    which = proofs.spend_code(unit, row.account_id, code)
    if not which:
        proofs.wrong(unit, actor=unit.actor, account_id=row.account_id, what="code")
        raise RefusedError(_WRONG_CODE)
    proofs.good(unit, begun)
    return complete(unit, half, how=f"{row.how}+{which}", device=device)


def complete(unit: UnitOfWork[Actor], half: str, *, how: str, device: str = "") -> Entry:
    """Turn a half sign-in, whose second factor was just shown or set up, into a session.

    Raises
    ------
    RefusedError
        When it is over, or was completed by somebody else at the same moment.
    """
    row = store.half(unit.session, token_hash(half), now=unit.instant)
    if row is None or not store.spend_half(unit.session, row.id, now=unit.instant):
        raise RefusedError(_HALF_OVER)
    token = access.start_session(unit, row.account_id, kind="staff", how=how, device=device)
    return Entry(account_id=row.account_id, token=token)


def step_up(unit: UnitOfWork[Actor], token: str, *, password: str, code: str = "") -> str:
    """Confirm again who one is; return the session's new token, which counts as freshly confirmed for five minutes.

    Raises
    ------
    RefusedError
        When what was typed is wrong, or the session is over.
    """
    require(confirm(unit, password=password, code=code))
    return access.rotate_session(unit, token, is_confirmed=True, why="step-up")


def require_fresh(info: SessionInfo | None, unit: UnitOfWork[Actor]) -> None:
    """Raise RefusedError (`not-fresh`) unless the session's owner confirmed within the last five minutes."""
    if info is None or not info.is_fresh(unit.instant):
        raise RefusedError(NOT_FRESH)


def change_password(unit: UnitOfWork[Actor], *, old: str, new: str, code: str = "", token: str = "") -> None:
    """Change one's own password, or set the first one; every other session of the account ends.

    Raises
    ------
    RefusedError
        When the old one is wrong, the new one is too short, too long or too common, or there is no old one and the session
        with `token` was not confirmed within five minutes.
    """
    if access_reads.password_of(unit.session, unit.actor.id) is None:
        require_fresh(access_reads.session_of(unit.session, token, now=unit.instant), unit)
    else:
        require(confirm(unit, password=old, code=code))
    _set_password(unit, unit.actor, new)
    access.revoke_sessions(unit, account_id=unit.actor.id, except_token=token)


def _set_password(unit: UnitOfWork[Actor], account: Actor, password: str) -> None:
    require(check(password, about=(account.name, reads.sign_in_name(unit.session, account.id))))
    access.keep_password(unit, account.id, hash_password(password))
    store.profile(unit.session, account.id).password_set_at = unit.instant
    ledger.record(unit, "credentials.set_password", subject=f"account:{account.id}")


def invite(unit: UnitOfWork[Actor], *, account_id: UUID, kind: str = "invitation") -> str:
    """Return the token of a link with which somebody sets a password: an `invitation` (72 hours) or a `reset` (one hour).

    Shown once, kept as a hash; earlier links of the account end.
    """
    require(may(unit.actor, "system:users:manage"))
    access_reads.actor(unit.session, account_id)
    token = new_token()
    store.end_invitations(unit.session, account_id, now=unit.instant)
    store.add(
        unit.session,
        InvitationRow(
            id=new_id(),
            token_hash=token_hash(token),
            account_id=account_id,
            kind=kind,
            created_at=unit.instant,
            ends_at=unit.instant + (RESET if kind == "reset" else INVITED),
        ),
    )
    ledger.record(unit, "credentials.invite", subject=f"account:{account_id}", change={"new": {"kind": kind}})
    return token


def accept(unit: UnitOfWork[Actor], token: str, *, password: str, has_accepted: bool, device: str = "") -> Entry:
    """Spend an invitation: set the password, accept the terms, end what was signed in, and go on as after a password.

    Raises
    ------
    RefusedError
        When the link is over, the terms were not accepted or the password is not allowed; the link then stays unspent.
    """
    row = store.spend_invitation(unit.session, token_hash(token), now=unit.instant)
    if row is None:
        raise RefusedError(_INVITATION_OVER)
    profile = store.profile(unit.session, row.account_id)
    if not has_accepted and profile.accepted_at is None:
        raise RefusedError(
            Refused("terms", "The terms of use were not accepted, so nothing was set up.", "Read and accept them.")
        )
    account = access_reads.actor(unit.session, row.account_id)
    _set_password(unit, account, password)
    profile.accepted_at = profile.accepted_at or unit.instant
    ledger.record(unit, "credentials.accept", subject=f"account:{row.account_id}", change={"new": {"kind": row.kind}})
    access.end_sessions(unit, account.id)
    return first_factor(unit, account.id, how="invitation", device=device)


def drop_factors(unit: UnitOfWork[Actor], *, account_id: UUID) -> None:
    """Take all second factors of an account away (its owner lost them) and end its sessions; for administrators.

    Raises
    ------
    RefusedError
        When the actor may not manage users.
    NotFoundError
        When there was nothing to take away.
    """
    require(may(unit.actor, "system:users:manage"))
    had = store.drop_totp(unit.session, account_id)
    keys = store.passkeys(unit.session, account_id)
    for key in keys:
        store.drop_passkey(unit.session, account_id, key.id)
    store.replace_recovery(unit.session, account_id, [])
    if not had and not keys:
        raise NotFoundError("This account has no second factor; nothing was changed.")
    ledger.record(unit, "credentials.drop_factors", subject=f"account:{account_id}")
    access.revoke_sessions(unit, account_id=account_id)
