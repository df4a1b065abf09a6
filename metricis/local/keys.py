"""Changing keys on this machine: the loop that takes one step after the other until nothing is left on an old key."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from datamodel.access.actor import KNOCKING, Actor
from datamodel.custody import actions, reads, start
from datamodel.kernel.errors import FaultError
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import reading, unit_of_work
from datamodel.migrations import schema
from datamodel.vault import rotation
from datamodel.vault.keyring import keyring
from datamodel.vault.seal import SealedColumn, sealed_columns

#: Values sealed anew in one transaction.
BATCH: Final = 2000
#: Seconds between the last value's new seal and the end of its old key: who has just read a value still opens it.
GRACE: Final = 2.0
#: Seconds to wait for rows that others hold locked, in all.
_PATIENCE: Final = 60.0
_REASON: Final = "keys changed on the command line"


@dataclass(frozen=True, slots=True)
class Rotated:
    """What a rotation did, in values and keys."""

    values: int
    studies: int
    destroyed: int
    seconds: float


def check_start(url: str) -> None:
    """Refuse to start web, worker or dispatcher with keys or values that are not as they must be; see `custody.start`."""
    assert schema.METADATA  # noqa: S101 - as below
    start.check_start(url)


def status(owner_url: str) -> reads.Status:
    """Return what is sealed with what."""
    assert schema.METADATA  # noqa: S101 - every table is imported, so every sealed column is known
    with unit_of_work(owner_url, KNOCKING) as unit:
        return reads.status(unit.session, settings(), now=unit.instant)


def rotate(
    owner_url: str,
    actor: Actor,
    *,
    approval: UUID | None = None,
    grace: float = GRACE,
    said: Callable[[str], None] = lambda _: None,
) -> Rotated:
    """Change every key, or go on with a change that was begun, while everything else runs.

    Raises
    ------
    RefusedError
        When the actor may not, or in production without a second person's approval.
    FaultError
        When values stay locked by others for a minute; run it again.
    """
    clock = time.monotonic()
    with unit_of_work(owner_url, actor, reason=_REASON) as unit:
        before = actions.begin_rotation(unit, approval=approval)
    studies = _change_keys(owner_url, actor, before)
    said(f"New keys seal from now on ({studies} studies and the installation).")
    values = _seal_all(owner_url, actor, said)
    time.sleep(grace)
    with unit_of_work(owner_url, actor, reason=_REASON) as unit:
        gone = actions.end_rotation(unit, retired_before=unit.instant)
    return Rotated(values, studies, len(gone), time.monotonic() - clock)


def _change_keys(owner_url: str, actor: Actor, before: datetime) -> int:
    with reading(owner_url, actor) as session:
        due = rotation.studies_due(session, before)
    changed = 0
    for study_id in due:
        with unit_of_work(owner_url, actor, reason=_REASON) as unit:
            changed += actions.change_study_key(unit, study_id, before=before)
    return changed


def _seal_all(owner_url: str, actor: Actor, said: Callable[[str], None]) -> int:
    done, end = 0, time.monotonic() + _PATIENCE
    while True:
        moved = 0
        for column in sealed_columns():
            while number := _batch(owner_url, actor, column):
                moved += number
        done += moved
        if moved:
            said(f"{done:,} values sealed anew.")
        with unit_of_work(owner_url, KNOCKING) as unit:
            left = rotation.left(keyring(unit.session))
        if not left:
            return done
        if not moved and time.monotonic() > end:
            raise FaultError(
                f"{left} values are still sealed with an old key, because others have held them locked for a minute. What was "
                "done is kept and everything can be read; run it again."
            )
        time.sleep(0.1)


def _batch(owner_url: str, actor: Actor, column: SealedColumn) -> int:
    with unit_of_work(owner_url, actor, reason=_REASON) as unit:
        return actions.seal_anew(unit, column, limit=BATCH)
