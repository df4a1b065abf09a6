"""The trial: into the REDCap simulator, connected, and refreshed."""

import time
from collections.abc import Callable, Sequence
from typing import Final

from datamodel.connections import actions as connections
from datamodel.connections import reads as connection_reads
from datamodel.connections.reads import Run
from datamodel.kernel.errors import FaultError, NotFoundError
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import unit_of_work
from datamodel.trail import actions as trail
from datamodel.trail import reads as trail_reads
from metricis.demo.people import MAPPING, staff
from metricis.demo.places import STUDY, Places, keep_project_token, project_token
from metricis.demo.report import Outcome
from metricis.local.orchestrator import Orchestrator
from simulators.cdiscpilot import load as simulated

#: What Prefect tells of a run that was refused because another one is at work.
_BUSY: Final = "is running already"
_TRIES: Final = 3
#: Values that decide about safety, exposure and the primary endpoint: a change of one waits for review.
CRITICAL: Final = (
    ("adverse_events", "ae_serious"),
    ("adverse_events", "ae_outcome"),
    ("exposure", "ex_dose"),
    ("adas_cog", "adas_total"),
    ("disposition", "ds_reason"),
)

#: (form, rows done, rows of the form)
Told = Callable[[str, int, int], None]


def load(places: Places, *, subjects: int | None, told: Told) -> str:
    """Create the REDCap project on a first start, load what it lacks, and return its token."""
    token = project_token(places.home)
    if token is None:
        token = simulated.create_project(api_url=places.redcap_api, super_token=places.super_token)
        keep_project_token(places.home, token)
    simulated.load_into(api_url=places.redcap_api, token=token, subjects=subjects, progress=told)
    return token


def connect(url: str, places: Places, *, token: str) -> None:
    """Connect the study to its project, unless it is connected just so."""
    owner = staff(url, "owner")
    with unit_of_work(url, owner, reason="demo") as unit:
        try:
            present = connection_reads.connection(unit.session, owner, study=STUDY)
        except NotFoundError:
            present = None
        if present is None or present.api_url != places.redcap_api or present.mapping != MAPPING:
            connections.connect(
                unit,
                study=STUDY,
                api_url=places.redcap_api,
                token=token,
                mapping=MAPPING,
                server_time_zone="UTC",
            )


def refresh(url: str, orchestrator: Orchestrator, *, told: Callable[[str], None], alive: Callable[[], None]) -> Outcome:
    """Run the refresh deployment to its end and return what happened.

    A run that finds a scheduled one at work waits for it and is started again; what both brought counts.

    Raises
    ------
    FaultError
        When the run failed, with the sentence of the sync when it has one.
    """
    before = {one.id for one in _runs(url)}
    for _ in range(_TRIES):
        started = time.time()
        run_id = orchestrator.start(f"refresh/{STUDY}", parameters={"study": STUDY, "everything": True})
        while not (run := orchestrator.run(run_id)).is_done:
            alive()
            told(_words(_newest(url)))
            time.sleep(0.5)
        sync = _newest(url)
        ended = [one for one in _runs(url) if one.id not in before and one.state == "succeeded"]
        if run.state == "COMPLETED" and ended:
            return _outcome(ended, orchestrator.seconds_by_flow(since=started - 1))
        if _BUSY not in run.message:
            break
        while (sync := _newest(url)) is not None and sync.state == "running":
            alive()
            time.sleep(0.5)
    raise FaultError(f"The refresh ended as {run.state.lower()}. {sync.sentence if sync else run.message}")


def name_critical(url: str) -> None:
    """Say which fields of the trial are critical, unless the study has such a list already."""
    manager = staff(url, "data_manager")
    with unit_of_work(url, manager, reason="demo") as unit:
        if not trail_reads.critical_fields(unit.session, manager, study=STUDY):
            trail.mark_critical(unit, study=STUDY, fields=CRITICAL)


def _outcome(syncs: Sequence[Run], seconds: dict[str, float]) -> Outcome:
    """Tell the newest sync, with what all of them changed: a scheduled one may have come before it or after it."""
    from exports.marts.reader import open_snapshot

    sync = syncs[0]
    snapshot = open_snapshot(settings().marts_folder, STUDY)
    stages: dict[str, float] = {stage: seconds[stage] for stage in ("ingest", "marts", "sdtm") if stage in seconds}
    return Outcome(
        rows_in=sync.rows_in,
        rows_accepted=sync.rows_accepted,
        rows_changed=sum(one.rows_changed for one in syncs),
        findings=sync.findings,
        seconds=stages,
        snapshot=snapshot.number,
        position=snapshot.position,
        sdtm_folder=str(settings().exports_folder / STUDY / "sdtm" / f"{snapshot.number:04d}"),
    )


def _newest(url: str) -> Run | None:
    return next(iter(_runs(url, limit=1)), None)


def _runs(url: str, *, limit: int = 50) -> list[Run]:
    """Return the newest syncs, newest first."""
    manager = staff(url, "data_manager")
    with unit_of_work(url, manager) as unit:
        return connection_reads.runs(unit.session, manager, study=STUDY, limit=limit)


def _words(run: Run | None) -> str:
    if run is None or run.state != "running":
        return ""
    return f"{run.rows_in:,} rows read, {run.rows_accepted:,} accepted, {run.findings:,} findings"
