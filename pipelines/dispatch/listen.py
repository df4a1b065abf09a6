"""Wait for news, and handle it."""

import asyncio
import contextlib
import logging
import signal

import psycopg
from prefect.deployments.flow_runs import arun_deployment

from datamodel.connections import reads as connections
from datamodel.custody.installed import check_files
from datamodel.custody.start import check_start
from datamodel.kernel.database import libpq_url
from datamodel.kernel.errors import MetricisError
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import reading
from pipelines.custody import steps as custody
from pipelines.intake import steps as intake
from pipelines.intake.flow import drain
from pipelines.notices import steps as notices

logger = logging.getLogger("metricis.dispatch")
#: Seconds between sweeps when nothing is heard.
SWEEP = 5.0


async def dispatch(stop: asyncio.Event) -> None:
    """Listen until `stop` is set; a lost database is waited for."""
    url = settings().database_url.get_secret_value()
    while not stop.is_set():
        try:
            async with await psycopg.AsyncConnection.connect(libpq_url(url), autocommit=True) as connection:
                await connection.execute("listen metricis")
                while not stop.is_set():
                    await handle(url)
                    await _news(connection)
        except (psycopg.OperationalError, MetricisError) as error:
            logger.warning("The dispatcher lost the database and tries again: %s", type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), SWEEP)


async def handle(url: str) -> None:
    """Drain what arrived, send the mail that waits, and start what was asked for."""
    if await asyncio.to_thread(_pending, url):
        await drain()
    await asyncio.to_thread(notices.deliver, url)
    for study, request in await asyncio.to_thread(_requests, url):
        await arun_deployment(
            f"refresh/{study}",
            parameters={"study": study, "request": str(request)},
            timeout=0,
            idempotency_key=str(request),
        )


async def _news(connection: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
    """Return at the first message, or after a sweep's time."""
    async for _ in connection.notifies(timeout=SWEEP, stop_after=1):
        return


def _pending(url: str) -> bool:
    return intake.has_pending(url)


def _requests(url: str) -> list[tuple[str, object]]:
    actor = intake.service(url)
    if actor is None:
        return []
    with reading(url, actor) as session:
        return [(one.study, one.id) for one in connections.open_requests(session)]


async def main() -> None:
    """Run until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    url = settings().database_url.get_secret_value()
    check_start(url)
    check_files(url)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    sealing = asyncio.create_task(custody.keep_sealing(url, stop))
    listening = asyncio.create_task(dispatch(stop))
    await asyncio.wait({asyncio.create_task(stop.wait()), sealing}, return_when=asyncio.FIRST_COMPLETED)
    await sealing
    listening.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await listening


if __name__ == "__main__":
    asyncio.run(main())
