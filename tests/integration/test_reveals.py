"""One participant's arm is revealed: by two people or in an emergency, once, with a trace, an alert and nobody else seeing it."""

import threading
from datetime import timedelta
from types import SimpleNamespace

import psycopg
import pytest
from sqlalchemy import text

from datamodel.access import actions as access
from datamodel.access import people
from datamodel.access import reads as access_reads
from datamodel.access.actor import KNOCKING, Actor
from datamodel.approvals import actions as approvals
from datamodel.checkpoints.sealer import Sealer
from datamodel.kernel.errors import BadInputError, NotFoundError, RefusedError
from datamodel.kernel.ids import new_id
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import reading, unit_of_work
from datamodel.participants import actions as participants
from datamodel.participants.facts import Facts
from datamodel.participants.reads import Arm
from datamodel.reveals import actions, reads
from datamodel.reveals.rules import ALERTED, RIGHTS
from datamodel.signatures.actions import Proof
from datamodel.study import actions as study
from datamodel.trail import reads as trail
from datamodel.trail.reads import EventFilter
from pipelines.notices.steps import deliver
from simulators.mail.server import running_sink
from tests.integration.test_mail import to_sink
from tests.integration.test_redaction import rows_with, verdict

STUDY, PASSWORD, ARM = "pilot", "correct horse battery", "ZQXARM"
ROLES = {
    "olga": ("owner", None),
    "ida": ("investigator", None),
    "ivo": ("investigator", None),
    "sita": ("investigator", "702"),
    "sonja": ("safety_officer", None),
    "per": ("pharmacist", None),
    "pia": ("pharmacist", "702"),
    "mara": ("data_manager", None),
    "anna": ("coordinator", None),
}
#: those who type their password in these tests
TYPING = ("ida", "sita", "sonja")
WHY = "Seizure; the hospital asks what was given."
SUBJECTS = ("701-1", "701-2", "702-1")


@pytest.fixture
def world(database_url, home):
    first = Actor(id=new_id(), kind="machine", name=access_reads.INSTALLER_NAME)
    with unit_of_work(database_url, first) as unit:
        access.install(unit)
    with unit_of_work(database_url, first) as unit:
        installer, accounts = access_reads.installer_actor(unit.session), {}
    with unit_of_work(database_url, installer) as unit:
        study.create_study(unit, code=STUDY, protocol_id="PILOT", title="A pilot")
        for name in ROLES:
            accounts[name] = access.create_account(
                unit,
                kind="staff",
                name=f"{name.title()} Person",
                sign_in_name=f"{name}@site.example",
                password=PASSWORD if name in TYPING else None,
            )
        access.grant(unit, account_id=accounts["olga"], study=STUDY, role="owner")
    made = SimpleNamespace(url=database_url, installer=installer, accounts=accounts)
    with unit_of_work(database_url, actor(made, "olga")) as unit:
        for code in ("701", "702"):
            study.add_site(unit, study=STUDY, code=code, name=f"Site {code}")
    with unit_of_work(database_url, installer) as unit:
        for name, (role, site) in ROLES.items():
            if name != "olga":
                access.grant(unit, account_id=accounts[name], study=STUDY, role=role, site=site)
    with unit_of_work(database_url, KNOCKING) as unit:
        service = access_reads.service_actor(unit.session)
    facts = [Facts(code=c, site=c[:3], status="enrolled", arm_code="B", arm_label=f"{ARM} {c}") for c in SUBJECTS]
    with unit_of_work(database_url, service) as unit:
        participants.ensure(unit, study=STUDY, facts=[*facts, Facts(code="701-9", site="701", status="screened")])
    return made


def actor(world, name):
    with unit_of_work(world.url, KNOCKING) as unit:
        return access_reads.actor(unit.session, world.accounts[name])


def proof(world, name, *, password=PASSWORD, **more):
    with unit_of_work(world.url, KNOCKING) as unit:
        token = access.start_session(unit, world.accounts[name], kind="staff", how="password")
    return Proof(**{"token": token, "password": password, "sign_in_name": f"{name}@site.example"} | more)


def reveal(world, who="ida", code="701-1", *, category="treatment", reason=WHY, given=None):
    shown = given or proof(world, who)
    with unit_of_work(world.url, actor(world, who), reason=reason) as unit:
        return actions.reveal(unit, study=STUDY, code=code, category=category, proof=shown)


def show(world, one, who="ida", **more):
    with unit_of_work(world.url, actor(world, who), **more) as unit:
        return actions.show(unit, study=STUDY, reveal_id=one.id)


