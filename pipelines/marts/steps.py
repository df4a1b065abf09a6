"""Take a snapshot as the machine account of the flows."""

from pathlib import Path

from datamodel.access import reads as access
from datamodel.access.actor import KNOCKING
from datamodel.kernel.unit import unit_of_work
from exports.marts.build import Progress
from exports.marts.reader import Snapshot
from exports.marts.snapshot import take_snapshot


def snapshot(url: str, *, study: str, folder: Path, reason: str = "", progress: Progress | None = None) -> Snapshot:
    """Take a snapshot of `study` below `folder`, or return the newest one when nothing changed since."""
    with unit_of_work(url, KNOCKING) as unit:
        actor = access.service_actor(unit.session)
    return take_snapshot(url, study=study, folder=folder, actor=actor, reason=reason, progress=progress)


def sentence(taken: Snapshot) -> str:
    """Return what the log says of a snapshot."""
    rows = sum(taken.about["rows"].values())
    return (
        f"Snapshot {taken.number} of {taken.study}: {rows:,} rows in {len(taken.about['rows'])} tables, "
        f"as of ledger position {taken.position}."
    )
