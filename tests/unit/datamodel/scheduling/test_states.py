from datetime import date

import pytest

from datamodel.scheduling.states import UNPLANNED, WORDS, days_off_target, first_day, plan, visit_state
from datamodel.study.protocol import Event, Protocol

ANCHOR = date(2026, 3, 1)
EVENT = Event("week_2", "Week 2", "1", 3, 14, 3, 5, ("vitals",))
PLAN = plan(EVENT, ANCHOR)  # planned 15 March, window 12 to 20 March


def state(**changes):
    asked = {"actual": None, "today": date(2026, 3, 1), "status": "enrolled"} | changes
    return visit_state(asked.pop("of", PLAN), **asked)


def day(number):
    return date(2026, 3, number)


def test_a_plan_counts_days_from_the_anchor():
    assert (PLAN.planned, PLAN.opens, PLAN.closes) == (day(15), day(12), day(20))
    assert plan(EVENT, None) == UNPLANNED


@pytest.mark.parametrize(
    ("today", "expected"),
    [(11, "upcoming"), (12, "due"), (15, "due"), (16, "overdue"), (20, "overdue"), (21, "missed")],
)
def test_a_visit_not_yet_made_by_the_day(today, expected):
    assert state(today=day(today)) == expected


@pytest.mark.parametrize(
    ("actual", "expected"), [(11, "out_of_window"), (12, "done"), (20, "done"), (21, "out_of_window")]
)
def test_a_visit_made_by_its_window(actual, expected):
    assert state(actual=day(actual), today=day(31)) == expected
    assert state(actual=day(actual), today=day(31), status="withdrawn") == expected


def test_entered_data_without_a_date_count_as_done():
    assert state(has_data=True, today=day(31)) == "done"


@pytest.mark.parametrize("status", ["withdrawn", "completed", "screen_failed"])
def test_after_the_end_only_visits_that_had_closed_are_missed(status):
    assert state(status=status, today=day(31), ended_on=day(21)) == "missed"
    assert state(status=status, today=day(31), ended_on=day(20)) == "not_applicable"
    assert state(status=status, today=day(31)) == "not_applicable"


def test_an_event_without_a_planned_day():
    assert state(of=UNPLANNED) == "not_applicable"
    assert state(of=UNPLANNED, actual=day(3)) == "done"


def test_study_days_have_no_day_0():
    def on(number):
        return plan(Event("e", "E", "1", 1, number, 0, 0, ()), ANCHOR, first=1).planned

    assert [on(number) for number in (-1, 1, 2)] == [date(2026, 2, 28), ANCHOR, date(2026, 3, 2)]


def test_a_design_counts_study_days_when_its_anchor_stands_at_day_1():
    def protocol(number):
        return Protocol("id", (), (Event("base", "Base", "1", 1, number, 0, 0, ()),), ())

    assert [first_day(protocol(number), "base") for number in (0, 1, 5, None)] == [0, 1, 0, 0]
    assert first_day(protocol(1), "") == 0


def test_every_state_has_a_word():
    assert set(WORDS) == {"done", "out_of_window", "due", "overdue", "upcoming", "missed", "not_applicable"}


def test_days_off_target():
    assert days_off_target(PLAN, day(13)) == -2
    assert days_off_target(PLAN, None) is None
    assert days_off_target(UNPLANNED, day(13)) is None
