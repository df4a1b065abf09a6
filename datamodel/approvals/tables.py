"""Tables of acts that need two people."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from datamodel.kernel.database import Base

_INSTANT = DateTime(timezone=True)


class ApprovalRow(Base):
    """A proposal; without a study it concerns the whole installation."""

    __tablename__ = "approval"
    __table_args__ = (
        CheckConstraint(
            "kind in ('unblinding', 'arm_reveal', 'key_change', 'study_close', 'outbound_rule')", name="kind"
        ),
        Index("ix_approval_study_id_ends_at", "study_id", "ends_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    study_id: Mapped[UUID | None]
    kind: Mapped[str] = mapped_column(Text)
    #: what exactly is to be done, in words and pseudonyms
    what: Mapped[dict[str, Any]] = mapped_column(JSONB)
    reason: Mapped[str] = mapped_column(Text)
    proposed_by: Mapped[UUID]
    proposed_name: Mapped[str] = mapped_column(Text)
    proposed_at: Mapped[datetime] = mapped_column(_INSTANT)
    ends_at: Mapped[datetime] = mapped_column(_INSTANT)
    event_id: Mapped[UUID] = mapped_column(ForeignKey("app.audit_event.id", deferrable=True, initially="DEFERRED"))


class StepRow(Base):
    """What became of a proposal: approved, ended, taken; each at most once."""

    __tablename__ = "approval_step"
    __table_args__ = (
        CheckConstraint("step in ('approved', 'ended', 'taken')", name="step"),
        UniqueConstraint("approval_id", "step"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    approval_id: Mapped[UUID] = mapped_column(ForeignKey(ApprovalRow.id))
    step: Mapped[str] = mapped_column(Text)
    account_id: Mapped[UUID]
    account_name: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(_INSTANT)
    reason: Mapped[str] = mapped_column(Text)
    event_id: Mapped[UUID] = mapped_column(ForeignKey("app.audit_event.id", deferrable=True, initially="DEFERRED"))
