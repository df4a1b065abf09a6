"""A refused act leaves one entry in the ledger, with the sentence that the person read, and a loop does not flood it."""

import pytest
from sqlalchemy import text

from datamodel.access import refusals
from datamodel.access.refusals import AGAIN, MOST, Told
from datamodel.access.rights import may
from datamodel.audit.verify import verify
from datamodel.kernel.errors import RefusedError
from datamodel.kernel.unit import reading, unit_of_work
from datamodel.participants import reads as participants
from datamodel.study import actions as study
from tests.support.people import people


@pytest.fixture
def staff(database_url, monkeypatch):
    monkeypatch.setattr(refusals, "_TOLD", Told())
    monkeypatch.setattr(refusals.note, "__kwdefaults__", {"told": Told()})
    return people(database_url, {"viewer": "viewer", "owner": "owner"})


def told(staff):
    with unit_of_work(staff.url, staff.installer) as unit:
        mine = unit.session.execute(text("select subject from app.audit_event where action = 'access.refused'")).all()
    with unit_of_work(staff.url, staff["owner"]) as unit:
        seen = unit.session.execute(
            text("select actor_name, subject, role, change from app.audit_event where action = 'access.refused'")
        ).all()
    return mine, seen


def test_a_refused_act_is_told_in_the_ledger_and_nothing_of_the_act_is_kept(staff):
    with pytest.raises(RefusedError) as caught, unit_of_work(staff.url, staff["viewer"]) as unit:
        study.add_site(unit, study="demo", code="1", name="Site")
    _, seen = told(staff)
    assert len(seen) == 1
    assert seen[0].actor_name == "Viewer Person"
    assert seen[0].subject == "study:demo"
    assert seen[0].role == "viewer"
    assert seen[0].change["new"]["permission"] == "study:design:manage"
    assert seen[0].change["new"]["sentence"] == str(caught.value) == caught.value.refusal.sentence
    with unit_of_work(staff.url, staff["owner"]) as unit:
        assert unit.session.execute(text("select count(*) from app.site")).scalar_one() == 0
        assert verify(unit.session).is_ok


def test_a_refused_look_is_told_too_also_in_a_study_that_is_not_one_s_own(staff):
    with pytest.raises(RefusedError), reading(staff.url, staff["viewer"]) as session:
        participants.arms(session, staff["viewer"], study="demo")
    with pytest.raises(RefusedError), reading(staff.url, staff["viewer"]) as session:
        participants.arms(session, staff["viewer"], study="other")
    mine, seen = told(staff)
    assert [one.subject for one in seen] == ["study:demo"]  # what happened outside the study is for administrators
    assert {one.subject for one in mine} >= {"study:other"}


def test_a_loop_is_told_once(staff):
    for _ in range(20):
        with pytest.raises(RefusedError), reading(staff.url, staff["viewer"]) as session:
            participants.arms(session, staff["viewer"], study="demo")
    assert len(told(staff)[1]) == 1


def test_the_same_refusal_is_told_once_a_minute_and_the_next_one_says_how_many_were_left_out():
    now = [0.0]
    told = Told(now=lambda: now[0])
    assert told.is_due("a", "read", "demo") == 0
    assert [told.is_due("a", "read", "demo") for _ in range(3)] == [None] * 3
    assert told.is_due("b", "read", "demo") == 0
    assert told.is_due("a", "write", "demo") == 3
    now[0] = AGAIN
    assert told.is_due("a", "read", "demo") == 0


def test_an_account_that_tries_everything_is_told_a_bounded_number_of_times_an_hour():
    now = [0.0]
    told = Told(now=lambda: now[0])
    due = [told.is_due("a", n) for n in range(1000)]
    assert len([one for one in due if one is not None]) == MOST
    now[0] = 3600.0
    assert told.is_due("a", "new") == 1000 - MOST


def test_a_refusal_whose_trace_cannot_be_written_stays_that_refusal(staff):
    answer = may(staff["viewer"], "study:data:read", study="demo")
    answer.leave_trace("postgresql://127.0.0.1:9/nothing", staff["viewer"])
