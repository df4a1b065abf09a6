"""A value that was entered by mistake goes, everywhere; what was sealed before keeps verifying, and other tampering shows."""

import random

import psycopg
import pytest
from sqlalchemy import text

from datamodel.access import actions as access
from datamodel.access import reads as access_reads
from datamodel.access.actor import Actor, Membership
from datamodel.audit import ledger
from datamodel.checkpoints.heads import Record
from datamodel.checkpoints.sealer import Sealer
from datamodel.checkpoints.verify import verify
from datamodel.discrepancies import actions as discrepancies
from datamodel.discrepancies.life import Question
from datamodel.kernel.errors import BadInputError, NotFoundError, RefusedError
from datamodel.kernel.ids import new_id
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import reading, sealing, unit_of_work
from datamodel.participants import actions as participants
from datamodel.participants.facts import Facts
from datamodel.records import actions as records
from datamodel.records import redaction
from datamodel.records.content import canonical_values
from datamodel.records.digest import DIGESTS
from datamodel.study import actions as study

STUDY = "small"
SERVICE = Actor(id=new_id(), kind="machine", name="sync", memberships=(Membership(STUDY, "service"),))
MANAGER = Actor(id=new_id(), kind="staff", name="Mara Dahl", memberships=(Membership(STUDY, "data_manager"),))
CLERK = Actor(id=new_id(), kind="staff", name="Dora Penn", memberships=(Membership(STUDY, "data_entry"),))
WHY = "a name was typed into a comment"
NAME = "Jürgen Ünique"


def values(number, **more):
    return canonical_values({"pulse": str(60 + number), "note": f"Quiet visit no. {number}"} | more)


def write(url, rows):
    with unit_of_work(url, SERVICE) as unit:
        return records.revise_batch(unit, study=STUDY, form="vs", rows=rows)


@pytest.fixture
def scene(database_url, home):
    """Eight participants with one form each, of which one comment holds a name, in two revisions and a data question."""
    first = Actor(id=new_id(), kind="machine", name=access_reads.INSTALLER_NAME)
    with unit_of_work(database_url, first) as unit:
        access.install(unit)
    with unit_of_work(database_url, first) as unit:
        installer = access_reads.installer_actor(unit.session)
    with unit_of_work(database_url, installer) as unit:
        study.create_study(unit, code=STUDY, protocol_id="S1", title="A small trial")
    codes = [f"701-{n:03}" for n in range(8)]
    with unit_of_work(database_url, SERVICE) as unit:
        participants.ensure(unit, study=STUDY, facts=[Facts(code=one, site="", status="enrolled") for one in codes])
    write(database_url, [(one, "v1", 0, 0, "complete", values(n)) for n, one in enumerate(codes)])
    write(database_url, [(codes[3], "v1", 0, 0, "complete", values(3, note=f"{NAME} felt well"))])
    write(database_url, [(codes[3], "v1", 0, 0, "complete", values(3, note=f"{NAME} felt well", pulse="99"))])
    with unit_of_work(database_url, SERVICE) as unit:
        asked = Question(
            record=codes[3],
            event_name="v1",
            event_repeat=0,
            form_repeat=0,
            form_name="vs",
            field="note",
            value=f"{NAME} felt well",
            rule="SRC-LENGTH",
            reason=f"“{NAME} felt well” is longer than allowed.",
        )
        discrepancies.raise_batch(unit, study=STUDY, form="vs", records=codes, rules=["SRC-LENGTH"], questions=[asked])
    Sealer(database_url, settings()).seal_once(force=True)
    return database_url


def instance(url, code="701-003"):
    with reading(url, MANAGER) as session:
        return session.execute(
            text(
                "select i.id from app.form_instance i join app.participant p on p.id = i.participant_id where p.code = :code"
            ),
            {"code": code},
        ).scalar_one()


def redact(url, *, actor=MANAGER, reason=WHY, revision=2, field="note", of=None):
    with unit_of_work(url, actor, reason=reason) as unit:
        return redaction.redact(unit, study=STUDY, instance_id=of or instance(url), revision=revision, field=field)


def verdict(url, home):
    Sealer(url, settings()).seal_once(force=True)
    with sealing(url) as session:
        return verify(session, Record(home), digests=DIGESTS)


