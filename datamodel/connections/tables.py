"""Tables of connections, sync runs, their batches, and requests to run."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, ForeignKey, Index, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from datamodel.kernel.database import Base
from datamodel.vault.seal import Foreign, Sealed, SealedText, sealed_check
from datamodel.vault.stamps import Stamped


class ConnectionRow(Stamped, Base):
    """A study's REDCap project."""

    __tablename__ = "redcap_connection"
    __stamped__ = ("id", "study_id", "api_url", "mapping", "server_time_zone")
    __table_args__ = (sealed_check("token", takes_old=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    study_id: Mapped[UUID] = mapped_column(ForeignKey("app.study.id"), unique=True)
    api_url: Mapped[str] = mapped_column(Text)
    token: Mapped[Sealed | Foreign] = mapped_column(SealedText(takes_old=True))
    #: see `connections.mapping.Mapping`
    mapping: Mapped[dict[str, Any]] = mapped_column(JSONB)
    server_time_zone: Mapped[str] = mapped_column(Text)
    #: start of the last pull that was completed: the data are as good as that instant
    last_good_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_good_position: Mapped[int | None] = mapped_column(BigInteger)
    event_id: Mapped[UUID] = mapped_column(ForeignKey("app.audit_event.id", deferrable=True, initially="DEFERRED"))


class SyncRunRow(Base):
    """One run of the sync."""

    __tablename__ = "sync_run"
    __table_args__ = (Index("ix_sync_run_recent", "connection_id", "started_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID] = mapped_column(ForeignKey(ConnectionRow.id))
    #: running, succeeded, failed
    state: Mapped[str] = mapped_column(Text)
    asked_by: Mapped[str] = mapped_column(Text)
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    rows_in: Mapped[int] = mapped_column(server_default="0")
    rows_accepted: Mapped[int] = mapped_column(server_default="0")
    #: new revisions written
    rows_changed: Mapped[int] = mapped_column(server_default="0")
    findings: Mapped[int] = mapped_column(server_default="0")
    #: what happened and what to do, for people
    sentence: Mapped[str] = mapped_column(Text, server_default="")
    #: Prefect's flow run, for the link to its log
    flow_run: Mapped[str] = mapped_column(Text, server_default="")
    #: what is pulled (design, records and batches) as a hash; a run with the same one may resume this one
    pull_key: Mapped[str] = mapped_column(Text, server_default="")
    #: when the first run of this pull began; a run that resumes another inherits it
    pull_started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class SyncBatchRow(Base):
    """A batch of a run that is done; a later run of the same pull skips it."""

    __tablename__ = "sync_batch"

    run_id: Mapped[UUID] = mapped_column(ForeignKey(SyncRunRow.id), primary_key=True)
    form_name: Mapped[str] = mapped_column(Text, primary_key=True)
    #: where the batch begins in the list of records, and how many of them it holds
    first: Mapped[int] = mapped_column(primary_key=True)
    records: Mapped[int]
    rows_in: Mapped[int]
    rows_accepted: Mapped[int]
    rows_changed: Mapped[int]
    findings: Mapped[int]
    seconds: Mapped[float]
    #: the ledger event of its changes; none when nothing changed
    event_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("app.audit_event.id", deferrable=True, initially="DEFERRED")
    )


class SyncRequestRow(Base):
    """Somebody asked for a run."""

    __tablename__ = "sync_request"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID] = mapped_column(ForeignKey(ConnectionRow.id))
    asked_by: Mapped[str] = mapped_column(Text)
    asked_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    taken_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    run_id: Mapped[UUID | None]
    event_id: Mapped[UUID] = mapped_column(ForeignKey("app.audit_event.id", deferrable=True, initially="DEFERRED"))
