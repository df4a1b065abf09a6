"""The recipe of a whole refresh."""

from prefect import flow

from pipelines.ingest.flow import ingest
from pipelines.marts.flow import marts
from pipelines.sdtm.flow import sdtm


@flow(name="refresh")
async def refresh(study: str, request: str | None = None) -> None:
    """Pull `study` from REDCap, take a snapshot when something changed, and export SDTM from it.

    `request` is the id of the request that asked for this run, when somebody did. A part that fails ends the run: what
    was derived before stays as it is, and nothing is derived from a half.
    """
    await ingest(study, request=request)
    await marts(study)
    await sdtm(study)
