"""Tables of studies, sites and design versions."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from datamodel.kernel.database import Base


class StudyRow(Base):
    """A study or registry."""

    __tablename__ = "study"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    #: Short code in lower case, as written in addresses and `open_study`.
    code: Mapped[str] = mapped_column(Text, unique=True)
    #: Identifier as the protocol prints it (STUDYID).
    protocol_id: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    integration_mode: Mapped[str] = mapped_column(Text)
    consent_mode: Mapped[str] = mapped_column(Text)
    time_zone: Mapped[str] = mapped_column(Text)
    planned_enrolment: Mapped[int | None]
    event_id: Mapped[UUID] = mapped_column(ForeignKey("app.audit_event.id", deferrable=True, initially="DEFERRED"))


class SiteRow(Base):
    """A site of a study."""

    __tablename__ = "site"
    __table_args__ = (UniqueConstraint("study_id", "code"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    study_id: Mapped[UUID] = mapped_column(ForeignKey(StudyRow.id))
    code: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    time_zone: Mapped[str] = mapped_column(Text)
    event_id: Mapped[UUID] = mapped_column(ForeignKey("app.audit_event.id", deferrable=True, initially="DEFERRED"))


class DesignRow(Base):
    """One version of a study's design."""

    __tablename__ = "design"
    __table_args__ = (
        UniqueConstraint("study_id", "version"),
        Index("ix_design_one_published", "study_id", unique=True, postgresql_where=text("status = 'published'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    study_id: Mapped[UUID] = mapped_column(ForeignKey(StudyRow.id))
    version: Mapped[int]
    status: Mapped[str] = mapped_column(Text)
    #: `Protocol.as_document()`
    document: Mapped[dict[str, Any]] = mapped_column(JSONB)
    fingerprint: Mapped[str] = mapped_column(Text)
    published_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    event_id: Mapped[UUID] = mapped_column(ForeignKey("app.audit_event.id", deferrable=True, initially="DEFERRED"))


class StandardsRow(Base):
    """Which files of a standard a study goes by, from one moment on; the newest row counts."""

    __tablename__ = "study_standards"
    __table_args__ = (Index("ix_study_standards_study_id", "study_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    study_id: Mapped[UUID] = mapped_column(ForeignKey(StudyRow.id))
    #: Date of the controlled terminology and the SHA-256 of its file; "" for none.
    terminology: Mapped[str] = mapped_column(Text)
    terminology_sha256: Mapped[str] = mapped_column(Text)
    #: Version of the rules and the SHA-256 of their files; "" for the built-in ones.
    rules: Mapped[str] = mapped_column(Text)
    rules_sha256: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    event_id: Mapped[UUID] = mapped_column(ForeignKey("app.audit_event.id", deferrable=True, initially="DEFERRED"))
