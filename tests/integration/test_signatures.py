"""Forms verified, signed, locked and reopened on a real database, in real sessions, as different people."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import psycopg
import pyotp
import pytest
from sqlalchemy import text

from datamodel.access import actions as access
from datamodel.access import people
from datamodel.access import reads as access_reads
from datamodel.access.actor import KNOCKING, Actor
from datamodel.audit import ledger
from datamodel.audit.verify import verify
from datamodel.credentials import actions as credentials
from datamodel.credentials import factors
from datamodel.discrepancies import actions as discrepancies
from datamodel.discrepancies.life import Question
from datamodel.kernel.errors import BadInputError, RefusedError
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import sealing, unit_of_work
from datamodel.participants import actions as participants
from datamodel.participants.facts import Facts
from datamodel.records import actions as records
from datamodel.records import life, marks, redaction
from datamodel.records.digest import DIGESTS
from datamodel.records.workflow import Shown
from datamodel.signatures import actions as signatures
from datamodel.signatures import reads as signature_reads
from datamodel.signatures.actions import Proof
from datamodel.study import actions as study
from datamodel.study import reads as study_reads
from datamodel.study.protocol import Choice, Event, Field, Form, Protocol
from exports.extracts.signatures import signatures as extract
from pipelines.custody.steps import verify_all

STUDY, PASSWORD = "pilot", "correct horse battery"
START = datetime(2026, 3, 5, 8, tzinfo=UTC)
ROLES = {
    "ida": ("Ida Paul", "investigator"),
    "ivo": ("Ivo Reed", "investigator"),
    "mara": ("Mara Dahl", "data_manager"),
    "miro": ("Miro Vogt", "monitor"),
    "anna": ("Anna Berger", "coordinator"),
    "sita": ("Sita Rao", "investigator"),
}
DESIGN = Protocol(
    record_field="record_id",
    arms=(Choice("1", "Arm 1"),),
    events=(Event("v1", "Visit 1", arm="1", ordinal=1, day=1, days_before=0, days_after=0, forms=("vs",)),),
    forms=(
        Form(
            name="vs",
            label="Vital signs",
            fields=(
                Field("pulse", "Pulse", "text", unit="beats/min"),
                Field("temp", "Temperature", "text"),
                Field("dose", "Dose given", "text", is_blinded=True),
            ),
        ),
    ),
)


class World:
    """A study with three participants, everybody's session, and a clock that stands where it is put."""

    def __init__(self, url: str) -> None:
        self.url, self.now = url, START
        first = Actor(id=new_id(), kind="machine", name=access_reads.INSTALLER_NAME)
        with self.unit(first) as unit:
            access.install(unit)
        with self.unit() as unit:
            self.admin = access_reads.installer_actor(unit.session)
        self.accounts = {}
        with self.unit(self.admin) as unit:
            study.create_study(unit, code=STUDY, protocol_id="PILOT", title="A pilot")
            for name, (printed, _role) in ROLES.items():
                self.accounts[name] = access.create_account(
                    unit, kind="staff", name=printed, sign_in_name=f"{name}@site.example", password=PASSWORD
                )
        with self.unit(self.admin) as unit:
            for name in ("ida", "ivo", "mara", "miro", "anna"):
                people.grant(unit, account_id=self.accounts[name], study=STUDY, role=ROLES[name][1])
        with self.unit(self.actor("mara")) as unit:
            study.add_site(unit, study=STUDY, code="701", name="One")
            study.add_site(unit, study=STUDY, code="702", name="Two")
            study.publish_design(unit, study=STUDY, protocol=DESIGN)
        with self.unit(self.admin) as unit:
            people.grant(unit, account_id=self.accounts["sita"], study=STUDY, role="investigator", site="702")
        with self.unit(self.service()) as unit:
            facts = [Facts(code=code, site=code[:3], status="enrolled") for code in ("701-1", "701-2", "702-1")]
            participants.ensure(unit, study=STUDY, facts=facts)
        self.sync({"701-1": "72", "701-2": "80", "702-1": "64"})

    @contextmanager
    def unit(self, actor: Actor = KNOCKING, *, reason: str = "") -> Iterator:
        """Open a unit of work at the clock's instant."""
        with unit_of_work(self.url, actor, reason=reason, clock=lambda: self.now) as unit:
            yield unit

    def actor(self, name: str) -> Actor:
        """Return one of the people."""
        with self.unit() as unit:
            return access_reads.actor(unit.session, self.accounts[name])

    def service(self) -> Actor:
        """Return the account of the flows."""
        with self.unit() as unit:
            return access_reads.service_actor(unit.session)

    def sync(
        self, pulses: dict[str, str], *, status: str = "complete", temp: str = "36.6", dose: str = "54", source="redcap"
    ):
        """Let values come in."""
        values = {"temp": temp, "dose": dose}
        rows = [
            (code, "v1", 0, 0, status, orjson.dumps(values | {"pulse": p}, option=orjson.OPT_SORT_KEYS).decode())
            for code, p in pulses.items()
        ]
        with self.unit(self.service()) as unit:
            return records.revise_batch(unit, study=STUDY, form="vs", rows=rows, source=source)

    def seal(self) -> int:
        """Give all events their positions; return the newest."""
        with sealing(self.url) as session:
            return ledger.seal(session)

    def sign_in(self, name: str) -> str:
        """Return the token of a new session."""
        with self.unit() as unit:
            return credentials.sign_in(unit, name=f"{name}@site.example", password=PASSWORD).token

    def shown(self, *codes: str) -> list[Shown]:
        """Return forms as a page shows them now."""
        with self.unit(self.actor("mara")) as unit:
            found = marks.load(unit.session, study_reads.study(unit.session, STUDY).id, participants=codes)
        return [one.as_shown for one in found.values()]

    def life(self, code: str):
        """Return the life of a participant's form."""
        [one] = self.shown(code)
        with self.unit(self.actor("mara")) as unit:
            return life.life(unit.session, self.actor("mara"), study=STUDY, instance_id=one.instance_id)

    def status(self, code: str) -> str:
        """Return the status of a participant's form."""
        return self.life(code).form.status

    def sign(
        self, token: str, shown: list[Shown], *, who="ida", name="ida@site.example", password=PASSWORD, code="", **given
    ):
        """Sign as somebody."""
        proof = Proof(token=token, password=password, sign_in_name=name, code=code)
        values = {"meaning": "responsibility", "zone": "Europe/Paris"} | given
        with self.unit(self.actor(who)) as unit:
            return records.sign_forms(unit, study=STUDY, shown=shown, proof=proof, **values)

    def lock(self, token: str, shown: list[Shown], *, who: str = "mara"):
        """Lock as somebody, in a session of theirs."""
        proof = Proof(token=token, password=PASSWORD, sign_in_name=f"{who}@site.example")
        with self.unit(self.actor(who)) as unit:
            return records.lock_forms(unit, study=STUDY, shown=shown, proof=proof, zone="UTC")

    def verify(self, shown: list[Shown], *, who: str = "miro"):
        """Verify as somebody."""
        with self.unit(self.actor(who)) as unit:
            return records.verify_forms(unit, study=STUDY, shown=shown)

    def reopen(self, shown: Shown, *, who: str = "mara", reason: str = "The nurse found a slip"):
        """Reopen as somebody."""
        with self.unit(self.actor(who), reason=reason) as unit:
            records.reopen_form(unit, study=STUDY, shown=shown)

    def ask(self, code: str) -> None:
        """Open a data question about a participant's form."""
        question = Question(
            record=code,
            event_name="v1",
            event_repeat=0,
            form_repeat=0,
            form_name="vs",
            field="pulse",
            value="72",
            rule="R1",
            reason="Is this right?",
        )
        with self.unit(self.service()) as unit:
            discrepancies.raise_batch(unit, study=STUDY, form="vs", records=[code], rules=["R1"], questions=[question])

    def events(self, owner: str = "") -> list[tuple[str, dict]]:
        """Return actions and changes in the ledger, in order."""
        with psycopg.connect(owner) as connection:
            return connection.execute("select action, change from app.audit_event order by seq").fetchall()


