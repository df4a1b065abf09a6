"""Take a snapshot: seal the ledger, read as of its position, build aside, check, rename, and tell the ledger."""

import fcntl
import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import text
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.audit import ledger
from datamodel.audit.reads import checkpoint_of
from datamodel.kernel.clock import Clock
from datamodel.kernel.errors import NotFoundError, Refused, RefusedError, require
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import sealing, unit_of_work
from datamodel.study import reads as studies
from exports.marts import source
from exports.marts.build import Build, Progress, build
from exports.marts.names import FORMAT
from exports.marts.reader import DESCRIPTION, Snapshot, file_name, numbers, open_snapshot
from validators.core.report import Breach

#: How long to wait for other transactions to end, so that what was just committed has its position, in seconds.
_SETTLE: Final = 5.0
_SHOWN: Final = 5


class SnapshotRefusedError(RefusedError):
    """The study's tables break their contracts; `report` lists how. No snapshot was made."""

    def __init__(self, study: str, report: list[Breach]) -> None:
        first = "; ".join(one.sentence for one in report[:_SHOWN])
        more = f"; and {len(report) - _SHOWN} more" if len(report) > _SHOWN else ""
        super().__init__(
            Refused(
                "snapshot-breaks-contract",
                f"No snapshot of {study} was made, since its tables break {len(report)} rules: {first}{more}.",
                "Correct the values at their source or the study's design, sync, and take the snapshot again.",
            )
        )
        self.report = report


def take_snapshot(
    url: str,
    *,
    study: str,
    folder: Path,
    actor: Actor,
    reason: str = "",
    clock: Clock | None = None,
    progress: Progress | None = None,
) -> Snapshot:
    """Take a numbered snapshot of `study` below the marts' `folder` and return it.

    When nothing of the study changed since the newest snapshot, that one is returned and nothing is written.

    Raises
    ------
    RefusedError
        When `actor` may not take snapshots; `SnapshotRefusedError` when a table breaks its contract.
    NotFoundError
        When there is no such study.
    TransientFault
        When PostgreSQL goes away; nothing is left behind.
    """
    require(may(actor, "study:data:snapshot", study=study))
    unblinded = bool(may(actor, "study:blinded:read", study=study))
    with unit_of_work(url, actor) as unit:
        about = studies.study(unit.session, study)
    settle(url, actor, about.id)
    with unit_of_work(url, actor, clock=clock) as unit:
        position, now = ledger.moment(unit.session)
        now = unit.instant if clock else now
        head = checkpoint_of(unit.session, study)
    with only_one(folder / study), source.as_of(url, actor=actor, study_id=about.id, position=position) as of:
        data = source.data_position(of)
        if (present := _unchanged(of, folder, study, data)) is not None:
            return open_snapshot(folder, study, number=present, unblinded=unblinded)
        number = max(numbers(folder, study), default=0) + 1
        with aside(folder / study, number) as place:
            today = now.astimezone(ZoneInfo(about.time_zone)).date()
            design, work = build(of, place, mode=about.integration_mode, today=today, progress=progress)
            if work.found:
                raise SnapshotRefusedError(study, work.found)
            event_id = new_id()
            described = describe(
                place, work, number=number, of=of, data=data, design=design, at=now, event=event_id, head=head
            )
            _publish(url, actor, place=place, described=described, study_id=about.id, study=study, reason=reason)
    return open_snapshot(folder, study, number=number, unblinded=unblinded)


def settle(url: str, actor: Actor, study_id: UUID) -> None:
    """Give positions to all that was committed, waiting a little while an older transaction still runs."""

    def unsealed() -> int:
        with sealing(url) as session:
            ledger.seal(session)
        with unit_of_work(url, actor) as unit:
            waiting = text(
                "select count(*) from app.audit_event e where e.study_id = :study "
                "and not exists (select 1 from app.audit_entry s where s.event_id = e.id)"
            )
            return int(unit.session.execute(waiting, {"study": study_id}).scalar_one())

    # What still has no position after that belongs to the next snapshot.
    Retrying(
        retry=retry_if_result(bool),
        wait=wait_fixed(0.1),
        stop=stop_after_delay(_SETTLE),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
    )(unsealed)


@contextmanager
def only_one(place: Path) -> Iterator[None]:
    """Let one process at a time take snapshots of a study; a killed one gives way at once."""
    place.mkdir(parents=True, exist_ok=True)
    with (place / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _unchanged(of: source.Source, folder: Path, study: str, data: int) -> int | None:
    """Return the newest snapshot's number when it shows the same data in the same format, else None.

    A folder whose event is not in the ledger was left by a process that died between renaming and committing.
    """
    try:
        newest = open_snapshot(folder, study, unblinded=False)
    except NotFoundError:
        return None
    event = UUID(newest.about["event_id"])
    known = of.frame("select count(*)::bigint as n from app.audit_event where id = {event}::uuid", event=str(event))
    if not known.item():
        shutil.rmtree(newest.folder)
        return _unchanged(of, folder, study, data)
    is_same = newest.data_position == data and newest.about["format"] == FORMAT
    return newest.number if is_same and newest.about["software"] == software() else None


@contextmanager
def aside(place: Path, number: int) -> Iterator[Path]:
    """Give a folder to build in; whatever is left in it, or was left by a killed process, is removed."""
    for left in place.glob(".building-*"):
        shutil.rmtree(left)
    building = place / f".building-{number}"
    building.mkdir(mode=0o700)
    try:
        yield building
    finally:
        shutil.rmtree(building, ignore_errors=True)  # gone already when it was renamed


def describe(
    place: Path,
    work: Build,
    *,
    number: int,
    of: source.Source,
    data: int,
    design: int,
    at: datetime,
    event: UUID,
    head: str = "",
) -> dict[str, Any]:
    """Write `snapshot.json` and make all files read-only; return what was written."""
    files = {name: place / name for name in (file_name(is_blinded=False), file_name(is_blinded=True))}
    described = {
        "number": number,
        "position": of.position,
        "data_position": data,
        "taken_at": at.isoformat(),
        "design_version": design,
        "format": FORMAT,
        "software": software(),
        "event_id": str(event),
        "checkpoint": head,
        "rows": work.rows,
        "sha256": {name: _digest(path) for name, path in files.items()},
    }
    (place / DESCRIPTION).write_bytes(orjson.dumps(described, option=orjson.OPT_INDENT_2))
    for path in place.iterdir():
        path.chmod(0o440)
    return described


def _publish(
    url: str, actor: Actor, *, place: Path, described: dict[str, Any], study_id: UUID, study: str, reason: str
) -> None:
    """Tell the ledger and rename the folder in one step: either both happened or neither."""
    final = place.with_name(str(described["number"]))
    try:
        with unit_of_work(url, actor, reason=reason) as unit:
            ledger.record(
                unit,
                "marts.take_snapshot",
                study_id=study_id,
                subject=f"snapshot:{described['number']}",
                role=actor.role(study),
                change={
                    "new": {
                        key: value for key, value in described.items() if key not in {"event_id", "rows", "checkpoint"}
                    }
                },
                event_id=UUID(described["event_id"]),
            )
            place.rename(final)
    except BaseException:
        if final.exists():
            shutil.rmtree(final)
        raise


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def software() -> str:
    """Return the version that makes snapshots now."""
    return installed_version("metricis")
