"""Looking at what somebody shows: counted first, in a transaction of its own, so that no failure further up forgets it."""

import hashlib
import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

import pyotp
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from datamodel.access import reads as access_reads
from datamodel.access.actor import KNOCKING, Actor
from datamodel.access.passwords import is_password
from datamodel.audit import ledger
from datamodel.credentials import store
from datamodel.credentials.tables import TotpRow, TryRow
from datamodel.credentials.tries import MOST_REQUESTS, WINDOW, Knock, may_try
from datamodel.kernel.database import libpq_url
from datamodel.kernel.errors import Allowed, Refused, RefusedError
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import UnitOfWork, unit_of_work
from datamodel.vault.keyring import keyring
from datamodel.vault.seal import Place, Sealed, disclose, enclose
from datamodel.vault.stamps import genuine

#: RFC 6238: seconds a code is shown for; one step before and after is accepted for clocks that differ.
STEP: Final = 30
_AROUND: Final = (0, -1, 1)
_DIGITS: Final = 6


@contextmanager
def apart(unit: UnitOfWork[Actor], actor: Actor = KNOCKING) -> Iterator[UnitOfWork[Actor]]:
    """Open a second transaction at the same instant, kept whatever becomes of the first."""
    bind = unit.session.get_bind()
    engine = bind if isinstance(bind, Engine) else bind.engine
    url = libpq_url(engine.url.render_as_string(hide_password=False))
    with unit_of_work(url, actor, reason=unit.reason, clock=lambda: unit.instant) as own:
        yield own


def begin(unit: UnitOfWork[Actor], knock: Knock, *, most: int | None = None) -> UUID | Refused:
    """Count a try as wrong, until `good` says otherwise, and return its id; or the refusal when there were too many.

    `most` replaces the waiting rule with a plain limit since the last right one (for tries inside a session).
    """
    with apart(unit) as own:
        store.hold(own.session, knock)
        since = own.instant - WINDOW
        wrong = store.wrong_tries(own.session, knock, since=since)
        if most is None:
            answer = may_try(wrong, from_source=store.tries_from(own.session, knock, since=since), now=own.instant)
        else:
            answer = Allowed() if len(wrong) < most else TOO_MANY_INSIDE
        if isinstance(answer, Refused):
            return answer
        row = TryRow(
            id=new_id(), at=own.instant, kind=knock.kind, name_hash=knock.name_hash, source_hash=knock.source_hash
        )
        row.is_good = False
        store.add(own.session, row)
        return row.id


def count_request(unit: UnitOfWork[Actor], what: str, *, source: str) -> None:
    """Count a request that anybody may make (`what`: a link, a passkey's question) against the network it comes from.

    These count apart from wrong passwords, so that nobody's sign-in is held up by somebody else's asking.

    Raises
    ------
    RefusedError
        When more came from there within the window than are looked at; nothing was done.
    """
    found = begin(unit, Knock(kind=what, name=f"source:{source}"), most=MOST_REQUESTS[what])
    if isinstance(found, Refused):
        raise RefusedError(_TOO_MANY_REQUESTS)


def good(unit: UnitOfWork[Actor], try_id: UUID) -> None:
    """Note that a try was right; those before it do not count any more."""
    with apart(unit) as own:
        store.good_try(own.session, try_id)
        store.forget(own.session, now=own.instant)


def wrong(unit: UnitOfWork[Actor], *, actor: Actor, account_id: UUID | None, what: str) -> None:
    """Tell a wrong try in the ledger, in a transaction of its own."""
    with apart(unit, actor) as own:
        ledger.record(
            own,
            "credentials.refuse",
            subject=f"account:{account_id}" if account_id else "account:unknown",
            change={"new": {"what": what}},
        )


def is_own_password(unit: UnitOfWork[Actor], account_id: UUID | None, password: str) -> bool:
    """Return whether it is the account's password; the work is the same when there is no account."""
    with apart(unit) as own:
        stored = access_reads.password_of(own.session, account_id) if account_id else None
    return is_password(stored, password)


def spend_code(unit: UnitOfWork[Actor], account_id: UUID, code: str) -> str:
    """Spend a code of the authenticator or a recovery code; return which it was, or an empty text when it is neither.

    Spent at once and for good: the same code does not work again even if what it was shown for fails.
    """
    shown = "".join(code.split()).replace("-", "")
    with apart(unit) as own:
        if shown.isascii() and shown.isdigit() and len(shown) == _DIGITS:
            row = genuine(own.session, store.totp(own.session, account_id))
            if row is None or row.confirmed_at is None:
                return ""
            step = matching_step(own.session, row, shown, int(own.instant.timestamp()))
            return "code" if step is not None and store.spend_step(own.session, row.id, step) else ""
        if store.spend_recovery(own.session, account_id, recovery_hash(account_id, shown), now=own.instant):
            ledger.record(own, "credentials.use_recovery_code", subject=f"account:{account_id}")
            return "recovery"
    return ""


def matching_step(session: Session, row: TotpRow, code: str, seconds: int) -> int | None:
    """Return the time step whose code this is, among the present one and its neighbours."""
    generator, shown = pyotp.TOTP(opened(session, row)), "".join(code.split()).encode()
    now = seconds // STEP
    found = [now + off for off in _AROUND if hmac.compare_digest(generator.generate_otp(now + off).encode(), shown)]
    return found[0] if found else None


def sealed(session: Session, row_id: UUID, secret: str) -> Sealed:
    """Seal an authenticator's secret for its row."""
    return enclose(keyring(session), _place(row_id), secret.encode())


def opened(session: Session, row: TotpRow) -> str:
    """Return an authenticator's secret."""
    return disclose(keyring(session), _place(row.id), row.secret).decode()


def _place(row_id: UUID) -> Place:
    return Place("credential_totp", "secret", row_id)


def recovery_hash(account_id: UUID, code: str) -> bytes:
    """Return what is kept of a recovery code: it has 80 random bits, so a plain digest cannot be tried out."""
    return hashlib.sha256(f"{account_id}|{code.upper()}".encode()).digest()


_TOO_MANY_REQUESTS: Final = Refused(
    "too-many-tries",
    "There were too many requests from this network, so this one was not looked at.",
    "Wait ten minutes, then try again; whoever is signed in already goes on working.",
)
TOO_MANY_INSIDE: Final = Refused(
    "too-many-tries",
    "There were too many wrong confirmations, so this one was not looked at and you were signed out.",
    "Sign in again, or ask your administrator for a link to set a new password.",
)