def refused(call, *given, **named) -> RefusedError:
    """Return the refusal that a call ends in."""
    with pytest.raises(RefusedError) as caught:
        call(*given, **named)
    return caught.value.refusal


@pytest.fixture
def world(database_url, home):
    return World(database_url)


# -- one signature -------------------------------------------------------------------------------------------------


def test_a_signature_has_printed_name_instant_with_zone_and_meaning(world):
    outcome = world.sign(world.sign_in("ida"), world.shown("701-1"))
    assert [one.participant for one in outcome.done] == ["701-1"]
    assert outcome.skipped == ()
    found = world.life("701-1")
    assert found.form.status == "signed"
    [one] = found.signatures
    assert one.text.startswith(
        "Electronically signed by Ida Paul (investigator) on 05-Mar-2026 09:00:00 (Europe/Paris, UTC+01:00). "
    )
    assert "Meaning: responsibility." in one.text
    assert [(step.step, step.status_before, step.status, step.by) for step in found.steps] == [
        ("sign", "complete", "signed", "Ida Paul")
    ]


def test_a_kept_signature_verifies_and_the_ledger_vouches_for_it(world, owner_url):
    world.sign(world.sign_in("ida"), world.shown("701-1", "701-2"))
    first, second = (world.life(code).form.instance_id for code in ("701-1", "701-2"))
    with world.unit(world.actor("miro")) as unit:
        [one] = signature_reads.kept(unit.session, unit.actor, study=STUDY, record_id=first)
        [two] = signature_reads.kept(unit.session, unit.actor, study=STUDY, record_id=second)
    assert signature_reads.verify_signature(one, item=one.item)
    assert not signature_reads.verify_signature(one, item=two.item)
    assert not signature_reads.verify_signature(replace(two, value=one.value, manifest_sha256=one.manifest_sha256))
    assert problems(world) == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("update app.signature set meaning = 'review'", "does not verify"),
        ("update app.signature set printed_name = 'Ivo Reed'", "does not verify"),
        ("update app.signature set version = version + 1", "does not verify"),
        ("update app.signature set salt = decode(repeat('00', 16), 'hex')", "does not verify"),
        ("delete from app.signature", "holds 0 for it"),
        ("update app.signature set value = decode(repeat('00', 64), 'hex')", "differs from what the ledger holds"),
    ],
)
def test_a_signature_that_somebody_altered_in_the_database_is_found(world, server_url, change, found):
    world.sign(world.sign_in("ida"), world.shown("701-1"))
    with psycopg.connect(server_url) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute(change)
    assert any(found in one for one in problems(world))


