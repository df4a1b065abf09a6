"""A device that is known by its own secret, and the PIN that goes with it."""

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy.orm import Session

from datamodel.access import actions as access
from datamodel.access import reads as access_reads
from datamodel.access.actor import Actor
from datamodel.audit import ledger
from datamodel.kernel.errors import BadInputError, NotFoundError, Refused, RefusedError
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import UnitOfWork
from datamodel.links import store
from datamodel.links.tables import DeviceRow
from datamodel.vault.seal import new_token, token_hash

#: A device is known for this long after the PIN was set.
LIFE: Final = timedelta(days=180)
#: Wrong PINs in a row after which a device is forgotten.
MOST_TRIES: Final = 5
_PIN: Final = re.compile(r"[0-9]{4,8}")
PIN_RULE: Final = "4 to 8 digits, not all the same and not in a row such as 1234"
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)

NOT_KNOWN: Final = Refused(
    "device-unknown", "This device is not known any more.", "Ask for a new sign-in link; then set a PIN again."
)
_FOR_PEOPLE: Final = Refused(
    "pin-not-for-staff",
    "A PIN is for participants and caregivers; nothing was set.",
    "Staff sign in with their factors.",
)


@dataclass(frozen=True, slots=True)
class Entered:
    """What came of a PIN: a session's token, or why not. `is_forgotten` when the device has to be given up."""

    token: str = field(default="", repr=False)
    refusal: Refused | None = None
    is_forgotten: bool = False


@dataclass(frozen=True, slots=True)
class Device:
    """A device of an account, in words."""

    id: UUID
    label: str
    created_at: datetime
    used_at: datetime


def checked_pin(pin: str) -> str:
    """Return a PIN that may be set.

    Raises
    ------
    BadInputError
        When it is not 4 to 8 digits, or the first that everybody tries. The sentence never repeats it.
    """
    up = "0123456789"
    if not _PIN.fullmatch(pin) or len(set(pin)) == 1 or pin in up or pin in up[::-1] or pin in up[1:] + "0":
        raise BadInputError(f"This PIN cannot be used: a PIN has {PIN_RULE}. Nothing was set. Choose another one.")
    return pin


def set_pin(unit: UnitOfWork[Actor], *, pin: str, label: str, earlier: str = "") -> str:
    """Set the acting person's PIN on the device before them and return the device's new secret, to be kept there alone.

    `earlier` is the secret that the device had; whatever it opened, it opens no more.

    Raises
    ------
    RefusedError
        When the actor is neither participant nor caregiver.
    BadInputError
        When the PIN cannot be used.
    """
    if unit.actor.kind not in {"participant", "caregiver"}:
        raise RefusedError(_FOR_PEOPLE)
    secret, row_id = new_token(), new_id()
    pin_hash = _HASHER.hash(_bound(secret, checked_pin(pin)))
    before = store.held_device(unit.session, token_hash(earlier), now=unit.instant) if earlier else None
    if before is not None and before.account_id == unit.actor.id:
        before.forgotten_at = unit.instant
    store.add(
        unit.session,
        DeviceRow(
            id=row_id,
            secret_hash=token_hash(secret),
            account_id=unit.actor.id,
            pin_hash=pin_hash,
            label=label,
            tries=0,
            created_at=unit.instant,
            used_at=unit.instant,
            ends_at=unit.instant + LIFE,
        ),
    )
    change = {"new": {"device": str(row_id), "label": label, "days": LIFE.days}}
    ledger.record(unit, "links.set_pin", subject=f"account:{unit.actor.id}", change=change)
    return secret


def enter(unit: UnitOfWork[Actor], secret: str, *, pin: str) -> Entered:
    """Take a PIN on a device and return a new session's token. Wrong ones are counted, so commit whatever came of it."""
    row = store.held_device(unit.session, token_hash(secret), now=unit.instant) if secret else None
    if row is None:
        return Entered(refusal=NOT_KNOWN, is_forgotten=True)
    try:
        account = access_reads.actor(unit.session, row.account_id)
    except NotFoundError:
        return Entered(refusal=NOT_KNOWN, is_forgotten=True)
    if _is_pin(row.pin_hash, secret, pin):
        row.tries, row.used_at = 0, unit.instant
        return Entered(token=access.start_session(unit, account.id, kind=account.kind, how="pin", device=row.label))
    row.tries += 1
    left = MOST_TRIES - row.tries
    change = {"new": {"device": str(row.id), "tries_left": left}}
    ledger.record(unit, "links.refuse_pin", subject=f"account:{row.account_id}", change=change)
    if left > 0:
        return Entered(refusal=Refused("pin-wrong", f"This is not the PIN. Tries left: {left}.", "Try again."))
    row.forgotten_at = unit.instant
    unit.session.flush()
    return Entered(
        refusal=Refused(
            "pin-over", "The PIN was wrong five times, so this device was forgotten.", "Ask for a new sign-in link."
        ),
        is_forgotten=True,
    )


def is_known(session: Session, secret: str, *, now: datetime) -> bool:
    """Return whether a device with this secret may enter a PIN."""
    return bool(secret) and store.device(session, token_hash(secret), now=now) is not None


def owner(session: Session, secret: str, *, now: datetime) -> UUID | None:
    """Return the account whose PIN was set on the device with this secret."""
    row = store.device(session, token_hash(secret), now=now) if secret else None
    return row.account_id if row else None


def devices(session: Session, actor: Actor, *, now: datetime) -> list[Device]:
    """Return the acting person's own devices, the one used last first."""
    return [Device(row.id, row.label, row.created_at, row.used_at) for row in store.devices(session, actor.id, now=now)]


def forget(unit: UnitOfWork[Actor], secret: str) -> None:
    """Forget the device with this secret; nothing happens when it is not known."""
    row = store.held_device(unit.session, token_hash(secret), now=unit.instant) if secret else None
    if row is not None:
        row.forgotten_at = unit.instant
        unit.session.flush()
        ledger.record(
            unit, "links.forget", subject=f"account:{row.account_id}", change={"new": {"device": str(row.id)}}
        )


def _bound(secret: str, pin: str) -> bytes:
    """Return what is hashed: a PIN means nothing without the device's secret, so a million guesses at a dump find nothing."""
    return hmac.new(secret.encode(), pin.encode(), hashlib.sha256).digest()


def _is_pin(stored: str, secret: str, pin: str) -> bool:
    try:
        return _HASHER.verify(stored, _bound(secret, pin))
    except VerificationError:
        return False
