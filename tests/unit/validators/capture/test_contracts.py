"""What a phone may send, and how a refusal reads."""

from uuid import uuid4

import pytest

from validators.capture.assessment import FLAGS, check_assessment
from validators.capture.consent import check_consent

SECRET = "Whistlewood"


def trial(index=0, **changes):
    return {"trial_index": index, "trial_type": "html-button-response", "time_elapsed": 1000 * (index + 1), "phase": "test", "rt": 300 + index} | changes  # fmt: skip


def results(**changes):
    return {
        "session": str(uuid4()),
        "assignment": str(uuid4()),
        "task": "simple-reaction-time",
        "started_at": "2026-03-05T09:00:00Z",
        "ended_at": "2026-03-05T09:02:00Z",
        "is_simulated": False,
        "outcome": "complete",
        "trials_expected": 3,
        "device": {"input": "touch", "width": 390, "pixel_ratio": 2.5, "has_touch": True},
        "interactions": [],
        "trials": [trial(0), trial(1), trial(2)],
    } | changes


def consent(**changes):
    return {
        "decision": "agreed",
        "decided_at": "2026-03-05T09:00:00Z",
        "version": str(uuid4()),
        "content_sha256": "a" * 64,
        "is_certified": True,
        "method": "typed",
        "typed_name": "Jane Doe",
    } | changes


def test_a_whole_session_is_accepted_and_its_trials_kept_as_they_came():
    report = check_assessment(results())
    assert report.is_accepted
    assert report.flags == ()
    assert report.accepted.trials[0] == trial(0)


def test_a_part_without_an_end_is_accepted():
    assert check_assessment(results(outcome=None, ended_at=None, trials_expected=None)).is_accepted


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"session": SECRET}, "session"),
        ({"started_at": "2026-03-05T09:00:00"}, "started_at"),
        ({"is_simulated": SECRET}, "is_simulated"),
        ({"outcome": SECRET}, "outcome"),
        ({"trials_expected": None}, "trials_expected"),
        ({"ended_at": "2026-03-05T08:00:00Z"}, "ended_at is before"),
        ({"surprise": SECRET}, "surprise"),
        ({"device": {"name": [SECRET]}}, "device"),
        ({"trials": [trial(rt=-1)]}, "trial 0, rt"),
        ({"trials": [trial(rt=SECRET)]}, "trial 0, rt"),
        ({"trials": [trial(), trial(1, phase=SECRET)]}, "trial 1, phase"),
        ({"trials": [trial(), trial()]}, "comes twice"),
        ({"trials": [trial(trial_index="0")]}, "trial 0, trial_index"),
        ({"trials": [trial(stimulus=SECRET + "\x00")]}, "NUL"),
        ({"trials": [trial(stimulus="x" * 4001)]}, "longer than 4000"),
        ({"trials": [trial(n) for n in range(2001)]}, "trials"),
    ],
)
def test_what_is_wrong_is_named_by_its_place_and_never_by_its_value(changes, place):
    report = check_assessment(results(**changes))
    assert not report.is_accepted
    assert place in report.sentence
    assert SECRET not in report.sentence


@pytest.mark.parametrize("payload", [None, [], "text", 3])
@pytest.mark.parametrize("check", [check_assessment, check_consent])
def test_anything_but_an_object_is_refused(check, payload):
    assert "one JSON object" in check(payload).sentence


@pytest.mark.parametrize(
    ("flag", "changes"),
    [
        ("focus-lost", {"interactions": [{"event": "blur", "trial": 1, "time": 900, "more": 1}]}),
        ("times-do-not-add-up", {"trials": [trial(0, rt=900, time_elapsed=1), trial(1, rt=800, time_elapsed=4)]}),
        ("time-runs-back", {"trials": [trial(0, time_elapsed=5000), trial(1, time_elapsed=4000)]}),
        ("identical-times", {"trials": [trial(n, rt=300) for n in range(3)]}),
    ],
)
def test_oddities_are_flagged_and_kept(flag, changes):
    report = check_assessment(results(**changes))
    assert report.is_accepted
    assert report.flags == (flag,)
    assert flag in FLAGS


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"method": "drawn", "typed_name": None, "strokes": [[[0.1, 0.2], [0.3, 0.4]]]},
        {"decision": "declined", "is_certified": False, "method": None, "typed_name": None},
        {"decision": "withdrawn", "version": None, "content_sha256": None, "method": None, "typed_name": None},
    ],
)
def test_decisions_that_hold(changes):
    assert check_consent(consent(**changes)).is_accepted


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"is_certified": False}, "must be ticked"),
        ({"method": "drawn"}, "either drawn"),
        ({"typed_name": None}, "either drawn"),
        ({"strokes": [[[0, 0]]]}, "either drawn"),
        ({"version": None}, "must name the version"),
        ({"decision": "declined"}, "no signature"),
        ({"decision": SECRET}, "decision"),
        ({"typed_name": SECRET + "\x00"}, "NUL"),
        ({"decided_at": "yesterday"}, "decided_at"),
        ({"method": "drawn", "typed_name": None, "strokes": [[[0, 0]] * 20_001]}, "too many points"),
        ({"scope": SECRET}, "scope"),
    ],
)
def test_decisions_that_do_not_hold(changes, says):
    report = check_consent(consent(**changes))
    assert not report.is_accepted
    assert says in report.sentence
    assert SECRET not in report.sentence


def test_many_problems_are_told_in_a_few_sentences():
    report = check_assessment({})
    assert len(report.problems) > 5
    assert "more." in report.sentence