def rows_with(owner_url, word):
    """Return the tables of which a row holds `word` in any column, as text or as bytes."""
    found = []
    with psycopg.connect(owner_url) as connection:
        tables = connection.execute("select tablename from pg_tables where schemaname = 'app'").fetchall()
        for (table,) in tables:
            [(count,)] = connection.execute(
                f"select count(*) from app.{table} t where position(%s in t::text) > 0 or position(%s in t::text) > 0",
                [word, word.encode().hex()],
            ).fetchall()
            found += [table] if count else []
    return found


def test_a_value_goes_everywhere_and_all_proofs_stay(scene, owner_url, home):
    with reading(scene, MANAGER) as session:
        question = session.execute(text("select id from app.discrepancy")).scalar_one()
    with unit_of_work(scene, MANAGER) as unit:
        discrepancies.answer(
            unit, study=STUDY, discrepancy_id=question, words=f"Yes, “{NAME} felt well” is what was said."
        )
    # No event of the ledger carries a value.
    assert set(rows_with(owner_url, NAME)) == {"form_revision", "discrepancy", "discrepancy_step"}
    assert verdict(scene, home).is_ok
    done = redact(scene)
    assert (done.revisions, done.questions) == ((2, 3), 1)
    assert rows_with(owner_url, NAME) == []
    assert redaction.opens(done.salt, f"{NAME} felt well", done.commitment)
    assert not redaction.opens(done.salt, "Somebody felt well", done.commitment)
    found = verdict(scene, home)
    assert found.problems == ()
    with reading(scene, MANAGER) as session:
        left = session.execute(text('select "values" from app.form_revision where number = 3')).scalar_one()
        assert left == {"pulse": "99"}
        [second, third] = redaction.redactions(session, MANAGER, study=STUDY, instance_id=instance(scene))
    assert (second.revision, third.revision, third.field, third.by, third.reason) == (2, 3, "note", "Mara Dahl", WHY)


def test_the_source_saying_the_same_again_brings_nothing_back(scene, owner_url, home):
    redact(scene)
    again = write(scene, [("701-003", "v1", 0, 0, "complete", values(3, note=f"{NAME} felt well", pulse="99"))])
    assert again.unchanged == 1
    assert rows_with(owner_url, NAME) == []


def test_a_value_is_removed_once_and_by_whoever_may_with_a_reason(scene):
    with pytest.raises(RefusedError):
        redact(scene, actor=CLERK)
    with pytest.raises(BadInputError, match="no justification"):
        redact(scene, reason="")
    with pytest.raises(BadInputError, match="repeats the value"):
        redact(scene, reason=f"because {NAME} felt well was written")
    with pytest.raises(NotFoundError, match="no value"):
        redact(scene, field="temp")
    with pytest.raises(NotFoundError, match="no such form entry"):
        redact(scene, of=new_id())
    redact(scene)
    with pytest.raises(NotFoundError, match="removed before"):
        redact(scene)


@pytest.mark.parametrize(
    "attack",
    [
        """update app.form_revision set "values" = '{"pulse":"60"}' where number = 3""",
        """update app.form_revision set status = 'in_progress' where number = 3""",
        "update app.form_revision set content_hash = sha256('x') where number = 3",
        """update app.form_revision r set "values" = '{"pulse":"1"}' where number = 1""",
        "delete from app.form_revision where number = 3",
        "delete from app.form_redaction",
        "update app.form_redaction set revision = 1 where revision = 2",
    ],
)
def test_what_is_altered_beside_a_removal_is_found(scene, owner_url, home, attack):
    redact(scene)
    assert verdict(scene, home).is_ok
    with psycopg.connect(owner_url) as connection:
        for table in ("form_revision", "form_redaction"):
            connection.execute(f"alter table app.{table} disable trigger user")
        connection.execute(attack)
    found = verdict(scene, home)
    assert {(one.study, one.kind) for one in found.problems} == {(STUDY, "rows")}


def test_a_removal_that_somebody_only_claims_is_found(scene, owner_url, home):
    with psycopg.connect(owner_url) as connection:
        connection.execute("alter table app.form_revision disable trigger user")
        connection.execute("alter table app.form_redaction disable trigger user")
        connection.execute("""update app.form_revision set "values" = '{"pulse":"61"}' where number = 2""")
        connection.execute(
            "insert into app.form_redaction select gen_random_uuid(), i.study_id, i.participant_id, i.id, 2, 'note', '', '', now(), "
            "r.event_id from app.form_revision r join app.form_instance i on i.id = r.instance_id where r.number = 2"
        )
    assert {one.kind for one in verdict(scene, home).problems} == {"rows"}


CALL = "select app.redact(%s, %s, 'note', array[2], array['{}'], array[]::uuid[], array[]::text[])"


