"""Tables of batteries, sessions, trials and scores."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from datamodel.kernel.database import Base


class BatteryRow(Base):
    """One version of a battery."""

    __tablename__ = "battery"
    __table_args__ = (UniqueConstraint("study_id", "code", "version"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    study_id: Mapped[UUID] = mapped_column(ForeignKey("app.study.id"))
    code: Mapped[str] = mapped_column(Text)
    version: Mapped[int]
    title: Mapped[str] = mapped_column(Text)
    minutes: Mapped[int]
    #: list of {"task": code, "version": n, "parameters": {...}}
    tasks: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    event_id: Mapped[UUID] = mapped_column(ForeignKey("app.audit_event.id", deferrable=True, initially="DEFERRED"))


class SessionRow(Base):
    """One run of a battery by one participant."""

    __tablename__ = "assessment_session"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    study_id: Mapped[UUID] = mapped_column(ForeignKey("app.study.id"))
    participant_id: Mapped[UUID] = mapped_column(ForeignKey("app.participant.id"), index=True)
    battery_id: Mapped[UUID] = mapped_column(ForeignKey(BatteryRow.id))
    #: what the participant was asked to do; null for a run that nobody asked for
    assignment_id: Mapped[UUID | None] = mapped_column(ForeignKey("app.task_assignment.id"), index=True)
    #: the account that acted
    acted_by: Mapped[UUID] = mapped_column(ForeignKey("app.account.id"))
    consent_version_id: Mapped[UUID | None] = mapped_column(ForeignKey("app.consent_version.id"))
    #: created, started, partial, complete, scored, void
    state: Mapped[str] = mapped_column(Text)
    task: Mapped[str] = mapped_column(Text)
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    #: number of jsPsych trials that make the run whole; null until the last part said so
    trials_expected: Mapped[int | None]
    #: browser family, input type, screen size, focus losses
    device: Mapped[dict[str, Any]] = mapped_column(JSONB)
    #: quality flags by code (`validators.capture`), for people to judge: nothing is excluded because of them
    flags: Mapped[list[str]] = mapped_column(JSONB)
    is_simulated: Mapped[bool]
    receipt: Mapped[int]
    event_id: Mapped[UUID] = mapped_column(ForeignKey("app.audit_event.id", deferrable=True, initially="DEFERRED"))


class TrialRow(Base):
    """One trial, raw. Append-only."""

    __tablename__ = "assessment_trial"

    session_id: Mapped[UUID] = mapped_column(ForeignKey(SessionRow.id), primary_key=True)
    trial_index: Mapped[int] = mapped_column(primary_key=True)
    #: the trial as jsPsych gave it
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    event_id: Mapped[UUID] = mapped_column(ForeignKey("app.audit_event.id", deferrable=True, initially="DEFERRED"))


class ScoreRow(Base):
    """One score of a session. Append-only; a later scoring rule adds rows with its own version."""

    __tablename__ = "assessment_score"

    session_id: Mapped[UUID] = mapped_column(ForeignKey(SessionRow.id), primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    rule: Mapped[str] = mapped_column(Text, primary_key=True)
    #: null when it cannot be computed (no valid trial)
    value: Mapped[float | None]
    unit: Mapped[str] = mapped_column(Text)
    event_id: Mapped[UUID] = mapped_column(ForeignKey("app.audit_event.id", deferrable=True, initially="DEFERRED"))
