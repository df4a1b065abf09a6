"""Row-level security, held against the catalogue (S24) and against statements of somebody who injects SQL (S25)."""

import json
import re
import time
from contextlib import suppress
from types import SimpleNamespace
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from datamodel.access.actor import Actor, Membership
from datamodel.access.rights import ROLES
from datamodel.kernel import scope
from datamodel.kernel.database import engine_for
from datamodel.kernel.ids import new_id
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import unit_of_work
from datamodel.migrations.roles import Roles
from datamodel.migrations.schema import GUARDS
from datamodel.study import actions as study_actions
from tests.conftest import _PASSWORD
from tests.support import dashboard, rows

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
OWN = "small"
TABLES = sorted(table for table, guard in GUARDS.items() if guard.scope != "owner")
#: tables that show everybody's rows by design: wrapped keys, the installation
COMMON = {"installation"}
#: what a table's conditions ask of a row
LAWFUL = {"arm_reveal": {"kind": "emergency", "category": "other", "approval_id": None}}


@pytest.fixture(scope="module")
def world(cluster, template, tmp_path_factory):
    """Two studies, every table filled for the foreign one, and what nobody outside may see of it."""
    name = f"t_{uuid4().hex[:12]}"
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(f"create database {name} template {template} strategy file_copy")
    app = cluster.url(name, role=Roles().app, password=_PASSWORD)
    patch = pytest.MonkeyPatch()
    patch.setenv("METRICIS_HOME", str(tmp_path_factory.mktemp("home")))
    settings.cache_clear()
    scene = dashboard.build(app, subjects=14)
    with psycopg.connect(cluster.url(name)) as server:
        filled = fill(server)
        server.commit()
        foreign = uuids(server) - {str(account) for account in accounts_of_machines(server)}
        elsewhere = away_from(server, "702")
    with unit_of_work(app, scene.installer) as unit:
        study_actions.create_study(unit, code=OWN, protocol_id="S-1", title="One's own study")
    yield SimpleNamespace(app=app, server=cluster.url(name), foreign=foreign, elsewhere=elsewhere, filled=filled)
    engine_for(app).dispose()
    patch.undo()
    settings.cache_clear()


def fill(server):
    """Put a row about one participant of the foreign study into every table that has none."""
    server.execute("set session_replication_role = replica")
    one = server.execute(
        "select p.id, p.study_id, i.id, d.id, c.id from app.participant p join app.form_instance i on i.participant_id = p.id "
        "join app.discrepancy d on d.study_id = p.study_id join app.redcap_connection c on c.study_id = p.study_id "
        "join app.site s on s.id = p.site_id where s.code <> '702' limit 1"
    ).fetchone()
    known = dict(
        zip(("participant_id", "study_id", "instance_id", "discrepancy_id", "connection_id"), one, strict=True)
    )
    filled = []
    for table in TABLES:
        if server.execute(sql.SQL("select exists (select from app.{})").format(sql.Identifier(table))).fetchone()[0]:
            filled.append(table)
            continue
        made = rows.row(server, table, known) | LAWFUL.get(table, {})
        with suppress(psycopg.errors.CheckViolation), server.transaction():
            server.execute(rows.insert(table, made))
            filled.append(table)
        if table == "assessment_session":
            known["session_id"] = made["id"]
        if table == "approval":
            known["approval_id"] = made["id"]
    server.execute("set session_replication_role = origin")
    return filled


def dump(server):
    for table in TABLES:
        for (line,) in server.execute(sql.SQL("select t::text from app.{} t").format(sql.Identifier(table))):
            yield table, line


def uuids(server):
    return {one for table, line in dump(server) if table not in COMMON for one in UUID.findall(line)}


def accounts_of_machines(server):
    found = server.execute("select id from app.account where kind = 'machine'").fetchall()
    events = server.execute("select id, request_id from app.audit_event where study_id is null").fetchall()
    keys = server.execute("select id from app.data_key where study_id is null").fetchall()  # wrapped, and for everybody
    return [one for row in found + events + keys for one in row]


def away_from(server, site):
    """Return what names participants of other sites than `site`, and every row that hangs on one of them."""
    people = [
        one
        for (one,) in server.execute(
            "select p.id from app.participant p left join app.site s on s.id = p.site_id where s.code is distinct from %s",
            [site],
        )
    ]
    found = {str(one) for one in people}
    for table in TABLES:
        names = {name for name, _, _ in rows.columns(server, table)}
        if {"id", "participant_id"} <= names:
            query = sql.SQL("select id from app.{} where participant_id = any(%s)").format(sql.Identifier(table))
            found |= {str(one) for (one,) in server.execute(query, [people])}
    return found


