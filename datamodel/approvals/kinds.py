"""Which acts need two people, and whether a proposal may be approved or taken. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from datamodel.kernel.errors import Allowed, Answer, Refused

#: A proposal that nobody approved and took until then is over.
LONGEST: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of act: what it is, and the permission of whoever proposes, approves and does it."""

    words: str
    permission: str
    #: about one participant: `what` names `participant` and `site`, and whoever proposed it does it, nobody else
    is_of_one: bool = False


KINDS: Final[dict[str, Kind]] = {
    "unblinding": Kind("let somebody see blinded values", "study:blinding:lift"),
    "arm_reveal": Kind("see the treatment arm of one participant", "study:arm:decide", is_of_one=True),
    "key_change": Kind("change the keys that secrets are sealed with", "system:keys:rotate"),
    "study_close": Kind("close the study", "study:closing:decide"),
    "outbound_rule": Kind("change what is sent out of the study", "study:outbound:decide"),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a proposal stands: the steps that were done, and when it is over."""

    proposed_by: UUID
    ends_at: datetime
    steps: Collection[str]

    def state(self, now: datetime) -> str:
        """Return `taken`, `ended`, `over`, `approved` or `waiting`."""
        for step in ("taken", "ended"):
            if step in self.steps:
                return step
        if now >= self.ends_at:
            return "over"
        return "approved" if "approved" in self.steps else "waiting"


_STATES: Final = {
    "taken": Refused(
        "approval-taken", "This was approved and done already; each approval is for one act.", "Propose it again."
    ),
    "ended": Refused(
        "approval-ended", "This proposal was turned down or taken back.", "Propose it again if it is still needed."
    ),
    "over": Refused("approval-over", "This proposal is older than 24 hours and has ended.", "Propose it again."),
    "approved": Refused("approval-approved", "This was approved already.", "Whoever proposed it may do it now."),
    "waiting": Refused(
        "approval-waiting",
        "Nobody else has approved this yet, so it was not done.",
        "Ask a second person to approve it.",
    ),
}
ALREADY: Final = _STATES["taken"]


def may_approve(standing: Standing, account_id: UUID, *, now: datetime) -> Answer:
    """Answer whether this account may approve, by the state of the proposal and who made it."""
    state = standing.state(now)
    if state != "waiting":
        return _STATES[state]
    if account_id == standing.proposed_by:
        return Refused(
            "approval-own",
            "You proposed this yourself; a second person must approve it.",
            "Ask somebody else who may approve it.",
        )
    return Allowed()


def may_end(standing: Standing, *, now: datetime) -> Answer:
    """Answer whether a proposal may still be turned down or taken back."""
    state = standing.state(now)
    return Allowed() if state in {"waiting", "approved"} else _STATES[state]


def may_take(standing: Standing, *, now: datetime, own: UUID | None = None) -> Answer:
    """Answer whether the act may be done now; `own` is who does it, of an act that only whoever proposed it does."""
    state = standing.state(now)
    if state == "approved" and own is not None and own != standing.proposed_by:
        return Refused(
            "approval-of-another",
            "Somebody else proposed this for themselves, so you may not do it.",
            "Propose it yourself if you need it too.",
        )
    return Allowed() if state == "approved" else _STATES[state]
