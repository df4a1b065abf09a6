"""Recording and checking the program's files on this machine."""

import compileall
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from datamodel.checkpoints.sealer import Sealer
from datamodel.custody import actions, files, installed
from datamodel.custody import libraries as others
from datamodel.custody.files import Place
from datamodel.custody.installed import TamperedError, Verdict
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import unit_of_work
from metricis.local.crash import COPY
from metricis.local.installation import enter, home
from metricis.local.people import installer
from pipelines.custody.steps import seal


@dataclass(frozen=True, slots=True)
class Made:
    """What was recorded. `before` is what the record before says now, `copy` the list as a file."""

    files: int
    release: str
    before: Verdict | None
    doubt: str
    copy: Path


def check_start(url: str) -> None:
    """Refuse to start on files that are not those that were recorded; see `custody.installed`."""
    installed.check_files(url)


def verify(*, libraries: bool = False) -> Verdict:
    """Hold every file against the newest record; with `libraries` also those of other people's packages, against their lists."""
    found = installed.look(enter())
    if not libraries:
        return found
    number, wrong = others.changes(files.here().libraries)
    return replace(found, files=found.files + number, changes=(*found.changes, *wrong))


def record(*, reason: str = "", place: Place | None = None) -> Made:
    """Record the files that are here now, signed; what differs from the record before is told in the ledger.

    Raises
    ------
    FaultError
        When there is no key to sign with.
    """
    url, at = enter(), place or files.here()
    Sealer(url, settings()).identity()  # pinned now when nothing was ever sealed
    _compile(at)
    before, doubt = None, ""
    try:
        before = installed.look(url, place=at)
    except TamperedError as error:
        doubt = str(error)
    found = files.listed(at)
    told = installed.sign(files.written(found), number=len(found), given=settings())
    actor = installer(url)
    with unit_of_work(url, actor, reason=reason or "asked for on the command line") as unit:
        kept = before.recorded if before else None
        actions.record_files(
            unit, told=told, release=kept.release if kept else "", changes=before.changes if before else ()
        )
    seal(url)
    return Made(len(found), told["release"], before, doubt, _keep(files.packaged(found)))


def _compile(place: Place) -> None:
    """Let Python make its compiled copies now, so that they are recorded with their sources."""
    if sys.dont_write_bytecode:
        return
    for package in files.PACKAGES:
        compileall.compile_dir(place.root / package, quiet=2)


def _keep(found: dict[str, str]) -> Path:
    path = home() / COPY
    fresh = path.with_name(f"{path.name}.{os.urandom(4).hex()}")
    fresh.write_text(files.written(found), "utf-8")
    fresh.replace(path)
    return path
