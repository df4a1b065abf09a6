"""Tables of participants and their status over time."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, LargeBinary, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from datamodel.kernel.database import Base
from datamodel.vault.seal import Foreign, Sealed, SealedText, sealed_check


class ParticipantRow(Base):
    """Somebody who takes part, by pseudonym."""

    __tablename__ = "participant"
    __table_args__ = (UniqueConstraint("study_id", "code"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    study_id: Mapped[UUID] = mapped_column(ForeignKey("app.study.id"))
    site_id: Mapped[UUID | None] = mapped_column(ForeignKey("app.site.id"))
    code: Mapped[str] = mapped_column(Text)
    #: screened, screen_failed, enrolled, completed, withdrawn
    status: Mapped[str] = mapped_column(Text)
    enrolled_on: Mapped[date | None]
    #: day from which the schedule counts
    anchor_on: Mapped[date | None]
    language: Mapped[str] = mapped_column(Text, default="en")
    event_id: Mapped[UUID] = mapped_column(ForeignKey("app.audit_event.id", deferrable=True, initially="DEFERRED"))


class StatusChangeRow(Base):
    """A participant's status from an instant on. Append-only."""

    __tablename__ = "participant_status"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    participant_id: Mapped[UUID] = mapped_column(ForeignKey(ParticipantRow.id))
    status: Mapped[str] = mapped_column(Text)
    #: the day it is true from, when known
    on: Mapped[date | None]
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    event_id: Mapped[UUID] = mapped_column(ForeignKey("app.audit_event.id", deferrable=True, initially="DEFERRED"))


class AllocationRow(Base):
    """The arm a participant is in: blinded data, readable only with `study:blinded:read`."""

    __tablename__ = "participant_arm"

    participant_id: Mapped[UUID] = mapped_column(ForeignKey(ParticipantRow.id), primary_key=True)
    arm_code: Mapped[str] = mapped_column(Text)
    arm_label: Mapped[str] = mapped_column(Text)
    #: random, so that the digest of the row by which the ledger vouches for it tells nobody the arm
    nonce: Mapped[UUID] = mapped_column(server_default=text("gen_random_uuid()"))
    event_id: Mapped[UUID] = mapped_column(ForeignKey("app.audit_event.id", deferrable=True, initially="DEFERRED"))


class IdentityRow(Base):
    """One identifying value of a participant, or of a caregiver who acts for them: sealed with the participant's own key."""

    __tablename__ = "participant_identity"
    __table_args__ = (
        UniqueConstraint("participant_id", "person_id", "field"),
        CheckConstraint("field in ('name', 'mail', 'phone', 'birth_date')", name="field"),
        sealed_check("value"),
        Index("ix_participant_identity_lookup", "field", "lookup"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    study_id: Mapped[UUID] = mapped_column(ForeignKey("app.study.id"))
    participant_id: Mapped[UUID] = mapped_column(ForeignKey(ParticipantRow.id))
    #: whose value it is: the participant, or a caregiver's account
    person_id: Mapped[UUID]
    field: Mapped[str] = mapped_column(Text)
    #: empty when the value was cleared
    value: Mapped[Sealed | Foreign | None] = mapped_column(SealedText(person="t.participant_id"))
    #: keyed hash by which mail and phone are found again
    lookup: Mapped[bytes | None] = mapped_column(LargeBinary)
    event_id: Mapped[UUID] = mapped_column(ForeignKey("app.audit_event.id", deferrable=True, initially="DEFERRED"))


class CaregiverRow(Base):
    """That an account acts for a participant, from an instant until another."""

    __tablename__ = "caregiver"
    __table_args__ = (CheckConstraint("ends_at is null or ends_at > starts_at", name="span"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    study_id: Mapped[UUID] = mapped_column(ForeignKey("app.study.id"))
    participant_id: Mapped[UUID] = mapped_column(ForeignKey(ParticipantRow.id), index=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("app.account.id"), index=True)
    #: what they are to the participant: mother, father, guardian, ...
    relation: Mapped[str] = mapped_column(Text)
    starts_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    ends_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    event_id: Mapped[UUID] = mapped_column(ForeignKey("app.audit_event.id", deferrable=True, initially="DEFERRED"))
