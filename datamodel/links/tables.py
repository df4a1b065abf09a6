"""Tables of links, of requests for them, and of devices with a PIN."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, LargeBinary, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from datamodel.kernel.database import Base
from datamodel.vault.stamps import Stamped

_INSTANT = DateTime(timezone=True)


class LinkRow(Stamped, Base):
    """A one-time link of one account."""

    __tablename__ = "link"
    __stamped__ = ("id", "token_hash", "account_id", "kind", "holder_hash", "code_hash", "created_at", "ends_at")
    __table_args__ = (
        CheckConstraint("kind in ('asked', 'handed', 'shown')", name="kind"),
        CheckConstraint("kind = 'shown' or code_hash is not null", name="second"),
        Index("ix_link_account_id", "account_id", postgresql_where=text("used_at is null and closed_at is null")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("app.account.id"))
    #: asked (by the person), handed (by staff), shown (to the operator of this machine)
    kind: Mapped[str] = mapped_column(Text)
    #: hash of the nonce of the browser that asked
    holder_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    #: hash of token and six digits: without the token nobody can try the million of them
    code_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    #: wrong digits so far
    tries: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(_INSTANT)
    ends_at: Mapped[datetime] = mapped_column(_INSTANT)
    used_at: Mapped[datetime | None] = mapped_column(_INSTANT)
    #: when it ended unused: a newer one was used, or there were too many wrong tries
    closed_at: Mapped[datetime | None] = mapped_column(_INSTANT)


class RequestRow(Base):
    """That somebody asked for a link to an address, known or not; kept for a day."""

    __tablename__ = "link_request"
    __table_args__ = (Index("ix_link_request_address_hash_at", "address_hash", "at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    #: keyed hash
    address_hash: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[datetime] = mapped_column(_INSTANT)


class DeviceRow(Stamped, Base):
    """A device on which somebody set a PIN."""

    __tablename__ = "device"
    __stamped__ = ("id", "secret_hash", "account_id", "pin_hash", "created_at", "ends_at")

    id: Mapped[UUID] = mapped_column(primary_key=True)
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("app.account.id"), index=True)
    pin_hash: Mapped[str] = mapped_column(Text)
    #: browser and system in words
    label: Mapped[str] = mapped_column(Text)
    #: wrong PINs since the last right one
    tries: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(_INSTANT)
    used_at: Mapped[datetime] = mapped_column(_INSTANT)
    ends_at: Mapped[datetime] = mapped_column(_INSTANT)
    forgotten_at: Mapped[datetime | None] = mapped_column(_INSTANT)