def test_the_database_removes_nothing_without_the_event_and_nothing_but_the_value(scene, owner_url):
    one = instance(scene)
    with (
        psycopg.connect(owner_url) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="only together"),
    ):
        connection.execute(CALL, [new_id(), one])
    told = {"instance": one, "field": "note", "revisions": [{"number": 2, "content_sha256": ""}]}
    with unit_of_work(scene, MANAGER, reason=WHY) as unit:
        study_id = unit.session.execute(text("select id from app.study")).scalar_one()
        event = ledger.record(unit, "records.redact", study_id=study_id, change=told)
        cursor = unit.session.connection().connection.cursor()
        cursor.execute("savepoint before")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="nothing else"):
            cursor.execute(CALL, [event, one])
        cursor.execute("rollback to savepoint before")
    with unit_of_work(scene, MANAGER, reason=WHY) as unit:
        earlier = ledger.record(unit, "records.redact", study_id=study_id, change=told)
    with (
        psycopg.connect(owner_url) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="only together"),
    ):
        connection.execute(CALL, [earlier, one])
    with (
        psycopg.connect(owner_url) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="never changed"),
    ):
        connection.execute("""update app.form_revision set "values" = '{}' where number = 2""")


def _many(scene, owner_url, home, *, rounds, seed):
    chance = random.Random(seed)
    before = [Record(home).tree(Record(home).identity(), None).heads()[-1]]
    for number in range(rounds):
        code = f"701-{chance.randrange(8):03}"
        word = f"Nobody{chance.getrandbits(40):x} “{chr(0x4E00 + chance.randrange(999))}\\\t'"
        write(scene, [(code, "v1", 0, 0, "complete", values(number, note=word, other=f"kept {number}"))])
        one = instance(scene, code)
        with reading(scene, MANAGER) as session:
            newest = session.execute(
                text("select revision from app.form_instance where id = :id"), {"id": one}
            ).scalar_one()
        redact(scene, of=one, revision=newest)
        if number % 25 == 0:
            Sealer(scene, settings()).seal_once(force=True)
            before.append(Record(home).tree(Record(home).identity(), None).heads()[-1])
    found = verdict(scene, home)
    assert found.problems == ()
    kept = Record(home).tree(Record(home).identity(), None).heads()
    assert all(one in kept for one in before)
    assert rows_with(owner_url, "Nobody") == []


def test_a_hundred_removals_keep_every_head_valid_and_leave_no_value(scene, owner_url, home):
    _many(scene, owner_url, home, rounds=100, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_thousand_removals_keep_every_head_valid_and_leave_no_value(scene, owner_url, home):
    _many(scene, owner_url, home, rounds=1000, seed=2)


STATUS = "app.participant_status where ctid = (select min(ctid) from app.participant_status)"
COPY = (
    'insert into app.participant_status (id, participant_id, status, "on", at, event_id) '
    'select gen_random_uuid(), participant_id, status, "on", at, event_id from app.participant_status limit 1'
)


@pytest.mark.parametrize(
    ("table", "action", "attack"),
    [
        (
            "participant_status",
            "participants.ensure",
            f"update {STATUS}".replace("where", "set status = 'withdrawn' where"),
        ),
        ("participant_status", "participants.ensure", f"delete from {STATUS}"),
        ("participant_status", "participants.ensure", COPY),
        ("discrepancy_step", "discrepancies.raise_batch", "update app.discrepancy_step set text = 'nothing was wrong'"),
        (
            "form_redaction",
            "records.redact",
            "update app.form_redaction set at = now() + interval '1 day' where revision = 3",
        ),
        (
            "discrepancy_step",
            "participants.ensure",
            "update app.discrepancy_step set event_id = (select event_id from app.participant_status limit 1)",
        ),
    ],
    ids=["altered", "removed", "added", "other words", "another time", "moved"],
)
def test_rows_beside_the_ledger_are_vouched_for_too(scene, owner_url, home, table, action, attack):
    redact(scene)
    assert verdict(scene, home).problems == ()
    with psycopg.connect(owner_url) as connection:
        connection.execute(f"alter table app.{table} disable trigger user")
        connection.execute(attack)
        [(expected,)] = connection.execute(
            "select s.position from app.audit_entry s join app.audit_event e on e.id = s.event_id where e.action = %s",
            [action],
        ).fetchall()
    found = verdict(scene, home).problems[0]
    assert (found.study, found.position, found.kind) == (STUDY, expected, "rows")
