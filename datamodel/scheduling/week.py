"""Who has a visit to make this week, and who is late. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Protocol as Shape

from datamodel.scheduling.states import plan, visit_state
from datamodel.study.protocol import Protocol


class Attendee(Shape):
    """What is asked of a participant here."""

    @property
    def code(self) -> str:
        """Pseudonym."""

    @property
    def status(self) -> str:
        """Where the participant stands."""

    @property
    def anchor_on(self) -> date | None:
        """Day from which the schedule counts."""


@dataclass(frozen=True, slots=True)
class Week:
    """Codes of participants with a visit still due between today and Sunday, or overdue with its window open.

    `last_planned` is the latest planned day before today of any participant, taken or not; None when there is none.
    """

    due: frozenset[str] = frozenset()
    overdue: frozenset[str] = frozenset()
    last_planned: date | None = None


def week(
    protocol: Protocol,
    people: Iterable[Attendee],
    *,
    taken: Collection[tuple[str, str]],
    today: date,
    first: int = 0,
) -> Week:
    """Return the week's visits. `taken` holds (code, event) where data are entered; `first` is as in `plan`."""
    sunday = today + timedelta(days=6 - today.weekday())
    due, overdue, planned = set[str](), set[str](), list[date]()
    for one in people:
        for event in protocol.events:
            of = plan(event, one.anchor_on, first=first)
            if of.planned is None:
                continue
            if of.planned < today:
                planned.append(of.planned)
            state = visit_state(
                of, actual=None, today=today, status=one.status, has_data=(one.code, event.name) in taken
            )
            if state == "overdue":
                overdue.add(one.code)
            elif state in {"due", "upcoming"} and of.planned <= sunday:
                due.add(one.code)
    return Week(frozenset(due), frozenset(overdue), max(planned, default=None))
