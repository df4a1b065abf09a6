"""Critical fields, the review of their changes, and events in plain words."""

import re
from pathlib import Path

import pytest

from datamodel.access.actor import Actor, Membership
from datamodel.discrepancies import reads as questions
from datamodel.kernel.errors import BadInputError, NotFoundError, RefusedError
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import unit_of_work
from datamodel.trail import actions, reads
from datamodel.trail.reads import ChangeFilter, EventFilter
from datamodel.trail.words import WORDS, in_words

ROW = ("S-3", "call_arm_1", 1, 0, "complete")
WAITING = ChangeFilter(critical=True, reviewed=False)


def person(role, *, name="", site=None):
    return Actor(new_id(), "staff", name or role.capitalize(), (Membership("small", role, site=site),))


def marked(trial, *fields):
    with unit_of_work(trial.url, person("data_manager")) as unit:
        return actions.mark_critical(unit, study="small", fields=fields)


def waiting(trial, actor):
    with unit_of_work(trial.url, actor) as unit:
        return reads.changes(unit.session, actor, study="small", asked=WAITING).rows


def reviewed(trial, actor, rows, *, verdict="accepted", note=""):
    looked = [actions.Looked(one.instance, one.revision, one.field) for one in rows]
    with unit_of_work(trial.url, actor) as unit:
        return actions.review(unit, study="small", looked_at=looked, verdict=verdict, note=note)


@pytest.fixture
def changed(trial):
    """The small trial with one critical field that changed once and one that is not critical."""
    marked(trial, ("phone", "said"))
    trial.revise("phone", (*ROW, {"said": "First"}))
    trial.revise("phone", (*ROW, {"said": "Second"}))
    trial.revise("scores", ("S-1", "week_2_arm_1", 0, 0, "complete", {"total": "9"}))
    return trial


def test_a_change_of_a_critical_value_waits_until_somebody_looked_at_it(changed):
    monitor = person("monitor", name="Mona Monitor")
    (one,) = waiting(changed, monitor)
    assert (one.participant, one.field, one.old, one.new, one.verdict) == ("S-3", "said", "First", "Second", "")
    assert reviewed(changed, monitor, [one]) == 1
    assert waiting(changed, monitor) == ()
    with unit_of_work(changed.url, monitor) as unit:
        done = reads.changes(
            unit.session, monitor, study="small", asked=ChangeFilter(critical=True, reviewed=True)
        ).rows
        told = reads.events(unit.session, monitor, study="small", asked=EventFilter(kind="data")).rows
    assert [(row.verdict, row.reviewer) for row in done] == [("accepted", "Mona Monitor")]
    assert told[0].what == "Changes of critical values were reviewed"
    assert "Second" not in str(told[0].change)


def test_a_change_is_reviewed_once_and_only_where_it_waits(changed):
    monitor = person("monitor")
    (one,) = waiting(changed, monitor)
    reviewed(changed, monitor, [one])
    with pytest.raises(NotFoundError, match="does not wait for review"):
        reviewed(changed, monitor, [one])


def test_a_questioned_change_says_what_is_doubtful(changed):
    monitor = person("monitor")
    with pytest.raises(BadInputError, match="needs a note"):
        reviewed(changed, monitor, waiting(changed, monitor), verdict="questioned")
    assert len(waiting(changed, monitor)) == 1
    reviewed(changed, monitor, waiting(changed, monitor), verdict="questioned", note="The diary says First.")
    assert waiting(changed, monitor) == ()


@pytest.mark.parametrize("role", ["monitor", "investigator", "data_manager"])
def test_a_questioned_change_opens_a_data_question_at_its_field(changed, role):
    who = person(role)
    reviewed(changed, who, waiting(changed, who), verdict="questioned", note="The diary says First.")
    with unit_of_work(changed.url, who) as unit:
        found = questions.discrepancies(unit.session, who, study="small")
        told = reads.events(unit.session, who, study="small", asked=EventFilter(kind="questions")).rows
    (one,) = [one for one in found if one.field == "said"]
    assert (one.participant, one.form_name, one.event_repeat, one.state) == ("S-3", "phone", 1, "open")
    assert (one.value, one.reason) == ("Second", "The diary says First.")
    assert told[0].what == "Data questions were opened: 1"


def test_an_accepted_change_opens_none(changed):
    who = person("monitor")
    reviewed(changed, who, waiting(changed, who))
    with unit_of_work(changed.url, who) as unit:
        assert [one for one in questions.discrepancies(unit.session, who, study="small") if one.field == "said"] == []


def test_whoever_made_a_change_does_not_review_it(changed):
    itself = person("monitor", name=waiting(changed, person("monitor"))[0].who)
    with pytest.raises(RefusedError, match="made a change does not review it"):
        reviewed(changed, itself, waiting(changed, itself))


def test_only_who_may_review_and_only_who_may_mark(changed):
    with pytest.raises(RefusedError, match="review changes of critical values"):
        reviewed(changed, person("coordinator"), waiting(changed, person("coordinator")))
    with unit_of_work(changed.url, person("monitor")) as unit, pytest.raises(RefusedError, match="design"):
        actions.mark_critical(unit, study="small", fields=[])


def test_somebody_of_one_site_sees_that_site_s_changes_only(changed):
    changed.revise("scores", ("S-1", "week_4_arm_1", 0, 1, "complete", {"total": "7"}))
    marked(changed, ("phone", "said"), ("scores", "total"))
    sites = {one.site for one in waiting(changed, person("monitor"))}
    assert sites == {"A"}
    assert waiting(changed, person("monitor", site="B")) == ()


def test_marks_are_told_and_unknown_fields_refused(trial):
    assert marked(trial, ("phone", "said"), ("scores", "total")) == 2
    assert marked(trial, ("phone", "said"), ("scores", "total")) == 0
    assert marked(trial, ("scores", "total")) == 1
    with unit_of_work(trial.url, person("monitor")) as unit:
        assert reads.critical_fields(unit.session, unit.actor, study="small") == {("scores", "total")}
    with pytest.raises(NotFoundError, match="no field nonsense in the form phone"):
        marked(trial, ("phone", "nonsense"))


def test_every_action_of_the_code_has_words_of_its_own():
    root = Path(__file__).parents[3]
    found = set()
    for folder in ("datamodel", "exports", "pipelines", "metricis", "apps"):
        for path in (root / folder).rglob("*.py"):
            found |= set(re.findall(r"record\(\s*unit,\s*\"([a-z_]+\.[a-z_]+)\"", path.read_text()))
    assert "records.revise_batch" in found
    assert sorted(found - WORDS.keys()) == []


def test_an_action_without_words_is_still_said():
    assert in_words("things.do_it", {}) == "Do it (things)"
