"""Tables of simulated days and of rehearsal copies."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from datamodel.kernel.database import Base


class RehearsalRow(Base):
    """By how many days a study's day is moved."""

    __tablename__ = "rehearsal"

    study_id: Mapped[UUID] = mapped_column(ForeignKey("app.study.id"), primary_key=True)
    offset_days: Mapped[int]
    event_id: Mapped[UUID] = mapped_column(ForeignKey("app.audit_event.id", deferrable=True, initially="DEFERRED"))


class CopyRow(Base):
    """That a study is a rehearsal copy of another, and whether consent is bypassed in it."""

    __tablename__ = "rehearsal_copy"
    __table_args__ = (CheckConstraint("study_id <> source_id", name="itself"),)

    study_id: Mapped[UUID] = mapped_column(ForeignKey("app.study.id"), primary_key=True)
    source_id: Mapped[UUID] = mapped_column(ForeignKey("app.study.id"))
    is_consent_bypassed: Mapped[bool]
    event_id: Mapped[UUID] = mapped_column(ForeignKey("app.audit_event.id", deferrable=True, initially="DEFERRED"))
