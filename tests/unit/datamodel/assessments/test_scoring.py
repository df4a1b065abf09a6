"""The rule `simple-rt-1`, situation by situation."""

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodel.assessments.library import LIBRARY, settled
from datamodel.assessments.scoring import RULES, simple_rt
from datamodel.kernel.errors import BadInputError


def scored(*rts, waits=(), practice=()):
    trials = [{"phase": "test", "rt": rt} for rt in rts]
    trials += [{"phase": "wait", "rt": rt} for rt in waits] + [{"phase": "practice", "rt": rt} for rt in practice]
    return {one.name: one.value for one in simple_rt(trials)}


def test_a_plain_session():
    found = scored(200, 300, 400)
    assert found == {
        "n_trials": 3,
        "n": 3,
        "median_rt": 300,
        "mean_rt": 300,
        "sd_rt": 100,
        "min_rt": 200,
        "max_rt": 400,
        "mean_rt_all": 300,
        "lapses": 0,
        "anticipations": 0,
        "false_starts": 0,
        "timeouts": 0,
        "accuracy": 1,
    }


@pytest.mark.parametrize(("rt", "is_anticipation"), [(0, True), (149.9, True), (150, False), (151, False)])
def test_an_anticipation_is_faster_than_150_ms(rt, is_anticipation):
    found = scored(rt, 300)
    assert found["anticipations"] == is_anticipation
    assert found["n"] == 2 - is_anticipation
    assert found["mean_rt_all"] == (rt + 300) / 2


@pytest.mark.parametrize(("rt", "is_lapse"), [(499, False), (499.9, False), (500, True), (4999, True)])
def test_a_lapse_is_500_ms_or_more_and_stays_in_the_mean(rt, is_lapse):
    found = scored(rt, 300)
    assert found["lapses"] == is_lapse
    assert found["mean_rt"] == (rt + 300) / 2


def test_a_timeout_is_no_response_and_lowers_accuracy_only():
    found = scored(300, 300, None, 100)
    assert (found["timeouts"], found["n"], found["median_rt"], found["accuracy"]) == (1, 2, 300, 0.5)


def test_practice_does_not_count_and_false_starts_do():
    found = scored(300, waits=(20, None), practice=(900, 10))
    assert (found["n_trials"], found["lapses"], found["anticipations"], found["false_starts"]) == (1, 0, 0, 1)


@pytest.mark.parametrize("rts", [(), (None,), (100,)])
def test_what_cannot_be_computed_is_null_never_zero(rts):
    found = scored(*rts)
    assert [found[name] for name in ("median_rt", "mean_rt", "sd_rt", "min_rt", "max_rt")] == [None] * 5
    assert found["accuracy"] == (0 if rts else None)


def test_one_response_has_no_standard_deviation():
    assert scored(300)["sd_rt"] is None


@given(st.lists(st.one_of(st.none(), st.integers(0, 6000)), max_size=60))
def test_counts_add_up_and_statistics_are_those_of_the_valid_responses(rts):
    found = scored(*rts)
    valid = [rt for rt in rts if rt is not None and rt >= 150]
    assert found["n"] + found["anticipations"] + found["timeouts"] == found["n_trials"] == len(rts)
    assert found["median_rt"] == (statistics.median(valid) if valid else None)
    assert found["lapses"] <= found["n"]
    if valid:
        assert found["min_rt"] <= found["median_rt"] <= found["max_rt"]


def test_every_task_of_the_library_has_its_rule():
    assert {task.rule for task in LIBRARY.values()} <= set(RULES)


def test_defaults_are_written_out():
    assert settled("simple-reaction-time", {"trials": 5}) == {
        "trials": 5,
        "practice_trials": 3,
        "timeout_ms": 5000,
        "isi_min_ms": 500,
        "isi_max_ms": 1500,
    }


@pytest.mark.parametrize(
    ("code", "given", "says"),
    [
        ("stroop", {}, "the library holds simple-reaction-time"),
        ("simple-reaction-time", {"speed": 1}, "allowed are trials"),
        ("simple-reaction-time", {"trials": 0}, "from 1 to 200"),
        ("simple-reaction-time", {"trials": "5"}, "whole numbers"),
        ("simple-reaction-time", {"trials": True}, "whole numbers"),
        ("simple-reaction-time", {"isi_min_ms": 900, "isi_max_ms": 800}, "shortest"),
    ],
)
def test_a_wrong_battery_is_told_what_is_allowed(code, given, says):
    with pytest.raises(BadInputError, match=says):
        settled(code, given)