def problems(world) -> list[str]:
    """Return what a verification of the ledger finds."""
    with sealing(world.url) as session:
        ledger.seal(session)
    with sealing(world.url) as session:
        return [one.detail for one in verify(session, digests=DIGESTS).problems]


def test_a_signature_is_never_changed_or_removed(world, database_url):
    world.sign(world.sign_in("ida"), world.shown("701-1"))
    with world.unit(world.actor("ida")) as unit, pytest.raises(Exception, match="permission denied"):
        unit.session.execute(text("update app.signature set meaning = 'review'"))


# -- what was shown is what is signed ------------------------------------------------------------------------------


def test_a_form_that_changed_after_it_was_shown_is_not_signed(world):
    seen = world.shown("701-1")
    world.sync({"701-1": "73"})
    assert refused(world.sign, world.sign_in("ida"), seen).code == "changed-since-shown"
    assert world.life("701-1").signatures == ()


@pytest.mark.parametrize("wrong", [{"revision": 2}, {"content_hash": os.urandom(32)}])
def test_hashes_that_were_never_shown_are_not_signed(world, wrong):
    [seen] = world.shown("701-1")
    assert refused(world.sign, world.sign_in("ida"), [replace(seen, **wrong)]).code == "changed-since-shown"


def test_nothing_is_signed_without_a_confirmation_in_the_same_unit(world):
    token = world.sign_in("ida")
    with world.unit(world.actor("ida")) as unit:
        earlier = signatures.confirm(
            unit, study=STUDY, act="sign", proof=Proof(token, PASSWORD, sign_in_name="ida@site.example")
        )
    with world.unit(world.actor("ida")) as unit:
        refusal = refused(
            signatures.sign, unit, study=STUDY, meaning="review", items=[], kept={}, confirmed=earlier, zone="UTC"
        )
    assert refusal.code == "not-confirmed"


