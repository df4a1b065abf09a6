"""The flow that drains the inbox."""

import asyncio

from prefect import State, flow, get_run_logger, task
from prefect.client.schemas.objects import TaskRun
from prefect.tasks import Task

from datamodel.kernel.errors import TransientFault
from datamodel.kernel.settings import settings
from pipelines.intake import steps
from pipelines.intake.steps import DrainSummary


async def _is_transient(_task: Task[..., object], _run: TaskRun, state: State[object]) -> bool:
    result = await state.aresult(raise_on_failure=False)
    return isinstance(result, TransientFault)


@task(name="file what arrived", retries=3, retry_delay_seconds=2, retry_condition_fn=_is_transient)
async def file_envelopes(study: str | None) -> DrainSummary:
    """Open every envelope that is due and file it."""
    url = settings().database_url.get_secret_value()
    return await asyncio.to_thread(steps.drain, url, study=study)


@flow(name="drain")
async def drain(study: str | None = None) -> dict[str, int]:
    """File everything that arrived (for one study, or for all) and return how many envelopes ended how."""
    logger = get_run_logger()
    summary = await file_envelopes(study)
    for receipt, sentence in summary.trouble:
        logger.warning("Receipt %s: %s", receipt, sentence)
    logger.info("%s filed, %s refused, %s to be tried again", summary.processed, summary.refused, summary.failed)
    return {"processed": summary.processed, "refused": summary.refused, "failed": summary.failed}
