"""The participant's one queue."""

from datetime import date, timedelta
from uuid import uuid4

import pytest

from datamodel.kernel.errors import Allowed, Refused
from datamodel.tasks.queue import Assigned, Run, consent_card, queue

TODAY = date(2026, 3, 5)
CLOSED = Refused("consent-needed", "It needs consent.")


def assigned(title="Game", opens=0, due=7):
    return Assigned(uuid4(), title, 2, TODAY + timedelta(days=opens), TODAY + timedelta(days=due))


def one(task, *states, gate=None):
    runs = [Run(task.id, state, 1000 + number) for number, state in enumerate(states)]
    [card] = queue([task], runs, gate=Allowed() if gate is None else gate, today=TODAY)
    return card


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ((), "to_do"),
        (("started",), "started"),
        (("partial",), "started"),
        (("partial", "complete"), "sent"),
        (("scored", "partial"), "done"),
        (("void",), "to_do"),
    ],
)
def test_the_furthest_run_says_the_state(states, expected):
    assert one(assigned(), *states).state == expected


def test_a_closed_gate_blocks_with_its_reason_but_not_what_is_done():
    blocked = one(assigned(), gate=CLOSED)
    assert (blocked.state, blocked.blocked) == ("blocked", CLOSED)
    finished = one(assigned(), "scored", gate=CLOSED)
    assert (finished.state, finished.blocked) == ("done", None)


def test_a_task_that_opens_later_says_when():
    card = one(assigned(opens=2))
    assert card.state == "blocked"
    assert "07-Mar-2026" in card.blocked.reason


@pytest.mark.parametrize(("due", "is_overdue"), [(-1, True), (0, False), (1, False)])
def test_overdue_is_after_the_due_day(due, is_overdue):
    assert one(assigned(opens=-9, due=due)).is_overdue == is_overdue


def test_open_ones_come_first_by_their_due_day_and_consent_before_all():
    late, soon, done = assigned("late", due=9), assigned("soon", due=1), assigned("done", due=0)
    consent = consent_card("needed", title="Consent", minutes=5, receipt=None, is_waiting=False)
    cards = queue([late, done, soon], [Run(done.id, "scored", 1)], gate=Allowed(), today=TODAY, consent=consent)
    assert [card.title for card in cards] == ["Consent", "soon", "late", "done"]


@pytest.mark.parametrize(
    ("state", "waiting", "expected"),
    [("needed", False, "to_do"), ("needed", True, "sent"), ("signed", False, "done"), ("outdated", False, "to_do"), ("declined", False, "done")],
)  # fmt: skip
def test_the_consent_card(state, waiting, expected):
    assert consent_card(state, title="", minutes=5, receipt=1, is_waiting=waiting).state == expected


@pytest.mark.parametrize("state", ["not_needed", "none_published"])
def test_no_consent_card_where_there_is_nothing_to_sign(state):
    assert consent_card(state, title="", minutes=5, receipt=None, is_waiting=False) is None
