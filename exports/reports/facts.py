"""What a report tells of a rule, whatever catalogue it comes from."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

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


def facts_of(rule: Any) -> Facts:
    """Take a rule's texts out of it; a rule whose catalogue gives no severity counts as an error."""
    severity = str(getattr(rule, "severity", "") or "").strip().capitalize()
    return Facts(
        id=str(rule.id),
        publisher=", ".join(_named(rule)),
        message=str(rule.message or ""),
        description=str(rule.description or ""),
        category=str(getattr(rule, "category", "") or "Consistency"),
        severity=severity if severity in SEVERITIES else "Error",
    )


def _named(rule: Any) -> Iterable[str]:
    ids = getattr(rule, "authorities", None) or getattr(rule, "authority_ids", None) or ()
    return dict.fromkeys(str(one) for one in ids)
