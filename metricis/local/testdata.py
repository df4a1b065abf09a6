"""Rehearsal copies and their invented data: an administrator orders, the flows' account writes."""

from datetime import date
from typing import Any

from datamodel.access import actions as access
from datamodel.access import reads as access_reads
from datamodel.access.actor import KNOCKING, Actor
from datamodel.access.rights import shows_blinded
from datamodel.kernel.unit import UnitOfWork, reading, unit_of_work
from datamodel.rehearsal import actions as rehearsals
from datamodel.rehearsal import reads as rehearsal_reads
from datamodel.study import reads as study_reads
from datamodel.testdata import actions
from metricis.local.installation import database_url
from metricis.local.people import installer

_REASON = "asked for on the command line"
_ACTS = {"generate": actions.generate, "set_anchors": actions.set_anchors, "clear": actions.clear}


def copy(study: str, *, code: str) -> str:
    """Make a rehearsal copy of a study, or bring the one there is up to date, and say what is in it."""
    url = database_url()
    with unit_of_work(url, installer(url), reason=_REASON) as unit:
        source = study_reads.study(unit.session, study)
        there = rehearsal_reads.copies_of(unit.session, source.id)
        made = code or (there[0] if there else "")
        if made not in there or not made:
            made = rehearsals.open_copy(unit, study=study, code=code)
        given = _let_in(unit, study, made)
    with unit_of_work(url, _service(url), reason=_REASON) as unit:
        version = rehearsals.adopt_design(unit, study=made)
    return (
        f"{made} is a rehearsal copy of {study}: version {version} of its design, {given} more people with the roles they have in "
        f"{study}. Next: metricis testdata generate {made} --participants 20"
    )


def carry_out(study: str, act: str, **details: Any) -> actions.Written:
    """Order an act for a rehearsal copy and carry it out."""
    url = database_url()
    with unit_of_work(url, installer(url), reason=_REASON) as unit:
        order = rehearsals.order(unit, study=study, act=act, **details)
    with unit_of_work(url, _service(url), reason=_REASON) as unit:
        return _ACTS[act](unit, study=study, order=order)


def today(study: str) -> date:
    """Return the day that the study's schedule goes by now, the simulated one where there is one."""
    url = database_url()
    with unit_of_work(url, installer(url)) as unit:
        found = study_reads.study(unit.session, study)
        return rehearsal_reads.effective(unit.session, found.id, unit.instant).date()


def bypass_consent(study: str, *, is_bypassed: bool) -> str:
    """Bypass the consent of a rehearsal copy, or ask for it again, and say so."""
    url = database_url()
    with unit_of_work(url, installer(url), reason=_REASON) as unit:
        rehearsals.bypass_consent(unit, study=study, is_bypassed=is_bypassed)
    return (
        f"Tasks of {study} open without a signed consent." if is_bypassed else f"{study} asks for consent as any study."
    )


def _let_in(unit: UnitOfWork[Actor], study: str, copied: str) -> int:
    """Give staff of the study the same roles in its copy, but for those that see blinded data: these take two people."""
    given = 0
    for account in access_reads.accounts(unit.session, unit.actor):
        held = {code: (role, site) for code, role, site in account.roles}
        if account.kind != "staff" or study not in held or copied in held or account.id == unit.actor.id:
            continue
        role, site = held[study]
        if not shows_blinded(role, is_unblinded=False):
            access.grant(unit, account_id=account.id, study=copied, role=role, site=site)
            given += 1
    return given


def _service(url: str) -> Actor:
    with reading(url, KNOCKING) as session:
        return access_reads.service_actor(session)
