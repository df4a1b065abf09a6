"""The verb: bring the participants of a study to what their source says."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import orjson

from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.audit import ledger
from datamodel.kernel.errors import BadInputError, require
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import UnitOfWork
from datamodel.participants import store
from datamodel.participants.facts import Difference, Facts, difference
from datamodel.study import reads as study_reads


@dataclass(frozen=True, slots=True)
class Ensured:
    """What came of it, in participants. `event_id` is None when nothing changed."""

    new: int
    changed: int
    event_id: UUID | None


def ensure(unit: UnitOfWork[Actor], *, study: str, facts: Sequence[Facts]) -> Ensured:
    """Add the participants that are new and bring the others up to `facts`; those not given stay as they are.

    Raises
    ------
    RefusedError
        When the actor may not add participants.
    NotFoundError
        When the study is unknown.
    BadInputError
        When a code comes twice or a site is not one of the study's; nothing was written.
    """
    require(may(unit.actor, "study:participants:enrol", study=study))
    found = study_reads.study(unit.session, study)
    store.lock(unit.session, found.id)
    sites = {site.code: site.id for site in study_reads.sites(unit.session, found.id)}
    _check(facts, sites)
    change = difference(store.present(unit.session, found.id), facts)
    if change.is_empty:
        return Ensured(new=0, changed=0, event_id=None)
    event_id = new_id()
    _save(unit, change, study_id=found.id, sites=sites, event_id=event_id)
    ledger.record(
        unit,
        "participants.ensure",
        study_id=found.id,
        subject=f"study:{study}",
        role=unit.actor.role(study),
        change=_account(change),
        event_id=event_id,
    )
    return Ensured(new=len(change.new), changed=len(change.changed), event_id=event_id)


def _check(facts: Sequence[Facts], sites: dict[str, UUID]) -> None:
    if len({one.code for one in facts}) != len(facts):
        raise BadInputError("A participant came twice in one list; nothing was written. Each may come once.")
    unknown = sorted({one.site for one in facts if one.site} - sites.keys())
    if unknown:
        raise BadInputError(
            f"Received the site “{unknown[0]}”, which the study does not have; nothing was written. Add the site first."
        )


def _save(
    unit: UnitOfWork[Actor], change: Difference, *, study_id: UUID, sites: dict[str, UUID], event_id: UUID
) -> None:
    session = unit.session
    store.insert_new(session, change.new, study=study_id, sites=sites, event_id=event_id)
    store.update_changed(session, change.changed, study=study_id, sites=sites, event_id=event_id)
    by_code = store.ids(session, study_id)
    store.add_status(session, change.status_changed, ids_by_code=by_code, at=unit.instant, event_id=event_id)
    store.allocate(session, change.arm_changed, ids_by_code=by_code, event_id=event_id)


def _account(change: Difference) -> dict[str, object]:
    """Return what the ledger says: counts, status by participant, and a digest; never an arm."""
    rows = sorted(
        [one.code, one.site, one.status, str(one.enrolled_on or ""), str(one.anchor_on or "")]
        for one in (*change.new, *change.changed)
    )
    return {
        "new": len(change.new),
        "changed": len(change.changed),
        "arms_set": len(change.arm_changed),
        "rows_sha256": hashlib.sha256(orjson.dumps(rows)).hexdigest(),
    }
