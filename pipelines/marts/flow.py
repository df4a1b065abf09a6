"""Snapshots, as Prefect runs them."""

import asyncio

from prefect import flow, get_run_logger, task

from datamodel.kernel.errors import TransientFault
from datamodel.kernel.settings import settings
from exports.marts.reader import Snapshot
from pipelines.marts import steps


@task(retries=3, retry_delay_seconds=[2, 10, 30], retry_condition_fn=lambda _task, _run, state: _is_transient(state))
async def take(study: str) -> Snapshot:
    """Take a snapshot; tried again only when PostgreSQL went away."""
    url = settings().database_url.get_secret_value()
    return await asyncio.to_thread(steps.snapshot, url, study=study, folder=settings().marts_folder, reason="after sync")


@flow(name="marts")
async def marts(study: str) -> int:
    """Take a snapshot of `study` when something changed since the newest one; return the newest one's number."""
    taken = await take(study)
    get_run_logger().info(steps.sentence(taken))
    return taken.number


def _is_transient(state: object) -> bool:
    """Say whether a failed task's state holds a fault that a retry may cure."""
    return isinstance(getattr(state, "data", None), TransientFault)
