"""Second factors: the authenticator, passkeys, recovery codes. Each is set up by its own account, and each step is told."""

import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from uuid import UUID

import pyotp
from sqlalchemy.orm import Session

from datamodel.access import actions as access
from datamodel.access import reads as access_reads
from datamodel.access.actor import KNOCKING, Actor
from datamodel.audit import ledger
from datamodel.credentials import passkeys, proofs, reads, store
from datamodel.credentials.actions import Entry, complete
from datamodel.credentials.passkeys import NOT_ACCEPTED
from datamodel.credentials.tables import ChallengeRow, PasskeyRow, RecoveryRow, TotpRow
from datamodel.credentials.tries import Knock
from datamodel.kernel.errors import BadInputError, NotFoundError, Refused, RefusedError
from datamodel.kernel.ids import new_id
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import UnitOfWork
from datamodel.vault.seal import token_hash

CODES: Final = 10
_LETTERS: Final = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
_CODE_LENGTH: Final = 16
_CHALLENGE: Final = timedelta(minutes=5)
_LABEL: Final = 60
_NOT_YOURS: Final = Refused("not-yours", "These are another account's credentials; everybody sets up their own.")
_CODE_WRONG: Final = Refused(
    "code-wrong",
    "This is not the code that the authenticator shows now, so it does not count yet.",
    "Type the next code.",
)
_LAST: Final = Refused(
    "last-factor",
    "This is your only second factor, and this installation requires one; nothing was changed.",
    "Set up another one first, then remove this one.",
)


@dataclass(frozen=True, slots=True)
class Setup:
    """What an authenticator is told, once: the secret, and the address that its QR code holds."""

    secret: str = field(repr=False)
    address: str = field(repr=False)


# -- the authenticator ---------------------------------------------------------------------------------------------


def begin_totp(unit: UnitOfWork[Actor], *, account_id: UUID) -> Setup:
    """Make a new authenticator secret for an account; it counts once a first code was shown.

    Raises
    ------
    RefusedError
        When it is another's account, or an authenticator is in use already.
    """
    _own(unit, account_id)
    row = store.totp(unit.session, account_id)
    if row is not None and row.confirmed_at is not None:
        raise RefusedError(
            Refused("totp-in-use", "You use an authenticator already; nothing was changed.", "Remove it first.")
        )
    store.drop_totp(unit.session, account_id)
    secret, row_id = pyotp.random_base32(), new_id()
    store.add(
        unit.session,
        TotpRow(
            id=row_id,
            account_id=account_id,
            secret=proofs.sealed(unit.session, row_id, secret),
            last_step=0,
            created_at=unit.instant,
        ),
    )
    ledger.record(unit, "credentials.begin_totp", subject=f"account:{account_id}")
    return _setup(unit.session, account_id, secret)


def pending_totp(session: Session, account_id: UUID) -> Setup | None:
    """Return again what a new authenticator is told, as long as no first code was right; None afterwards."""
    row = store.totp(session, account_id)
    return _setup(session, account_id, proofs.opened(session, row)) if row and row.confirmed_at is None else None


def _setup(session: Session, account_id: UUID, secret: str) -> Setup:
    name = reads.sign_in_name(session, account_id) or access_reads.actor(session, account_id).name
    return Setup(secret=secret, address=pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name="Metricis"))


def finish_totp(unit: UnitOfWork[Actor], *, account_id: UUID, code: str) -> list[str]:
    """Take the first code of a new authenticator; return recovery codes when the account had none left.

    Raises
    ------
    RefusedError
        When the code is wrong, or there were too many tries.
    """
    _own(unit, account_id)
    begun = proofs.begin(unit, Knock("code", f"setup:{account_id}"))
    if isinstance(begun, Refused):
        raise RefusedError(begun)
    row = store.totp(unit.session, account_id)
    step = None
    if row is not None and row.confirmed_at is None:
        step = proofs.matching_step(unit.session, row, code, int(unit.instant.timestamp()))
    if row is None or step is None:
        raise RefusedError(_CODE_WRONG)
    proofs.good(unit, begun)
    row.confirmed_at, row.last_step = unit.instant, step
    unit.session.flush()
    ledger.record(unit, "credentials.add_totp", subject=f"account:{account_id}")
    return [] if store.recovery_left(unit.session, account_id) else new_recovery_codes(unit, account_id=account_id)


