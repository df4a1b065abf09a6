"""Bookkeeping of sync runs: begin, batch done, succeeded, failed.

What a run changes is in the ledger through the actions it calls. That it began and how it ended are events too, with counts
and never a value: an inspector sees when data were looked for, by whose wish, and that nothing came. Batches leave no event
of their own.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import psycopg
from sqlalchemy.orm import Session

from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.audit import ledger
from datamodel.connections import store
from datamodel.connections.reads import IS_ALTERED, Connection, connection
from datamodel.connections.tables import ConnectionRow, SyncBatchRow, SyncRunRow
from datamodel.kernel.database import libpq_url
from datamodel.kernel.errors import FaultError, NotFoundError, Refused, RefusedError, TransientFault, require
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import UnitOfWork
from datamodel.vault.keyring import keyring
from datamodel.vault.seal import Place
from datamodel.vault.stamps import genuine

#: A failed pull is resumed only while it is this fresh; then everything is pulled anew.
RESUMABLE_FOR: Final = timedelta(hours=1)
#: After so long, a run pulls everything again: REDCap's log does not tell all, and deletions inside a record least.
WHOLE_EVERY: Final = timedelta(hours=24)
#: Changes are asked for from so long before the last good run: clocks differ, and what was being written then was not there yet.
OVERLAP: Final = timedelta(hours=24)
#: What keys of pulls of everything begin with.
EVERYTHING: Final = "everything:"
#: First key of the advisory locks of syncs ("sync" in ASCII).
_LOCK_SPACE: Final = 0x73796E63
_KILLED: Final = (
    "The process of this run ended before the run did (it was killed, or the machine or the database stopped). "
    "Batches that were finished are kept, nothing is half-written; the next run goes on from there."
)


@dataclass(frozen=True, slots=True)
class Counts:
    """What a batch or a run did, in rows (form instances), new revisions and findings."""

    rows_in: int = 0
    rows_accepted: int = 0
    rows_changed: int = 0
    findings: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.rows_in + other.rows_in,
            self.rows_accepted + other.rows_accepted,
            self.rows_changed + other.rows_changed,
            self.findings + other.findings,
        )


@dataclass(frozen=True, slots=True)
class Pull:
    """What a run pulls: the instant it stands for, and which batches are done: (form, first record) -> records."""

    began: datetime
    done: dict[tuple[str, int], int]


@contextmanager
def only_run(url: str, connection_id: UUID, *, study: str) -> Iterator[None]:
    """Hold the one place for a run of this connection, as long as this process and the database live.

    Raises
    ------
    RefusedError
        When another process holds it.
    TransientFault
        When the database cannot be reached.
    """
    try:
        held = psycopg.connect(libpq_url(url), autocommit=True, connect_timeout=10)
        key = int.from_bytes(connection_id.bytes[-4:], signed=True)
        found = held.execute("select pg_try_advisory_lock(%s, %s)", (_LOCK_SPACE, key)).fetchone()
    except psycopg.OperationalError as error:
        raise TransientFault(
            "PostgreSQL did not answer, so the sync did not begin. Check that the database is running, then sync again."
        ) from error
    try:
        if not found or not found[0]:
            raise RefusedError(
                Refused("sync-running", f"A sync of {study} is running already.", "Wait until it has ended.")
            )
        yield
    finally:
        # Closing tells the server only in a moment; the next run may come before that.
        with suppress(psycopg.OperationalError):
            held.execute("select pg_advisory_unlock_all()")
        held.close()


def token(session: Session, actor: Actor, *, study: str) -> str:
    """Return the REDCap token of the study, opened, for those who may sync.

    Raises
    ------
    RefusedError
        When the address that the token would be sent to was not written by this program.
    """
    require(may(actor, "study:connections:sync", study=study))
    row = store.connection_of(session, study)
    if row is None:
        raise NotFoundError(f"The study {study} is not connected to REDCap. Connect it first, then sync.")
    if genuine(session, row) is None:
        raise RefusedError(IS_ALTERED)
    return keyring(session).unseal(Place("redcap_connection", "token", row.id, row.study_id), row.token).decode()


def start_run(
    unit: UnitOfWork[Actor], *, study: str, asked_by: str, request: UUID | None = None, flow_run: str = ""
) -> tuple[UUID, Connection]:
    """Begin a run and take all requests that wait; whoever calls holds `only_run`. Return (run id, connection).

    With `request`, the run is asked for by whoever made that request. A run that is still called running has no process any more (it would hold the place): it is marked failed.
    """
    require(may(unit.actor, "study:connections:sync", study=study))
    found, run_id = connection(unit.session, unit.actor, study=study), new_id()
    for left in store.fail_running(unit.session, found.id, at=unit.instant, sentence=_KILLED):
        _tell_end(unit, left)
    row = SyncRunRow(
        id=run_id,
        connection_id=found.id,
        state="running",
        asked_by=(store.asker(unit.session, request) if request else None) or asked_by,
        started_at=unit.instant,
        flow_run=flow_run,
        pull_started_at=unit.instant,
    )
    store.add(unit.session, row)
    ledger.record(
        unit,
        "connections.begin_sync",
        study_id=found.study_id,
        subject=f"study:{study}",
        role=unit.actor.role(study),
        change={"new": {"asked_by": row.asked_by}},
    )
    store.take_requests(unit.session, found.id, run_id=run_id, at=unit.instant)
    return run_id, found


def changes_suffice_since(unit: UnitOfWork[Actor], run_id: UUID, *, design_at: datetime) -> datetime | None:
    """Return from when on it suffices to pull what changed, or None when everything must be pulled.

    Everything is pulled when no good run did so within `WHOLE_EVERY`, under the connection as it is and the design that was
    published at `design_at`.
    """
    row = _running(unit.session, run_id)
    whole = store.newest_good(unit.session, row.connection_id, begins=EVERYTHING)
    good = store.newest_good(unit.session, row.connection_id)
    if whole is None or good is None or whole.ended_at is None:
        return None
    is_recent = unit.instant - whole.pull_started_at < WHOLE_EVERY
    is_same = max(design_at, store.connected_at(unit.session, row.connection_id)) <= whole.ended_at
    return good.pull_started_at - OVERLAP if is_recent and is_same else None


def begin_pull(unit: UnitOfWork[Actor], run_id: UUID, *, pull_key: str) -> Pull:
    """Note what the run pulls; when the run before failed at the same pull, go on where it stopped."""
    row = _running(unit.session, run_id)
    earlier = [one for one in store.newest_runs(unit.session, row.connection_id, limit=2) if one.id != run_id]
    if earlier and earlier[0].state == "failed" and earlier[0].pull_key == pull_key:
        began = earlier[0].pull_started_at
        if unit.instant - began <= RESUMABLE_FOR:
            row.pull_started_at = began
    row.pull_key = pull_key
    unit.session.flush()
    done = store.done_batches(unit.session, row.connection_id, pull_key=pull_key, began=row.pull_started_at)
    return Pull(began=row.pull_started_at, done=done)


def batch_done(
    unit: UnitOfWork[Actor],
    run_id: UUID,
    *,
    form: str,
    first: int,
    records: int,
    counts: Counts,
    seconds: float,
    event_id: UUID | None,
) -> None:
    """Note a batch as done, in the transaction that wrote it."""
    row = _running(unit.session, run_id)
    row.rows_in += counts.rows_in
    row.rows_accepted += counts.rows_accepted
    row.rows_changed += counts.rows_changed
    row.findings += counts.findings
    store.add(
        unit.session,
        SyncBatchRow(
            run_id=run_id,
            form_name=form,
            first=first,
            records=records,
            rows_in=counts.rows_in,
            rows_accepted=counts.rows_accepted,
            rows_changed=counts.rows_changed,
            findings=counts.findings,
            seconds=seconds,
            event_id=event_id,
        ),
    )


def succeed(unit: UnitOfWork[Actor], run_id: UUID, *, position: int, sentence: str) -> None:
    """End a run well: the data are now as good as the instant its pull began, at this ledger position."""
    row = _running(unit.session, run_id)
    row.state, row.ended_at, row.sentence = "succeeded", unit.instant, sentence
    found = unit.session.get_one(ConnectionRow, row.connection_id)
    found.last_good_at, found.last_good_position = row.pull_started_at, position
    unit.session.flush()
    _tell_end(unit, row)


def fail(unit: UnitOfWork[Actor], run_id: UUID, *, sentence: str) -> None:
    """End a run badly, with the sentence that says what happened and what to do."""
    row = store.run(unit.session, run_id)
    if row is not None and row.state == "running":
        row.state, row.ended_at, row.sentence = "failed", unit.instant, sentence
        unit.session.flush()
        _tell_end(unit, row)


def _tell_end(unit: UnitOfWork[Actor], row: SyncRunRow) -> None:
    """Tell the ledger how a run ended: outcome and counts. Its sentence stays with the run; it may quote what REDCap said."""
    study_id, study = store.study_of(unit.session, row.connection_id)
    ledger.record(
        unit,
        "connections.end_sync",
        study_id=study_id,
        subject=f"study:{study}",
        role=unit.actor.role(study),
        change={
            "new": {
                "outcome": row.state,
                "asked_by": row.asked_by,
                "began_at": row.started_at,
                "pulled": row.pull_key.partition(":")[0] or "nothing",
                "rows_in": row.rows_in,
                "rows_accepted": row.rows_accepted,
                "rows_changed": row.rows_changed,
                "findings": row.findings,
            }
        },
    )


def _running(session: Session, run_id: UUID) -> SyncRunRow:
    row = store.run(session, run_id)
    if row is None or row.state != "running":
        raise FaultError(
            "This run was ended by another one that took its place; what it was about to write was rolled back."
        )
    return row