def person(role="data_manager", study=OWN, **more):
    return Actor(id=new_id(), kind="staff", name="Mallory", memberships=(Membership(study, role, **more),))


def signed(actor, **more):
    return scope.scope_for("", actor, **more)


# -- S24 ----------------------------------------------------------------------------------------------------------------


def test_every_table_has_row_level_security_that_also_binds_its_owner(world):
    with psycopg.connect(world.server) as server:
        found = server.execute(
            "select relname, relrowsecurity and relforcerowsecurity, pg_get_userbyid(relowner) from pg_class "
            "where relnamespace = 'app'::regnamespace and relkind in ('r', 'p') and relname <> 'alembic_version'"
        ).fetchall()
    assert {name for name, _, _ in found} == GUARDS.keys()
    assert [name for name, is_on, _ in found if not is_on] == []
    assert {owner for _, _, owner in found} == {Roles().owner}


def test_the_roles_are_four_and_none_goes_round_row_level_security(world):
    with psycopg.connect(world.server) as server:
        found = server.execute(
            "select rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication from pg_roles "
            "where rolname = any(%s)",
            [list(Roles())],
        ).fetchall()
        members = server.execute(
            "select pg_get_userbyid(member), pg_get_userbyid(roleid) from pg_auth_members "
            "where pg_get_userbyid(member) = any(%s)",
            [list(Roles())],
        ).fetchall()
    assert {one[0] for one in found} == set(Roles())
    assert [one for one in found if any(one[1:])] == []
    assert members == [(Roles().migrator, Roles().owner)]


def test_the_application_removes_and_alters_nothing_of_what_is_kept(world):
    with psycopg.connect(world.server) as server:
        for table, guard in GUARDS.items():
            may = {
                verb
                for verb in ("insert", "update", "delete", "truncate", "references", "trigger")
                if server.execute(
                    "select has_table_privilege(%s, %s, %s)", [Roles().app, f"app.{table}", verb]
                ).fetchone()[0]
            }
            assert not may & {"truncate", "references", "trigger"}, table
            if guard.is_append_only:
                assert not may & {"update", "delete"}, table
        assert not server.execute("select has_schema_privilege(%s, 'app', 'create')", [Roles().app]).fetchone()[0]
        assert not server.execute("select has_schema_privilege(%s, 'public', 'create')", [Roles().app]).fetchone()[0]


def test_the_roles_that_see_blinded_data_are_those_of_the_table_of_rights():
    assert {role for role, held in ROLES.items() if "study:blinded:read" in held} == scope.UNBLINDED_ROLES


# -- S25 ----------------------------------------------------------------------------------------------------------------

READS = (
    "select * from {t}",
    "select t::text from {t} t where 1 = 1 or true",
    "table {t}",
    "select query_to_xml('select * from {t}', true, false, '')",
    "with x as (select * from {t}) select * from x union all select * from x",
    "prepare leak as select * from {t}; execute leak",
    "declare leak cursor for select * from {t}; fetch all from leak",
    "create temp view leak as select * from {t}; select * from leak",
    "create temp table leak as select * from {t}; select * from leak",
    "set local row_security = off; select * from {t}",
    "set local role metricis; select * from {t}",
    "set local search_path = pg_temp, app; create temp table study as select * from app.study; select * from {t}",
    "create temp table {n} (id uuid); set local search_path = pg_temp, app; select * from {t}",
    (
        "create function pg_temp.leak(text) returns bool language plpgsql cost 0.0000001 as "
        "'begin raise notice ''%'', $1; return true; end'; select count(*) from {t} t where pg_temp.leak(t::text)"
    ),
    "do $$ declare r record; begin for r in select * from {t} loop raise notice '%', r; end loop; end $$",
    "select * from {t} for share",
    "explain (analyze, verbose) select * from {t}",
    "select attname, most_common_vals::text, histogram_bounds::text from pg_stats where schemaname = 'app' and tablename = '{n}'",
    "select min(t::text), max(t::text), string_agg(t::text, '') from {t} t",
    "select t::text from {t} t where exists (select from app.participant p where p.code like '%')",
)
WRITES = (
    "delete from {t} returning *",
    "update {t} set {c} = {c} returning *",
    "update {t} t set {c} = x.{c} from {t} x returning x.*",
    "insert into {t} select * from {t} on conflict do nothing returning *",
    "merge into {t} t using {t} x on true when matched then delete",
    "truncate {t} cascade",
    "alter table {t} disable row level security; select * from {t}",
    "alter table {t} no force row level security",
    "drop policy of_scope on {t}",
    "create policy wide on {t} using (true)",
    "alter table {t} disable trigger all",
    "drop table {t} cascade",
    "grant all on {t} to public",
    "copy {t} from stdin",
)
GENERAL = (
    "set role metricis",
    "set role metricis_migrator",
    "set session authorization metricis",
    "set session_replication_role = replica",
    "select * from app.scope_key",
    "select app.scope_key::text from app.scope_key",
    "select * from app.unaccounted",
    "select * from pg_authid",
    "select rolpassword from pg_shadow",
    "select pg_read_file('PG_VERSION')",
    "copy app.study to '/tmp/study'",
    "copy app.study to program 'cat'",
    "create extension dblink",
    "create schema leak",
    "create or replace function app.scope() returns jsonb language sql as $$ select '{}'::jsonb $$",
    "create function app.leak() returns int language sql as 'select 1'",
    "create function public.leak() returns int language sql as 'select 1'",
    "alter role metricis_app bypassrls",
    "alter role metricis_app superuser",
    "alter function app.scope() owner to metricis_app",
    "create operator app.= (leftarg = uuid, rightarg = uuid, function = uuid_ne)",
    "select app.need_event()",
    "select lo_import('/etc/hostname')",
    "alter database current set metricis.scope = 'x'",
    "alter system set row_security = off",
)
VERBS = ("delete", "update", "merge", "truncate", "alter", "drop", "create policy", "grant", "copy {t} from")


