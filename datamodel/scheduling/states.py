"""The one definition of a visit's state. Pure."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal

from datamodel.study.protocol import Event, Protocol

VisitState = Literal["done", "out_of_window", "due", "overdue", "upcoming", "missed", "not_applicable"]

#: state -> the word that people read, the same in grid, schedule, phone and notebook
WORDS: Final[dict[VisitState, str]] = {
    "done": "Done",
    "out_of_window": "Outside window",
    "due": "Due",
    "overdue": "Overdue",
    "upcoming": "Upcoming",
    "missed": "Not done",
    "not_applicable": "Not applicable",
}
#: A participant with one of these takes no further visits.
ENDED: Final = frozenset({"completed", "withdrawn", "screen_failed"})


@dataclass(frozen=True, slots=True)
class Plan:
    """The day a visit is planned for and the first and last day of its window; all None when nothing is planned."""

    planned: date | None
    opens: date | None
    closes: date | None


#: An event without a planned day (a log, an unscheduled visit), or a participant whose schedule has not begun.
UNPLANNED: Final = Plan(None, None, None)


def first_day(protocol: Protocol, anchor_event: str) -> int:
    """Return the number that the design gives to the anchor's own day: 1 when it counts study days, else 0.

    A design counts study days when the event that the anchor is taken from stands at day 1 (CDISC SDTMIG 4.4.4).
    """
    event = protocol.event(anchor_event)
    return 1 if event is not None and event.day == 1 else 0


def plan(event: Event, anchor: date | None, *, first: int = 0) -> Plan:
    """Return the plan of `event` for a participant whose schedule counts from `anchor`.

    `event.day` is a number of days after the anchor, negative before it; or, where the anchor's day is called day 1
    (`first`), a study day, of which there is no day 0. `days_before` and `days_after` open the window round it.
    """
    if anchor is None or event.day is None:
        return UNPLANNED
    planned = anchor + timedelta(days=event.day - first if event.day > 0 else event.day)
    return Plan(
        planned=planned,
        opens=planned - timedelta(days=event.days_before),
        closes=planned + timedelta(days=event.days_after),
    )


def visit_state(
    of: Plan,
    *,
    actual: date | None,
    today: date,
    status: str,
    has_data: bool = False,
    ended_on: date | None = None,
) -> VisitState:
    """Return the state of one visit of one participant as of `today`.

    - A visit that took place (a date, or entered data without a date) is `done`; with a date outside its window,
      `out_of_window`.
    - Before its window it is `upcoming`, inside it `due` up to the planned day's end and `overdue` after that day,
      past it `missed`.
    - Once the participant has ended (`status` completed, withdrawn or screen_failed; on `ended_on` when the day is
      known), a visit whose window had closed by then is `missed` and any later one `not_applicable`.
    - Where nothing is planned (an event without a day, a schedule that has not begun) it is `not_applicable`.
    """
    if actual is not None or has_data:
        return _taken(of, actual)
    if of.planned is None or of.opens is None or of.closes is None:
        return "not_applicable"
    if status in ENDED:
        return _after_the_end(of, ended_on)
    if today < of.opens:
        return "upcoming"
    if today > of.closes:
        return "missed"
    return "due" if today <= of.planned else "overdue"


def days_off_target(of: Plan, actual: date | None) -> int | None:
    """Return how many days after (before: negative) its planned day a visit took place, or None."""
    return None if actual is None or of.planned is None else (actual - of.planned).days


def _taken(of: Plan, actual: date | None) -> VisitState:
    if actual is None or of.opens is None or of.closes is None:
        return "done"
    return "done" if of.opens <= actual <= of.closes else "out_of_window"


def _after_the_end(of: Plan, ended_on: date | None) -> VisitState:
    closed_before = ended_on is not None and of.closes is not None and of.closes < ended_on
    return "missed" if closed_before else "not_applicable"
