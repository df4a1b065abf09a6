"""The SDTM export, as Prefect runs it."""

import asyncio

from prefect import flow, get_run_logger, task

from datamodel.kernel.settings import settings
from pipelines.sdtm import steps


@task(name="export SDTM")
async def export(study: str) -> steps.Export:
    """Write the package of the newest snapshot."""
    return await asyncio.to_thread(
        steps.export,
        settings().database_url.get_secret_value(),
        study=study,
        marts=settings().marts_folder,
        exports=settings().exports_folder,
    )


@flow(name="sdtm")
async def sdtm(study: str) -> dict[str, int]:
    """Export the newest snapshot of `study` as SDTM and return the rows of each domain that was written."""
    if not steps.has_mapping(study):
        get_run_logger().info("No mapping to SDTM was written for this study; nothing was exported.")
        return {}
    done = await export(study)
    get_run_logger().info("SDTM of snapshot %s: %s", done.snapshot, done.rows or "present and whole")
    return done.rows
