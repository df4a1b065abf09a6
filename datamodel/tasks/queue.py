"""What a participant has to do, in which order, and why something is not open. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal
from uuid import UUID

from datamodel.kernel.errors import Answer, Refused

Kind = Literal["consent", "assessment"]
State = Literal["to_do", "started", "sent", "done", "blocked"]

#: Session states of assessments, from least to furthest.
_FURTHEST: Final = ("created", "started", "partial", "complete", "scored")
_SOON: Final = 7


@dataclass(frozen=True, slots=True)
class Assigned:
    """A battery assigned to a participant, as the queue needs it."""

    id: UUID
    title: str
    minutes: int
    opens_on: date
    due_on: date
    #: code of its task when it has just one
    task: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """A session of an assignment. `is_waiting` when something of it arrived and is not filed yet."""

    assignment_id: UUID
    state: str
    receipt: int


@dataclass(frozen=True, slots=True)
class Task:
    """One card. `blocked` says why it is not open; `receipt` is of the last part that was filed."""

    kind: Kind
    id: UUID | None
    title: str
    minutes: int
    state: State
    due_on: date | None
    days_left: int | None
    receipt: int | None = None
    blocked: Refused | None = None
    task: str = ""

    @property
    def is_overdue(self) -> bool:
        """Whether it should have been done before today."""
        return self.state in {"to_do", "started"} and self.days_left is not None and self.days_left < 0


def queue(
    assigned: Sequence[Assigned],
    runs: Sequence[Run],
    *,
    gate: Answer,
    today: date,
    consent: Task | None = None,
) -> list[Task]:
    """Return the cards in the order in which a person should look at them: open first, then sent, done, blocked."""
    cards = [_card(one, runs, gate=gate, today=today) for one in assigned]
    cards.sort(key=lambda card: (_ORDER[card.state], card.due_on or today, card.title))
    return [*([consent] if consent else []), *cards]


def consent_card(state: str, *, title: str, minutes: int, receipt: int | None, is_waiting: bool) -> Task | None:
    """Return the card of the consent, or None when the study does not take it here."""
    if state in {"not_needed", "none_published"}:
        return None
    shown: State = "sent" if is_waiting else "done" if state in {"signed", "declined", "withdrawn"} else "to_do"
    return Task(
        kind="consent", id=None, title=title, minutes=minutes, state=shown, due_on=None, days_left=None, receipt=receipt
    )


def _card(one: Assigned, runs: Sequence[Run], *, gate: Answer, today: date) -> Task:
    own = [run for run in runs if run.assignment_id == one.id and run.state in _FURTHEST]
    best = max(own, key=lambda run: _FURTHEST.index(run.state), default=None)
    state = _state(best)
    blocked = gate if isinstance(gate, Refused) else _not_open(one, today=today)
    return Task(
        kind="assessment",
        id=one.id,
        title=one.title,
        minutes=one.minutes,
        state="blocked" if blocked is not None and state != "done" else state,
        due_on=one.due_on,
        days_left=(one.due_on - today).days,
        receipt=best.receipt if best else None,
        blocked=blocked if state != "done" else None,
        task=one.task,
    )


def _state(best: Run | None) -> State:
    if best is None:
        return "to_do"
    return "done" if best.state == "scored" else "sent" if best.state == "complete" else "started"


def _not_open(one: Assigned, *, today: date) -> Refused | None:
    if today >= one.opens_on:
        return None
    return Refused("not-open-yet", f"This opens on {one.opens_on:%d-%b-%Y}.", "Come back on that day.")


_ORDER: Final[dict[State, int]] = {"started": 0, "to_do": 0, "sent": 1, "done": 2, "blocked": 3}
