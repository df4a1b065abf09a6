"""A discrepancy's states, and which step may follow which. Pure."""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple
from uuid import UUID

from datamodel.kernel.errors import Allowed, Answer, Refused

State = Literal["open", "answered", "closed", "reopened", "cancelled"]
#: states in which somebody still has to do something
UNSETTLED: Final[tuple[State, ...]] = ("open", "answered", "reopened")
WITHHELD: Final = "(blinded value, withheld)"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about one value. `rule` is a code of `validators.findings`, or `manual`.

    The value of a blinded field counts for the key and is not kept (`is_withheld`).
    """

    record: str
    event_name: str
    form_name: str
    event_repeat: int
    form_repeat: int
    field: str
    value: str
    rule: str
    reason: str
    is_withheld: bool = False

    @property
    def shown(self) -> str:
        """The value as it is kept and shown."""
        return WITHHELD if self.is_withheld else self.value

    @property
    def key(self) -> str:
        """What makes it the same question: place, rule and value."""
        parts = (
            self.record,
            self.event_name,
            self.form_name,
            str(self.event_repeat),
            str(self.form_repeat),
            self.field,
            self.rule,
            self.value,
        )
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


class Kept(NamedTuple):
    """What is kept of a discrepancy."""

    id: UUID
    key: str
    state: str
    is_closed_by_source: bool


class Steps(NamedTuple):
    """What a batch of questions asks for."""

    opened: list[Question]
    reopened: list[Kept]
    closed: list[Kept]


def steps(kept: Iterable[Kept], questions: Collection[Question]) -> Steps:
    """Compare the questions that the source raises now with what is kept of the same scope.

    A question that is new is opened; one that was closed because the value had been corrected is opened again; one
    that nobody raises any more is closed. What a person closed or cancelled stays so.
    """
    by_key: Mapping[str, Question] = {one.key: one for one in questions}
    known = {one.key: one for one in kept}
    return Steps(
        opened=[one for key, one in by_key.items() if key not in known],
        reopened=[one for key, one in known.items() if key in by_key and one.is_closed_by_source],
        closed=[one for key, one in known.items() if key not in by_key and one.state in UNSETTLED],
    )


def may_answer(state: str) -> Answer:
    """Answer whether a discrepancy in this state may be answered."""
    if state in {"open", "reopened", "answered"}:
        return Allowed()
    return Refused("not-open", f"This data question is {state}, so it takes no answer.", "Ask for it to be reopened.")


def may_close(state: str) -> Answer:
    """Answer whether a discrepancy in this state may be closed."""
    if state in UNSETTLED:
        return Allowed()
    return Refused("not-open", f"This data question is {state} already.")


def may_reopen(state: str) -> Answer:
    """Answer whether a discrepancy in this state may be sent back."""
    if state in {"answered", "closed"}:
        return Allowed()
    return Refused("not-answered", f"This data question is {state}, so there is nothing to send back.")
