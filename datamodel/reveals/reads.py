"""Reads: whose arm was revealed, when, by whom and why; never which arm."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from datamodel.access.actor import Actor
from datamodel.approvals import reads as approvals
from datamodel.approvals.reads import Proposal
from datamodel.participants import reads as participants
from datamodel.reveals import store
from datamodel.reveals.rules import CATEGORIES, Reveal


@dataclass(frozen=True, slots=True)
class Mark:
    """What a participant's record says of one reveal, to everybody who sees the participant."""

    kind: str
    category: str
    at: datetime
    by: str
    reason: str
    is_shown: bool


def marks(session: Session, actor: Actor, *, study: str, code: str) -> list[Mark]:
    """Return the marks of a participant, newest first; refused as the participant is."""
    one = participants.participant(session, actor, study=study, code=code)
    return [_mark(found) for found in store.of_participant(session, one.id)]


def proposals(session: Session, actor: Actor, *, study: str, code: str, now: datetime) -> list[Proposal]:
    """Return the lately proposed reveals of a participant, newest first, for those who decide about them."""
    found = approvals.proposals(session, actor, study=study, now=now)
    return [one for one in found if one.kind == "arm_reveal" and one.what.get("participant") == code]


def _mark(one: Reveal) -> Mark:
    return Mark(
        kind=one.kind,
        category=CATEGORIES.get(one.category, ""),
        at=one.at,
        by=one.account_name,
        reason=one.reason,
        is_shown=one.shown_at is not None,
    )