def drop_totp(unit: UnitOfWork[Actor], *, account_id: UUID) -> None:
    """Remove one's authenticator.

    Raises
    ------
    RefusedError
        When it is the only second factor and the installation requires one.
    """
    _own(unit, account_id)
    _keep_one(unit, account_id)
    if not store.drop_totp(unit.session, account_id):
        raise NotFoundError("You use no authenticator; nothing was changed.")
    ledger.record(unit, "credentials.drop_totp", subject=f"account:{account_id}")


def new_recovery_codes(unit: UnitOfWork[Actor], *, account_id: UUID) -> list[str]:
    """Make ten recovery codes in the place of all earlier ones; shown once, kept as digests."""
    _own(unit, account_id)
    codes = ["".join(secrets.choice(_LETTERS) for _ in range(_CODE_LENGTH)) for _ in range(CODES)]
    rows = [
        RecoveryRow(
            id=new_id(),
            account_id=account_id,
            code_hash=proofs.recovery_hash(account_id, code),
            created_at=unit.instant,
        )
        for code in codes
    ]
    store.replace_recovery(unit.session, account_id, rows)
    ledger.record(unit, "credentials.make_recovery_codes", subject=f"account:{account_id}")
    return ["-".join(code[at : at + 4] for at in range(0, _CODE_LENGTH, 4)) for code in codes]


# -- passkeys ------------------------------------------------------------------------------------------------------


def begin_passkey(unit: UnitOfWork[Actor], *, account_id: UUID, holder: str) -> str:
    """Return the options with which the browser that holds the cookie `holder` makes a passkey."""
    _own(unit, account_id)
    account = access_reads.actor(unit.session, account_id)
    return passkeys.registration(
        account_id,
        name=reads.sign_in_name(unit.session, account_id) or account.name,
        printed=account.name,
        challenge=_challenge(unit, "register", holder=holder, account_id=account_id),
        known=[one.credential_id for one in store.passkeys(unit.session, account_id)],
    )


def finish_passkey(unit: UnitOfWork[Actor], *, account_id: UUID, holder: str, answer: str, label: str) -> None:
    """Keep a passkey that a browser made.

    Raises
    ------
    RefusedError
        When anything about it is not as it was asked, or the passkey is known already.
    """
    _own(unit, account_id)
    shown = passkeys.read(answer)
    challenge = _spent(unit, shown.challenge, "register", holder=holder)
    if challenge.account_id != account_id:
        raise RefusedError(NOT_ACCEPTED)
    made = passkeys.made(shown, challenge=challenge.challenge)
    row = PasskeyRow(
        id=new_id(),
        account_id=account_id,
        credential_id=made.credential_id,
        public_key=made.public_key,
        sign_count=made.sign_count,
        label=_label(label),
        created_at=unit.instant,
    )
    if not store.add_new(unit.session, row):
        raise RefusedError(NOT_ACCEPTED)
    ledger.record(unit, "credentials.add_passkey", subject=f"account:{account_id}", change={"new": {"passkey": row.id}})


def drop_passkey(unit: UnitOfWork[Actor], *, account_id: UUID, passkey_id: UUID) -> None:
    """Remove one of one's passkeys.

    Raises
    ------
    RefusedError
        When it is the only second factor and the installation requires one.
    """
    _own(unit, account_id)
    _keep_one(unit, account_id)
    if not store.drop_passkey(unit.session, account_id, passkey_id):
        raise NotFoundError("There is no such passkey among yours. Load the page again; nothing was changed.")
    ledger.record(
        unit, "credentials.drop_passkey", subject=f"account:{account_id}", change={"old": {"passkey": passkey_id}}
    )


def ask_passkey(
    unit: UnitOfWork[Actor], *, holder: str, purpose: str = "sign-in", account_id: UUID | None = None
) -> str:
    """Return the options with which a browser shows a passkey: to `sign-in` with any, or to `confirm` with one's own."""
    known = [one.credential_id for one in store.passkeys(unit.session, account_id)] if account_id else []
    return passkeys.question(challenge=_challenge(unit, purpose, holder=holder, account_id=account_id), known=known)


