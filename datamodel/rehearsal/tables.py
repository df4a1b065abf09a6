"""Table of simulated days."""

from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from datamodel.kernel.database import Base


class RehearsalRow(Base):
    """By how many days a study's day is moved."""

    __tablename__ = "rehearsal"

    study_id: Mapped[UUID] = mapped_column(ForeignKey("app.study.id"), primary_key=True)
    offset_days: Mapped[int]
    event_id: Mapped[UUID] = mapped_column(ForeignKey("app.audit_event.id", deferrable=True, initially="DEFERRED"))
