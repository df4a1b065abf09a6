"""Tables of discrepancies and their steps."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from datamodel.kernel.database import Base


class DiscrepancyRow(Base):
    """One question about one value."""

    __tablename__ = "discrepancy"
    __table_args__ = (
        UniqueConstraint("study_id", "key"),
        Index("ix_discrepancy_open", "study_id", "state"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    study_id: Mapped[UUID] = mapped_column(ForeignKey("app.study.id"))
    #: what makes it the same question: hash of place, rule and value
    key: Mapped[str] = mapped_column(Text)
    participant_id: Mapped[UUID | None] = mapped_column(ForeignKey("app.participant.id"))
    #: the record's name as received, also when no participant could be made of it
    record: Mapped[str] = mapped_column(Text)
    event_name: Mapped[str] = mapped_column(Text)
    form_name: Mapped[str] = mapped_column(Text)
    event_repeat: Mapped[int]
    form_repeat: Mapped[int]
    field: Mapped[str] = mapped_column(Text)
    value: Mapped[str] = mapped_column(Text)
    rule: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    #: open, answered, closed, reopened, cancelled
    state: Mapped[str] = mapped_column(Text)
    #: whether a sync closed it, because its value was corrected; the same value coming back then opens it again
    is_closed_by_source: Mapped[bool] = mapped_column(default=False)
    opened_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    changed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    event_id: Mapped[UUID] = mapped_column(ForeignKey("app.audit_event.id", deferrable=True, initially="DEFERRED"))


class StepRow(Base):
    """One step in a discrepancy's life. Append-only."""

    __tablename__ = "discrepancy_step"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    discrepancy_id: Mapped[UUID] = mapped_column(ForeignKey(DiscrepancyRow.id), index=True)
    state: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    actor_name: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    event_id: Mapped[UUID] = mapped_column(ForeignKey("app.audit_event.id", deferrable=True, initially="DEFERRED"))
