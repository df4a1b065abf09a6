"""Seal, verify, and keep sealing."""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final
from uuid import UUID

from datamodel.access.actor import KNOCKING
from datamodel.access.reads import service_actor
from datamodel.access.replay import rights_as_told
from datamodel.anchors.record import Anchors
from datamodel.audit.verify import Problem, Verdict
from datamodel.checkpoints.heads import Record
from datamodel.checkpoints.sealer import ATTEST_EVERY, AlteredError, Sealer
from datamodel.checkpoints.verify import verify
from datamodel.custody.installed import check_files
from datamodel.custody.start import check_start
from datamodel.kernel.errors import FaultError, NotFoundError, TransientFault
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import reading, sealing
from datamodel.migrations import guarded
from datamodel.migrations.schema import METADATA
from datamodel.records.digest import DIGESTS, forms_as_written
from datamodel.vault.stamps import event_check, strangers

logger = logging.getLogger("metricis.ledger")
#: Seconds between two rounds of sealing.
TICK: Final = 0.15
#: Seconds between two looks at the lag, and the wait after something went wrong.
LOOK: Final = 5.0
_STRANGER: Final = (
    "The row {id} of the table “{table}” lets somebody in or says where a secret goes, and was not written by this program as "
    "it stands. It counts for nothing. Find out who can write to the database; then remove the row, or have its owner set up anew what it held."
)
#: What follows from the ledger, and is held against it.
STATES: Final = (rights_as_told, forms_as_written)


def ready() -> None:
    """Refuse to run a flow with keys or files of the program that are not as they must be; the first step of a deployment."""
    url = settings().database_url.get_secret_value()
    check_start(url)
    check_files(url)


def seal(url: str) -> int:
    """Give all final events their positions and sign every head that is due; return the newest position."""
    return Sealer(url, settings()).seal_once(force=True)


def verify_all(url: str) -> Verdict:
    """Seal, then verify the ledger, its heads, the rows that it vouches for, the database's guards, and who can come in.

    What keeps the sealer from sealing is found by the verification, so it is no reason not to verify.
    """
    try:
        seal(url)
    except AlteredError as error:
        logger.critical("%s", error)
    record = Record(settings().home)
    with reading(url, KNOCKING) as door:
        stamp = event_check(door)
    with sealing(url) as session:
        found = verify(session, record, digests=DIGESTS, states=STATES, stamp=stamp)
        altered = [Problem("", 0, "guards", detail) for detail in guarded.differences(session)]
    strange = [Problem("", 0, "entrance", _STRANGER.format(table=table, id=row)) for table, row in _strange(url)]
    problems = (*found.problems, *altered, *strange, *Anchors(record).problems())
    return Verdict(checked=found.checked, problems=problems)


def _strange(url: str) -> list[tuple[str, UUID]]:
    """Return table and id of every row that lets somebody in, or says where a secret goes, and that nobody here wrote."""
    with reading(url, KNOCKING) as door:
        found = set(strangers(door, METADATA))
        # an installation without studies has no such account, and no connections
        with suppress(NotFoundError), reading(url, service_actor(door)) as session:
            found |= set(strangers(session, METADATA))
    return sorted(found)


async def keep_sealing(url: str, stop: asyncio.Event) -> None:
    """Seal some seven times a second and attest every five seconds, until `stop` is set; whatever goes wrong is logged and tried again."""
    sealer = Sealer(url, settings())
    await asyncio.gather(
        _keep(lambda: sealer.seal_once(is_attesting=False), stop, every=TICK),
        _keep(sealer.attest, stop, every=ATTEST_EVERY),
        _keep(sealer.lag, stop, every=LOOK),
    )


async def _keep(work: Callable[[], object], stop: asyncio.Event, *, every: float) -> None:
    """Do a work again and again in a thread, `every` seconds after it began last, later when it failed."""
    while not stop.is_set():
        began, wait = time.monotonic(), every
        try:
            await asyncio.to_thread(work)
        except TransientFault as error:
            logger.warning("The sealer lost the database and tries again: %s", error)
            wait = LOOK
        except FaultError as error:
            logger.critical("The sealer does not sign: %s", error)
            wait = LOOK
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, wait - (time.monotonic() - began))):
                await stop.wait()