def test_a_sync_that_is_being_written_is_waited_for_and_then_refuses_what_was_shown_before(world):
    seen, token = world.shown("701-1"), world.sign_in("ida")
    values = orjson.dumps({"dose": "54", "pulse": "99", "temp": "36.6"}).decode()
    with ThreadPoolExecutor(1) as pool:
        with world.unit(world.service()) as unit:
            records.revise_batch(unit, study=STUDY, form="vs", rows=[("701-1", "v1", 0, 0, "complete", values)])
            signing = pool.submit(refused, world.sign, token, seen)
            time.sleep(0.5)
            assert not signing.done(), "it waits for the sync's transaction"
        assert signing.result(timeout=30).code == "changed-since-shown"
    assert world.life("701-1").signatures == ()


# -- the components, situation by situation ------------------------------------------------------------------------


def test_the_first_signature_of_a_session_asks_for_name_and_password_the_next_for_the_password(world):
    token = world.sign_in("ida")
    assert refused(world.sign, token, world.shown("701-1"), name="").code == "not-confirmed"
    world.sign(token, world.shown("701-1"))
    world.sign(token, world.shown("701-2"), name="")
    assert world.status("701-2") == "signed"


def test_after_a_break_everything_is_asked_for_again(world):
    token = world.sign_in("ida")
    world.sign(token, world.shown("701-1"))
    world.now += timedelta(minutes=16)
    assert refused(world.sign, token, world.shown("701-2")).code == "session-over"
    again = world.sign_in("ida")
    assert refused(world.sign, again, world.shown("701-2"), name="").code == "not-confirmed"
    world.sign(again, world.shown("701-2"))


def test_after_signing_out_the_page_that_stayed_open_signs_nothing(world):
    token = world.sign_in("ida")
    with world.unit(world.actor("ida")) as unit:
        access.sign_out(unit, token)
    assert refused(world.sign, token, world.shown("701-1")).code == "session-over"


def test_a_second_tab_is_the_same_session(world):
    token = world.sign_in("ida")
    in_first, in_second = world.shown("701-1"), world.shown("701-2")
    world.sign(token, in_first)
    world.sign(token, in_second, name="")
    assert world.status("701-2") == "signed"


def test_nobody_signs_in_somebody_else_s_session_or_name(world):
    of_ivo, of_ida = world.sign_in("ivo"), world.sign_in("ida")
    assert refused(world.sign, of_ivo, world.shown("701-1")).code in {"session-over", "session-of-another"}
    assert refused(world.sign, of_ida, world.shown("701-1"), name="ivo@site.example").code == "not-confirmed"
    world.sign(of_ida, world.shown("701-1"))
    assert refused(world.sign, of_ida, world.shown("701-2"), name="ivo@site.example").code == "not-confirmed"


def test_a_code_is_asked_for_where_one_is_set_up(world):
    token = world.sign_in("ida")
    with world.unit(world.actor("ida")) as unit:
        started = factors.begin_totp(unit, account_id=unit.actor.id)
    generator = pyotp.TOTP(started.secret)
    with world.unit(world.actor("ida")) as unit:
        factors.finish_totp(unit, account_id=unit.actor.id, code=generator.at(world.now))
    world.now += timedelta(seconds=60)
    token = token if world_has(world, token) else world.sign_in("ida")
    assert refused(world.sign, token, world.shown("701-1")).code == "not-confirmed"
    world.now += timedelta(seconds=60)
    world.sign(token, world.shown("701-1"), code=generator.at(world.now))
    assert world.status("701-1") == "signed"


def world_has(world, token: str) -> bool:
    """Return whether a token still stands for a session."""
    with world.unit() as unit:
        return access_reads.session_of(unit.session, token, now=world.now) is not None


# -- wrong tries ---------------------------------------------------------------------------------------------------


def test_five_wrong_tries_end_every_session_and_the_study_s_ledger_says_so(world, owner_url):
    token = world.sign_in("ida")
    codes = [refused(world.sign, token, world.shown("701-1"), password=f"wrong {n}").code for n in range(5)]
    assert codes == ["not-confirmed"] * 4 + ["credentials-misuse"]
    assert refused(world.sign, token, world.shown("701-1")).code == "session-over"
    told = [action for action, _ in world.events(owner_url)]
    assert told.count("signatures.refuse") == 4
    assert told.count("signatures.misuse") == told.count("credentials.misuse") == 1
    with psycopg.connect(owner_url) as connection:
        told_to = connection.execute("select account_id, kind, state, created_at from app.notice").fetchall()
    assert told_to == [(world.accounts["mara"], "misuse", "waiting", world.now)], (
        "who manages people hears of it at once"
    )
    assert not any("wrong 0" in str(change) for _, change in world.events(owner_url)), "what was typed is kept nowhere"
    assert world.status("701-1") == "complete"