def sign_in_with_passkey(
    unit: UnitOfWork[Actor], *, holder: str, answer: str, half: str = "", device: str = ""
) -> Entry:
    """Open a session with a passkey, which is both factors at once; with `half`, complete that sign-in.

    Raises
    ------
    RefusedError
        When anything is not as it was asked, the passkey is another's than the half's, or there were too many tries.
    """
    shown = passkeys.read(answer)
    row = _checked(unit, shown, "sign-in", holder=holder)
    if half:
        if reads.account_of_half(unit.session, half, now=unit.instant) != row.account_id:
            raise RefusedError(NOT_ACCEPTED)
        return complete(unit, half, how="password+passkey", device=device)
    account = access_reads.actor(unit.session, row.account_id)
    token = access.start_session(unit, account.id, kind=account.kind, how="passkey", device=device)
    return Entry(account_id=account.id, token=token)


def step_up_with_passkey(unit: UnitOfWork[Actor], token: str, *, holder: str, answer: str) -> str:
    """Confirm with a passkey of one's own; return the session's new token, freshly confirmed.

    Raises
    ------
    RefusedError
        When it is not accepted, or the session is over.
    """
    row = _checked(unit, passkeys.read(answer), "confirm", holder=holder)
    if row.account_id != unit.actor.id:
        raise RefusedError(NOT_ACCEPTED)
    return access.rotate_session(unit, token, is_confirmed=True, why="step-up")


def _checked(unit: UnitOfWork[Actor], shown: passkeys.Shown, purpose: str, *, holder: str) -> PasskeyRow:
    # A passkey cannot be guessed, so others' wrong passwords from the same network do not close this door.
    begun = proofs.begin(unit, Knock("passkey", shown.credential_id.hex()))
    if isinstance(begun, Refused):
        raise RefusedError(begun)
    challenge = _spent(unit, shown.challenge, purpose, holder=holder)
    row = store.passkey(unit.session, shown.credential_id)
    if row is None or not _is_for(row, shown, challenge):
        raise RefusedError(NOT_ACCEPTED)
    count = passkeys.counted(shown, challenge=challenge.challenge, public_key=row.public_key, sign_count=row.sign_count)
    store.use_passkey(unit.session, row.id, sign_count=count, now=unit.instant)
    proofs.good(unit, begun)
    return row


def _is_for(row: PasskeyRow, shown: passkeys.Shown, challenge: ChallengeRow) -> bool:
    """Return whether passkey, user handle and challenge all speak of the same account."""
    is_own_handle = shown.user_handle is None or shown.user_handle == row.account_id.bytes
    return is_own_handle and challenge.account_id in {None, row.account_id}


def _challenge(unit: UnitOfWork[Actor], purpose: str, *, holder: str, account_id: UUID | None) -> bytes:
    challenge = secrets.token_bytes(32)
    store.add(
        unit.session,
        ChallengeRow(
            id=new_id(),
            challenge=challenge,
            purpose=purpose,
            holder_hash=token_hash(holder),
            account_id=account_id,
            created_at=unit.instant,
            ends_at=unit.instant + _CHALLENGE,
        ),
    )
    return challenge


def _spent(unit: UnitOfWork[Actor], challenge: bytes, purpose: str, *, holder: str) -> ChallengeRow:
    """Spend a challenge for good, whatever comes of it, and return it."""
    with proofs.apart(unit) as own:
        row = store.spend_challenge(own.session, challenge, now=own.instant)
        if row is not None:
            own.session.expunge(row)
    if row is None or row.purpose != purpose or row.holder_hash != token_hash(holder):
        raise RefusedError(NOT_ACCEPTED)
    return row


def _own(unit: UnitOfWork[Actor], account_id: UUID) -> None:
    """Refuse anybody but the account itself, or the door for somebody who showed a first factor of it."""
    if unit.actor.id not in {account_id, KNOCKING.id}:
        raise RefusedError(_NOT_YOURS)


def _keep_one(unit: UnitOfWork[Actor], account_id: UUID) -> None:
    found = reads.factors(unit.session, account_id)
    if settings().requires_second_factor and found.has_totp + len(found.passkeys) <= 1:
        raise RefusedError(_LAST)


def _label(text: str) -> str:
    label = " ".join(text.split()) or "Passkey"
    if len(label) > _LABEL or not label.isprintable():
        raise BadInputError(f"A passkey's name has up to {_LABEL} printable characters; nothing was kept. Shorten it.")
    return label
