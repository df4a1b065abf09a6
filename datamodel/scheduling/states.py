"""The one definition of a visit's state. Pure."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal

from datamodel.study.protocol import Event

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
_ENDED: Final = frozenset({"completed", "withdrawn", "screen_failed"})


@dataclass(frozen=True, slots=True)
class Plan:
    """The day a visit is planned for and the first and last day of its window; all None when nothing is planned."""

    planned: date | None
    opens: date | None
    closes: date | None


#: An event without a planned day (a log, an unscheduled visit), or a participant whose schedule has not begun.
UNPLANNED: Final = Plan(None, None, None)


def plan(event: Event, anchor: date | None) -> Plan:
    """Return the plan of `event` for a participant whose schedule counts from `anchor`.

    `event.day` is the number of days after the anchor (negative before it); `days_before` and `days_after` open the
    window round it.
    """
    if anchor is None or event.day is None:
        return UNPLANNED
    planned = anchor + timedelta(days=event.day)
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
    is_planned_event: bool = True,
    ended_on: date | None = None,
) -> VisitState:
    """Return the state of one visit of one participant as of `today`.

    - A visit that took place (a date, or entered data without a date) is `done`; with a date outside its window,
      `out_of_window`.
    - Before its window it is `upcoming`, inside it `due` up to the planned day's end and `overdue` after that day,
      past it `missed`.
    - Once the participant has ended (`status` completed, withdrawn or screen_failed; on `ended_on` when the day is
      known), a visit whose window had closed by then is `missed` and any later one `not_applicable`.
    - An event without a planned day is `not_applicable` until something happens there.
    """
    if actual is not None or has_data:
        return _taken(of, actual)
    if not is_planned_event:
        return "not_applicable"
    if status in _ENDED:
        return _after_the_end(of, ended_on)
    if of.planned is None or of.opens is None or of.closes is None or today < of.opens:
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
