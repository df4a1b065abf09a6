from dataclasses import replace

import pytest

from datamodel.discrepancies.life import WITHHELD, Kept, Question, may_answer, may_close, may_reopen, steps
from datamodel.kernel.ids import new_id

ASKED = Question("P1", "visit", "vs", 0, 0, "sex", "9", "unknown_code", "not a code")


def kept(state, *, is_closed_by_source=False):
    return [Kept(new_id(), ASKED.key, state, is_closed_by_source)]


def test_a_new_question_is_opened_once():
    assert steps([], [ASKED]).opened == [ASKED]
    again = steps(kept("open"), [ASKED])
    assert again == ([], [], [])


@pytest.mark.parametrize("state", ["open", "answered", "reopened"])
def test_a_question_nobody_raises_any_more_is_closed(state):
    assert len(steps(kept(state), []).closed) == 1


def test_what_a_person_closed_stays_closed_and_what_the_source_closed_comes_back():
    assert steps(kept("closed"), [ASKED]) == ([], [], [])
    assert len(steps(kept("closed", is_closed_by_source=True), [ASKED]).reopened) == 1
    assert steps(kept("cancelled"), []) == ([], [], [])


def test_another_value_or_place_is_another_question():
    keys = {ASKED.key} | {
        replace(ASKED, **change).key for change in ({"value": "8"}, {"field": "age"}, {"form_repeat": 2}, {"rule": "x"})
    }
    assert len(keys) == 5


def test_a_blinded_value_is_not_kept():
    assert replace(ASKED, is_withheld=True).shown == WITHHELD


@pytest.mark.parametrize(
    ("may", "allowed"),
    [
        (may_answer, {"open", "reopened", "answered"}),
        (may_close, {"open", "reopened", "answered"}),
        (may_reopen, {"answered", "closed"}),
    ],
)
def test_each_step_has_its_states(may, allowed):
    for state in ("open", "answered", "closed", "reopened", "cancelled"):
        assert bool(may(state)) is (state in allowed), state
