"""The verbs: invent participants with their data, set their anchor date, take them out; each carries out one order."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.audit import ledger
from datamodel.kernel.errors import Refused, RefusedError, require
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import UnitOfWork
from datamodel.participants import actions as participants
from datamodel.records import actions as records
from datamodel.rehearsal import reads as rehearsals
from datamodel.rehearsal.actions import NOT_A_COPY
from datamodel.rehearsal.surfaces import opened
from datamodel.study import reads as study_reads
from datamodel.testdata import store
from datamodel.testdata.people import BEGINNING, Row, course, invent


@dataclass(frozen=True, slots=True)
class Written:
    """What came of an order: participants that are new or other, and revisions of forms."""

    participants: int
    revisions: int


def generate(unit: UnitOfWork[Actor], *, study: str, order: UUID) -> Written:
    """Add the participants that were ordered, with everything that would have been entered until the day of the order.

    Raises
    ------
    RefusedError
        In production, without development mode, without the right to write values, when the study is no rehearsal copy, or
        the order is another one's or was carried out.
    NotFoundError
        When study or design is unknown.
    """
    require(opened(settings()))
    require(may(unit.actor, "study:records:revise", study=study))
    asked, found = _asked(unit, study, order, act="generate"), study_reads.study(unit.session, study)
    protocol = study_reads.design(unit.session, found.id).protocol
    until, seed = date.fromisoformat(asked["until"]), int(asked["seed"])
    people = invent(
        protocol,
        first=_next(store.invented(unit.session, found.id)),
        count=int(asked["participants"]),
        sites=[site.code for site in study_reads.sites(unit.session, found.id)],
        until=until,
        seed=seed,
    )
    ensured = participants.ensure(unit, study=study, facts=[one.facts for one in people])
    rows: dict[str, list[Row]] = {}
    for one in people:
        for form, row in course(protocol, one, until=until, seed=seed):
            rows.setdefault(form, []).append(row)
    written = sum(
        records.revise_batch(unit, study=study, form=form, rows=given, source="staff").revisions
        for form, given in rows.items()
    )
    ledger.record(
        unit,
        "testdata.generate",
        study_id=found.id,
        subject=f"study:{study}",
        role=unit.actor.role(study),
        change={"new": {"order": str(order), "participants": ensured.new, "revisions": written}},
    )
    return Written(ensured.new, written)


def set_anchors(unit: UnitOfWork[Actor], *, study: str, order: UUID) -> Written:
    """Set the anchor date of every invented participant who has one to the day that was ordered; errors as `generate`."""
    require(opened(settings()))
    require(may(unit.actor, "study:participants:enrol", study=study))
    asked, found = _asked(unit, study, order, act="set_anchors"), study_reads.study(unit.session, study)
    day = date.fromisoformat(asked["on"])
    people = [one for one in store.invented(unit.session, found.id) if one.anchor_on is not None]
    ensured = participants.ensure(unit, study=study, facts=[replace(one, anchor_on=day) for one in people])
    ledger.record(
        unit,
        "testdata.set_anchors",
        study_id=found.id,
        subject=f"study:{study}",
        role=unit.actor.role(study),
        change={"new": {"order": str(order), "on": day.isoformat(), "participants": ensured.changed}},
    )
    return Written(ensured.changed, 0)


def clear(unit: UnitOfWork[Actor], *, study: str, order: UUID) -> Written:
    """Mark every form of invented participants as removed, and them as withdrawn; errors as `generate`."""
    require(opened(settings()))
    require(may(unit.actor, "study:records:revise", study=study))
    _asked(unit, study, order, act="clear")
    found = study_reads.study(unit.session, study)
    people = store.invented(unit.session, found.id)
    forms = study_reads.design(unit.session, found.id).protocol.forms
    written = _emptied(unit, study, {one.code for one in people}, [form.name for form in forms])
    ensured = participants.ensure(unit, study=study, facts=[replace(one, status="withdrawn") for one in people])
    ledger.record(
        unit,
        "testdata.clear",
        study_id=found.id,
        subject=f"study:{study}",
        role=unit.actor.role(study),
        change={"new": {"order": str(order), "participants": ensured.changed, "revisions": written}},
    )
    return Written(ensured.changed, written)


def _emptied(unit: UnitOfWork[Actor], study: str, codes: Collection[str], forms: Collection[str]) -> int:
    if not codes:
        return 0
    return sum(
        records.revise_batch(unit, study=study, form=form, rows=(), complete_for=codes, source="staff").revisions
        for form in forms
    )


def _asked(unit: UnitOfWork[Actor], study: str, order: UUID, *, act: str) -> dict[str, Any]:
    """Return what an administrator ordered for this rehearsal copy and nobody has carried out yet."""
    found = study_reads.study(unit.session, study)
    if rehearsals.copy_of(unit.session, found.id) is None:
        raise RefusedError(NOT_A_COPY)
    kept = rehearsals.order(unit.session, order, done=f"testdata.{act}")
    if kept is None or kept.study_id != found.id or kept.asked.get("act") != act:
        raise RefusedError(_NO_ORDER)
    if kept.is_done:
        raise RefusedError(_DONE)
    return kept.asked


def _next(present: list[Any]) -> int:
    return 1 + max((int(one.code.removeprefix(BEGINNING)) for one in present), default=0)


_NO_ORDER = Refused(
    "not-ordered", "No administrator ordered this for this study, so nothing was written.", "Order it first."
)
_DONE = Refused("done-already", "This order was carried out already, so nothing was written.", "Order it anew.")
