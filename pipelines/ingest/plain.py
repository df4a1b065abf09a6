"""The sync without Prefect: for the demo, tests and benchmarks."""

from collections.abc import Callable

from pipelines.clients.redcap import RedcapClient
from pipelines.ingest import steps
from pipelines.ingest.puller import Puller
from pipelines.ingest.run import IngestSummary, Progress, open_run


def run_ingest(
    study: str,
    *,
    asked_by: str = "command line",
    url: str = "",
    client: Callable[[str, str], RedcapClient] = RedcapClient,
    progress: Progress | None = None,
    everything: bool = False,
) -> IngestSummary:
    """Bring a study's records to what REDCap has now, in this process. Arguments and errors are `open_run`'s."""
    with open_run(study, asked_by=asked_by, url=url, client=client, progress=progress, everything=everything) as run:
        steps.pull_design(run)
        steps.pull_participants(run)
        with Puller(run) as puller:
            while steps.move(run, puller):
                pass
        return steps.finish(run)
