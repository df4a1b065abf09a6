"""Tables of reveals: that an arm was revealed and shown, never which one it is."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from datamodel.kernel.database import Base

_INSTANT = DateTime(timezone=True)


class RevealRow(Base):
    """One participant's arm was revealed to one account. Append-only; a trigger checks whether it may be."""

    __tablename__ = "arm_reveal"
    __table_args__ = (
        CheckConstraint("kind in ('emergency', 'planned')", name="kind"),
        CheckConstraint("(kind = 'planned') = (approval_id is not null)", name="approved"),
        CheckConstraint("(kind = 'emergency') = (category <> '')", name="category"),
        UniqueConstraint("approval_id"),
        Index("ix_arm_reveal_participant_id", "participant_id"),
        Index("ix_arm_reveal_account_id_at", "account_id", "at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    study_id: Mapped[UUID] = mapped_column(ForeignKey("app.study.id"))
    participant_id: Mapped[UUID] = mapped_column(ForeignKey("app.participant.id"))
    account_id: Mapped[UUID] = mapped_column(ForeignKey("app.account.id"))
    account_name: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    #: of an emergency, see `rules.CATEGORIES`; otherwise empty
    category: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    approval_id: Mapped[UUID | None] = mapped_column(ForeignKey("app.approval.id"))
    #: how many people were told by mail
    alerted: Mapped[int]
    at: Mapped[datetime] = mapped_column(_INSTANT)
    event_id: Mapped[UUID] = mapped_column(ForeignKey("app.audit_event.id", deferrable=True, initially="DEFERRED"))


class ShownRow(Base):
    """A revealed arm was shown; once. Append-only."""

    __tablename__ = "arm_reveal_shown"

    reveal_id: Mapped[UUID] = mapped_column(ForeignKey(RevealRow.id), primary_key=True)
    study_id: Mapped[UUID] = mapped_column(ForeignKey("app.study.id"))
    participant_id: Mapped[UUID] = mapped_column(ForeignKey("app.participant.id"))
    at: Mapped[datetime] = mapped_column(_INSTANT)
    event_id: Mapped[UUID] = mapped_column(ForeignKey("app.audit_event.id", deferrable=True, initially="DEFERRED"))
