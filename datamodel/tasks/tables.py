"""Table of what participants were asked to do."""

from datetime import date
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from datamodel.kernel.database import Base


class AssignmentRow(Base):
    """A battery assigned to a participant."""

    __tablename__ = "task_assignment"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    study_id: Mapped[UUID] = mapped_column(ForeignKey("app.study.id"))
    participant_id: Mapped[UUID] = mapped_column(ForeignKey("app.participant.id"), index=True)
    battery_id: Mapped[UUID] = mapped_column(ForeignKey("app.battery.id"))
    opens_on: Mapped[date]
    due_on: Mapped[date]
    event_id: Mapped[UUID] = mapped_column(ForeignKey("app.audit_event.id", deferrable=True, initially="DEFERRED"))
