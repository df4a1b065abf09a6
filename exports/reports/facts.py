"""What a report tells of a rule, whatever catalogue it comes from."""

from dataclasses import dataclass
from typing import Final, Protocol

#: From worst to least.
SEVERITIES: Final = ("Reject", "Error", "Warning", "Notice")
CATEGORIES: Final = (
    "Consistency",
    "Presence",
    "Terminology",
    "Format",
    "Limit",
    "Cross-reference",
    "Metadata",
    "Structure",
)


@dataclass(frozen=True, slots=True)
class Facts:
    """A rule's texts: `publisher` are the ids that others know it by."""

    id: str
    publisher: str
    message: str
    description: str
    category: str
    severity: str


class Told(Protocol):
    """What a report needs of a rule."""

    @property
    def id(self) -> str:
        """Its own id."""

    @property
    def identifiers(self) -> tuple[str, ...]:
        """Ids that others gave it."""

    @property
    def message(self) -> str:
        """What it says of a finding."""

    @property
    def description(self) -> str:
        """What it asks of the data."""

    @property
    def category(self) -> str:
        """One of `CATEGORIES`, or nothing."""

    @property
    def severity(self) -> str:
        """One of `SEVERITIES`, or nothing."""


def facts_of(rule: Told) -> Facts:
    """Take a rule's texts out of it; a rule whose catalogue gives no severity counts as an error."""
    severity = rule.severity.strip().capitalize()
    return Facts(
        id=rule.id,
        publisher=", ".join(dict.fromkeys(rule.identifiers)),
        message=rule.message,
        description=rule.description,
        category=rule.category or "Consistency",
        severity=severity if severity in SEVERITIES else "Error",
    )