def propose(world, who="ida", code="701-1"):
    with unit_of_work(world.url, actor(world, who), reason="The board asked.") as unit:
        return actions.propose(unit, study=STUDY, code=code)


def approve(world, approval_id, who="sonja"):
    with unit_of_work(world.url, actor(world, who), reason="Agreed.") as unit:
        approvals.approve(unit, approval_id)


def reveal_approved(world, approval_id, who="ida", code="701-1"):
    shown = proof(world, who)
    with unit_of_work(world.url, actor(world, who)) as unit:
        return actions.reveal_approved(unit, study=STUDY, code=code, approval_id=approval_id, proof=shown)


def marks(world, who, code="701-1"):
    with reading(world.url, actor(world, who)) as session:
        return reads.marks(session, actor(world, who), study=STUDY, code=code)


def count(world, table, who="olga"):
    with reading(world.url, actor(world, who)) as session:
        return session.execute(text(f"select count(*) from app.{table}")).scalar_one()


def ledger_of(world, who="olga", *, kind=None):
    with reading(world.url, actor(world, who)) as session:
        return trail.events(session, actor(world, who), study=STUDY, asked=EventFilter(kind=kind)).rows


def arms_seen(world, who):
    with reading(world.url, actor(world, who)) as session:
        return session.execute(text("select arm_label from app.participant_arm order by 1")).scalars().all()


def test_in_an_emergency_the_arm_is_shown_once_to_one_person_and_everybody_else_reads_a_mark(world):
    one = reveal(world)
    assert show(world, one) == Arm("B", f"{ARM} 701-1")
    with pytest.raises(RefusedError, match="shown already"):
        show(world, one)
    for who in ("anna", "mara", "ida"):
        (mark,) = marks(world, who)
        assert (mark.kind, mark.by, mark.reason, mark.is_shown) == ("emergency", "Ida Person", WHY, True)
        assert ARM not in str(mark)
        assert arms_seen(world, who) == []
    assert marks(world, "anna", "701-2") == []
    assert show(world, reveal(world, code="701-9")) is None  # not in an arm yet
    assert len(ledger_of(world, kind="arms")) == 4
    told = [line for line in ledger_of(world) if line.action.startswith("reveals.") and line.subject.endswith("701-1")]
    assert [line.action for line in told] == ["reveals.show", "reveals.reveal"]
    assert {line.reason for line in told} == {WHY}
    assert "revealed in an emergency; 3 people were told by mail" in told[1].what


def test_neither_ledger_nor_reveals_nor_mails_hold_the_arm(world, owner_url):
    one = reveal(world)
    show(world, one)
    assert sorted(rows_with(owner_url, "Seizure")) == ["arm_reveal", "audit_event"]  # the search finds what is there
    assert rows_with(owner_url, ARM) == ["participant_arm"]
    assert ARM not in repr(one)


def test_the_ledger_vouches_for_what_was_revealed(world, owner_url, home):
    show(world, reveal(world))
    sealer = Sealer(world.url, settings())
    sealer.seal_once(force=True)
    sealer.seal_once(force=True)
    assert verdict(world.url, home).problems == ()
    with psycopg.connect(owner_url) as server:
        server.execute("alter table app.arm_reveal disable trigger user")
        server.execute("update app.arm_reveal set account_name = 'Ivo Person'")
    assert "altered, removed or added" in str(verdict(world.url, home).problems)


def test_owner_safety_officer_and_pharmacist_are_told_by_mail_and_those_of_another_site_are_not(world):
    reveal(world)
    with running_sink() as (port, box):
        assert deliver(world.url, given=to_sink(port)).sent == 3
        for name in ("olga", "sonja", "per"):
            (message,) = box.to(f"{name}@site.example")
            assert "Ida Person (investigator) revealed the treatment arm of participant 701-1" in message.text
            assert ARM not in message.text + message.subject
        assert box.to("pia@site.example") == []
    assert set(ALERTED) == {ROLES[name][0] for name in ("olga", "sonja", "per")}


def test_whoever_reveals_is_not_told_of_it_and_a_site_s_pharmacist_is(world):
    reveal(world, "sonja", "702-1")
    with running_sink() as (port, box):
        assert deliver(world.url, given=to_sink(port)).sent == 3
        assert len(box.to("pia@site.example")) == 1
        assert box.to("sonja@site.example") == []


