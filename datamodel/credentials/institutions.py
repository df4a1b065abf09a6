"""An institution's sign-in (OpenID Connect Core 1.0 with PKCE, RFC 7636): what is remembered, and whom a subject opens.

A subject opens the one account that its owner linked to it while signed in. Nobody is let in, made or given rights because an
institution says so.
"""

import json
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from uuid import UUID

from datamodel.access import actions as access
from datamodel.access import reads as access_reads
from datamodel.access.actor import Actor
from datamodel.audit import ledger
from datamodel.credentials import proofs, store
from datamodel.credentials.actions import Entry, first_factor
from datamodel.credentials.tables import IdentityRow, TripRow
from datamodel.kernel.errors import NotFoundError, Refused, RefusedError
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import UnitOfWork
from datamodel.vault.keyring import keyring
from datamodel.vault.seal import Place, disclose, enclose, new_token, token_hash

_LASTS: Final = timedelta(minutes=10)
NOT_ACCEPTED: Final = Refused(
    "institution-refused",
    "Your institution's answer was not accepted, so you are not signed in with it.",
    "Start again from the sign-in page; if it stays like this, tell your administrator.",
)
_UNKNOWN: Final = Refused(
    "institution-unknown",
    "No account here is linked to this identity of your institution, so nobody was signed in.",
    "Sign in another way and link it in your account, or ask your administrator for an invitation.",
)
_TAKEN: Final = Refused(
    "institution-taken", "This identity of your institution is linked to an account already; nothing was changed."
)


@dataclass(frozen=True, slots=True)
class Trip:
    """A browser's way through the institution's sign-in. `account_id` is who asked to be linked, None for a sign-in."""

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    then: str = ""
    account_id: UUID | None = None


def begin_trip(unit: UnitOfWork[Actor], *, holder: str, then: str = "", account_id: UUID | None = None) -> Trip:
    """Remember that the browser with the cookie `holder` sets out, and return what must come back."""
    trip = Trip(new_token(), new_token(), secrets.token_urlsafe(48), then, account_id)
    row_id = new_id()
    sealed = enclose(keyring(unit.session), _place(row_id), json.dumps([trip.nonce, trip.verifier]).encode())
    row = TripRow(
        id=row_id,
        state_hash=token_hash(trip.state),
        holder_hash=token_hash(holder),
        secret=sealed,
        account_id=account_id,
        next_page=then,
        created_at=unit.instant,
        ends_at=unit.instant + _LASTS,
    )
    store.add(unit.session, row)
    ledger.record(unit, "credentials.set_out", subject=f"account:{account_id}" if account_id else "account:unknown")
    return trip


def end_trip(unit: UnitOfWork[Actor], *, state: str, holder: str) -> Trip:
    """Spend a state that came back, for good, and return what was remembered.

    Raises
    ------
    RefusedError
        When it is unknown, spent, over, or another browser's.
    """
    with proofs.apart(unit) as own:
        row = store.spend_trip(own.session, token_hash(state), now=own.instant)
        if row is not None:
            nonce, verifier = json.loads(disclose(keyring(own.session), _place(row.id), row.secret))
            found = Trip(state, nonce, verifier, row.next_page, row.account_id)
    if row is None or row.holder_hash != token_hash(holder):
        raise RefusedError(NOT_ACCEPTED)
    return found


def sign_in(unit: UnitOfWork[Actor], *, issuer: str, subject: str, is_strong: bool, device: str = "") -> Entry:
    """Sign in whoever linked this subject; ours is the second step, unless the institution vouches for one (`is_strong`).

    Raises
    ------
    RefusedError
        When no account is linked to it.
    """
    row = store.identity(unit.session, issuer, subject)
    if row is None:
        raise RefusedError(_UNKNOWN)
    row.used_at = unit.instant
    account = access_reads.actor(unit.session, row.account_id)
    if is_strong:
        token = access.start_session(unit, account.id, kind=account.kind, how="institution", device=device)
        return Entry(account_id=account.id, token=token)
    return first_factor(unit, account.id, how="institution", device=device)


def link(unit: UnitOfWork[Actor], *, issuer: str, subject: str) -> None:
    """Link a verified subject to one's own account.

    Raises
    ------
    RefusedError
        When it is linked to an account already.
    """
    row = IdentityRow(id=new_id(), account_id=unit.actor.id, issuer=issuer, subject=subject, created_at=unit.instant)
    if not store.add_new(unit.session, row):
        raise RefusedError(_TAKEN)
    ledger.record(
        unit, "credentials.link_institution", subject=f"account:{unit.actor.id}", change={"new": {"identity": row.id}}
    )


def unlink(unit: UnitOfWork[Actor], identity_id: UUID) -> None:
    """Take a link to an institution off one's own account.

    Raises
    ------
    NotFoundError
        When there is no such link.
    """
    if not store.drop_identity(unit.session, unit.actor.id, identity_id):
        raise NotFoundError("There is no such link among yours. Load the page again; nothing was changed.")
    ledger.record(
        unit,
        "credentials.unlink_institution",
        subject=f"account:{unit.actor.id}",
        change={"old": {"identity": identity_id}},
    )


def _place(row_id: UUID) -> Place:
    return Place("credential_trip", "secret", row_id)
