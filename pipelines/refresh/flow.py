"""The recipe of a whole refresh."""

import asyncio

from prefect import flow, get_run_logger

from pipelines.ingest.flow import ingest
from pipelines.ingest.run import is_closed
from pipelines.marts.flow import marts
from pipelines.sdtm.flow import sdtm
from pipelines.submission.flow import submission


@flow(name="refresh")
async def refresh(study: str, request: str | None = None, *, everything: bool = False) -> None:
    """Pull `study` from REDCap, take a snapshot when something changed, export SDTM from it, and check and package it.

    `request` is the id of the request that asked for this run, when somebody did; `everything` pulls records that did not change
    too. A part that fails ends the run: what
    was derived before stays as it is, and nothing is derived from a half.
    """
    if await asyncio.to_thread(is_closed, study):
        get_run_logger().info("The study is closed: nothing is asked of REDCap, and what was derived stays as it is.")
        return
    await ingest(study, request=request, everything=everything)
    await marts(study)
    await sdtm(study)
    await submission(study)
