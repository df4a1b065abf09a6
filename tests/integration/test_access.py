from datetime import timedelta

import pytest

from datamodel.access import actions, reads
from datamodel.access.actor import KNOCKING, Actor
from datamodel.access.rights import may
from datamodel.access.sessions import IDLE_STAFF
from datamodel.audit.verify import verify
from datamodel.kernel.errors import BadInputError, RefusedError
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import sealing, unit_of_work
from datamodel.study import actions as study_actions
from datamodel.study import reads as study_reads
from datamodel.study.protocol import Choice, Event, Field, Form, Protocol

PASSWORD = "correct horse battery"


@pytest.fixture
def installer(database_url) -> Actor:
    first = Actor(id=new_id(), kind="machine", name="Metricis installer")
    with unit_of_work(database_url, first) as unit:
        actions.install(unit)
    with unit_of_work(database_url, first) as unit:
        return reads.installer_actor(unit.session)


@pytest.fixture
def coordinator(database_url, installer):
    with unit_of_work(database_url, installer) as unit:
        study_actions.create_study(unit, code="demo", protocol_id="DEMO-1", title="A study")
        account_id = actions.create_account(
            unit, kind="staff", name="Ada B.", sign_in_name="Ada@Site.example", password=PASSWORD
        )
        actions.grant(unit, account_id=account_id, study="demo", role="coordinator")
    return account_id


def as_nobody(url, verb):
    with unit_of_work(url, KNOCKING) as unit:
        return verb(unit)


def test_a_session_names_its_account(database_url, coordinator):
    token = as_nobody(database_url, lambda unit: actions.start_session(unit, coordinator, how="password"))
    with unit_of_work(database_url, KNOCKING) as unit:
        actor = reads.actor_of_session(unit.session, token, now=unit.instant)
    assert actor.id == coordinator
    assert actor.role("demo") == "coordinator"


def test_an_idle_a_signed_out_and_an_old_session_are_over(database_url, coordinator):
    token = as_nobody(database_url, lambda unit: actions.start_session(unit, coordinator, how="password"))
    with unit_of_work(database_url, KNOCKING) as unit:
        assert reads.actor_of_session(unit.session, token, now=unit.instant + IDLE_STAFF) is None
        assert reads.actor_of_session(unit.session, token, now=unit.instant + actions.LONGEST) is None
        actions.sign_out(unit, token)
        assert reads.actor_of_session(unit.session, token, now=unit.instant) is None


def test_a_token_names_its_account_until_it_ends(database_url, installer, coordinator):
    with unit_of_work(database_url, installer) as unit:
        token = actions.make_token(unit, account_id=coordinator, purpose="notebook", days=1)
    with unit_of_work(database_url, KNOCKING) as unit:
        assert reads.actor_of_token(unit.session, token, now=unit.instant).id == coordinator
        assert reads.actor_of_token(unit.session, token, now=unit.instant + timedelta(days=2)) is None


def test_a_coordinator_may_not_make_accounts(database_url, coordinator):
    with unit_of_work(database_url, KNOCKING) as unit:
        actor = reads.actor(unit.session, coordinator)
    with pytest.raises(RefusedError, match="Only an administrator"), unit_of_work(database_url, actor) as unit:
        actions.create_account(unit, kind="staff", name="X")


@pytest.mark.parametrize(
    ("verb", "says"),
    [
        (lambda unit: actions.create_account(unit, kind="robot", name="X"), "allowed are staff"),
        (
            lambda unit: actions.create_account(unit, kind="staff", name="X", sign_in_name="x", password="short"),
            "at least 12",
        ),
        (
            lambda unit: actions.create_account(unit, kind="staff", name="X", sign_in_name="ADA@site.example"),
            "taken already",
        ),
        (lambda unit: study_actions.create_study(unit, code="Bad Code", protocol_id="", title=""), "lower-case"),
        (lambda unit: study_actions.create_study(unit, code="demo", protocol_id="", title=""), "already"),
        (lambda unit: actions.grant(unit, account_id=new_id(), study="demo", role="king"), "allowed are owner"),
    ],
)
def test_bad_input_says_what_is_allowed_and_writes_nothing(database_url, installer, coordinator, verb, says):
    with pytest.raises(BadInputError, match=says), unit_of_work(database_url, installer) as unit:
        verb(unit)


def protocol(label="Age"):
    age = Field(name="age", label=label, kind="integer", choices=(Choice("1", "one"),))
    event = Event("base", "Baseline", "1", 1, 0, 0, 3, ("demographics",))
    return Protocol("id", (), (event,), (Form("demographics", "Demographics", (age,)),))


def test_an_equal_design_keeps_its_version_and_a_changed_one_gets_the_next(database_url, coordinator):
    with unit_of_work(database_url, KNOCKING) as unit:
        service = reads.service_actor(unit.session)
    versions = []
    for design in (protocol(), protocol(), protocol("Age at consent")):
        with unit_of_work(database_url, service) as unit:
            versions.append(study_actions.publish_design(unit, study="demo", protocol=design))
    assert versions == [1, 1, 2]
    with unit_of_work(database_url, service) as unit:
        study = study_reads.study(unit.session, "demo")
        assert study_reads.design(unit.session, study.id).protocol == protocol("Age at consent")
        assert study_reads.design(unit.session, study.id, 1).protocol == protocol()


def test_blinded_values_need_a_grant_by_name(database_url, installer, coordinator):
    with unit_of_work(database_url, installer) as unit:
        plain = actions.create_account(unit, kind="staff", name="S. One")
        named = actions.create_account(unit, kind="staff", name="S. Two")
        actions.grant(unit, account_id=plain, study="demo", role="statistician")
        actions.grant(unit, account_id=named, study="demo", role="statistician", is_unblinded=True)
    with unit_of_work(database_url, installer) as unit:
        assert not may(reads.actor(unit.session, plain), "study:blinded:read", study="demo")
        assert may(reads.actor(unit.session, named), "study:blinded:read", study="demo")


def test_every_act_is_in_the_ledger_and_the_ledger_verifies(database_url, installer, coordinator):
    from sqlalchemy import text

    from datamodel.audit import ledger

    with unit_of_work(database_url, installer) as unit:
        acts = unit.session.execute(text("select action from app.audit_event order by seq")).scalars().all()
    with sealing(database_url) as session:
        ledger.seal(session)
    assert acts == ["access.create_account", "study.create", "access.create_account", "access.grant"]
    with sealing(database_url) as session:
        assert verify(session).is_ok
