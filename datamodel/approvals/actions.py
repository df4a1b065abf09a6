"""The verbs: propose an act, approve it, turn it down, do it once."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from datamodel.access import people
from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.approvals import store
from datamodel.approvals.kinds import ALREADY, KINDS, LONGEST, Standing, may_approve, may_end, may_take
from datamodel.approvals.tables import ApprovalRow
from datamodel.audit import ledger
from datamodel.kernel.errors import BadInputError, NotFoundError, RefusedError, require
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import UnitOfWork

_VERBS: Final = {"approved": "approve", "ended": "end", "taken": "take"}
_NO_SUCH: Final = "There is no such proposal among those that you may see; nothing was done. Load the list again."
_NO_REASON: Final = "Received no reason; an act that needs two people needs one. Say why, in a sentence."


def propose(unit: UnitOfWork[Actor], kind: str, study: str, what: Mapping[str, Any]) -> UUID:
    """Propose an act that needs a second person, and return the proposal's id; it is good for 24 hours.

    `study` is a study's code, or empty for what concerns the whole installation (`key_change`). `what` says exactly what is to
    be done, in words and pseudonyms: the act reads it from here. The unit's reason says why.

    Raises
    ------
    RefusedError
        When the actor may not propose acts of this kind.
    BadInputError
        When the kind is unknown or no reason is given.
    NotFoundError
        When the study is unknown.
    """
    if kind not in KINDS:
        raise BadInputError(f"Received the kind “{kind}”; allowed are {', '.join(KINDS)}. Nothing was proposed.")
    require(may(unit.actor, KINDS[kind].permission, study=study, site=_site(kind, what)))
    reason = unit.reason.strip()
    if not reason:
        raise BadInputError(_NO_REASON)
    study_id = store.study_id(unit.session, study) if study else None
    if study and study_id is None:
        raise NotFoundError(f"There is no study with the code “{study}”; nothing was proposed.")
    approval_id = new_id()
    event_id = ledger.record(
        unit,
        "approvals.propose",
        study_id=study_id,
        subject=f"approval:{approval_id}",
        role=unit.actor.role(study),
        change={"new": {"kind": kind, "what": dict(what)}},
    )
    row = ApprovalRow(
        id=approval_id,
        study_id=study_id,
        kind=kind,
        what=dict(what),
        reason=reason,
        proposed_by=unit.actor.id,
        proposed_name=unit.actor.name,
        proposed_at=unit.instant,
        ends_at=unit.instant + LONGEST,
        event_id=event_id,
    )
    store.add(unit.session, row)
    return approval_id


def approve(unit: UnitOfWork[Actor], approval_id: UUID) -> None:
    """Approve what somebody else proposed.

    Raises
    ------
    RefusedError
        When the actor may not, proposed it, or when it was approved, turned down, done, or is over.
    NotFoundError
        When there is no such proposal for this actor.
    """
    row, standing, study = _found(unit, approval_id)
    require(may(unit.actor, KINDS[row.kind].permission, study=study, site=_site(row.kind, row.what)))
    require(may_approve(standing, unit.actor.id, now=unit.instant))
    _step(unit, row, "approved", study=study)


def end(unit: UnitOfWork[Actor], approval_id: UUID) -> None:
    """Turn a proposal down, or take one's own back; the unit's reason says why.

    Raises
    ------
    RefusedError
        When the actor may not, or when it was turned down, done, or is over.
    NotFoundError
        When there is no such proposal for this actor.
    """
    row, standing, study = _found(unit, approval_id)
    require(may(unit.actor, KINDS[row.kind].permission, study=study, site=_site(row.kind, row.what)))
    require(may_end(standing, now=unit.instant))
    _step(unit, row, "ended", study=study)


def take(unit: UnitOfWork[Actor], approval_id: UUID, *, kind: str, study: str) -> dict[str, Any]:
    """Use an approval for the act that this unit of work does, and return what was approved; once.

    Raises
    ------
    RefusedError
        When the actor may not, or when it was not approved, was done, turned down, or is over.
    NotFoundError
        When there is no such proposal of that kind and study for this actor.
    """
    row, standing, at = _found(unit, approval_id)
    if (row.kind, at) != (kind, study):
        raise NotFoundError(_NO_SUCH)
    require(may(unit.actor, KINDS[kind].permission, study=study, site=_site(kind, row.what)))
    require(may_take(standing, now=unit.instant, own=unit.actor.id if KINDS[kind].is_of_one else None))
    _step(unit, row, "taken", study=study)
    return dict(row.what)


def _found(unit: UnitOfWork[Actor], approval_id: UUID) -> tuple[ApprovalRow, Standing, str]:
    found = store.approval(unit.session, approval_id)
    if found is None:
        raise NotFoundError(_NO_SUCH)
    row, steps = found
    study = store.study_code(unit.session, row.study_id) if row.study_id else ""
    return row, Standing(row.proposed_by, row.ends_at, tuple(steps)), study


def _site(kind: str, what: Mapping[str, Any]) -> str | None:
    """Return the site of the participant that an act is about, when it is about one."""
    return str(what.get("site") or "") or None if KINDS[kind].is_of_one else None


def _step(unit: UnitOfWork[Actor], row: ApprovalRow, step: str, *, study: str) -> None:
    event_id = ledger.record(
        unit,
        f"approvals.{_VERBS[step]}",
        study_id=row.study_id,
        subject=f"approval:{row.id}",
        role=unit.actor.role(study),
        change={"new": {"kind": row.kind, "what": row.what}},
    )
    values: dict[str, object] = {
        "id": new_id(),
        "approval_id": row.id,
        "step": step,
        "account_id": unit.actor.id,
        "account_name": unit.actor.name,
        "at": unit.instant,
        "reason": unit.reason,
        "event_id": event_id,
    }
    if not store.step(unit.session, values):
        raise RefusedError(ALREADY)


def let_see(unit: UnitOfWork[Actor], approval_id: UUID, *, study: str) -> None:
    """Do what an approval of the kind `unblinding` says: give or change a role so that somebody sees blinded values.

    Raises
    ------
    RefusedError, NotFoundError, BadInputError
        As for `take`, and when the role cannot be given by the actor.
    """
    what = take(unit, approval_id, kind="unblinding", study=study)
    try:
        account_id, role = UUID(str(what["account"])), str(what["role"])
    except (KeyError, ValueError) as error:
        raise BadInputError("This proposal does not say who is to see what; propose it again.") from error
    people.unblind(
        unit,
        account_id=account_id,
        study=study,
        role=role,
        site=what.get("site") or None,
        is_unblinded=bool(what.get("is_unblinded")),
        approval_id=approval_id,
    )
