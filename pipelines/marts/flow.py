"""Snapshots, as Prefect runs them."""

import asyncio

from prefect import State, flow, get_run_logger, task
from prefect.client.schemas.objects import TaskRun
from prefect.tasks import Task

from datamodel.kernel.errors import TransientFault
from datamodel.kernel.settings import settings
from exports.marts.reader import Snapshot
from pipelines.marts import steps


async def _is_transient(_task: Task[..., object], _run: TaskRun, state: State[object]) -> bool:
    result = await state.aresult(raise_on_failure=False)
    return isinstance(result, TransientFault)


@task(name="take a snapshot", retries=3, retry_delay_seconds=[2, 10, 30], retry_condition_fn=_is_transient)
async def take(study: str) -> Snapshot:
    """Take a snapshot; tried again only when PostgreSQL went away."""
    url = settings().database_url.get_secret_value()
    return await asyncio.to_thread(
        steps.snapshot, url, study=study, folder=settings().marts_folder, reason="after a sync"
    )


@flow(name="marts")
async def marts(study: str) -> int:
    """Take a snapshot of `study` when something changed since the newest one; return the newest one's number."""
    taken = await take(study)
    get_run_logger().info(steps.sentence(taken))
    return taken.number
