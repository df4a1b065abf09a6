"""Reads: which factors an account has, and what still waits. No answer holds a secret."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from datamodel.access import reads as access_reads
from datamodel.credentials import store
from datamodel.credentials.tables import IdentityRow
from datamodel.vault.seal import token_hash


@dataclass(frozen=True, slots=True)
class Passkey:
    """A passkey as its owner sees it."""

    id: UUID
    label: str
    created_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Identity:
    """An institution's subject that is linked to an account."""

    id: UUID
    issuer: str
    created_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Factors:
    """What an account can show."""

    has_password: bool
    has_totp: bool
    passkeys: tuple[Passkey, ...]
    recovery_left: int
    identities: tuple[Identity, ...]
    password_set_at: datetime | None = None
    accepted_at: datetime | None = None

    @property
    def has_second(self) -> bool:
        """Whether the account has a second factor (recovery codes only stand in for one)."""
        return self.has_totp or bool(self.passkeys)


def factors(session: Session, account_id: UUID) -> Factors:
    """Return what an account can show. Whoever asks shows an account its own, or decides what it needs."""
    row, profile = store.totp(session, account_id), store.known_profile(session, account_id)
    return Factors(
        has_password=access_reads.password_of(session, account_id) is not None,
        has_totp=row is not None and row.confirmed_at is not None,
        passkeys=tuple(
            Passkey(id=one.id, label=one.label, created_at=one.created_at, used_at=one.used_at)
            for one in store.passkeys(session, account_id)
        ),
        recovery_left=store.recovery_left(session, account_id),
        identities=tuple(_identity(one) for one in store.identities(session, account_id)),
        password_set_at=profile.password_set_at if profile else None,
        accepted_at=profile.accepted_at if profile else None,
    )


def account_of_half(session: Session, half: str, *, now: datetime) -> UUID | None:
    """Return whose half sign-in this is, or None when it is over."""
    row = store.half(session, token_hash(half), now=now) if half else None
    return row.account_id if row else None


def kind_of_invitation(session: Session, token: str, *, now: datetime) -> str:
    """Return `invitation` or `reset`, or an empty text when it is over; nothing is spent."""
    row = store.invitation(session, token_hash(token), now=now)
    return row.kind if row else ""


def sign_in_name(session: Session, account_id: UUID) -> str:
    """Return the sign-in name of an account, for its owner's own page; it goes into no event and no log."""
    found: str | None = session.execute(
        text("select sign_in_name from app.account where id = :id"), {"id": account_id}
    ).scalar_one_or_none()
    return found or ""


def _identity(row: IdentityRow) -> Identity:
    return Identity(id=row.id, issuer=row.issuer, created_at=row.created_at, used_at=row.used_at)
