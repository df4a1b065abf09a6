"""Caregivers: an account that acts for named participants, from an instant until another.

Every act of theirs carries two people: who acted (the account) and for whom (the participant). A relation is asked of the store
at each act; without one that holds at that instant the act is refused. Names and addresses of caregivers are identifying values
(`identity`), sealed with the participant's key.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from datamodel.access import persons
from datamodel.access import reads as access_reads
from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.audit import ledger
from datamodel.kernel.errors import BadInputError, NotFoundError, Refused, RefusedError, require
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import UnitOfWork
from datamodel.participants import identity, store
from datamodel.participants.reads import Participant, participant
from datamodel.participants.tables import CaregiverRow
from datamodel.study import reads as study_reads

#: What a caregiver may be to a participant; `other` needs no more words.
RELATIONS: Final = ("mother", "father", "parent", "guardian", "partner", "child", "sibling", "nurse", "other")

NOBODY: Final = Refused(
    "acts-for-nobody",
    "You act for nobody at present.",
    "If this is a mistake, talk to your study team.",
)
CHOOSE: Final = Refused("choose-whom", "Choose first for whom you act.")
NOT_FOR_THEM: Final = Refused(
    "not-for-them",
    "You do not act, or do not act any more, for this person, so nothing was done.",
    "If this is a mistake, talk to your study team.",
)
_IN_THE_PAST: Final = "A caregiver's time cannot end before it begins; nothing was changed."


@dataclass(frozen=True, slots=True)
class Caregiver:
    """Somebody who acts for a participant, by pseudonym."""

    id: UUID
    account_id: UUID
    name: str
    participant_id: UUID
    code: str
    study: str
    relation: str
    starts_at: datetime
    ends_at: datetime | None

    def holds(self, at: datetime) -> bool:
        """Return whether the relation holds at that instant."""
        return self.starts_at <= at and (self.ends_at is None or at < self.ends_at)


def add(
    unit: UnitOfWork[Actor],
    *,
    study: str,
    code: str,
    relation: str,
    mail: str = "",
    account_id: UUID | None = None,
    until: datetime | None = None,
) -> UUID:
    """Let somebody act for a participant from now on, and return their account.

    `account_id` names somebody who is a caregiver already; else an account is made, which signs in by a link to `mail` (or one
    that is handed out).

    Raises
    ------
    RefusedError
        When the actor may not enrol participants, or with `mail` not write identifying values.
    NotFoundError
        When there is no such participant or caregiver for this actor.
    BadInputError
        When the relation is unknown, it would end before it begins, or the person acts for this participant already.
    """
    found = participant(unit.session, unit.actor, study=study, code=code)
    require(may(unit.actor, "study:participants:enrol", study=study, site=found.site or None))
    if relation not in RELATIONS:
        raise BadInputError(
            f"Received the relation “{relation[:30]}”; allowed are {', '.join(RELATIONS)}. Nothing was changed."
        )
    if until is not None and until <= unit.instant:
        raise BadInputError(_IN_THE_PAST)
    present = of_participant(unit.session, unit.actor, study=study, code=code)
    if any(one.account_id == account_id and one.holds(unit.instant) for one in present):
        raise BadInputError("This caregiver acts for this participant already; nothing was changed.")
    account = _account(unit, found, study=study, account_id=account_id, number=len(present) + 1)
    row_id, event_id, study_id = new_id(), new_id(), study_reads.study(unit.session, study).id
    store.add(
        unit.session,
        CaregiverRow(
            id=row_id,
            study_id=study_id,
            participant_id=found.id,
            account_id=account.id,
            relation=relation,
            starts_at=unit.instant,
            ends_at=until,
            event_id=event_id,
        ),
    )
    _record(
        unit,
        "participants.add_caregiver",
        study=study,
        code=code,
        study_id=study_id,
        event_id=event_id,
        new={"caregiver": account.name, "account": str(account.id), "relation": relation, "until": until},
    )
    if mail:
        identity.write(unit, study=study, code=code, values={"mail": mail}, of=account.id)
    return account.id


def _account(unit: UnitOfWork[Actor], found: Participant, *, study: str, account_id: UUID | None, number: int) -> Actor:
    if account_id is None:
        made = persons.make_account(
            unit, kind="caregiver", name=f"{found.code}/C{number}", participant_id=found.id, study=study
        )
        return access_reads.actor(unit.session, made)
    account = access_reads.actor(unit.session, account_id)
    if account.kind != "caregiver":
        raise NotFoundError("There is no such caregiver; nothing was changed.")
    if account.membership(study) is None:
        persons.enlist(unit, account_id=account.id, study=study, role="caregiver")
    return account


def end(unit: UnitOfWork[Actor], *, study: str, code: str, account_id: UUID) -> None:
    """End a caregiver's acting for a participant now; what they did stays theirs.

    Raises
    ------
    RefusedError
        When the actor may not enrol participants.
    NotFoundError
        When this caregiver does not act for this participant.
    """
    found = participant(unit.session, unit.actor, study=study, code=code)
    require(may(unit.actor, "study:participants:enrol", study=study, site=found.site or None))
    present = [
        one
        for one in of_participant(unit.session, unit.actor, study=study, code=code)
        if one.account_id == account_id and (one.ends_at is None or one.ends_at > unit.instant)
    ]
    if not present:
        raise NotFoundError("This caregiver does not act for this participant; nothing was changed.")
    event_id, study_id = new_id(), study_reads.study(unit.session, study).id
    for one in present:
        unit.session.execute(text(_END), {"id": one.id, "now": unit.instant, "event": event_id})
    _record(
        unit,
        "participants.end_caregiver",
        study=study,
        code=code,
        study_id=study_id,
        event_id=event_id,
        new={"caregiver": present[0].name, "account": str(account_id)},
    )


def of_participant(session: Session, actor: Actor, *, study: str, code: str) -> list[Caregiver]:
    """Return who acts or acted for a participant, the earliest first.

    Raises
    ------
    RefusedError
        When the actor may not see participants.
    """
    found = participant(session, actor, study=study, code=code)
    rows = session.execute(text(f"{_SELECT} where c.participant_id = :id {_ORDER}"), {"id": found.id})
    return [Caregiver(**row._mapping) for row in rows]  # noqa: SLF001 - the public name of a row's columns


def people_of(session: Session, actor: Actor, *, at: datetime) -> list[Caregiver]:
    """Return for whom the acting caregiver acts at that instant, by pseudonym."""
    return _held(session, actor.id, at=at)


def acting(session: Session, actor: Actor, participant_id: UUID | None, *, at: datetime) -> Actor:
    """Return `actor` as acting for that participant: anyone but a caregiver as they are.

    Without a participant: the only one there is.

    Raises
    ------
    RefusedError
        `not-for-them` without a relation that holds at that instant, `acts-for-nobody` without any, `choose-whom` when none of
        several was chosen.
    """
    if actor.kind != "caregiver":
        return actor
    held = _held(session, actor.id, at=at)
    if participant_id is None:
        if len(held) == 1:
            return replace(actor, participant_id=held[0].participant_id)
        raise RefusedError(CHOOSE if held else NOBODY)
    if all(one.participant_id != participant_id for one in held):
        raise RefusedError(NOT_FOR_THEM if held else NOBODY)
    return replace(actor, participant_id=participant_id)


def _held(session: Session, account_id: UUID, *, at: datetime) -> list[Caregiver]:
    rows = session.execute(text(_HELD), {"account": account_id, "at": at})
    found = [Caregiver(**row._mapping) for row in rows]  # noqa: SLF001 - the public name of a row's columns
    once: dict[UUID, Caregiver] = {}
    for one in found:
        once.setdefault(one.participant_id, one)
    return list(once.values())


def _record(
    unit: UnitOfWork[Actor],
    action: str,
    *,
    study: str,
    code: str,
    study_id: UUID,
    event_id: UUID,
    new: dict[str, object],
) -> None:
    ledger.record(
        unit,
        action,
        study_id=study_id,
        subject=f"participant:{code}",
        role=unit.actor.role(study),
        change={"new": new},
        event_id=event_id,
    )


_SELECT: Final = """
    select c.id, c.account_id, a.name, c.participant_id, p.code, s.code as study, c.relation, c.starts_at, c.ends_at
    from app.caregiver c join app.account a on a.id = c.account_id join app.participant p on p.id = c.participant_id
    join app.study s on s.id = c.study_id
"""
_ORDER: Final = "order by c.starts_at, c.id"
_END: Final = "update app.caregiver set ends_at = :now, event_id = :event where id = :id"
#: A caregiver sees neither participants nor studies before it is known for whom they act, so the database answers this itself.
_HELD: Final = """
    select id, :account as account_id, name, participant_id, code, study, relation, starts_at, ends_at
    from app.acts_for(:account) where starts_at <= :at and (ends_at is null or ends_at > :at) order by study, code, starts_at
"""