# -- who may --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["anna", "miro", "mara"])
def test_only_investigators_sign(world, who):
    refusal = refused(world.sign, world.sign_in(who), world.shown("701-1"), who=who, name=f"{who}@site.example")
    assert "may not sign forms" in refusal.reason


def test_an_investigator_of_one_site_signs_that_site_s_forms(world):
    token = world.sign_in("sita")
    of_others = refused(world.sign, token, world.shown("701-1"), who="sita", name="sita@site.example")
    assert of_others.code == "no-such-form"
    world.sign(token, world.shown("702-1"), who="sita", name="sita@site.example")
    assert world.status("702-1") == "signed"


@pytest.mark.parametrize("who", ["ida", "anna"])
def test_only_monitor_and_data_manager_verify(world, who):
    assert "may not verify forms" in refused(world.verify, world.shown("701-1"), who=who).reason


def test_only_the_data_manager_locks_and_only_what_is_signed(world):
    assert "may not lock" in refused(world.lock, world.sign_in("ida"), world.shown("701-1"), who="ida").reason
    token = world.sign_in("mara")
    assert "Only a signed form is locked." in refused(world.lock, token, world.shown("701-1")).reason
    world.sign(world.sign_in("ida"), world.shown("701-1"))
    world.lock(token, world.shown("701-1"))
    found = world.life("701-1")
    assert found.form.status == "locked"
    assert [one.meaning for one in found.signatures] == ["responsibility", "locking"]


# -- what takes a signature away -----------------------------------------------------------------------------------


def test_new_values_make_signature_and_verification_void_with_the_fields_as_the_reason(world, owner_url):
    world.verify(world.shown("701-1"))
    world.sign(world.sign_in("ida"), world.shown("701-1"))
    world.sync({"701-1": "99", "701-2": "80"}, temp="36.6")
    found = world.life("701-1")
    assert found.form.status == "complete"
    [one] = found.signatures
    assert (one.is_void, one.void_reason, one.version) == (True, "Value changed: Pulse", 1)
    assert one.text.startswith("VOID since")
    assert [step.step for step in found.steps] == ["verify", "sign", "change"]
    assert found.fell.reason == "Value changed: Pulse"
    assert found.needs_verification_again
    actions = [action for action, _ in world.events(owner_url)]
    assert {"signatures.void", "records.unmark"} <= set(actions)
    assert problems(world) == []


def test_a_verified_form_whose_value_changes_drops_to_re_verify(world):
    world.verify(world.shown("701-1"))
    assert world.status("701-1") == "verified"
    world.sync({"701-1": "99"}, status="in_progress")
    found = world.life("701-1")
    assert found.form.status == "in_progress"
    assert found.needs_verification_again
    world.sync({"701-1": "99"})
    world.verify(world.shown("701-1"))
    assert not world.life("701-1").needs_verification_again


def test_a_sync_that_brings_nothing_new_leaves_signatures_alone(world):
    world.sign(world.sign_in("ida"), world.shown("701-1"))
    world.sync({"701-1": "72", "701-2": "81"})
    found = world.life("701-1")
    assert found.form.status == "signed"
    assert [one.is_void for one in found.signatures] == [False]


def test_the_reason_does_not_name_a_blinded_field(world):
    world.sign(world.sign_in("ida"), world.shown("701-1"))
    world.sync({"701-1": "72"}, dose="81")
    assert world.life("701-1").fell.reason == "Value changed: a blinded value"


def test_a_form_removed_at_its_source_loses_its_signature(world):
    world.sign(world.sign_in("ida"), world.shown("701-1"))
    with world.unit(world.service()) as unit:
        records.revise_batch(unit, study=STUDY, form="vs", rows=[], complete_for=["701-1"])
    found = world.life("701-1")
    assert [one.void_reason for one in found.signatures] == ["Removed at its source"]


