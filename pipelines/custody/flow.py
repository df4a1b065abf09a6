"""The nightly check of the ledger."""

import asyncio

from prefect import flow, get_run_logger

from datamodel.kernel.errors import FaultError
from datamodel.kernel.settings import settings
from pipelines.custody import steps


@flow(name="verify-ledger")
async def verify_ledger() -> int:
    """Verify the whole ledger and return how many entries were checked; the run fails when something is wrong."""
    verdict = await asyncio.to_thread(steps.verify_all, settings().database_url.get_secret_value())
    for problem in verdict.problems:
        get_run_logger().error("Position %s: %s", problem.position, problem.detail)
    if not verdict.is_ok:
        raise FaultError(
            f"The ledger has {len(verdict.problems)} problems among {verdict.checked} entries. "
            "Stop writing to this database, keep it as it is, and compare it with the last good backup."
        )
    return verdict.checked
