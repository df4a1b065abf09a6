"""Tables of signatures and of what made them void. Both append-only."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from datamodel.kernel.database import Base

_INSTANT = DateTime(timezone=True)


class SignatureRow(Base):
    """One person's signature over one version of one record."""

    __tablename__ = "signature"
    __table_args__ = (
        CheckConstraint("meaning in ('author', 'review', 'approval', 'responsibility', 'locking')", name="meaning"),
        CheckConstraint(
            "octet_length(content_hash) = 32 and octet_length(manifest_sha256) = 32 "
            "and octet_length(public_key) = 32 and octet_length(value) = 64 and octet_length(salt) = 16",
            name="sizes",
        ),
        Index("ix_signature_record_id", "record_id"),
        Index("ix_signature_session_id", "session_id"),
        Index("ix_signature_event_id", "event_id"),
        Index("ix_signature_participant_id", "participant_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    #: the same for all records that were signed with one confirmation
    act_id: Mapped[UUID]
    study_id: Mapped[UUID] = mapped_column(ForeignKey("app.study.id"))
    #: None for a record that belongs to no participant
    participant_id: Mapped[UUID | None] = mapped_column(ForeignKey("app.participant.id"))
    #: what was signed: form, design, consent
    kind: Mapped[str] = mapped_column(Text)
    record_id: Mapped[UUID]
    version: Mapped[int]
    content_hash: Mapped[bytes] = mapped_column(LargeBinary)
    participant: Mapped[str] = mapped_column(Text)
    event_name: Mapped[str] = mapped_column(Text)
    form_name: Mapped[str] = mapped_column(Text)
    event_repeat: Mapped[int]
    form_repeat: Mapped[int]
    meaning: Mapped[str] = mapped_column(Text)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("app.account.id"))
    #: the signer's name and role as they were then
    printed_name: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(Text)
    #: the signed-in browser; later signings in it need fewer components
    session_id: Mapped[UUID]
    signed_at: Mapped[datetime] = mapped_column(_INSTANT)
    #: time zone in which the instant was shown to the signer
    zone: Mapped[str] = mapped_column(Text)
    #: random, so that nobody can find a blinded value by trying hashes
    salt: Mapped[bytes] = mapped_column(LargeBinary)
    manifest_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    #: Ed25519 (RFC 8032): the study's key at that moment, and the value over the manifest
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    value: Mapped[bytes] = mapped_column(LargeBinary)
    event_id: Mapped[UUID] = mapped_column(ForeignKey("app.audit_event.id", deferrable=True, initially="DEFERRED"))


class VoidRow(Base):
    """Why a signature does not count any more; at most once for each."""

    __tablename__ = "signature_void"
    __table_args__ = (CheckConstraint("cause in ('changed', 'removed', 'reopened')", name="cause"),)

    signature_id: Mapped[UUID] = mapped_column(ForeignKey(SignatureRow.id), primary_key=True)
    study_id: Mapped[UUID]
    participant_id: Mapped[UUID | None]
    cause: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    actor_name: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(_INSTANT)
    event_id: Mapped[UUID] = mapped_column(ForeignKey("app.audit_event.id", deferrable=True, initially="DEFERRED"))
