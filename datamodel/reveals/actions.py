"""The verbs: propose a reveal, reveal as approved, reveal in an emergency, show once what was revealed."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from datamodel.access.actor import Actor
from datamodel.access.rights import may, role_in_words
from datamodel.approvals import actions as approvals
from datamodel.audit import ledger
from datamodel.credentials import proofs
from datamodel.kernel.errors import NotFoundError, RefusedError, require
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import UnitOfWork
from datamodel.notices import actions as notices
from datamodel.notices.actions import Recipient
from datamodel.participants import reads as participants
from datamodel.participants.reads import Arm, Participant
from datamodel.reveals import reads, store
from datamodel.reveals.rules import (
    ALERTED,
    CATEGORIES,
    RIGHTS,
    SHOWN,
    Kind,
    Reveal,
    good_category,
    good_reason,
    may_show,
)
from datamodel.signatures import actions as signatures
from datamodel.signatures.actions import Proof
from datamodel.study import reads as study_reads

#: The alert is worth sending for this long.
_ALERT_FOR: Final = timedelta(days=7)
_ALERT: Final = (
    "{name} ({role}) revealed the treatment arm of participant {code} of the study {study} in an emergency.\n\n"
    "Category: {category}\n\nThe arm was shown to {name} only and is not in this mail; everybody else stays blinded. The reason is in "
    "the study's audit trail and on the participant's record.\n"
)
_NO_SUCH: Final = "There is no such reveal of yours in this study; nothing was shown."


def propose(unit: UnitOfWork[Actor], *, study: str, code: str) -> UUID:
    """Propose that oneself sees the arm of one participant, and return the proposal's id; the unit's reason says why.

    Raises
    ------
    RefusedError
        When the actor may not propose it, or the participant is at another site.
    NotFoundError
        When there is no such participant for this actor.
    BadInputError
        When no reason is given.
    """
    one = _participant(unit, study, code, kind="planned")
    unit.reason = good_reason(unit.reason)
    what = {"participant": one.code, "site": one.site, "name": unit.actor.name}
    approval_id = approvals.propose(unit, "arm_reveal", study, what)
    ledger.record(
        unit,
        "reveals.propose",
        study_id=study_reads.study(unit.session, study).id,
        subject=f"participant:{one.code}",
        role=unit.actor.role(study),
        change={"new": {"approval": approval_id}},
    )
    return approval_id


def reveal_approved(unit: UnitOfWork[Actor], *, study: str, code: str, approval_id: UUID, proof: Proof) -> Reveal:
    """Reveal the arm of one participant as two people decided, to whoever proposed it; `show` shows it afterwards.

    The reason is that of the proposal. The actor proves with every component who they are.

    Raises
    ------
    RefusedError
        When the actor may not, did not propose it, or did not prove who they are; when nobody else approved it, it was done, or is over.
    NotFoundError
        When there is no such participant or proposal for this actor, or it is about another participant.
    """
    one = _participant(unit, study, code, kind="planned")
    asked = reads.proposals(unit.session, unit.actor, study=study, code=one.code, now=unit.instant)
    proposal = next((found for found in asked if found.id == approval_id), None)
    if proposal is None:
        raise NotFoundError(f"There is no such proposal about {one.code} that you may see; nothing was revealed.")
    signatures.confirm(unit, study=study, act="unblind", proof=proof)
    unit.reason = proposal.reason
    approvals.take(unit, approval_id, kind="arm_reveal", study=study)
    return _reveal(unit, one, study=study, kind="planned", approval_id=approval_id)


def reveal(unit: UnitOfWork[Actor], *, study: str, code: str, category: str, proof: Proof) -> Reveal:
    """Reveal the arm of one participant in an emergency; the unit's reason says why, and `show` shows it afterwards.

    Owner, safety officers and pharmacists of the study are told by mail before this is kept, so none is revealed without.

    Raises
    ------
    RefusedError
        When the actor may not, the participant is at another site, or the actor did not prove who they are.
    NotFoundError
        When there is no such participant for this actor.
    BadInputError
        When the category is not on the list, or no reason is given.
    """
    one = _participant(unit, study, code, kind="emergency")
    unit.reason, category = good_reason(unit.reason), good_category(category)
    signatures.confirm(unit, study=study, act="unblind", proof=proof)
    return _reveal(unit, one, study=study, kind="emergency", category=category)


def show(unit: UnitOfWork[Actor], *, study: str, reveal_id: UUID) -> Arm | None:
    """Return the arm that was revealed to the actor, this once; None when no arm is kept for the participant.

    To be called in a unit of its own, after the one of `reveal` or `reveal_approved` was kept: PostgreSQL shows it in no other.

    Raises
    ------
    RefusedError
        When the actor may not, it was shown already, or five minutes have passed.
    NotFoundError
        When there is no such reveal of this actor.
    """
    found = store.reveal(unit.session, reveal_id)
    if found is None or found.account_id != unit.actor.id:
        raise NotFoundError(_NO_SUCH)
    one = _participant(unit, study, found.participant, kind=found.kind)
    if one.id != found.participant_id:
        raise NotFoundError(_NO_SUCH)
    require(may_show(found, now=unit.instant))
    unit.reason = found.reason
    event_id = ledger.record(
        unit,
        "reveals.show",
        study_id=found.study_id,
        subject=f"participant:{one.code}",
        role=unit.actor.role(study),
        change={"new": {"reveal": found.id}},
    )
    if not store.show(unit.session, found, at=unit.instant, event_id=event_id):
        raise RefusedError(SHOWN)
    return participants.revealed_arm(unit.session, unit.actor, study=study, code=one.code)


def _participant(unit: UnitOfWork[Actor], study: str, code: str, *, kind: Kind) -> Participant:
    """Return the participant, when the actor may reveal arms here and at that site."""
    require(may(unit.actor, RIGHTS[kind], study=study))
    one = participants.participant(unit.session, unit.actor, study=study, code=code)
    require(may(unit.actor, RIGHTS[kind], study=study, site=one.site or None))
    return one


def _reveal(
    unit: UnitOfWork[Actor],
    one: Participant,
    *,
    study: str,
    kind: Kind,
    category: str = "",
    approval_id: UUID | None = None,
) -> Reveal:
    study_id = study_reads.study(unit.session, study).id
    alerted = _alert(unit, one, study=study, study_id=study_id, category=category) if kind == "emergency" else 0
    made = Reveal(
        id=new_id(),
        study_id=study_id,
        participant_id=one.id,
        participant=one.code,
        account_id=unit.actor.id,
        account_name=unit.actor.name,
        kind=kind,
        category=category,
        reason=unit.reason,
        alerted=alerted,
        at=unit.instant,
    )
    event_id = ledger.record(
        unit,
        "reveals.reveal",
        study_id=study_id,
        subject=f"participant:{one.code}",
        role=unit.actor.role(study),
        change={
            "new": {"reveal": made.id, "kind": kind, "category": category, "approval": approval_id, "alerted": alerted}
        },
    )
    store.add(unit.session, made, approval_id=approval_id, event_id=event_id)
    return made


def _alert(unit: UnitOfWork[Actor], one: Participant, *, study: str, study_id: UUID, category: str) -> int:
    """Write to those who answer for the study's safety and drug, and return how many there are.

    In a transaction of its own, kept before the reveal is: somebody may be told of a reveal that then failed, and none is kept that
    nobody was told of.
    """
    told = 0
    with proofs.apart(unit) as own:
        for account_id, mail_address in store.to_alert(own.session, study_id, one.site, ALERTED):
            if account_id == unit.actor.id:
                continue
            notices.write(
                own,
                to=Recipient(account_id=account_id, study_id=study_id),
                kind="reveal",
                address=mail_address,
                subject=f"Metricis: a treatment arm was revealed in the study {study}",
                text=_ALERT.format(
                    name=unit.actor.name,
                    role=role_in_words(unit.actor.role(study)),
                    code=one.code,
                    study=study,
                    category=CATEGORIES[category],
                ),
                ends_at=own.instant + _ALERT_FOR,
            )
            told += 1
    return told
