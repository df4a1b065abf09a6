"""Acts that need two people: who may, in which state, and that each is done once."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import text

from datamodel.access import reads as access_reads
from datamodel.access.actor import KNOCKING, Actor
from datamodel.approvals import actions, reads
from datamodel.approvals.kinds import KINDS
from datamodel.kernel.errors import BadInputError, NotFoundError, RefusedError
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import unit_of_work
from tests.support.people import people

WHAT = {"account": "somebody", "role": "statistician"}


@pytest.fixture
def staff(database_url):
    return people(
        database_url,
        {
            "owner": "owner",
            "investigator": "investigator",
            "safety": "safety_officer",
            "monitor": "monitor",
        },
        studies=("demo", "other"),
    )


def propose(staff, who="owner", *, kind="unblinding", study="demo", reason="The board asked.", what=WHAT):
    with unit_of_work(staff.url, staff[who], reason=reason) as unit:
        return actions.propose(unit, kind, study, what)


def approve(staff, approval_id, who="investigator", **more):
    with unit_of_work(staff.url, staff[who], reason="Agreed.", **more) as unit:
        actions.approve(unit, approval_id)


def take(staff, approval_id, who="owner", *, kind="unblinding", study="demo", **more):
    with unit_of_work(staff.url, staff[who], **more) as unit:
        return actions.take(unit, approval_id, kind=kind, study=study)


def states(staff, who="owner", study="demo"):
    with unit_of_work(staff.url, staff[who]) as unit:
        return [one.state for one in reads.proposals(unit.session, staff[who], study=study, now=unit.instant)]


def test_two_people_and_the_act_gets_what_was_approved_and_the_ledger_tells_all_three(staff):
    approval_id = propose(staff)
    assert states(staff) == ["waiting"]
    approve(staff, approval_id)
    assert states(staff) == ["approved"]
    assert take(staff, approval_id) == WHAT
    assert states(staff) == ["taken"]
    with unit_of_work(staff.url, staff["owner"]) as unit:
        told = unit.session.execute(
            text("select action, actor_name, reason from app.audit_event where action like 'approvals.%' order by seq")
        ).all()
    assert [one[0] for one in told] == ["approvals.propose", "approvals.approve", "approvals.take"]
    assert told[0][2] == "The board asked."
    assert told[0][1] != told[1][1]


def test_nobody_approves_what_they_proposed(staff):
    approval_id = propose(staff)
    with pytest.raises(RefusedError, match="second person"):
        approve(staff, approval_id, "owner")
    assert states(staff) == ["waiting"]


@pytest.mark.parametrize("verb", [approve, take])
def test_whoever_lacks_the_permission_neither_approves_nor_does_it(staff, verb):
    approval_id = propose(staff)
    if verb is take:
        approve(staff, approval_id)
    with pytest.raises(RefusedError, match="role monitor may not propose or approve that somebody sees blinded"):
        verb(staff, approval_id, "monitor")
    with pytest.raises(RefusedError, match="role monitor may not"):
        propose(staff, "monitor")
    assert states(staff, "monitor") == []


def test_what_nobody_approved_is_not_done(staff):
    with pytest.raises(RefusedError, match="Nobody else has approved"):
        take(staff, propose(staff))


def test_it_is_done_once(staff):
    approval_id = propose(staff)
    approve(staff, approval_id)
    take(staff, approval_id)
    with pytest.raises(RefusedError, match="done already"):
        take(staff, approval_id)
    with pytest.raises(RefusedError, match="done already"):
        approve(staff, approval_id)


def test_of_many_at_the_same_moment_one_does_it(staff):
    approval_id = propose(staff)
    approve(staff, approval_id)
    start, done = threading.Barrier(8), []

    def go() -> None:
        start.wait()
        try:
            done.append(take(staff, approval_id))
        except RefusedError as error:
            done.append(error.refusal.code)

    threads = [threading.Thread(target=go) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert done.count(WHAT) == 1
    assert done.count("approval-taken") == 7


def test_it_is_approved_once(staff):
    approval_id = propose(staff)
    approve(staff, approval_id)
    with pytest.raises(RefusedError, match="approved already"):
        approve(staff, approval_id, "safety")


@pytest.mark.parametrize("is_approved", [False, True])
def test_after_a_day_it_is_over(staff, is_approved):
    approval_id = propose(staff)
    if is_approved:
        approve(staff, approval_id)
    with unit_of_work(staff.url, staff["owner"]) as unit:
        later = unit.instant + timedelta(hours=24)
    with pytest.raises(RefusedError, match="older than 24 hours"):
        take(staff, approval_id, clock=lambda: later)
    with pytest.raises(RefusedError, match=r"older than 24 hours"):
        approve(staff, approval_id, "safety", clock=lambda: later)


def test_what_was_turned_down_is_neither_approved_nor_done(staff):
    approval_id = propose(staff)
    with unit_of_work(staff.url, staff["safety"], reason="Not needed.") as unit:
        actions.end(unit, approval_id)
    for verb in (approve, take):
        with pytest.raises(RefusedError, match="turned down or taken back"):
            verb(staff, approval_id)
    with pytest.raises(RefusedError, match="turned down"), unit_of_work(staff.url, staff["owner"]) as unit:
        actions.end(unit, approval_id)


def test_an_approval_serves_no_other_act_and_no_other_study(staff):
    approval_id = propose(staff)
    approve(staff, approval_id)
    for more in ({"kind": "study_close"}, {"study": "other"}):
        with pytest.raises(NotFoundError, match="no such proposal"):
            take(staff, approval_id, **more)


def test_bad_input_says_what_is_allowed(staff):
    with pytest.raises(BadInputError, match="allowed are unblinding"):
        propose(staff, kind="party")
    with pytest.raises(BadInputError, match="Say why"):
        propose(staff, reason="  ")
    with pytest.raises(NotFoundError):
        approve(staff, new_id())


def test_a_change_of_keys_is_for_two_administrators(staff):
    roots = [Actor(id=new_id(), kind="staff", name=name, is_administrator=True) for name in ("Root One", "Root Two")]
    with unit_of_work(staff.url, roots[0], reason="Yearly.") as unit:
        approval_id = actions.propose(unit, "key_change", "", {"key": "root"})
    with pytest.raises(RefusedError, match="second person"), unit_of_work(staff.url, roots[0]) as unit:
        actions.approve(unit, approval_id)
    with pytest.raises((RefusedError, NotFoundError)), unit_of_work(staff.url, staff["owner"]) as unit:
        actions.approve(unit, approval_id)
    with unit_of_work(staff.url, roots[1], reason="Yes.") as unit:
        actions.approve(unit, approval_id)
    with unit_of_work(staff.url, roots[0]) as unit:
        assert actions.take(unit, approval_id, kind="key_change", study="") == {"key": "root"}


def test_every_kind_names_a_permission_of_the_table():
    from datamodel.access.rights import PERMISSIONS

    assert {kind.permission for kind in KINDS.values()} <= PERMISSIONS.keys()


def test_a_member_of_another_study_does_not_find_it(staff):
    approval_id = propose(staff)
    with unit_of_work(staff.url, KNOCKING) as unit:
        stranger = access_reads.actor(unit.session, staff.accounts["stranger"])
    with pytest.raises((NotFoundError, RefusedError)), unit_of_work(staff.url, stranger) as unit:
        actions.approve(unit, approval_id)
