"""What an emergency is, how long a revealed arm may be shown, and what is refused. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, get_args
from uuid import UUID

from datamodel.kernel.errors import Allowed, Answer, BadInputError, Refused

Kind = Literal["emergency", "planned"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
#: Why an arm is revealed in an emergency: category -> its words.
CATEGORIES: Final[Mapping[str, str]] = {
    "treatment": "Medical emergency: how to treat depends on the arm",
    "overdose": "Overdose, or somebody else took the study drug",
    "pregnancy": "Pregnancy or exposure of a child",
    "report": "Expedited report of a suspected reaction",
    "other": "Another urgent reason of safety",
}
#: kind -> the permission of whoever sees the arm
RIGHTS: Final[Mapping[Kind, str]] = {"emergency": "study:arm:reveal", "planned": "study:arm:decide"}
#: Who is told of a reveal in an emergency: these roles, for all sites or for the participant's.
ALERTED: Final = ("owner", "safety_officer", "pharmacist")
#: A revealed arm is shown until then, once. PostgreSQL holds the same (`app.revealed_arms`).
WINDOW: Final = timedelta(minutes=5)
LONGEST_REASON: Final = 500
SHOWN: Final = Refused(
    "reveal-shown",
    "This arm was shown already, and each reveal shows it once.",
    "If it is needed again, reveal it again; that is noted again.",
)
_OVER: Final = Refused(
    "reveal-over",
    "This arm was revealed more than five minutes ago and was not shown; it is blinded again.",
    "Reveal it again if it is still needed; that is noted again.",
)


@dataclass(frozen=True, slots=True)
class Reveal:
    """That one participant's arm was revealed to one account. The arm itself is not in it."""

    id: UUID
    study_id: UUID
    participant_id: UUID
    participant: str
    account_id: UUID
    account_name: str
    kind: Kind
    category: str
    reason: str
    #: how many people were told by mail
    alerted: int
    at: datetime
    shown_at: datetime | None = None


def may_show(one: Reveal, *, now: datetime) -> Answer:
    """Answer whether a revealed arm may be shown now."""
    if one.shown_at is not None:
        return SHOWN
    return Allowed() if now - one.at <= WINDOW else _OVER


def good_reason(given: str) -> str:
    """Return a reason without blanks around it.

    Raises
    ------
    BadInputError
        When it is empty or longer than 500 characters.
    """
    reason = given.strip()
    if not reason:
        raise BadInputError(
            "Received no reason, so nothing was revealed. Say why the arm must be known, in a sentence."
        )
    if len(reason) > LONGEST_REASON:
        raise BadInputError(
            f"Received a reason of {len(reason)} characters; allowed are {LONGEST_REASON}. Nothing was revealed; say it shorter."
        )
    return reason


def good_category(given: str) -> str:
    """Return a category that is on the list.

    Raises
    ------
    BadInputError
        When it is not.
    """
    if given not in CATEGORIES:
        raise BadInputError(
            f"Received the category “{given[:40]}”; allowed are {', '.join(CATEGORIES)}. Nothing was revealed; choose one of them."
        )
    return given
