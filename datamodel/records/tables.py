"""Tables of form instances and their revisions."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, LargeBinary, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.orm import Mapped, mapped_column

from datamodel.kernel.database import Base


class InstanceRow(Base):
    """One form of one participant at one event; points at its newest revision."""

    __tablename__ = "form_instance"
    __table_args__ = (
        UniqueConstraint("study_id", "participant_id", "event_name", "form_name", "event_repeat", "form_repeat"),
        # a sync finds what it may have to put back without looking at the many that nobody marked
        Index(
            "ix_form_instance_marked",
            "study_id",
            "form_name",
            postgresql_where=text("status in ('verified', 'signed', 'locked')"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    #: the participant's study, repeated here for the grid; no key of its own, the participant's holds it
    study_id: Mapped[UUID]
    #: checked for a whole statement at once by the trigger `refer_participant_id`, as the two references below
    participant_id: Mapped[UUID]
    #: unique name of the event; empty in studies without events
    event_name: Mapped[str] = mapped_column(Text)
    form_name: Mapped[str] = mapped_column(Text)
    #: 0 where the event (the form) does not repeat
    event_repeat: Mapped[int]
    form_repeat: Mapped[int]
    revision: Mapped[int]
    #: not_started, in_progress, complete, verified, signed, locked
    status: Mapped[str] = mapped_column(Text)
    content_hash: Mapped[bytes] = mapped_column(LargeBinary)
    is_removed: Mapped[bool] = mapped_column(default=False)
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class RevisionRow(Base):
    """The accepted values of an instance at one moment. Append-only."""

    __tablename__ = "form_revision"
    __table_args__ = (Index("ix_form_revision_event", "event_id"),)

    instance_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    #: field name -> text as received, blanks left out; `json` keeps the canonical text that was hashed, byte for byte
    #: those of blinded fields stand in `form_blinded`
    values: Mapped[dict[str, Any]] = mapped_column(JSON)
    status: Mapped[str] = mapped_column(Text)
    is_removed: Mapped[bool] = mapped_column(default=False)
    #: SHA-256 over status, removal, values in canonical form and the hash of the blinded ones
    content_hash: Mapped[bytes] = mapped_column(LargeBinary)
    #: SHA-256 over the blinded values with the random text among them; none where no value is blinded
    blinded_sha256: Mapped[bytes | None] = mapped_column(LargeBinary)
    #: redcap, staff, participant
    source: Mapped[str] = mapped_column(Text)
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    event_id: Mapped[UUID]


class BlindedRow(Base):
    """The values of a revision's blinded fields; PostgreSQL shows them to those who may see blinded data. Append-only."""

    __tablename__ = "form_blinded"
    __table_args__ = (Index("ix_form_blinded_event_id", "event_id"),)

    instance_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[UUID]
    participant_id: Mapped[UUID]
    #: field name -> text, and under `content.NONCE` a random text
    values: Mapped[dict[str, Any]] = mapped_column(JSON)
    #: values that were open when they came, and are blinded since
    moved: Mapped[dict[str, Any]] = mapped_column(JSON)
    event_id: Mapped[UUID]


class StepRow(Base):
    """One step in a form's life: verified, signed, locked, reopened, or put back by a change. Append-only."""

    __tablename__ = "form_step"
    __table_args__ = (
        CheckConstraint("step in ('verify', 'sign', 'lock', 'reopen', 'change')", name="step"),
        Index("ix_form_step_instance_id", "instance_id"),
        Index("ix_form_step_event_id", "event_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    instance_id: Mapped[UUID] = mapped_column(ForeignKey(InstanceRow.id))
    study_id: Mapped[UUID]
    participant_id: Mapped[UUID]
    step: Mapped[str] = mapped_column(Text)
    status_before: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    revision: Mapped[int]
    reason: Mapped[str] = mapped_column(Text)
    actor_name: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    event_id: Mapped[UUID] = mapped_column(ForeignKey("app.audit_event.id", deferrable=True, initially="DEFERRED"))


class RedactionRow(Base):
    """One field that was taken out of one revision, because it was entered by mistake. Append-only."""

    __tablename__ = "form_redaction"
    __table_args__ = (UniqueConstraint("instance_id", "revision", "field"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    study_id: Mapped[UUID]
    participant_id: Mapped[UUID]
    instance_id: Mapped[UUID]
    revision: Mapped[int]
    field: Mapped[str] = mapped_column(Text)
    #: SHA-256 over a salt that is kept nowhere, and the value
    commitment: Mapped[bytes] = mapped_column(LargeBinary)
    #: hash of what is left, as `content.content_hash` makes it; the revision's own hash stays that of the whole
    content_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    event_id: Mapped[UUID] = mapped_column(ForeignKey("app.audit_event.id", deferrable=True, initially="DEFERRED"))
