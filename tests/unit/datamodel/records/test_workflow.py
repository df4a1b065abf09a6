"""The life of a form: every status with every step, and what keeps a form from a step."""

from datetime import UTC, datetime
from itertools import product
from uuid import uuid4

import pytest

from datamodel.kernel.errors import Refused
from datamodel.records.workflow import MARKED, STATUSES, STEPS, Kept, Shown, after, change_reason, decide

#: status -> what verify, sign, lock, reopen, change lead to ("–": refused; source: what the newest version came with)
TABLE = {
    "not_started": ("–", "–", "–", "–", "source"),
    "in_progress": ("–", "–", "–", "–", "source"),
    "complete": ("verified", "signed", "–", "–", "source"),
    "verified": ("–", "signed", "–", "source", "source"),
    "signed": ("–", "signed", "locked", "source", "source"),
    "locked": ("–", "–", "–", "source", "source"),
}
SIGNER = uuid4()


def kept(**given) -> Kept:
    values = {
        "instance_id": uuid4(),
        "participant_id": uuid4(),
        "participant": "701-1015",
        "site": "701",
        "event_name": "visit_1",
        "form_name": "vs",
        "event_repeat": 0,
        "form_repeat": 0,
        "status": "complete",
        "source_status": "complete",
        "revision": 3,
        "content_hash": b"\x01" * 32,
        "is_removed": False,
        "open_queries": 0,
        "updated_at": datetime(2026, 3, 5, tzinfo=UTC),
    }
    return Kept(**(values | given))


@pytest.mark.parametrize(("status", "step", "source"), [*product(STATUSES, STEPS, ("in_progress", "complete"))])
def test_every_status_with_every_step(status, step, source):
    expected = TABLE[status][STEPS.index(step)]
    found = after(status, step, source=source)
    if expected == "–":
        assert isinstance(found, Refused)
        assert found.reason.startswith("The form is ")
    else:
        assert found == (source if expected == "source" else expected)


@pytest.mark.parametrize("source", ["in_progress", "complete"])
@pytest.mark.parametrize("status", sorted(MARKED))
def test_no_step_but_reopen_and_change_takes_a_mark_away(status, source):
    left = {
        step
        for step in STEPS
        if not isinstance(found := after(status, step, source=source), Refused) and found not in MARKED
    }
    assert left == {"reopen", "change"}


@pytest.mark.parametrize("step", ["verify", "sign"])
def test_open_queries_keep_a_form_from_being_vouched_for(step):
    assert decide(kept(), step) in MARKED
    refused = decide(kept(open_queries=2), step)
    assert isinstance(refused, Refused)
    assert refused.reason == "The form has 2 open queries."


def test_a_signed_form_with_a_query_is_not_locked_but_may_be_reopened():
    one = kept(status="signed", open_queries=1)
    assert decide(one, "lock").reason == "The form has an open query."
    assert decide(one, "reopen") == "complete"


@pytest.mark.parametrize("step", ["verify", "sign", "lock", "reopen"])
@pytest.mark.parametrize("change", [{"revision": 2}, {"content_hash": b"\x02" * 32}])
def test_what_changed_since_it_was_shown_takes_no_step(step, change):
    status = {"verify": "complete", "sign": "complete", "lock": "signed", "reopen": "signed"}[step]
    one = kept(status=status)
    assert not isinstance(decide(one, step, shown=one.as_shown), Refused)
    seen = {"revision": one.revision, "content_hash": one.content_hash} | change
    assert decide(one, step, shown=Shown(one.instance_id, **seen)).code == "changed-since-shown"


def test_one_person_signs_a_version_once_and_a_second_person_beside():
    one = kept(status="signed", signers=frozenset({SIGNER}))
    assert decide(one, "sign", by=SIGNER).code == "signed-by-you"
    assert decide(one, "sign", by=uuid4()) == "signed"


@pytest.mark.parametrize("step", ["verify", "sign", "lock", "reopen"])
def test_a_form_that_its_source_removed_takes_no_step(step):
    assert decide(kept(status="signed", is_removed=True), step).code == "removed"


@pytest.mark.parametrize(
    ("labels", "is_removed", "said"),
    [
        (["Pulse", "Temperature", "Pulse"], False, "Value changed: Pulse, Temperature"),
        ([], False, "Status changed at its source"),
        (["Pulse"], True, "Removed at its source"),
    ],
)
def test_the_reason_names_the_fields(labels, is_removed, said):
    assert change_reason(labels, is_removed=is_removed) == said