def attempt(connection, statements, given):
    """Run statements after a scope was set, in one transaction; return everything that came back, errors included."""
    seen, refused = [], False
    told = lambda notice: seen.append(notice.message_primary)  # noqa: E731 - the driver wants a function of one value
    connection.add_notice_handler(told)
    try:
        with connection.transaction(force_rollback=True), connection.cursor() as cursor:
            cursor.execute("select set_config('metricis.scope', %s, true)", [given])
            for statement in statements:
                if statement.lower().startswith("copy") and "stdout" in statement:
                    with cursor.copy(statement) as copy:
                        seen += [str(bytes(block)) for block in copy]
                    continue
                cursor.execute(statement)
                if cursor.description:
                    seen += [str(line) for line in cursor.fetchall()]
    except psycopg.Error as error:
        refused = True
        seen.append(str(error))
    finally:
        connection.remove_notice_handler(told)
    return "\n".join(seen), refused


def parts(template, table, column="id"):
    filled = template.format(t=f"app.{table}", n=table, c=f'"{column}"')
    return [filled] if "$$" in filled or ("create function" not in filled and ";" not in filled) else split(filled)


def split(text):
    """Cut at semicolons outside quotes."""
    return [one.strip() for one in re.split(r";(?=(?:[^']*'[^']*')*[^']*$)", text) if one.strip()]


def every_statement(server):
    for table in TABLES:
        column = rows.columns(server, table)[0][0]
        for template in (*READS, *WRITES):
            yield table, parts(template, table, column)
        yield table, [f"copy app.{table} to stdout"]
        yield table, [f"copy (select * from app.{table}) to stdout"]


@pytest.mark.parametrize(
    ("who", "hidden"),
    [
        (person, "foreign"),
        (lambda: person(role="participant", study=dashboard.STUDY), "foreign"),
        (lambda: Actor(id=new_id(), kind="participant", name="P", participant_id=new_id()), "foreign"),
        (lambda: person(role="coordinator", study=dashboard.STUDY, site="702"), "elsewhere"),
    ],
    ids=["member of another study", "member without a person", "a person who is nobody", "member at one site"],
)
def test_no_statement_shows_a_foreign_row(world, who, hidden):
    secret, count, leaks, actor = getattr(world, hidden), 0, [], who()
    with psycopg.connect(world.server) as server:
        statements = list(every_statement(server))
        before = set(dump(server))
    with psycopg.connect(world.app, autocommit=True) as connection:
        for table, statement in [*statements, *((None, [one]) for one in GENERAL)]:
            text, _ = attempt(connection, statement, signed(actor))
            found = set(UUID.findall(text)) & secret
            if found and table not in COMMON:
                leaks.append(f"{table}: {'; '.join(statement)} -> {sorted(found)[:2]}")
            count += 1
    assert leaks == [], "\n".join(leaks)
    assert count > 500
    with psycopg.connect(world.server) as server:
        assert set(dump(server)) == before


@pytest.mark.parametrize("statement", GENERAL)
def test_what_belongs_to_owners_and_administrators_is_refused(world, statement):
    with psycopg.connect(world.app, autocommit=True) as connection:
        _, refused = attempt(connection, [statement], signed(person()))
    assert refused


def test_without_a_scope_there_is_nothing(world):
    with psycopg.connect(world.app) as connection:
        for table, guard in GUARDS.items():
            if guard.scope in {"study", "participant", "door"}:
                found = connection.execute(sql.SQL("select count(*) from app.{}").format(sql.Identifier(table)))
                assert found.fetchone()[0] == 0, table