def test_whose_role_may_not_is_refused_with_the_reason(world):
    for who in ("olga", "per", "mara", "anna"):
        with pytest.raises(RefusedError, match="may not see one participant's arm in an emergency") as caught:
            reveal(world, who)
        assert "Roles that may: investigator, safety officer." in caught.value.refusal.next_step
    assert count(world, "arm_reveal") == 0


def test_a_site_s_investigator_reveals_at_home_and_finds_nobody_elsewhere(world):
    assert show(world, reveal(world, "sita", "702-1"), "sita").label == f"{ARM} 702-1"
    with pytest.raises(NotFoundError):
        reveal(world, "sita", "701-1")


def test_without_both_components_nothing_is_revealed_nor_anybody_alarmed(world):
    for wrong in ({"password": "wrong"}, {"sign_in_name": "ivo@site.example"}, {"sign_in_name": ""}):
        with pytest.raises(RefusedError, match="does not prove that it is you"):
            reveal(world, given=proof(world, "ida", **wrong))
    with pytest.raises(RefusedError, match="Your session is over"):
        reveal(world, given=proof(world, "ivo"))
    assert count(world, "arm_reveal") == 0
    assert "signatures.refuse" in {line.action for line in ledger_of(world)}
    with running_sink() as (port, _):
        assert deliver(world.url, given=to_sink(port)).sent == 0


def test_bad_input_says_what_is_allowed(world):
    with pytest.raises(BadInputError, match="allowed are treatment, overdose"):
        reveal(world, category="curious")
    with pytest.raises(BadInputError, match="Received no reason"):
        reveal(world, reason="  ")
    with pytest.raises(BadInputError, match="allowed are 500"):
        reveal(world, reason="x" * 501)
    with pytest.raises(NotFoundError):
        reveal(world, code="nobody")
    assert count(world, "arm_reveal") == 0


def test_who_did_not_reveal_it_is_not_shown_it_and_after_five_minutes_nobody_is(world):
    one = reveal(world)
    with pytest.raises(NotFoundError, match="no such reveal of yours"):
        show(world, one, "ivo")
    with unit_of_work(world.url, KNOCKING) as unit:
        later = unit.instant + timedelta(minutes=6)
    with pytest.raises(RefusedError, match="more than five minutes ago"):
        show(world, one, clock=lambda: later)
    assert show(world, one)


