"""Acts that take two people do take them: closing a study, another address for what is sent out."""

import pytest
from sqlalchemy import text

from datamodel.access import reads as access_reads
from datamodel.access.actor import KNOCKING, Actor, Membership
from datamodel.access.rights import PERMISSIONS, ROLES, may
from datamodel.approvals import actions as approvals
from datamodel.connections import actions as connections
from datamodel.connections import reads as connection_reads
from datamodel.connections.mapping import Mapping
from datamodel.consent import actions as consent
from datamodel.intake import actions as intake
from datamodel.kernel.errors import BadInputError, NotFoundError, RefusedError
from datamodel.kernel.ids import new_id
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import unit_of_work
from datamodel.participants import actions as participants
from datamodel.participants import reads as participant_reads
from datamodel.participants.facts import Facts
from datamodel.study import actions as study
from datamodel.study import reads as studies
from pipelines.ingest.run import is_closed
from tests.support.people import people

HERE, THERE = "https://redcap.example.org/api/", "https://elsewhere.example.org/api/"
CAPTURE = {"study:records:revise", "study:records:sign", "study:participants:enrol", "study:connections:sync"}


@pytest.fixture
def staff(database_url, home):
    return people(database_url, {"owner": "owner", "manager": "data_manager", "coordinator": "coordinator"})


def approved(staff, kind, what, *, by="manager"):
    with unit_of_work(staff.url, staff["owner"], reason="It is time.") as unit:
        number = approvals.propose(unit, kind, "demo", what)
    if by:
        with unit_of_work(staff.url, staff[by], reason="Agreed.") as unit:
            approvals.approve(unit, number)
    return number


def close(staff, number, who="owner"):
    with unit_of_work(staff.url, staff[who], reason="Last visit was in May.") as unit:
        study.close_study(unit, study="demo", approval=number)


def service(staff):
    with unit_of_work(staff.url, KNOCKING) as unit:
        return access_reads.service_actor(unit.session)


def test_one_person_closes_no_study(staff):
    with pytest.raises(RefusedError, match="Nobody else has approved"):
        close(staff, approved(staff, "study_close", {}, by=""))
    number = approved(staff, "study_close", {})
    with pytest.raises(RefusedError, match="role coordinator may not"):
        close(staff, number, "coordinator")
    with pytest.raises(NotFoundError, match="no such proposal"):
        close(staff, approved(staff, "outbound_rule", {"api_url": THERE}))
    assert not is_closed("demo", url=staff.url)


def test_a_closed_study_is_read_and_nothing_in_it_changes(staff):
    with unit_of_work(staff.url, service(staff)) as unit:
        participants.ensure(unit, study="demo", facts=[Facts(code="S-1")])
    close(staff, approved(staff, "study_close", {}))
    assert is_closed("demo", url=staff.url)
    assert not is_closed("other", url=staff.url)
    said = "This study is closed, so nobody may add participants"
    with pytest.raises(RefusedError, match=said), unit_of_work(staff.url, service(staff)) as unit:
        participants.ensure(unit, study="demo", facts=[Facts(code="S-2")])
    with pytest.raises(RefusedError, match="is closed"), unit_of_work(staff.url, service(staff)) as unit:
        intake.accept(unit, study="demo", kind="redcap_trigger", key="a-key-of-16-signs", body=b"x")
    with pytest.raises(RefusedError, match="is closed"), unit_of_work(staff.url, staff["owner"]) as unit:
        connections.request_sync(unit, study="demo")
    with pytest.raises(RefusedError, match="is closed"):
        approved(staff, "study_close", {})
    with unit_of_work(staff.url, staff["owner"]) as unit:
        assert participant_reads.participant(unit.session, unit.actor, study="demo", code="S-1").code == "S-1"
        assert studies.study(unit.session, "demo").status == "closed"
        told = unit.session.execute(
            text("select action, actor_name, reason from app.audit_event where action = 'study.close'")
        ).all()
    assert told == [("study.close", "Owner Person", "Last visit was in May.")]


def test_of_every_role_only_reading_and_taking_away_is_left(staff):
    close(staff, approved(staff, "study_close", {}))
    for who in (staff["owner"], staff["manager"], staff["coordinator"], service(staff)):
        role = who.role("demo")
        left = {one for one in PERMISSIONS if one.startswith("study:") and may(who, one, study="demo")}
        assert left <= ROLES[role]
        assert {one for one in ROLES[role] if one.endswith(":read")} <= left
        assert not left & CAPTURE


def test_a_withdrawal_counts_in_a_closed_study_too(staff):
    with unit_of_work(staff.url, service(staff)) as unit:
        participants.ensure(unit, study="demo", facts=[Facts(code="S-1")])
    with unit_of_work(staff.url, staff["owner"]) as unit:
        person = participant_reads.participant(unit.session, unit.actor, study="demo", code="S-1")
    close(staff, approved(staff, "study_close", {}))
    own = Membership(study="demo", role="participant", is_closed=True)
    sender = Actor(id=new_id(), kind="participant", name="S-1", participant_id=person.id, memberships=(own,))
    with unit_of_work(staff.url, service(staff)) as unit:
        consent.withdraw(unit, participant_id=person.id, withdrawn_by=sender, at=unit.instant)
    with unit_of_work(staff.url, staff["owner"]) as unit:
        told = unit.session.execute(text("select count(*) from app.audit_event where action = 'consent.withdraw'"))
        assert told.scalar_one() == 1


def test_in_production_another_address_takes_two_people_and_is_the_one_they_approved(staff, home, monkeypatch):
    def connect(address, **more):
        with unit_of_work(staff.url, staff["owner"]) as unit:
            connections.connect(unit, study="demo", api_url=address, token="A" * 32, mapping=Mapping(), **more)

    def address():
        with unit_of_work(staff.url, staff["owner"]) as unit:
            return connection_reads.connection(unit.session, unit.actor, study="demo").api_url

    connect(HERE)
    monkeypatch.setenv("METRICIS_ROOT_KEY", (home / "root.key").read_text())
    monkeypatch.setenv("METRICIS_ENVIRONMENT", "production")
    monkeypatch.setenv("METRICIS_REDCAP_HOSTS", "redcap.example.org,elsewhere.example.org")
    settings.cache_clear()
    connect(HERE)  # a new token at the same address is no other address
    with pytest.raises(RefusedError, match="decided by two people"):
        connect(THERE)
    number = approved(staff, "outbound_rule", {"api_url": THERE})
    with pytest.raises(BadInputError, match="not the one that two people approved"):
        connect("https://redcap.example.org/other/api/", approval=number)
    assert address() == HERE
    with unit_of_work(staff.url, staff["owner"]) as unit:
        connections.move(unit, study="demo", api_url=THERE, token="B" * 32, approval=number)
    assert address() == THERE
    with pytest.raises(RefusedError, match="done already"):
        connect(HERE, approval=number)


def test_outside_production_one_person_changes_the_address(staff):
    for one in (HERE, THERE):
        with unit_of_work(staff.url, staff["owner"]) as unit:
            connections.connect(unit, study="demo", api_url=one, token="A" * 32, mapping=Mapping())
