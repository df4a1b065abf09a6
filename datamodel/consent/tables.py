"""Tables of consent versions, signatures and withdrawals."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, LargeBinary, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from datamodel.kernel.database import Base
from datamodel.vault.seal import Foreign, Sealed, SealedText, sealed_check


class VersionRow(Base):
    """A published consent version in one language. Append-only but for its status."""

    __tablename__ = "consent_version"
    __table_args__ = (UniqueConstraint("study_id", "document", "version", "language"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    study_id: Mapped[UUID] = mapped_column(ForeignKey("app.study.id"))
    #: which document: `main`, `assent`, ...
    document: Mapped[str] = mapped_column(Text)
    version: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text)
    #: list of {"heading": text, "paragraphs": [text]}
    sections: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    content_hash: Mapped[bytes] = mapped_column(LargeBinary)
    #: published, superseded
    status: Mapped[str] = mapped_column(Text)
    published_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    event_id: Mapped[UUID] = mapped_column(ForeignKey("app.audit_event.id", deferrable=True, initially="DEFERRED"))


class SignatureRow(Base):
    """A participant's signature under a version. Append-only."""

    __tablename__ = "consent_signature"
    __table_args__ = (sealed_check("mark"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    participant_id: Mapped[UUID] = mapped_column(ForeignKey("app.participant.id"), index=True)
    version_id: Mapped[UUID] = mapped_column(ForeignKey(VersionRow.id))
    #: the account that signed (the participant's own, or a caregiver's)
    signed_by: Mapped[UUID] = mapped_column(ForeignKey("app.account.id"))
    #: drawn, typed
    method: Mapped[str] = mapped_column(Text)
    #: when the person signed, by the phone's clock, and when it arrived
    signed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    received_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    #: hash of the text that was shown; equals the version's
    content_hash: Mapped[bytes] = mapped_column(LargeBinary)
    #: typed name or drawn strokes, sealed with the participant's own key
    mark: Mapped[Sealed | Foreign] = mapped_column(
        SealedText(
            study="(select p.study_id from app.participant p where p.id = t.participant_id)", person="t.participant_id"
        )
    )
    receipt: Mapped[int]
    event_id: Mapped[UUID] = mapped_column(ForeignKey("app.audit_event.id", deferrable=True, initially="DEFERRED"))


class DeclineRow(Base):
    """A participant's "no" to a version. Append-only; saying yes later is a signature of its own."""

    __tablename__ = "consent_decline"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    participant_id: Mapped[UUID] = mapped_column(ForeignKey("app.participant.id"), index=True)
    version_id: Mapped[UUID] = mapped_column(ForeignKey(VersionRow.id))
    declined_by: Mapped[UUID] = mapped_column(ForeignKey("app.account.id"))
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    received_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    receipt: Mapped[int]
    event_id: Mapped[UUID] = mapped_column(ForeignKey("app.audit_event.id", deferrable=True, initially="DEFERRED"))


class WithdrawalRow(Base):
    """A withdrawal. Append-only."""

    __tablename__ = "consent_withdrawal"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    participant_id: Mapped[UUID] = mapped_column(ForeignKey("app.participant.id"), index=True)
    #: participation (everything), assessments
    scope: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    reason: Mapped[str] = mapped_column(Text, default="")
    event_id: Mapped[UUID] = mapped_column(ForeignKey("app.audit_event.id", deferrable=True, initially="DEFERRED"))
