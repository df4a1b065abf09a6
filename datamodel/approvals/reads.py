"""Reads: which acts wait for a second person, and what became of the others."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy.orm import Session

from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.approvals import store
from datamodel.approvals.kinds import KINDS, LONGEST, Standing
from datamodel.approvals.tables import ApprovalRow

#: Proposals stay in the list for this long after they ended.
SHOWN: Final = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposal as people see it. `state`: waiting, approved, taken, ended, over."""

    id: UUID
    kind: str
    words: str
    what: dict[str, Any]
    reason: str
    proposed_by: UUID
    proposed_name: str
    proposed_at: datetime
    ends_at: datetime
    state: str
    #: who approved, turned down or did it: step -> (name, when)
    steps: dict[str, tuple[str, datetime]]


def proposals(session: Session, actor: Actor, *, study: str, now: datetime) -> list[Proposal]:
    """Return the proposals of a study (empty: of the installation) of kinds that the actor decides about, newest first."""
    kinds = {name for name, kind in KINDS.items() if may(actor, kind.permission, study=study)}
    study_id = store.study_id(session, study) if study else None
    if not kinds or (study and study_id is None):
        return []
    found = store.approvals(session, study_id=study_id, since=now - SHOWN + LONGEST)
    return [
        Proposal(
            id=row.id,
            kind=row.kind,
            words=KINDS[row.kind].words,
            what=dict(row.what),
            reason=row.reason,
            proposed_by=row.proposed_by,
            proposed_name=row.proposed_name,
            proposed_at=row.proposed_at,
            ends_at=row.ends_at,
            state=Standing(row.proposed_by, row.ends_at, tuple(steps)).state(now),
            steps={name: (step.account_name, step.at) for name, step in steps.items()},
        )
        for row, steps in found
        if row.kind in kinds and _is_near(actor, row, study=study)
    ]


def _is_near(actor: Actor, row: ApprovalRow, *, study: str) -> bool:
    """Return whether a proposal about one participant is about one of the actor's own site."""
    kind, site = KINDS[row.kind], str(row.what.get("site") or "")
    return not (kind.is_of_one and site) or bool(may(actor, kind.permission, study=study, site=site))
