"""Caregivers: for whom they act, since when, and that every act says who acted."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from datamodel.access import reads as access_reads
from datamodel.access.actor import KNOCKING
from datamodel.kernel.errors import BadInputError, NotFoundError, RefusedError
from datamodel.kernel.unit import unit_of_work
from datamodel.links import actions as links
from datamodel.participants import caregivers
from datamodel.tasks import reads as tasks
from tests.support.capture import STUDY, build
from tests.support.mailbox import coordinator, dump, outbox, tokens

CHILD, SISTER = "701-1015", "701-1023"
MAIL = "mother.of.two@mail.example"


@pytest.fixture
def scene(database_url, home):
    return build(database_url)


def add(scene, code=CHILD, **how):
    with unit_of_work(scene.url, coordinator(scene)) as unit:
        return caregivers.add(unit, study=STUDY, code=code, relation="mother", **how)


def actor(scene, account):
    with unit_of_work(scene.url, KNOCKING) as unit:
        return access_reads.actor(unit.session, account)


def acting(scene, account, code=None, *, after=timedelta(0)):
    who = actor(scene, account)
    with unit_of_work(scene.url, who) as unit:
        wanted = scene.people[code].id if code else None
        return caregivers.acting(unit.session, who, wanted, at=unit.instant + after)


def test_a_caregiver_acts_for_the_one_participant_there_is_and_sees_their_tasks(scene):
    account = add(scene)
    who = acting(scene, account)
    assert (who.kind, who.participant_id) == ("caregiver", scene.people[CHILD].id)
    with unit_of_work(scene.url, who) as unit:
        assert len(tasks.queue(unit.session, who, at=unit.instant)) == 2


def test_a_caregiver_of_several_chooses_and_reaches_nobody_else(scene):
    account = add(scene)
    with pytest.raises(RefusedError, match="do not act"):
        acting(scene, account, SISTER)
    add(scene, SISTER, account_id=account)
    with pytest.raises(RefusedError, match="Choose first"):
        acting(scene, account)
    who = acting(scene, account, SISTER)
    with unit_of_work(scene.url, who) as unit:
        seen = unit.session.execute(text("select code from app.participant")).scalars().all()
    assert seen == [SISTER]


def test_the_account_alone_acts_for_nobody(scene):
    who = actor(scene, add(scene))
    assert who.participant_id is None
    with unit_of_work(scene.url, who) as unit, pytest.raises(NotFoundError):
        tasks.own(unit.session, who)


def test_a_relation_ends_at_once_or_when_its_time_is_over(scene):
    account = add(scene)
    with unit_of_work(scene.url, coordinator(scene)) as unit:
        until = unit.instant + timedelta(hours=1)
    add(scene, SISTER, account_id=account, until=until)
    with unit_of_work(scene.url, coordinator(scene)) as unit:
        caregivers.end(unit, study=STUDY, code=CHILD, account_id=account)
    with pytest.raises(RefusedError, match="do not act"):
        acting(scene, account, CHILD)
    assert acting(scene, account).participant_id == scene.people[SISTER].id
    with pytest.raises(RefusedError, match="for nobody"):
        acting(scene, account, SISTER, after=timedelta(hours=2))


def test_what_staff_did_is_in_the_ledger_and_the_address_in_no_table(scene, owner_url):
    account = add(scene, mail=MAIL)
    with unit_of_work(scene.url, coordinator(scene)) as unit:
        caregivers.end(unit, study=STUDY, code=CHILD, account_id=account)
    with unit_of_work(scene.url, scene.owner) as unit:
        rows = unit.session.execute(
            text("select action, subject, actor_name from app.audit_event where action like '%caregiver'")
        ).all()
    assert [tuple(row) for row in rows] == [
        ("participants.add_caregiver", f"participant:{CHILD}", "Cora Coord"),
        ("participants.end_caregiver", f"participant:{CHILD}", "Cora Coord"),
    ]
    assert MAIL not in dump(owner_url)


def test_one_mail_reaches_a_caregiver_of_two_once(scene):
    account = add(scene, mail=MAIL)
    add(scene, SISTER, account_id=account, mail=MAIL)
    with unit_of_work(scene.url, KNOCKING) as unit:
        links.ask(unit, address=MAIL, nonce="n", language="fr", base_url="http://trial.example")
    (mail,) = outbox(scene)
    assert len(tokens(mail)) == 1
    assert mail.subject == "Votre lien de connexion"


@pytest.mark.parametrize("who", ["another participant", "participant", "caregiver"])
def test_who_may_not_enrol_adds_nobody(scene, who):
    account = add(scene)
    asked = {
        "another participant": lambda: scene.actor(SISTER),
        "participant": lambda: scene.actor(CHILD),
        "caregiver": lambda: acting(scene, account),
    }[who]()
    with unit_of_work(scene.url, asked) as unit, pytest.raises((RefusedError, NotFoundError)):
        caregivers.add(unit, study=STUDY, code=CHILD, relation="father")


def test_a_relation_is_one_of_the_list_and_once(scene):
    account = add(scene)
    with pytest.raises(BadInputError, match="already"):
        add(scene, account_id=account)
    with unit_of_work(scene.url, coordinator(scene)) as unit, pytest.raises(BadInputError, match="allowed are mother"):
        caregivers.add(unit, study=STUDY, code=CHILD, relation="neighbour's cat")
