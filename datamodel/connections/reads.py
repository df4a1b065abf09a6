"""Reads: is the study connected, how good are the data, what did the runs do."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy.orm import Session

from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.connections import store
from datamodel.connections.mapping import Mapping
from datamodel.connections.tables import SyncRunRow
from datamodel.kernel.errors import NotFoundError, Refused, require
from datamodel.vault.stamps import genuine

#: Data older than this are called stale, even when no run failed.
STALE_AFTER: Final = timedelta(hours=2)
ALTERED: Final = "The connection to REDCap was altered in the database, not by this program, so its token is not used and nothing is asked."
IS_ALTERED: Final = Refused(
    "connection-altered", ALTERED, "Connect the study again; find out who can write to the database."
)
RunState = Literal["running", "succeeded", "failed"]


@dataclass(frozen=True, slots=True)
class Connection:
    """A study's REDCap project, without its token."""

    id: UUID
    study_id: UUID
    api_url: str
    mapping: Mapping
    server_time_zone: str


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the sync, for people. `sentence` says what happened and what to do."""

    id: UUID
    state: RunState
    asked_by: str
    started_at: datetime
    ended_at: datetime | None
    rows_in: int
    rows_accepted: int
    rows_changed: int
    findings: int
    sentence: str
    flow_run: str

    @property
    def seconds(self) -> float | None:
        """How long it took, or None while it runs."""
        return (self.ended_at - self.started_at).total_seconds() if self.ended_at else None


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody asked for a run; `study` is the study's code."""

    id: UUID
    study: str
    asked_by: str
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class SyncHealth:
    """How good the data are. `last_good_at` is the instant that the present data stand for."""

    is_connected: bool
    host: str
    last_good_at: datetime | None
    last_good_position: int | None
    #: time since `last_good_at`, or None when there never was a good run
    lag: timedelta | None
    is_stale: bool
    is_running: bool
    #: somebody pressed "run now" and the run has not begun
    is_requested: bool
    last_run: Run | None
    #: one sentence for the banner; empty when all is well
    sentence: str
    #: its address or mapping was not written by this program, so nothing is asked of REDCap
    is_altered: bool = False


def is_redcap_managed(session: Session, study_id: UUID) -> bool:
    """Return whether REDCap is the source of the study's records."""
    return store.connection(session, study_id) is not None


def connection(session: Session, actor: Actor, *, study: str) -> Connection:
    """Return the study's connection without its token; NotFoundError when there is none."""
    require(may(actor, "study:connections:read", study=study))
    row = store.connection_of(session, study)
    if row is None:
        raise NotFoundError(f"The study {study} is not connected to REDCap. Connect it first, then sync.")
    return Connection(
        id=row.id,
        study_id=row.study_id,
        api_url=row.api_url,
        mapping=Mapping.from_document(row.mapping),
        server_time_zone=row.server_time_zone,
    )


def runs(session: Session, actor: Actor, *, study: str, limit: int = 50) -> list[Run]:
    """Return the newest runs, newest first."""
    require(may(actor, "study:connections:read", study=study))
    row = store.connection_of(session, study)
    return [_run(one) for one in store.newest_runs(session, row.id, limit=limit)] if row else []


def sync_health(session: Session, actor: Actor, *, study: str, now: datetime | None = None) -> SyncHealth:
    """Return how good the study's data are at `now` (the database's time when not given)."""
    require(may(actor, "study:overview:read", study=study))
    row = store.connection_of(session, study)
    if row is None:
        return SyncHealth(False, "", None, None, None, False, False, False, None, "")
    newest = store.newest_runs(session, row.id, limit=1)
    last = _run(newest[0]) if newest else None
    lag = (now or store.now(session)) - row.last_good_at if row.last_good_at else None
    has_failed = last is not None and last.state == "failed"
    is_altered = genuine(session, row) is None
    is_stale = is_altered or has_failed or lag is None or lag > STALE_AFTER
    return SyncHealth(
        is_connected=True,
        host=urlsplit(row.api_url).netloc,
        last_good_at=row.last_good_at,
        last_good_position=row.last_good_position,
        lag=lag,
        is_stale=is_stale,
        is_altered=is_altered,
        is_running=last is not None and last.state == "running",
        is_requested=store.has_request(session, row.id),
        last_run=last,
        sentence=ALTERED
        if is_altered
        else _sentence(row.last_good_at, last, has_failed=has_failed)
        if is_stale
        else "",
    )


def open_requests(session: Session) -> list[Request]:
    """Return the runs that were asked for and have not begun, oldest first."""
    return [
        Request(id=row.id, study=row.study, asked_by=row.asked_by, asked_at=row.asked_at)
        for row in store.open_requests(session)
    ]


def _sentence(good: datetime | None, last: Run | None, *, has_failed: bool) -> str:
    when = f"Data as of {good:%Y-%m-%d %H:%M} UTC." if good else "No sync has succeeded yet."
    if has_failed and last is not None:
        return f"{when} The last sync failed: {last.sentence}"
    return f"{when} No newer sync has succeeded; look at the sync runs."


def _run(row: SyncRunRow) -> Run:
    return Run(
        id=row.id,
        state=row.state,  # type: ignore[arg-type]
        asked_by=row.asked_by,
        started_at=row.started_at,
        ended_at=row.ended_at,
        rows_in=row.rows_in,
        rows_accepted=row.rows_accepted,
        rows_changed=row.rows_changed,
        findings=row.findings,
        sentence=row.sentence,
        flow_run=row.flow_run,
    )
