"""Tables of critical fields and of what was reviewed."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from datamodel.kernel.database import Base


class CriticalFieldRow(Base):
    """A field whose changes somebody has to look at. The newest row of a field counts; append-only."""

    __tablename__ = "critical_field"
    __table_args__ = (UniqueConstraint("study_id", "form_name", "field_name", "event_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    study_id: Mapped[UUID]
    form_name: Mapped[str] = mapped_column(Text)
    field_name: Mapped[str] = mapped_column(Text)
    is_critical: Mapped[bool]
    set_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    event_id: Mapped[UUID]


class ReviewRow(Base):
    """A change of a critical value that somebody looked at. Append-only."""

    __tablename__ = "change_review"
    __table_args__ = (UniqueConstraint("instance_id", "revision", "field_name"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    study_id: Mapped[UUID]
    instance_id: Mapped[UUID]
    revision: Mapped[int]
    field_name: Mapped[str] = mapped_column(Text)
    #: accepted, questioned
    verdict: Mapped[str] = mapped_column(Text)
    note: Mapped[str] = mapped_column(Text, default="")
    reviewed_by: Mapped[UUID]
    reviewed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    event_id: Mapped[UUID]
