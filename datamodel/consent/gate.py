"""The gate everyone must pass: may this participant be asked for data at this instant? Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from datamodel.kernel.errors import Allowed, Answer, Refused

State = Literal["not_needed", "none_published", "needed", "signed", "outdated", "declined", "withdrawn"]

#: Consent to take part at all: its withdrawal ends everything.
PARTICIPATION: Final = "participation"
SCOPES: Final = (PARTICIPATION, "assessments")


@dataclass(frozen=True, slots=True)
class Published:
    """A version in one language, and since when it is there."""

    id: UUID
    version: str
    published_at: datetime


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature: which version, effective from when."""

    version_id: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class Ended:
    """A withdrawal of one scope from an instant on."""

    scope: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything the gate looks at, for one participant."""

    mode: str
    published: tuple[Published, ...] = ()
    signed: tuple[Signed, ...] = ()
    declined: tuple[Signed, ...] = ()
    withdrawn: tuple[Ended, ...] = ()

    def in_force(self, at: datetime) -> str | None:
        """Return the version in force at `at`: the one whose first language was published last."""
        first: dict[str, datetime] = {}
        for one in self.published:
            first[one.version] = min(first.get(one.version, one.published_at), one.published_at)
        known = {version: when for version, when in first.items() if when <= at}
        return max(known, key=lambda version: known[version]) if known else None

    def version_of(self, version_id: UUID) -> str | None:
        """Return the version that an id belongs to, whatever its language."""
        return next((one.version for one in self.published if one.id == version_id), None)


def state(standing: Standing, *, at: datetime) -> State:
    """Return where a participant's consent stands at `at`."""
    if standing.mode != "digital":
        return "not_needed"
    version = standing.in_force(at)
    if version is None:
        return "none_published"
    signed = [one for one in standing.signed if one.at <= at]
    last_signed = max((one.at for one in signed), default=None)
    if _ended(standing, PARTICIPATION, since=last_signed, at=at):
        return "withdrawn"
    if any(standing.version_of(one.version_id) == version for one in signed):
        return "signed"
    if any(standing.version_of(one.version_id) == version and one.at <= at for one in standing.declined):
        return "declined"
    return "outdated" if signed else "needed"


def signed_version(standing: Standing, *, at: datetime) -> UUID | None:
    """Return the newest signature's version at `at` when the consent stands, else None."""
    if state(standing, at=at) != "signed":
        return None
    version = standing.in_force(at)
    matching = [one for one in standing.signed if one.at <= at and standing.version_of(one.version_id) == version]
    return max(matching, key=lambda one: one.at).version_id


def gate(standing: Standing, *, at: datetime, scope: str = PARTICIPATION) -> Answer:
    """Answer whether a participant may be asked for data of `scope` at `at`, and why not."""
    found = state(standing, at=at)
    if found in {"not_needed", "signed"}:
        last_signed = max((one.at for one in standing.signed if one.at <= at), default=None)
        if scope != PARTICIPATION and _ended(standing, scope, since=last_signed, at=at):
            return _REFUSALS["scope_withdrawn"]
        if found == "not_needed" and _ended(standing, PARTICIPATION, since=None, at=at):
            return _REFUSALS["withdrawn"]
        return Allowed()
    return _REFUSALS[found]


def _ended(standing: Standing, scope: str, *, since: datetime | None, at: datetime) -> bool:
    """Return whether `scope` was withdrawn by `at` and not agreed to again since."""
    return any(one.scope == scope and one.at <= at and (since is None or one.at >= since) for one in standing.withdrawn)


_REFUSALS: Final[dict[str, Refused]] = {
    "needed": Refused(
        "consent-needed",
        "This needs your consent, which is not signed yet.",
        "Read the consent and sign it; then it opens.",
    ),
    "outdated": Refused(
        "consent-outdated",
        "There is a new version of the consent, which is not signed yet.",
        "Read the new version and decide; then it opens.",
    ),
    "declined": Refused(
        "consent-declined",
        "The consent was declined, so nothing is asked of you.",
        "If you change your mind, open the consent again.",
    ),
    "withdrawn": Refused(
        "consent-withdrawn",
        "The consent was withdrawn, so nothing more is asked of you.",
        "If this is a mistake, speak with your study team.",
    ),
    "scope_withdrawn": Refused(
        "consent-withdrawn-scope",
        "The consent to these tasks was withdrawn.",
        "If this is a mistake, speak with your study team.",
    ),
    "none_published": Refused(
        "consent-not-published",
        "This study has no published consent yet, so nothing may be asked of you.",
        "The study team must publish one first; you need not do anything.",
    ),
}
#: Every reason with which the gate refuses, by its code (the phone shows them in the participant's language).
REASONS: Final[tuple[Refused, ...]] = tuple(_REFUSALS.values())
