from dataclasses import dataclass
from datetime import date, timedelta

from datamodel.scheduling.week import Week, week
from datamodel.study.protocol import Choice, Event, Protocol

TODAY = date(2026, 3, 18)  # a Wednesday
DESIGN = Protocol("id", (Choice("1", "All"),), (Event("w2", "Week 2", "1", 1, 14, 3, 5, ("vs",)),), ())


@dataclass(frozen=True)
class Person:
    code: str
    anchor_on: date | None
    status: str = "enrolled"


def due_on(code, day, **more):
    return Person(code, date(2026, 3, day) - timedelta(days=14), **more)


def found(*people, taken=()):
    return week(DESIGN, people, taken=set(taken), today=TODAY)


def test_the_week_runs_from_today_to_sunday():
    people = [due_on("late", 17), due_on("today", 18), due_on("sunday", 22), due_on("monday", 23)]
    assert found(*people) == Week(frozenset({"today", "sunday"}), frozenset({"late"}), date(2026, 3, 17))


def test_a_closed_window_a_visit_made_and_an_ended_participant_are_not_waited_for():
    people = [due_on("missed", 12), due_on("made", 18), due_on("left", 18, status="withdrawn"), Person("new", None)]
    assert found(*people, taken=[("made", "w2")]) == Week(last_planned=date(2026, 3, 12))