def games(actor):
    good, other = signed(actor), signed(person(study=dashboard.STUDY))
    content = json.loads(good[8:-64])
    wider = json.dumps(content | {"s": [dashboard.STUDY]})
    yield "cut", good[:-1]
    yield "studies added", good[:8] + wider + good[-64:]
    yield "another's signature", good[:8] + wider + other[-64:]
    yield "a key of one's own", scope.signed(content | {"s": [dashboard.STUDY]}, key=b"\1" * 32)
    yield (
        "a key of one's own under the right name",
        good[:8] + scope.signed(content | {"s": [dashboard.STUDY]}, key=b"\1" * 32)[8:],
    )
    yield "the empty key", scope.signed(content | {"s": [dashboard.STUDY]}, key=b"")
    yield "over", scope.scope_for("", person(study=dashboard.STUDY), seconds=-1)
    yield "a study's code alone", dashboard.STUDY
    yield (
        "plain JSON",
        json.dumps({"s": [dashboard.STUDY], "x": time.time() + 60, "a": str(actor.id), "f": [], "t": []}),
    )
    yield "no hexadecimal signature", good[:-64] + "z" * 64


def test_a_scope_that_was_not_signed_or_is_over_is_refused(world):
    with psycopg.connect(world.app, autocommit=True) as connection:
        for name, given in games(person()):
            for table in ("participant", "form_revision", "audit_event", "study"):
                text, refused = attempt(connection, [f"select * from app.{table}"], given)
                assert refused, (name, table)
                assert not set(UUID.findall(text)) & world.foreign


def test_a_scope_ends_with_its_transaction_and_is_seen_by_no_other_connection(world):
    given = signed(person(study=dashboard.STUDY))
    with psycopg.connect(world.app) as connection, psycopg.connect(world.app, autocommit=True) as other:
        connection.execute("select set_config('metricis.scope', %s, true)", [given])
        assert connection.execute("select count(*) from app.participant").fetchone()[0] == 14
        shown = other.execute("select string_agg(query, '') from pg_stat_activity").fetchone()[0]
        assert given[-64:] not in shown
        connection.commit()
        assert connection.execute("select count(*) from app.participant").fetchone()[0] == 0


def test_a_blinded_scope_reads_no_arm_and_an_unblinded_one_does(world):
    for actor, is_seen in (
        (person(study=dashboard.STUDY), False),
        (person(role="pharmacist", study=dashboard.STUDY), True),
        (person(role="statistician", study=dashboard.STUDY, is_unblinded=True), True),
        (person(role="owner", study=dashboard.STUDY), False),
    ):
        with psycopg.connect(world.app) as connection:
            connection.execute("select set_config('metricis.scope', %s, true)", [signed(actor)])
            assert bool(connection.execute("select count(*) from app.participant_arm").fetchone()[0]) is is_seen


def test_rows_of_a_foreign_study_or_site_cannot_be_written(world):
    with psycopg.connect(world.server) as server:
        study, participant, site = server.execute(
            "select p.study_id, p.id, p.site_id from app.participant p join app.site s on s.id = p.site_id "
            "where s.code <> '702' limit 1"
        ).fetchone()
        known = {"study_id": study, "participant_id": participant, "site_id": site, "account_id": uuid4()}
        made = {
            table: rows.insert(table, rows.row(server, table, known))
            for table, guard in GUARDS.items()
            if guard.scope in {"study", "participant", "door"}
        }
    for actor in (person(), person(role="coordinator", study=dashboard.STUDY, site="702")):
        with psycopg.connect(world.app, autocommit=True) as connection:
            for table, statement in made.items():
                if GUARDS[table].scope == "study" and actor.memberships[0].study == dashboard.STUDY:
                    continue
                _, refused = attempt(connection, [statement.as_string()], signed(actor))
                assert refused, table


def test_nobody_promotes_themselves(world):
    me = person(study=dashboard.STUDY)
    with psycopg.connect(world.server) as server:
        server.execute("set session_replication_role = replica")
        server.execute(
            "insert into app.account (id, kind, name, is_administrator, is_active, created_at) "
            "values (%s, 'staff', 'Mallory', false, true, now())",
            [me.id],
        )
    with psycopg.connect(world.app, autocommit=True) as connection:
        for statement in (
            f"update app.account set is_administrator = true where id = '{me.id}' returning id",
            (
                "insert into app.account (id, kind, name, is_administrator, is_active, created_at) "
                "values (gen_random_uuid(), 'staff', 'x', true, true, now())"
            ),
        ):
            _, refused = attempt(connection, [statement], signed(me))
            assert refused
