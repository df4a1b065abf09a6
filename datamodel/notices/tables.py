"""Table of notices."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from datamodel.kernel.database import Base
from datamodel.vault.seal import Foreign, Sealed, SealedText, sealed_check

_INSTANT = DateTime(timezone=True)


class NoticeRow(Base):
    """One mail: waiting, sent, failed, or too late to be sent."""

    __tablename__ = "notice"
    __table_args__ = (
        CheckConstraint("state in ('waiting', 'sent', 'failed', 'late')", name="state"),
        sealed_check("address"),
        sealed_check("content"),
        Index("ix_notice_due", "due_at", postgresql_where=text("state = 'waiting'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("app.account.id"))
    study_id: Mapped[UUID] = mapped_column(ForeignKey("app.study.id"))
    participant_id: Mapped[UUID | None] = mapped_column(ForeignKey("app.participant.id"))
    #: what it tells: `link`, `invitation`, …
    kind: Mapped[str] = mapped_column(Text)
    #: both empty once it has gone, or never will
    address: Mapped[Sealed | Foreign | None] = mapped_column(SealedText(person="t.participant_id"))
    content: Mapped[Sealed | Foreign | None] = mapped_column(SealedText(person="t.participant_id"))
    state: Mapped[str] = mapped_column(Text)
    tries: Mapped[int]
    due_at: Mapped[datetime] = mapped_column(_INSTANT)
    #: not sent after this
    ends_at: Mapped[datetime | None] = mapped_column(_INSTANT)
    created_at: Mapped[datetime] = mapped_column(_INSTANT)
    done_at: Mapped[datetime | None] = mapped_column(_INSTANT)
    #: why it failed or waits, without any address
    outcome: Mapped[str] = mapped_column(Text)
    event_id: Mapped[UUID] = mapped_column(ForeignKey("app.audit_event.id", deferrable=True, initially="DEFERRED"))
