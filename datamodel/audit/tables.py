"""Tables of the ledger."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, ForeignKey, Identity, Index, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import UserDefinedType

from datamodel.kernel.database import Base


class Xid8(UserDefinedType[str]):
    """PostgreSQL's 64-bit transaction id."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Name the type in DDL."""
        return "xid8"


class EventRow(Base):
    """One thing that happened. Append-only."""

    __tablename__ = "audit_event"
    __table_args__ = (
        Index("ix_audit_event_xid", "xid", "seq"),
        Index("ix_audit_event_study", "study_id", "seq"),
        Index("ix_audit_event_subject", "subject"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, Identity(always=True), unique=True)
    xid: Mapped[str] = mapped_column(Xid8, server_default=text("pg_current_xact_id()"))
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    study_id: Mapped[UUID | None]
    actor_id: Mapped[UUID]
    actor_kind: Mapped[str] = mapped_column(Text)
    actor_name: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(Text)
    action: Mapped[str] = mapped_column(Text)
    #: What it is about, as `kind:pseudonym` (`participant:701-1015`), or empty.
    subject: Mapped[str] = mapped_column(Text, default="")
    reason: Mapped[str] = mapped_column(Text, default="")
    request_id: Mapped[UUID]
    #: What changed: for single rows `old` and `new`, for bulk changes counts and `rows_sha256`.
    change: Mapped[dict[str, Any]] = mapped_column(JSONB)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    #: keyed hash of `body`: this program wrote it (`vault.stamps`); none from a process that has no root key
    stamp: Mapped[bytes | None] = mapped_column(LargeBinary)


class EntryRow(Base):
    """The sealed order: one position for each committed event. Append-only."""

    __tablename__ = "audit_entry"
    __table_args__ = (Index("ix_audit_entry_study", "study_id", "study_position", unique=True),)

    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    event_id: Mapped[UUID] = mapped_column(ForeignKey(EventRow.id), unique=True)
    #: the event's study and its place among the events of that study; none for what concerns the installation
    study_id: Mapped[UUID | None]
    study_position: Mapped[int | None] = mapped_column(BigInteger)
    leaf: Mapped[bytes] = mapped_column(LargeBinary)
    sealed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=text("clock_timestamp()"))


class CheckpointRow(Base):
    """A signed head of one tree: of the installation, or of one study. Append-only."""

    __tablename__ = "checkpoint"
    __table_args__ = (Index("ix_checkpoint_study", "study_id", "size"),)

    #: the tree's name, as its first line says it
    origin: Mapped[str] = mapped_column(Text, primary_key=True)
    #: how many entries the tree has
    size: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    study_id: Mapped[UUID | None]
    #: up to which position of the installation this head counts
    position: Mapped[int] = mapped_column(BigInteger)
    root: Mapped[bytes] = mapped_column(LargeBinary)
    #: the signed note, whole (C2SP tlog-checkpoint)
    note: Mapped[str] = mapped_column(Text)
    signed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=text("clock_timestamp()"))
