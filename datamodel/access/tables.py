"""Tables of accounts, memberships, sessions and tokens."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, LargeBinary, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from datamodel.kernel.database import Base
from datamodel.vault.stamps import Stamped

_INSTANT = DateTime(timezone=True)


class AccountRow(Stamped, Base):
    """Somebody, or a machine, that can act. The stamp is of the password, where there is one."""

    __tablename__ = "account"
    __stamped__ = ("id", "kind", "sign_in_name", "password_hash")
    __table_args__ = (CheckConstraint("kind in ('staff', 'participant', 'caregiver', 'machine')", name="kind"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    #: Printed name of staff and machines; the pseudonym for participants.
    name: Mapped[str] = mapped_column(Text)
    #: Sign-in name of staff (an address of work); never of participants.
    sign_in_name: Mapped[str | None] = mapped_column(Text, unique=True)
    password_hash: Mapped[str | None] = mapped_column(Text)
    is_administrator: Mapped[bool] = mapped_column(default=False)
    is_active: Mapped[bool] = mapped_column(default=True)
    participant_id: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(_INSTANT)

    def lets_in(self) -> bool:
        """Return whether the account has a password."""
        return self.password_hash is not None


class MembershipRow(Base):
    """One role in one study."""

    __tablename__ = "membership"
    __table_args__ = (UniqueConstraint("account_id", "study_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey(AccountRow.id))
    study_id: Mapped[UUID]
    role: Mapped[str] = mapped_column(Text)
    site_code: Mapped[str | None] = mapped_column(Text)
    is_unblinded: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(_INSTANT)
    #: When the role ended; it is kept, as history, until it is given again.
    ended_at: Mapped[datetime | None] = mapped_column(_INSTANT)


class SessionRow(Stamped, Base):
    """A signed-in browser."""

    __tablename__ = "session"
    __stamped__ = ("id", "token_hash", "account_id", "kind", "how", "created_at", "ends_at", "confirmed_at")
    __table_args__ = (Index("ix_session_account_id", "account_id", postgresql_where=text("revoked_at is null")),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey(AccountRow.id))
    created_at: Mapped[datetime] = mapped_column(_INSTANT)
    seen_at: Mapped[datetime] = mapped_column(_INSTANT)
    ends_at: Mapped[datetime] = mapped_column(_INSTANT)
    revoked_at: Mapped[datetime | None] = mapped_column(_INSTANT)
    #: Whose side it is on, which decides how long it may idle: `staff`, or a participant's or caregiver's.
    kind: Mapped[str] = mapped_column(Text, default="staff")
    #: What opened it: `password`, `passkey`, `link`, `pin`, `institution`, ...
    how: Mapped[str] = mapped_column(Text, default="link")
    #: Browser and system in words, for the person's own list.
    device: Mapped[str] = mapped_column(Text, default="")
    #: When the person last proved again who they are.
    confirmed_at: Mapped[datetime | None] = mapped_column(_INSTANT)
    #: Digest of the rights it was opened with: when they change, the session gets a new identifier.
    rights: Mapped[bytes | None] = mapped_column(LargeBinary)


class TokenRow(Stamped, Base):
    """A token of a notebook or a machine."""

    __tablename__ = "access_token"
    __stamped__ = ("id", "token_hash", "account_id", "created_at", "ends_at", "scopes", "study_id")

    id: Mapped[UUID] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey(AccountRow.id))
    purpose: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(_INSTANT)
    ends_at: Mapped[datetime] = mapped_column(_INSTANT)
    used_at: Mapped[datetime | None] = mapped_column(_INSTANT)
    revoked_at: Mapped[datetime | None] = mapped_column(_INSTANT)
    #: The permissions it reaches to; null: all that the account may.
    scopes: Mapped[list[str] | None] = mapped_column(JSONB(none_as_null=True))
    #: The one study it reaches to; null: all studies of the account.
    study_id: Mapped[UUID | None]
    made_by: Mapped[UUID | None]