def test_reopening_needs_a_reason_and_makes_every_signature_void(world):
    world.sign(world.sign_in("ida"), world.shown("701-1"))
    world.lock(world.sign_in("mara"), world.shown("701-1"))
    [seen] = world.shown("701-1")
    with pytest.raises(BadInputError, match="Received no reason"):
        world.reopen(seen, reason="  ")
    assert "may not reopen" in refused(world.reopen, seen, who="anna").reason
    world.reopen(seen)
    found = world.life("701-1")
    assert found.form.status == "complete"
    assert {one.void_reason for one in found.signatures} == {"Reopened: The nurse found a slip"}
    assert len(found.signatures) == 2
    assert refused(world.reopen, seen).code == "wrong-state"


def test_people_do_not_write_to_a_locked_form_and_a_source_s_value_ends_the_lock(world):
    world.sign(world.sign_in("ida"), world.shown("701-1"))
    world.lock(world.sign_in("mara"), world.shown("701-1"))
    refusal = refused(world.sync, {"701-1": "99"}, source="staff")
    assert refusal.code == "locked"
    assert world.status("701-1") == "locked"
    world.sync({"701-1": "99"})
    assert world.status("701-1") == "complete"
    assert all(one.is_void for one in world.life("701-1").signatures)


def test_a_form_is_signed_again_after_it_changed_and_both_signatures_stay_in_sight(world):
    token = world.sign_in("ida")
    world.sign(token, world.shown("701-1"))
    assert refused(world.sign, token, world.shown("701-1")).code == "signed-by-you"
    world.sync({"701-1": "99"})
    world.sign(token, world.shown("701-1"))
    assert [(one.version, one.is_void) for one in world.life("701-1").signatures] == [(1, True), (2, False)]


def test_a_second_investigator_signs_beside_the_first(world):
    world.sign(world.sign_in("ida"), world.shown("701-1"))
    world.sign(world.sign_in("ivo"), world.shown("701-1"), who="ivo", name="ivo@site.example", meaning="approval")
    found = world.life("701-1")
    assert [(one.printed_name, one.meaning) for one in found.signatures] == [
        ("Ida Paul", "responsibility"),
        ("Ivo Reed", "approval"),
    ]


# -- many at once ---------------------------------------------------------------------------------------------------


def test_signing_many_lists_and_skips_with_reasons_before_and_after(world):
    world.sync({"702-1": "64"}, status="in_progress")
    world.ask("701-2")
    with world.unit(world.actor("ida")) as unit:
        listed = life.waiting(unit.session, unit.actor, study=STUDY, step="sign")
        counts = life.counts(unit.session, unit.actor, study=STUDY, step="sign")
    assert [(one.participant, one.ready, one.left_out) for one in counts] == [
        ("701-1", 1, 0),
        ("701-2", 0, 1),
        ("702-1", 0, 1),
    ]
    assert {(one.form.participant, one.refusal.reason if one.refusal is not None else "") for one in listed} == {
        ("701-1", ""),
        ("701-2", "The form has an open query."),
        ("702-1", "The form is in progress. Only a complete or verified form is signed."),
    }
    outcome = world.sign(world.sign_in("ida"), [one.form.as_shown for one in listed])
    assert [one.participant for one in outcome.done] == ["701-1"]
    assert {(one.form.participant, one.refusal.code) for one in outcome.skipped} == {
        ("701-2", "open-queries"),
        ("702-1", "wrong-state"),
    }
    assert [world.status(code) for code in ("701-1", "701-2", "702-1")] == ["signed", "complete", "in_progress"]


def test_signing_many_skips_what_changed_while_the_list_was_open(world):
    seen = world.shown("701-1", "701-2", "702-1")
    world.sync({"701-2": "81"})
    outcome = world.sign(world.sign_in("ida"), seen)
    assert {one.participant for one in outcome.done} == {"701-1", "702-1"}
    assert [(one.form.participant, one.refusal.code) for one in outcome.skipped] == [("701-2", "changed-since-shown")]
    with world.unit(world.actor("miro")) as unit:
        acts = {
            one.act_id
            for done in outcome.done
            for one in signature_reads.kept(unit.session, unit.actor, study=STUDY, record_id=done.instance_id)
        }
    assert len(acts) == 1, "one confirmation, one act"


