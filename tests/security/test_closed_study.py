"""A closed study is held by PostgreSQL: what the program forgets is refused all the same, in every table, also half-way."""

import threading
import time
from types import SimpleNamespace
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import text

from datamodel.access.actor import Actor, Membership
from datamodel.audit import ledger
from datamodel.kernel import scope
from datamodel.kernel.database import engine_for
from datamodel.kernel.errors import RefusedError
from datamodel.kernel.ids import new_id
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import unit_of_work
from datamodel.migrations.closing import FREE, held
from datamodel.migrations.roles import Roles
from datamodel.migrations.schema import GUARDS
from datamodel.participants import identity
from datamodel.records import redaction
from datamodel.study import store
from tests.conftest import _PASSWORD
from tests.security.test_row_level import fill
from tests.support import dashboard, rows

STUDY = dashboard.STUDY
TABLES = sorted(table for table, guard in GUARDS.items() if guard.scope in {"study", "participant"})
#: somebody whose memberships were read before the study was closed: the program itself would let them write
WRITER = Actor(
    id=new_id(),
    kind="machine",
    name="Writer",
    memberships=tuple(Membership(STUDY, role, is_unblinded=True) for role in ("service", "owner", "data_manager")),
)


def person(role):
    return Actor(id=new_id(), kind="staff", name="Ada", memberships=(Membership(STUDY, role),))


STATEMENTS = {
    "insert": "insert into app.{} overriding system value select * from app.{} limit 1",
    "update": "update app.{} set {} = {} where ctid = (select min(ctid) from app.{})",
}


@pytest.fixture(scope="module")
def world(cluster, template, tmp_path_factory):
    """A study with a row in every table, open; a test closes it in a transaction of its own."""
    name = f"t_{uuid4().hex[:12]}"
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(f"create database {name} template {template} strategy file_copy")
    app = cluster.url(name, role=Roles().app, password=_PASSWORD)
    patch = pytest.MonkeyPatch()
    patch.setenv("METRICIS_HOME", str(tmp_path_factory.mktemp("home")))
    settings.cache_clear()
    dashboard.build(app, subjects=6)
    with psycopg.connect(cluster.url(name)) as server:
        fill(server)
        fill_the_rest(server)
    yield SimpleNamespace(app=app, server=cluster.url(name))
    engine_for(app).dispose()
    patch.undo()
    settings.cache_clear()


def fill_the_rest(server):
    """Put a row into what `fill` leaves empty or hanging on nothing; what their CHECKs ask for matters nothing here."""
    server.execute("set session_replication_role = replica")
    known = known_of(server)
    for table in ("assessment_score", "consent_signature", "envelope", "signature", "sync_batch"):
        for (name,) in server.execute(
            "select conname from pg_constraint where contype = 'c' and conrelid = %s::regclass", [f"app.{table}"]
        ).fetchall():
            server.execute(sql.SQL("alter table app.{} drop constraint {}").format(*map(sql.Identifier, (table, name))))
        server.execute(rows.insert(table, rows.row(server, table, known | {"id": new_id()})))


def known_of(connection):
    one = connection.execute(
        "select p.id, p.study_id, i.id, s.id, r.id from app.participant p join app.form_instance i on i.participant_id = p.id, "
        "app.assessment_session s, app.sync_run r limit 1"
    ).fetchone()
    return dict(zip(("participant_id", "study_id", "instance_id", "session_id", "run_id"), one, strict=True))


def set_status(world, status):
    with psycopg.connect(world.server) as server:
        server.execute("set session_replication_role = replica")
        server.execute("update app.study set status = %s", [status])


@pytest.fixture
def closed(world):
    set_status(world, "closed")
    yield world
    set_status(world, "active")


def outcome(world, table, verb):
    """Return how the application fares with a statement: the name of the policy that refused it, or what else was said."""
    if table == "study" and verb == "insert":
        return "not of this study"
    with psycopg.connect(world.app) as connection:
        column = rows.columns(connection, table)[0][0]
        names = [table, column, column, table] if verb == "update" else [table, table]
        statement = sql.SQL(STATEMENTS[verb]).format(*map(sql.Identifier, names))
        try:
            with connection.transaction(force_rollback=True):
                connection.execute(
                    "select set_config('metricis.scope', %s, true)", [scope.scope_for(world.app, WRITER)]
                )
                return "kept" if connection.execute(statement).rowcount else "nothing seen"
        except psycopg.Error as error:
            return error.diag.constraint_name or str(error)


@pytest.mark.parametrize("verb", ["insert", "update"])
def test_the_application_writes_nothing_into_a_closed_study(closed, verb):
    found = {table: outcome(closed, table, verb) for table in TABLES}
    closed_for_all = {table for table in TABLES if verb == "update" and GUARDS[table].is_append_only}
    expected = {table for table in TABLES if held(table, verb)} - closed_for_all
    if verb == "insert":
        expected.remove("study")
    assert {table for table, said in found.items() if said == "while_open"} == expected
    assert all("permission denied" in found[table] for table in closed_for_all)


