"""The study of the demo and its people."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from datamodel.access import actions as access
from datamodel.access import reads as access_reads
from datamodel.access import tokens
from datamodel.access.actor import KNOCKING, Actor
from datamodel.connections.mapping import Mapping, Place, StatusRule
from datamodel.kernel.errors import NotFoundError
from datamodel.kernel.unit import UnitOfWork, unit_of_work
from datamodel.study import actions as study
from datamodel.study import reads as study_reads
from metricis.demo.places import STUDY
from metricis.local.people import installer, link_address

#: role -> (printed name, sign-in name, may see blinded data)
STAFF: Final = {
    "owner": ("Olga Reyes", "owner@demo.example", False),
    "coordinator": ("Alex Berger", "coordinator@demo.example", False),
    "statistician": ("Sam Costa", "statistician@demo.example", True),
    "data_manager": ("Dana Ito", "data.manager@demo.example", False),
    "investigator": ("Robin Keller", "investigator@demo.example", False),
}
#: Where in the demo's REDCap project the facts stand that Metricis itself needs.
MAPPING: Final = Mapping(
    site=Place(form="demographics", field="site_id"),
    arm=Place(form="randomization", field="arm_planned"),
    enrolled_on=Place(form="visit", field="visit_date", event="baseline_arm_1"),
    anchor_on=Place(form="visit", field="visit_date", event="baseline_arm_1"),
    visit_date=Place(form="visit", field="visit_date"),
    status=(
        StatusRule(
            place=Place(form="disposition", field="ds_reason"), codes=("1",), status="completed", day_field="ds_start"
        ),
        StatusRule(
            place=Place(form="disposition", field="ds_reason"),
            codes=("2", "3", "4", "5", "6", "7", "9", "10"),
            status="withdrawn",
            day_field="ds_start",
        ),
        StatusRule(
            place=Place(form="disposition", field="ds_reason"),
            codes=("8",),
            status="screen_failed",
            day_field="ds_start",
        ),
        StatusRule(place=Place(form="randomization", field="arm_planned"), codes=("1", "2", "3"), status="enrolled"),
    ),
    # the dose tells the arm too
    blinded_fields=("arm_planned", "arm_actual", "ex_drug", "ex_dose"),
    unplanned_events=("unscheduled_arm_1", "logs_arm_1"),
)


@dataclass(frozen=True, slots=True)
class People:
    """One-time sign-in addresses."""

    coordinator: str
    statistician: str
    participant: str
    participant_code: str


def make_study(url: str) -> None:
    """Create the study and its staff, unless they are there."""
    actor = installer(url)
    with unit_of_work(url, actor, reason="demo") as unit:
        if not _exists(unit.session):
            study.create_study(
                unit,
                code=STUDY,
                protocol_id="CDISCPILOT01",
                title="Xanomeline in mild to moderate Alzheimer's disease (CDISC pilot)",
                time_zone="America/New_York",
                planned_enrolment=300,
            )
        for role, (name, sign_in_name, is_unblinded) in STAFF.items():
            if access_reads.staff_account(unit.session, sign_in_name) is None:
                account = access.create_account(unit, kind="staff", name=name, sign_in_name=sign_in_name)
                access.grant(unit, account_id=account, study=STUDY, role=role, is_unblinded=is_unblinded)


def staff(url: str, role: str) -> Actor:
    """Return the demo's person with that role."""
    with unit_of_work(url, KNOCKING) as unit:
        found = access_reads.staff_account(unit.session, STAFF[role][1])
    if found is None:
        raise NotFoundError(f"The demo's {role} is missing; run the demo again.")
    return found


def participant_account(unit: UnitOfWork[Actor], *, participant_id: UUID, code: str) -> UUID:
    """Return a participant's own account, made when there is none."""
    present = access_reads.participant_account(unit.session, participant_id)
    if present is not None:
        return present.id
    account = access.create_account(unit, kind="participant", name=code, participant_id=participant_id)
    access.grant(unit, account_id=account, study=STUDY, role="participant")
    return account


def links(url: str, *, participant_id: UUID, participant_code: str) -> People:
    """Make one-time sign-in links for a coordinator, a statistician and one participant."""
    people = {role: staff(url, role) for role in ("coordinator", "statistician")}
    with unit_of_work(url, installer(url), reason="demo") as unit:
        account = participant_account(unit, participant_id=participant_id, code=participant_code)
        return People(
            coordinator=link_address(unit, people["coordinator"].id, minutes=60),
            statistician=link_address(unit, people["statistician"].id, minutes=60),
            participant=link_address(unit, account, minutes=60),
            participant_code=participant_code,
        )


def keep_notebook_token(url: str, file: Path) -> None:
    """Write a token with which notebooks on this machine read as the demo's statistician, unless `file` holds a live one."""
    who = staff(url, "statistician")
    with unit_of_work(url, installer(url), reason="demo") as unit:
        kept = file.read_text().strip() if file.exists() else ""
        holder = access_reads.actor_of_token(unit.session, kept, now=unit.instant) if kept else None
        if holder is not None and holder.id == who.id:
            return
        # Packages are made on this machine too, with the same token.
        scopes = (*tokens.NOTEBOOK, "study:data:export")
        token = access.make_token(unit, account_id=who.id, purpose="notebooks of the demo", days=30, scopes=scopes)
    file.touch(mode=0o600)
    file.write_text(token)


def _exists(session: Session) -> bool:
    try:
        study_reads.study(session, STUDY)
    except NotFoundError:
        return False
    return True
