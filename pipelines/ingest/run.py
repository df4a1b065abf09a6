"""One sync of one study: what it holds, how it begins and how it ends."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

import polars as pl

from datamodel.access.actor import KNOCKING, Actor
from datamodel.access.reads import service_actor
from datamodel.connections import runs
from datamodel.connections.reads import Connection, connection
from datamodel.connections.runs import Counts, Pull
from datamodel.kernel.errors import MetricisError, TransientFault
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import UnitOfWork, reading, unit_of_work
from datamodel.study.protocol import Protocol
from pipelines.clients.redcap import RedcapClient

_LOG: Final = logging.getLogger(__name__)
REASON: Final = "sync with REDCap"
#: called with (what, done, total); `what` is `records`, or a form's name
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class IngestSummary:
    """What a sync did. Rows are form instances; accepted ones have no rejected value; changed ones got a revision.

    `seconds` is by stage: design, participants, pull, check, save; the next batch is pulled and checked while one is
    saved, so that their sum is more than the whole. `position` is the ledger's.
    """

    rows_in: int
    rows_accepted: int
    rows_changed: int
    findings: int
    seconds: dict[str, float]
    position: int


@dataclass(slots=True)
class Run:
    """A sync under way. Its repr names the study only, so that no log or task parameter shows more."""

    study: str
    url: str = field(repr=False)
    actor: Actor = field(repr=False)
    client: RedcapClient = field(repr=False)
    connection: Connection = field(repr=False)
    id: UUID = field(repr=False)
    progress: Progress = field(repr=False)
    protocol: Protocol = field(init=False, repr=False)
    pull: Pull = field(init=False, repr=False)
    #: the records that are pulled (at first every one), and (record, event) of every row that REDCap has
    ids: list[str] = field(default_factory=list, repr=False)
    inventory: pl.DataFrame = field(default_factory=pl.DataFrame, repr=False)
    #: from when on only what changed is pulled; None for everything
    since: datetime | None = field(default=None, repr=False)
    #: everything is pulled, whatever the run before did
    is_whole: bool = field(default=False, repr=False)
    #: participants whose record REDCap no longer has
    vanished: list[str] = field(default_factory=list, repr=False)
    counts: Counts = field(default_factory=Counts, repr=False)
    seconds: dict[str, float] = field(default_factory=dict, repr=False)
    #: required fields of which it cannot be told when they are asked (form and field), and why
    undecided: dict[tuple[str, str], str] = field(default_factory=dict, repr=False)

    def expected(self, forms: set[str]) -> set[str]:
        """Return the records of which REDCap must send something when asked for these forms.

        That is those with a row at an event where one of the forms is single; where a form repeats, a record without any
        instance has no row.
        """
        events = [one.name for one in self.protocol.events if set(one.forms) & forms - set(one.repeating_forms)]
        return set(self.inventory.filter(pl.col("event").is_in(events))["record"].to_list())

    @contextmanager
    def unit(self) -> Iterator[UnitOfWork[Actor]]:
        """Open a unit of work of this run."""
        with unit_of_work(self.url, self.actor, reason=REASON) as unit:
            yield unit

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time spent inside to a stage."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began


@contextmanager
def open_run(
    study: str,
    *,
    asked_by: str = "schedule",
    request: str | None = None,
    flow_run: str = "",
    url: str = "",
    client: Callable[[str, str], RedcapClient] = RedcapClient,
    progress: Progress | None = None,
    everything: bool = False,
) -> Iterator[Run]:
    """Begin a sync and hold the place for it; whatever goes wrong inside marks it failed, with a sentence.

    `everything` pulls every record, also where those that changed would do. `client` makes a client of (address, token). `url` is the database's address (the settings' when empty).

    Raises
    ------
    RefusedError
        When a sync of this study is running already.
    NotFoundError
        When the study is not connected.
    TransientFault
        When the database cannot be reached.
    """
    address = url or settings().database_url.get_secret_value()
    actor, known, token = _who(address, study)
    with runs.only_run(address, known.id, study=study):
        with unit_of_work(address, actor, reason=REASON) as unit:
            run_id, found = runs.start_run(
                unit, study=study, asked_by=asked_by, request=UUID(request) if request else None, flow_run=flow_run
            )
        run = Run(
            study=study,
            url=address,
            actor=actor,
            client=client(known.api_url, token),  # the address that was looked at together with the token
            connection=found,
            id=run_id,
            progress=progress or (lambda _what, _done, _total: None),
            is_whole=everything,
        )
        try:
            yield run
        except Exception as error:
            _fail(run, error)
            raise


def is_closed(study: str, *, url: str = "") -> bool:
    """Return whether the study is closed: then nothing is asked of REDCap any more."""
    with reading(url or settings().database_url.get_secret_value(), KNOCKING) as door:
        found = service_actor(door).membership(study)
        return found is not None and found.is_closed


def _who(url: str, study: str) -> tuple[Actor, Connection, str]:
    with reading(url, KNOCKING) as door:
        actor = service_actor(door)
    with reading(url, actor) as session:
        return actor, connection(session, actor, study=study), runs.token(session, actor, study=study)


def _fail(run: Run, error: Exception) -> None:
    """Mark the run as failed; when the database is away too, the next run does it."""
    sentence = str(error) if isinstance(error, MetricisError) else _unexpected(error)
    try:
        with run.unit() as unit:
            runs.fail(unit, run.id, sentence=sentence)
    except TransientFault:
        _LOG.warning("The sync of %s failed and could not be marked as failed; the next run marks it.", run.study)


def _unexpected(error: Exception) -> str:
    return (
        f"The sync stopped on a fault of its own ({type(error).__name__}). Finished batches are kept, nothing is "
        "half-written. Look at the run's log; the next sync goes on from there."
    )
