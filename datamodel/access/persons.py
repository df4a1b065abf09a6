"""Accounts of participants and caregivers, as the people of their study make them. They have no password and see one participant's side."""

from typing import Literal
from uuid import UUID

from datamodel.access import store
from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.access.tables import AccountRow, MembershipRow
from datamodel.audit import ledger
from datamodel.kernel.errors import NotFoundError, require
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import UnitOfWork


def make_account(
    unit: UnitOfWork[Actor], *, kind: Literal["participant", "caregiver"], name: str, participant_id: UUID, study: str
) -> UUID:
    """Make the account of a participant, or of somebody who is to act for them, and return its id.

    `name` is a pseudonym. A caregiver's account hangs on its first participant; for whom it may act is told by relations alone.

    Raises
    ------
    RefusedError
        When the actor may not enrol participants.
    """
    require(may(unit.actor, "study:participants:enrol", study=study))
    account_id = new_id()
    store.add(
        unit.session,
        AccountRow(id=account_id, kind=kind, name=name, participant_id=participant_id, created_at=unit.instant),
    )
    ledger.record(
        unit,
        "access.create_account",
        subject=f"account:{account_id}",
        role=unit.actor.role(study),
        change={"new": {"kind": kind, "name": name, "has_password": False, "is_administrator": False}},
    )
    enlist(unit, account_id=account_id, study=study, role=kind)
    return account_id


def enlist(unit: UnitOfWork[Actor], *, account_id: UUID, study: str, role: Literal["participant", "caregiver"]) -> None:
    """Let an account of a participant or caregiver take part in a study.

    Raises
    ------
    RefusedError
        When the actor may not enrol participants there.
    NotFoundError
        When there is no such study for this actor.
    """
    require(may(unit.actor, "study:participants:enrol", study=study))
    study_id = store.study_id(unit.session, study)
    if study_id is None:
        raise NotFoundError(f"There is no study with the code “{study}”.")
    store.add(
        unit.session,
        MembershipRow(id=new_id(), account_id=account_id, study_id=study_id, role=role, created_at=unit.instant),
    )
    ledger.record(
        unit,
        "access.grant",
        study_id=study_id,
        subject=f"account:{account_id}",
        role=unit.actor.role(study),
        change={"new": {"role": role, "site": None, "is_unblinded": False}},
    )
