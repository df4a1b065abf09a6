"""The sync as a Prefect flow; the only file here that knows Prefect."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

from prefect import flow, runtime, task
from prefect.cache_policies import NO_CACHE
from prefect.utilities.annotations import quote

from datamodel.kernel.errors import TransientFault
from pipelines.ingest import steps
from pipelines.ingest.puller import Puller
from pipelines.ingest.run import IngestSummary, Run, open_run


async def _is_transient(_task: Any, _run: Any, state: Any) -> bool:
    """Say whether trying again may help."""
    return isinstance(await state.aresult(raise_on_failure=False), TransientFault)


def _closed[T](value: T) -> T:
    """Hand a value to a task as it is: Prefect must neither walk through it nor keep it."""
    return cast(T, quote(value))


def _patient[**P, R](step: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Coroutine[Any, Any, R]]:
    """Make a step a task that is tried again after a transient fault, and only then."""
    make = task(retries=2, retry_delay_seconds=[5, 20], retry_condition_fn=_is_transient, cache_policy=NO_CACHE)
    return make(step)


@_patient
async def design(run: Run) -> None:
    """Read and publish the design."""
    await asyncio.to_thread(steps.pull_design, run)


@_patient
async def participants(run: Run) -> None:
    """Read the list of records and keep the participants."""
    await asyncio.to_thread(steps.pull_participants, run)


@_patient
async def batch(run: Run, puller: Puller) -> bool:
    """Move one batch; say whether there was one."""
    return await asyncio.to_thread(steps.move, run, puller)


@_patient
async def finish(run: Run) -> IngestSummary:
    """Check that nothing changed under way and end the run."""
    return await asyncio.to_thread(steps.finish, run)


@flow(name="ingest", persist_result=False)
async def ingest(
    study: str, asked_by: str = "schedule", request: str | None = None, *, everything: bool = False
) -> IngestSummary:
    """Bring a study's records to what REDCap has now. A request to run (`request`) is taken with all that wait.

    What changed is pulled, and everything once a day, when the design changed, or when asked for (`everything`).
    """
    flow_run = str(runtime.flow_run.id or "")
    with open_run(study, asked_by=asked_by, request=request, flow_run=flow_run, everything=everything) as run:
        await design(_closed(run))
        await participants(_closed(run))
        with Puller(run) as puller:
            while await batch(_closed(run), _closed(puller)):
                pass
        return await finish(_closed(run))
