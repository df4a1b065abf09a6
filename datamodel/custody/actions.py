"""The verbs: change keys, seal values anew, take keys out of use. Each is one transaction on the owner's address."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.approvals import actions as approvals
from datamodel.approvals import reads as waiting
from datamodel.audit import ledger
from datamodel.custody.files import Change
from datamodel.custody.installed import ACTION, SUBJECT
from datamodel.kernel.errors import BadInputError, Refused, RefusedError, require
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import UnitOfWork
from datamodel.vault import rotation
from datamodel.vault.keyring import keyring
from datamodel.vault.seal import SealedColumn

_NEEDS_TWO = Refused(
    "needs-second-person",
    "In production keys are changed by two people; nothing was changed.",
    "Propose a key change under Accounts, let another administrator approve it there within a day, and run this again.",
)


def begin_rotation(unit: UnitOfWork[Actor], *, approval: UUID | None = None) -> datetime:
    """Begin a change of all keys and return the instant that keys must be newer than; a begun one is gone on with.

    In production it uses the approved proposal `approval`, or the one that two administrators approved lately.

    Raises
    ------
    RefusedError
        When the actor may not change keys, or in production without a second person's approval.
    """
    require(may(unit.actor, "system:keys:rotate"))
    began = rotation.unfinished(unit.session)
    if began is not None:
        return began
    if approval is None and settings().is_production:
        found = waiting.proposals(unit.session, unit.actor, study="", now=unit.instant)
        approval = next((one.id for one in found if (one.kind, one.state) == ("key_change", "approved")), None)
    if approval is not None:
        approvals.take(unit, approval, kind="key_change", study="")
    elif settings().is_production:
        raise RefusedError(_NEEDS_TWO)
    ring = keyring(unit.session)
    wrapped = rotation.rewrap(ring)
    # The key of what belongs to no study is changed with it: a rotation that was begun can be seen to have begun.
    ring.present(None)
    rotation.change_key(ring, None, before=unit.instant + timedelta(microseconds=1), at=unit.instant)
    change = {"new": {"root": ring.roots.present.id, "keys_wrapped_anew": wrapped}}
    ledger.record(unit, "custody.begin_rotation", subject="keys:installation", change=change)
    return unit.instant


def change_study_key(unit: UnitOfWork[Actor], study_id: UUID | None, *, before: datetime) -> bool:
    """Give one study (None: what belongs to no study) a new data key; False when it has one newer than `before`."""
    require(may(unit.actor, "system:keys:rotate"))
    changed = rotation.change_key(keyring(unit.session), study_id, before=before, at=unit.instant)
    if changed is None:
        return False
    change = {"old": {"key": changed[0]}, "new": {"key": changed[1]}}
    ledger.record(unit, "custody.change_study_key", subject="keys:study", study_id=study_id, change=change)
    return True


def seal_anew(unit: UnitOfWork[Actor], column: SealedColumn, *, limit: int) -> int:
    """Seal up to `limit` values of a column with their study's present key; return how many were."""
    require(may(unit.actor, "system:keys:rotate"))
    number = rotation.rewrite(keyring(unit.session), column, limit=limit)
    if number:
        change = {"new": {"column": f"{column.table}.{column.column}", "values": number}}
        ledger.record(unit, "custody.seal_anew", subject="keys:installation", change=change)
    return number


def end_rotation(unit: UnitOfWork[Actor], *, retired_before: datetime) -> Sequence[str]:
    """Destroy the retired keys that nothing is sealed with any more, and return their ids."""
    require(may(unit.actor, "system:keys:rotate"))
    gone = rotation.destroy_retired(keyring(unit.session), at=unit.instant, retired_before=retired_before)
    if gone:
        ledger.record(unit, "custody.end_rotation", subject="keys:installation", change={"old": {"keys": sorted(gone)}})
    return gone


def record_cutover(
    unit: UnitOfWork[Actor], *, study: str, study_id: UUID, result: str, signature: dict[str, str]
) -> UUID:
    """Write the signed result of a go/no-go check into the ledger and return the event's id."""
    require(may(unit.actor, "system:cutover:check"))
    return ledger.record(
        unit,
        "custody.record_cutover",
        study_id=study_id,
        subject=f"study:{study}",
        change={"new": {"result": json.loads(result), "signed": result, "signature": signature}},
    )


def record_restore(unit: UnitOfWork[Actor], *, how: str) -> UUID:
    """Write down that a backup was restored for a test, and how; the check of a study counts it for some time.

    Raises
    ------
    BadInputError
        When it is not said how.
    """
    require(may(unit.actor, "system:cutover:check"))
    if not how.strip():
        raise BadInputError(
            "Received no word on how the backup was restored; say where, from which day, and what was verified."
        )
    return ledger.record(
        unit, "custody.record_restore", subject="backup:installation", change={"new": {"how": how.strip()}}
    )


def record_files(
    unit: UnitOfWork[Actor], *, told: Mapping[str, Any], release: str = "", changes: Sequence[Change] = ()
) -> UUID:
    """Write down which files of the program belong here, signed (`installed.sign`); from then on starts are held against them.

    `release` and `changes` say what was recorded before and which files differ from it.
    """
    require(may(unit.actor, "system:files:record"))
    named = {kind: [one.path for one in changes if one.kind == kind] for kind in ("altered", "missing", "extra")}
    return ledger.record(
        unit, ACTION, subject=SUBJECT, change={"old": {"release": release}, "new": {**told, "changes": named}}
    )
