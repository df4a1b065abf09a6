"""The submission package, as Prefect runs it every night."""

import asyncio

from prefect import flow, get_run_logger, task
from prefect.artifacts import acreate_markdown_artifact

from datamodel.kernel.settings import settings
from exports.submission.export import Export
from pipelines.submission import steps


@task(name="build the submission package", persist_result=False)
async def build(study: str) -> Export:
    """Build the package of the newest snapshot."""
    return await asyncio.to_thread(
        steps.build,
        settings().database_url.get_secret_value(),
        study=study,
        marts=settings().marts_folder,
        exports=settings().exports_folder,
        shelf=settings().home / "standards",
    )


@flow(name="submission")
async def submission(study: str) -> dict[str, int]:
    """Build the package of `study`, keep its summary as an artifact, and return the findings of each severity."""
    if not steps.has_mapping(study):
        get_run_logger().info("No mapping to SDTM was written for this study; nothing was built.")
        return {}
    done = await build(study)
    await acreate_markdown_artifact(
        key=f"submission-{study.replace('_', '-').lower()}",
        markdown=steps.summary(done),
        description=f"Submission package of {study}, snapshot {done.snapshot}",
    )
    get_run_logger().info(
        "Submission package of snapshot %s: %s", done.snapshot, "written" if done.package else "present and whole"
    )
    return done.manifest.findings