def test_a_value_is_removed_by_who_proves_it_is_them_every_time(world):
    """Also after a signature in the same session: what cannot be taken back asks for everything."""
    [shown] = world.shown("701-1")
    token, instance = world.sign_in("mara"), shown.instance_id

    def pulse():
        with world.unit(world.service()) as unit:
            return unit.session.execute(
                text("select \"values\"->>'pulse' from app.form_revision where instance_id = :one and number = 1"),
                {"one": instance},
            ).scalar_one()

    def remove(**given):
        proof = Proof(token=token, **({"password": PASSWORD, "sign_in_name": "mara@site.example"} | given))
        with world.unit(world.actor("mara"), reason="A name stood here.") as unit:
            return redaction.redact_confirmed(
                unit, study=STUDY, instance_id=instance, revision=1, field="pulse", proof=proof
            )

    for wrong in ({"password": "something else"}, {"sign_in_name": ""}, {"sign_in_name": "ida@site.example"}):
        with pytest.raises(RefusedError):
            remove(**wrong)
    assert pulse() == "72"
    gone = remove()
    assert pulse() is None
    assert redaction.opens(gone.salt, "72", gone.commitment)
    assert verify_all(world.url).problems == ()


def test_a_signature_outlives_the_removal_of_a_value_that_it_covers(world):
    """What was signed is bound by its hash, which stays; nobody changed the record, so nothing is void."""
    world.sign(world.sign_in("ida"), world.shown("701-1"))
    (instance,) = [one.instance_id for one in world.shown("701-1")]
    proof = Proof(token=world.sign_in("mara"), password=PASSWORD, sign_in_name="mara@site.example")
    with world.unit(world.actor("mara"), reason="A name stood here.") as unit:
        gone = redaction.redact_confirmed(
            unit, study=STUDY, instance_id=instance, revision=1, field="pulse", proof=proof
        )
    with world.unit(world.actor("mara")) as unit:
        (signed,) = signature_reads.kept(unit.session, unit.actor, study=STUDY, record_id=instance)
        (told,) = signature_reads.manifestation(unit.session, unit.actor, study=STUDY, record_ids=[instance])[instance]
        (removed,) = redaction.redactions(unit.session, unit.actor, study=STUDY, instance_id=instance)
    assert signature_reads.verify_signature(signed, item=signed.item)
    assert not told.is_void
    assert (removed.field, removed.by, removed.reason) == ("pulse", "Mara Dahl", "A name stood here.")
    assert gone.revisions == (told.version,)
    assert world.sync({"701-1": "72"}).unchanged == 1, "the source still says what was signed"
    assert verify_all(world.url).problems == ()
    world.sync({"701-1": "73"})
    with world.unit(world.actor("mara")) as unit:
        (told,) = signature_reads.manifestation(unit.session, unit.actor, study=STUDY, record_ids=[instance])[instance]
    assert told.is_void, "a changed value makes it void, as always"


def test_signatures_leave_with_the_data_as_name_instant_with_zone_and_meaning(world):
    """A void one says so; what is taken as of an earlier instant holds what counted then."""
    world.sign(world.sign_in("ida"), world.shown("701-1"))
    signed_at, position = world.now, world.seal()
    world.now += timedelta(hours=1)
    world.sync({"701-1": "73"})
    world.seal()
    with world.unit(world.actor("mara")) as unit:
        now = extract(unit.session, unit.actor, study=STUDY).row(0, named=True)
        then = extract(unit.session, unit.actor, study=STUDY, position=position).row(0, named=True)
        assert extract(unit.session, unit.actor, study=STUDY, position=position - 1).is_empty()
    assert (now["subject_id"], now["form_id"], now["printed_name"]) == ("701-1", "vs", "Ida Paul")
    assert (now["signed_at"], now["zone"], now["meaning"]) == (signed_at, "Europe/Paris", "responsibility")
    assert now["is_void"]
    assert now["manifestation"].startswith("VOID since")
    (instance,) = [one.instance_id for one in world.shown("701-1")]
    with world.unit(world.actor("mara")) as unit:
        (kept,) = signature_reads.kept(unit.session, unit.actor, study=STUDY, record_id=instance)
    assert now["content_sha256"] == kept.item.content_hash.hex(), "the version that was signed, not the newest"
    assert now["fingerprint"] == kept.manifest_sha256.hex()[:16]
    assert not then["is_void"]
    assert then["manifestation"].startswith("Electronically signed by Ida Paul (investigator) on 05-Mar-2026 09:00")
    with world.unit(world.actor("sita")) as unit:
        assert extract(unit.session, unit.actor, study=STUDY).is_empty(), "signatures of another site"
