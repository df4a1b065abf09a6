"""Load and save connections, runs, batches and requests."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text, update
from sqlalchemy.orm import Session

from datamodel.connections.tables import ConnectionRow, SyncBatchRow, SyncRequestRow, SyncRunRow
from datamodel.vault.stamps import Stamped, stamp


def add(session: Session, row: ConnectionRow | SyncRunRow | SyncBatchRow | SyncRequestRow) -> None:
    """Insert one row, with its stamp where it decides who is told a secret."""
    if isinstance(row, Stamped):
        row.stamp = stamp(session, row)
    session.add(row)
    session.flush()


def now(session: Session) -> datetime:
    """Return the database's time."""
    instant: datetime = session.execute(text("select clock_timestamp()")).scalar_one()
    return instant


def study_id(session: Session, code: str) -> UUID | None:
    """Return the id of the study with that code, or None."""
    found: UUID | None = session.execute(
        text("select id from app.study where code = :code"), {"code": code}
    ).scalar_one_or_none()
    return found


def study_of(session: Session, connection_id: UUID) -> tuple[UUID, str]:
    """Return id and code of the study that a connection is of."""
    row = session.execute(
        text("select s.id, s.code from app.redcap_connection c join app.study s on s.id = c.study_id where c.id = :id"),
        {"id": connection_id},
    ).one()
    return row.id, row.code


def connection(session: Session, study: UUID) -> ConnectionRow | None:
    """Return a study's connection, or None."""
    return session.scalars(select(ConnectionRow).where(ConnectionRow.study_id == study)).one_or_none()


def connection_of(session: Session, code: str) -> ConnectionRow | None:
    """Return the connection of the study with that code, or None."""
    study = study_id(session, code)
    return connection(session, study) if study else None


def newest_runs(session: Session, connection_id: UUID, *, limit: int) -> list[SyncRunRow]:
    """Return the newest runs, newest first."""
    return list(
        session.scalars(
            select(SyncRunRow)
            .where(SyncRunRow.connection_id == connection_id)
            .order_by(SyncRunRow.started_at.desc(), SyncRunRow.id.desc())
            .limit(limit)
        )
    )


def newest_good(session: Session, connection_id: UUID, *, begins: str = "") -> SyncRunRow | None:
    """Return the newest run that ended well, of those whose pull's key begins so."""
    return session.scalars(
        select(SyncRunRow)
        .where(
            SyncRunRow.connection_id == connection_id,
            SyncRunRow.state == "succeeded",
            SyncRunRow.pull_key.startswith(begins, autoescape=True),
        )
        .order_by(SyncRunRow.started_at.desc(), SyncRunRow.id.desc())
        .limit(1)
    ).one_or_none()


def connected_at(session: Session, connection_id: UUID) -> datetime:
    """Return when a connection got its present address, token and mapping."""
    instant: datetime = session.execute(
        text("select e.at from app.redcap_connection c join app.audit_event e on e.id = c.event_id where c.id = :id"),
        {"id": connection_id},
    ).scalar_one()
    return instant


def run(session: Session, run_id: UUID) -> SyncRunRow | None:
    """Return a run and keep others from changing it until the end of the transaction."""
    return session.scalars(select(SyncRunRow).where(SyncRunRow.id == run_id).with_for_update()).one_or_none()


def fail_running(session: Session, connection_id: UUID, *, at: datetime, sentence: str) -> list[SyncRunRow]:
    """Mark runs that are still called running as failed; return them."""
    rows = session.scalars(
        select(SyncRunRow).where(SyncRunRow.connection_id == connection_id, SyncRunRow.state == "running")
    ).all()
    for row in rows:
        row.state, row.ended_at, row.sentence = "failed", at, sentence
    session.flush()
    return list(rows)


def done_batches(
    session: Session, connection_id: UUID, *, pull_key: str, began: datetime
) -> dict[tuple[str, int], int]:
    """Return how many records each batch of one pull that is done holds, by (form, first record)."""
    rows = session.execute(
        select(SyncBatchRow.form_name, SyncBatchRow.first, SyncBatchRow.records)
        .join(SyncRunRow, SyncRunRow.id == SyncBatchRow.run_id)
        .where(
            SyncRunRow.connection_id == connection_id,
            SyncRunRow.pull_key == pull_key,
            SyncRunRow.pull_started_at == began,
        )
    )
    return {(row.form_name, row.first): row.records for row in rows}


def open_requests(session: Session) -> list[Row[Any]]:
    """Return the requests that no run took yet, oldest first, with the code of their study."""
    return list(
        session.execute(
            text(
                "select q.id, s.code as study, q.asked_by, q.asked_at from app.sync_request q "
                "join app.redcap_connection c on c.id = q.connection_id join app.study s on s.id = c.study_id "
                "where q.taken_at is null order by q.asked_at, q.id"
            )
        )
    )


def has_request(session: Session, connection_id: UUID) -> bool:
    """Return whether a request waits for a run."""
    found = session.execute(
        select(SyncRequestRow.id)
        .where(SyncRequestRow.connection_id == connection_id, SyncRequestRow.taken_at.is_(None))
        .limit(1)
    )
    return found.first() is not None


def asker(session: Session, request_id: UUID) -> str | None:
    """Return who made a request, or None when there is no such request."""
    return session.scalars(select(SyncRequestRow.asked_by).where(SyncRequestRow.id == request_id)).one_or_none()


def take_requests(session: Session, connection_id: UUID, *, run_id: UUID, at: datetime) -> None:
    """Hand all waiting requests to a run: it answers every one of them."""
    session.execute(
        update(SyncRequestRow)
        .where(SyncRequestRow.connection_id == connection_id, SyncRequestRow.taken_at.is_(None))
        .values(taken_at=at, run_id=run_id)
    )