def test_into_an_open_one_it_writes_as_before(world):
    found = {(table, verb): outcome(world, table, verb) for table in TABLES for verb in ("insert", "update")}
    assert [one for one, said in found.items() if said in {"while_open", "nothing seen"}] == []


def test_what_stays_possible_is_named_table_by_table():
    assert FREE.keys() <= set(TABLES)


@pytest.mark.parametrize(("kind", "said"), [("consent", "kept"), ("jspsych", "refused")])
def test_of_what_arrives_only_decisions_on_consent_are_taken(closed, kind, said):
    with psycopg.connect(closed.server) as server:
        (sender,) = server.execute("select id from app.account limit 1").fetchone()
        known = known_of(server) | {"id": new_id(), "sender_id": sender}
        made = rows.row(server, "envelope", known) | {"kind": kind}
    with psycopg.connect(closed.app) as connection, connection.transaction(force_rollback=True):
        connection.execute("select set_config('metricis.scope', %s, true)", [scope.scope_for(closed.app, WRITER)])
        if said == "kept":
            connection.execute(rows.insert("envelope", made))
        else:
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="is closed"):
                connection.execute(rows.insert("envelope", made))


def test_it_is_not_opened_again_and_no_row_leaves_it(closed):
    other = new_id()
    for statement in (
        "update app.study set status = 'active'",
        f"update app.participant set study_id = '{other}'",
        f"update app.form_instance set study_id = '{other}'",
        f"update app.form_instance set participant_id = '{other}'",
    ):
        with psycopg.connect(closed.app) as connection:
            connection.execute("select set_config('metricis.scope', %s, true)", [scope.scope_for(closed.app, WRITER)])
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


def touch(world, meanwhile=lambda: None):
    with unit_of_work(world.app, WRITER) as unit:
        ledger.record(unit, "participants.ensure", subject="study:x")
        unit.session.execute(text("update app.participant set event_id = event_id"))
        meanwhile()


def test_the_program_says_which_study_is_closed_and_nothing_is_kept(closed):
    with pytest.raises(RefusedError, match=f"The study {STUDY} is closed, so nothing is written in it") as refused:
        touch(closed)
    assert refused.value.refusal.code == "study-closed"
    with psycopg.connect(closed.server) as server:
        told = server.execute("select count(*) from app.audit_event where actor_id = %s", [WRITER.id]).fetchone()
    assert told == (0,)


def test_keys_are_changed_in_a_closed_study_too(closed, cluster):
    owner = cluster.url(closed.server.rpartition("/")[2], role=Roles().owner, password=_PASSWORD)
    with psycopg.connect(owner) as connection, connection.transaction(force_rollback=True):
        connection.execute("alter table app.redcap_connection disable trigger need_event")
        assert connection.execute("update app.redcap_connection set token = token").rowcount == 1


def test_a_closing_waits_for_who_writes_and_refuses_who_comes_after(world):
    """The writer began before the closing: its transaction ends first. Another one waits for the closing, then is refused."""
    steps, told = [], threading.Event()

    def write(name):
        touch(world, meanwhile=wait if name == "first" else lambda: None)

    def wait():
        told.set()
        time.sleep(0.6)
        steps.append("first")

    def late():
        try:
            write("late")
        except RefusedError as error:
            steps.append(error.refusal.code)

    first = threading.Thread(target=write, args=["first"])
    first.start()
    assert told.wait(10)
    with psycopg.connect(world.app) as closing:
        closing.execute("select app.stop_writing()")
        steps.append("closing")
        after = threading.Thread(target=late)
        after.start()
        time.sleep(0.4)
        set_status(world, "closed")
        closing.commit()
        after.join(20)
    first.join(20)
    set_status(world, "active")
    assert steps == ["first", "closing", "study-closed"]


def test_a_closing_that_waits_too_long_says_so(world):
    with psycopg.connect(world.app) as busy:
        busy.execute("select app.closed_studies()")
        with pytest.raises(RefusedError, match="not closed") as refused, unit_of_work(world.app, WRITER) as unit:
            store.stop_writing(unit.session, seconds=1)
    assert refused.value.refusal.code == "study-busy"


def test_what_must_remain_possible_is(world):
    """A value typed by mistake is taken out and an identity destroyed: the program and PostgreSQL agree on it."""
    with psycopg.connect(world.server) as server:
        code, instance, values = server.execute(
            "select p.code, i.id, r.values from app.form_revision r join app.form_instance i on i.id = r.instance_id "
            "join app.participant p on p.id = i.participant_id where r.number = 1 and length(r.values::text) > 20 limit 1"
        ).fetchone()
        field = next(name for name, value in values.items() if value)
    with unit_of_work(world.app, person("coordinator"), reason="Asked for.") as unit:
        identity.write(unit, study=STUDY, code=code, values={"name": "Somebody"})
    set_status(world, "closed")
    try:
        with unit_of_work(world.app, person("data_manager"), reason="A name stood there.") as unit:
            done = redaction.redact(unit, study=STUDY, instance_id=instance, revision=1, field=field)
        with unit_of_work(world.app, person("investigator"), reason="Asked for.") as unit:
            identity.destroy(unit, study=STUDY, code=code)
    finally:
        set_status(world, "active")
    assert done.revisions
