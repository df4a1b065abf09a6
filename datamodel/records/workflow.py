"""The life of a form: which step leads where, and what may be verified, signed or locked now. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from datamodel.kernel.errors import Refused
from datamodel.records.content import Status

#: verify, sign, lock, reopen: by people; change: new content came in, from a sync or from staff
Step = Literal["verify", "sign", "lock", "reopen", "change"]
STATUSES: Final[tuple[Status, ...]] = ("not_started", "in_progress", "complete", "verified", "signed", "locked")
STEPS: Final[tuple[Step, ...]] = ("verify", "sign", "lock", "reopen", "change")
#: Statuses that rest on somebody's word about one version, and fall with it.
MARKED: Final[frozenset[str]] = frozenset({"verified", "signed", "locked"})
_IN_WORDS: Final = {
    "not_started": "not started",
    "in_progress": "in progress",
    "complete": "complete",
    "verified": "verified",
    "signed": "signed",
    "locked": "locked",
}
_DONE: Final = {"verify": "verified", "sign": "signed", "lock": "locked"}
#: (status, step) -> status afterwards; `source`: the one that the newest version came with
_TABLE: Final[Mapping[tuple[str, Step], str]] = {
    ("complete", "verify"): "verified",
    ("complete", "sign"): "signed",
    ("verified", "sign"): "signed",
    # a second person's signature beside the first
    ("signed", "sign"): "signed",
    ("signed", "lock"): "locked",
    ("verified", "reopen"): "source",
    ("signed", "reopen"): "source",
    ("locked", "reopen"): "source",
    **{(status, "change"): "source" for status in STATUSES},
}
_FIRST: Final[Mapping[Step, str]] = {
    "verify": "Only a complete form is verified, before it is signed.",
    "sign": "Only a complete or verified form is signed.",
    "lock": "Only a signed form is locked.",
    "reopen": "Only a verified, signed or locked form is reopened.",
    "change": "",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A form as it was on somebody's screen: the entry, its version, and the SHA-256 of its content."""

    instance_id: UUID
    revision: int
    content_hash: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """A form as it is kept now. `source_status` is what its newest version came with."""

    instance_id: UUID
    participant_id: UUID
    participant: str
    site: str
    event_name: str
    form_name: str
    event_repeat: int
    form_repeat: int
    status: str
    source_status: str
    revision: int
    content_hash: bytes
    is_removed: bool
    open_queries: int
    updated_at: datetime
    #: accounts whose signatures on it stand
    signers: frozenset[UUID] = frozenset()

    @property
    def as_shown(self) -> Shown:
        """What the page that shows it hands back when somebody signs."""
        return Shown(self.instance_id, self.revision, self.content_hash)


def after(status: str, step: Step, *, source: str) -> str | Refused:
    """Return the status after `step`; `source` is the status that the newest version came with."""
    found = _TABLE.get((status, step))
    if found is None:
        return Refused("wrong-state", f"The form is {_IN_WORDS[status]}. {_FIRST[step]}")
    return source if found == "source" else found


def decide(one: Kept, step: Step, *, shown: Shown | None = None, by: UUID | None = None) -> str | Refused:
    """Return the status that `step` leads to, or why it cannot be taken: state, open queries, changed since it was shown.

    `shown` is what was on the screen; `by` who signs: nobody signs the same version twice.
    """
    if one.is_removed:
        return Refused("removed", "The form is not in its source any more.")
    if shown is not None and (shown.revision, shown.content_hash) != (one.revision, one.content_hash):
        return Refused(
            "changed-since-shown",
            "The form changed after it was shown to you.",
            "Load the page again and look at it as it is now.",
        )
    found = after(one.status, step, source=one.source_status)
    if isinstance(found, Refused):
        return found
    if step in _DONE and one.open_queries:
        many = "an open query" if one.open_queries == 1 else f"{one.open_queries} open queries"
        return Refused("open-queries", f"The form has {many}.", "Answer and close them first.")
    if step == "sign" and by in one.signers:
        return Refused("signed-by-you", "You have signed this version already.")
    return found


def change_reason(labels: Collection[str], *, is_removed: bool) -> str:
    """Return why verification and signature fell when new content came in, naming the fields."""
    if is_removed:
        return "Removed at its source"
    named = sorted(set(labels))
    if not named:
        return "Status changed at its source"
    return f"Value changed: {', '.join(named)}"
