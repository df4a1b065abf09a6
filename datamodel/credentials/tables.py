"""Tables of factors, tries, challenges, halves of a sign-in, invitations and institutions' identities."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, ForeignKey, Index, LargeBinary, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from datamodel.kernel.database import Base
from datamodel.vault.seal import Foreign, Sealed, SealedText, sealed_check
from datamodel.vault.stamps import Stamped

_INSTANT = DateTime(timezone=True)
_ACCOUNT = "app.account.id"


class ProfileRow(Base):
    """What an account has done about its own credentials."""

    __tablename__ = "credential_profile"

    account_id: Mapped[UUID] = mapped_column(ForeignKey(_ACCOUNT), primary_key=True)
    password_set_at: Mapped[datetime | None] = mapped_column(_INSTANT)
    #: When the person accepted the terms of use at the first sign-in.
    accepted_at: Mapped[datetime | None] = mapped_column(_INSTANT)


class TryRow(Base):
    """One try to prove something; it counts as wrong until it is known to be good."""

    __tablename__ = "credential_try"
    __table_args__ = (
        Index("ix_credential_try_name_hash_at", "name_hash", "at"),
        Index("ix_credential_try_source_hash_at", "source_hash", "at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(_INSTANT)
    #: `password`, `code`, `passkey`, `confirm`
    kind: Mapped[str] = mapped_column(Text)
    name_hash: Mapped[bytes] = mapped_column(LargeBinary)
    source_hash: Mapped[bytes] = mapped_column(LargeBinary)
    is_good: Mapped[bool] = mapped_column(default=False)


class TotpRow(Stamped, Base):
    """The authenticator of an account; its secret is sealed."""

    __tablename__ = "credential_totp"
    __stamped__ = ("id", "account_id")
    __table_args__ = (sealed_check("secret"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey(_ACCOUNT), unique=True)
    secret: Mapped[Sealed | Foreign] = mapped_column(SealedText(study="null"))
    #: Time step of the newest code that was accepted; older ones and that one are spent.
    last_step: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[datetime] = mapped_column(_INSTANT)
    #: Set when a first code was shown to be right; before, the authenticator does not count.
    confirmed_at: Mapped[datetime | None] = mapped_column(_INSTANT)


class PasskeyRow(Stamped, Base):
    """A passkey of an account."""

    __tablename__ = "credential_passkey"
    __stamped__ = ("id", "account_id", "credential_id", "public_key")

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey(_ACCOUNT))
    credential_id: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(BigInteger)
    label: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(_INSTANT)
    used_at: Mapped[datetime | None] = mapped_column(_INSTANT)


class RecoveryRow(Stamped, Base):
    """One recovery code, as a hash."""

    __tablename__ = "credential_recovery"
    __stamped__ = ("id", "account_id", "code_hash")

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey(_ACCOUNT))
    code_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime] = mapped_column(_INSTANT)
    used_at: Mapped[datetime | None] = mapped_column(_INSTANT)


class ChallengeRow(Base):
    """What a passkey has to sign, for one browser, once."""

    __tablename__ = "credential_challenge"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    challenge: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    #: `register`, `sign-in`, `confirm`
    purpose: Mapped[str] = mapped_column(Text)
    #: Hash of the cookie of the browser that asked.
    holder_hash: Mapped[bytes] = mapped_column(LargeBinary)
    account_id: Mapped[UUID | None] = mapped_column(ForeignKey(_ACCOUNT))
    created_at: Mapped[datetime] = mapped_column(_INSTANT)
    ends_at: Mapped[datetime] = mapped_column(_INSTANT)
    used_at: Mapped[datetime | None] = mapped_column(_INSTANT)


class HalfRow(Stamped, Base):
    """A sign-in whose first factor was right and whose second is awaited."""

    __tablename__ = "credential_half"
    __stamped__ = ("id", "token_hash", "account_id", "how", "created_at", "ends_at")

    id: Mapped[UUID] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey(_ACCOUNT))
    how: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(_INSTANT)
    ends_at: Mapped[datetime] = mapped_column(_INSTANT)
    used_at: Mapped[datetime | None] = mapped_column(_INSTANT)


class InvitationRow(Stamped, Base):
    """A link with which somebody sets a password: an invitation, or a reset by an administrator."""

    __tablename__ = "credential_invitation"
    __stamped__ = ("id", "token_hash", "account_id", "kind", "created_at", "ends_at")

    id: Mapped[UUID] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey(_ACCOUNT))
    #: `invitation`, `reset`
    kind: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(_INSTANT)
    ends_at: Mapped[datetime] = mapped_column(_INSTANT)
    used_at: Mapped[datetime | None] = mapped_column(_INSTANT)


class IdentityRow(Stamped, Base):
    """A subject of an institution's sign-in that belongs to an account."""

    __tablename__ = "credential_identity"
    __stamped__ = ("id", "account_id", "issuer", "subject")
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey(_ACCOUNT))
    issuer: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(_INSTANT)
    used_at: Mapped[datetime | None] = mapped_column(_INSTANT)


class TripRow(Stamped, Base):
    """A browser on its way through an institution's sign-in; what must come back is sealed."""

    __tablename__ = "credential_trip"
    __stamped__ = ("id", "state_hash", "holder_hash", "account_id", "created_at", "ends_at")
    __table_args__ = (sealed_check("secret"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    state_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    holder_hash: Mapped[bytes] = mapped_column(LargeBinary)
    #: Nonce and PKCE verifier, sealed.
    secret: Mapped[Sealed | Foreign] = mapped_column(SealedText(study="null"))
    #: The account that asked to be linked; None for a sign-in.
    account_id: Mapped[UUID | None] = mapped_column(ForeignKey(_ACCOUNT))
    #: Page of ours to go on to.
    next_page: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(_INSTANT)
    ends_at: Mapped[datetime] = mapped_column(_INSTANT)
    used_at: Mapped[datetime | None] = mapped_column(_INSTANT)