def test_of_many_at_once_one_is_shown_it(world):
    one, start, done = reveal(world), threading.Barrier(6), []

    def go() -> None:
        start.wait()
        try:
            done.append(show(world, one).label)
        except RefusedError as error:
            done.append(error.refusal.code)

    threads = [threading.Thread(target=go) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [f"{ARM} 701-1", *["reveal-shown"] * 5]


def test_two_people_decide_and_only_who_proposed_it_sees_that_one_arm(world):
    approval_id = propose(world)
    with pytest.raises(RefusedError, match="Nobody else has approved"):
        reveal_approved(world, approval_id)
    with pytest.raises(RefusedError, match="second person"):
        approve(world, approval_id, "ida")
    approve(world, approval_id)
    with pytest.raises(RefusedError, match="proposed this for themselves"):
        reveal_approved(world, approval_id, "sonja")
    with pytest.raises(NotFoundError, match="no such proposal about 701-2"):
        reveal_approved(world, approval_id, code="701-2")
    one = reveal_approved(world, approval_id)
    assert show(world, one).label == f"{ARM} 701-1"
    with pytest.raises(RefusedError, match="done already"):
        reveal_approved(world, approval_id)
    (mark,) = marks(world, "anna")
    assert (mark.kind, mark.by, mark.reason) == ("planned", "Ida Person", "The board asked.")
    actions_told = [
        line.action for line in reversed(ledger_of(world)) if line.action.split(".")[0] in {"reveals", "approvals"}
    ]
    assert actions_told == [
        "approvals.propose",
        "reveals.propose",
        "approvals.approve",
        "approvals.take",
        "reveals.reveal",
        "reveals.show",
    ]


def test_whoever_may_not_decide_neither_proposes_nor_approves_and_sites_keep_apart(world):
    for who in ("mara", "anna", "per"):
        with pytest.raises(RefusedError, match="may not propose or approve that whoever proposes it sees"):
            propose(world, who)
    with pytest.raises(NotFoundError):
        propose(world, "sita", "701-1")
    approval_id = propose(world)
    with pytest.raises((RefusedError, NotFoundError)):
        approve(world, approval_id, "sita")
    with reading(world.url, actor(world, "sita")) as session:
        assert session.execute(text("select count(*) from app.approval")).scalar_one() == 0
    at_home = propose(world, "sita", "702-1")
    approve(world, at_home, "ida")
    assert show(world, reveal_approved(world, at_home, "sita", "702-1"), "sita").label == f"{ARM} 702-1"


def test_in_a_closed_study_an_emergency_is_still_one(world):
    with unit_of_work(world.url, actor(world, "olga"), reason="All is done.") as unit:
        approval_id = approvals.propose(unit, "study_close", STUDY, {})
    approve(world, approval_id, "mara")
    with unit_of_work(world.url, actor(world, "olga"), reason="All is done.") as unit:
        study.close_study(unit, study=STUDY, approval=approval_id)
    assert show(world, reveal(world)).label == f"{ARM} 701-1"


def test_a_role_that_ended_in_between_shows_nothing(world):
    one = reveal(world)
    with unit_of_work(world.url, actor(world, "olga"), reason="Left.") as unit:
        people.end_role(unit, account_id=world.accounts["ida"], study=STUDY)
    with pytest.raises((RefusedError, NotFoundError)):
        show(world, one)


# -- what PostgreSQL itself holds ----------------------------------------------------------------------------------

ROW = (
    "insert into app.arm_reveal (id, study_id, participant_id, account_id, account_name, kind, category, reason, approval_id, "
    "alerted, at, event_id) select :id, p.study_id, p.id, :account, 'X', :kind, :category, 'r', :approval, 0, now(), :event "
    "from app.participant p where p.code = :code"
)


def by_hand(world, who, *, kind="emergency", account=None, action="reveals.reveal", code="701-1", approval=None):
    """Write a reveal as code would that forgot to ask; return what PostgreSQL says, or the arms that are then seen."""
    from datamodel.audit import ledger

    me = actor(world, who)
    with unit_of_work(world.url, me) as unit:
        study_id = unit.session.execute(text("select id from app.study")).scalar_one()
        event = ledger.record(unit, action, study_id=study_id, subject="participant:701-1")
        given = {"id": new_id(), "account": account or me.id, "kind": kind, "event": event, "code": code}
        given |= {"category": "other" if kind == "emergency" else "", "approval": approval}
        unit.session.execute(text(ROW), given)
        return unit.session.execute(text("select arm_label from app.participant_arm")).scalars().all()


def test_postgresql_takes_no_reveal_by_who_may_not_nor_for_another_nor_without_its_event(world):
    approval_id = propose(world)
    wrong = [
        ("mara", {}),
        ("olga", {}),
        ("ida", {"account": world.accounts["ivo"]}),
        ("ida", {"action": "records.verify"}),
        ("ida", {"code": "701-2"}),
        ("ida", {"kind": "planned", "approval": approval_id}),
        ("sita", {"code": "702-1"}),
    ]
    for who, given in wrong:
        with pytest.raises(Exception, match="An arm is revealed only by"):
            by_hand(world, who, **given)
    assert count(world, "arm_reveal") == 0


def test_postgresql_shows_no_arm_in_the_transaction_that_reveals_nor_without_noting_that_it_is_shown(world):
    assert by_hand(world, "ida") == []
    one = reveal(world)
    assert arms_seen(world, "ida") == []
    with unit_of_work(world.url, actor(world, "ida")) as unit:
        actions.show(unit, study=STUDY, reveal_id=one.id)
        seen = unit.session.execute(text("select arm_label from app.participant_arm")).scalars().all()
        assert seen == [f"{ARM} 701-1"]  # that one, no other
    assert arms_seen(world, "ida") == []


def test_what_was_revealed_is_never_changed_or_removed(world, owner_url):
    show(world, reveal(world))
    for table in ("arm_reveal", "arm_reveal_shown"):
        for statement in (f"update app.{table} set at = now()", f"delete from app.{table}"):
            with psycopg.connect(owner_url) as server, pytest.raises(psycopg.Error, match="never changed or removed"):
                server.execute(statement)
            with (
                pytest.raises(Exception, match="permission denied"),
                unit_of_work(world.url, actor(world, "ida")) as unit,
            ):
                unit.session.execute(text(statement))


def test_the_rows_are_seen_by_who_sees_the_participant_only(world):
    show(world, reveal(world))
    assert set(RIGHTS.values()) == {"study:arm:reveal", "study:arm:decide"}
    assert count(world, "arm_reveal", "anna") == 1
    assert count(world, "arm_reveal", "sita") == 0
    assert count(world, "arm_reveal_shown", "sita") == 0
