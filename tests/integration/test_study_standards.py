"""Which terminology and rules a study goes by."""

import pytest

from datamodel.access import actions as access
from datamodel.access import reads as accounts
from datamodel.access.actor import Actor
from datamodel.audit import reads as audit
from datamodel.kernel.errors import BadInputError, NotFoundError, RefusedError
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import unit_of_work
from datamodel.study import actions, reads
from datamodel.trail.words import in_words

CT = ("2022-09-30", "a" * 64)
RULES = ("2026-08-22", "b" * 64)


@pytest.fixture
def installer(database_url) -> Actor:
    first = Actor(id=new_id(), kind="machine", name="Metricis installer")
    with unit_of_work(database_url, first) as unit:
        access.install(unit)
    with unit_of_work(database_url, first) as unit:
        return accounts.installer_actor(unit.session)


@pytest.fixture
def owner(database_url, installer) -> Actor:
    with unit_of_work(database_url, installer) as unit:
        actions.create_study(unit, code="demo", protocol_id="DEMO-1", title="A study")
        account_id = access.create_account(unit, kind="staff", name="Ada B.", sign_in_name="ada@site.example")
        access.grant(unit, account_id=account_id, study="demo", role="owner")
    with unit_of_work(database_url, installer) as unit:
        return accounts.actor(unit.session, account_id)


def pinned(url: str, actor: Actor, **given: tuple[str, str]) -> bool:
    with unit_of_work(url, actor, reason="a test") as unit:
        return actions.pin_standards(unit, study="demo", **given)


def test_a_study_goes_by_what_was_said_last(database_url, owner):
    with unit_of_work(database_url, owner) as unit:
        study = reads.study(unit.session, "demo")
        assert reads.standards(unit.session, study.id) is None
    assert pinned(database_url, owner, terminology=CT)
    assert not pinned(database_url, owner, terminology=CT)
    assert pinned(database_url, owner, terminology=CT, rules=RULES)
    with unit_of_work(database_url, owner) as unit:
        found = reads.standards(unit.session, study.id)
        happened = audit.happenings(unit.session, study_id=study.id, actions=("study.pin_standards",), limit=9)
    assert (found.terminology, found.terminology_sha256, found.rules, found.rules_sha256) == (*CT, *RULES)
    assert len(happened) == 2
    assert in_words("study.pin_standards", happened[0].change).endswith("2022-09-30 and the rules 2026-08-22")


@pytest.mark.usefixtures("owner")
def test_only_who_manages_the_design_may_say_so(database_url, installer):
    with pytest.raises(RefusedError):
        pinned(database_url, installer, terminology=CT)


def test_a_version_without_its_hash_is_refused(database_url, owner):
    with pytest.raises(BadInputError, match="SHA-256"):
        pinned(database_url, owner, terminology=("2022-09-30", ""))
    with (
        pytest.raises((NotFoundError, RefusedError)),
        unit_of_work(database_url, owner, reason="a test") as unit,
    ):
        actions.pin_standards(unit, study="nowhere", terminology=CT)
