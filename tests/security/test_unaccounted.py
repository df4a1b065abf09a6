"""No change of a regulated table without an event in the ledger (A8): table by table, verb by verb, path by path."""

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Table, create_engine, delete, insert, update
from sqlalchemy.engine import make_url

from datamodel.kernel.ids import new_id
from datamodel.migrations.schema import GUARDS, METADATA
from tests.support import rows

REGULATED = sorted(table for table, guard in GUARDS.items() if guard.is_regulated)
SAYS = "without an event in the ledger"
#: what else stands in the way of emptying a table that others hang on, or of writing plain text into a sealed column
OR_BEFORE = f"{SAYS}|never changed or removed|sealed values only"
EVENT = (
    "insert into app.audit_event (id, at, actor_id, actor_kind, actor_name, role, action, subject, reason, request_id, "
    "change, body) values (gen_random_uuid(), now(), gen_random_uuid(), 'machine', 'test', '', 'test.change', '', '', "
    "gen_random_uuid(), '{}', '')"
)
#: triggers and keys besides the one that is tested would refuse made-up rows for other reasons
ALONE = "alter table app.{0} disable trigger all; alter table app.{0} enable trigger need_event; "
ALONE += "alter table app.{0} enable trigger need_event_at_all"


@pytest.fixture(scope="module")
def place(cluster, template):
    """One database for all tables: each test empties its own."""
    name = f"t_{new_id().hex[-12:]}"
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(f"create database {name} template {template} strategy file_copy")
    return cluster.url(name)


@pytest.fixture
def database(place):
    with psycopg.connect(place, autocommit=True) as connection:
        yield connection


def stand_alone(connection, table):
    """Leave only the guard that is tested on a table, and give it one row and values for another one."""
    checks = "select conname from pg_constraint where conrelid = %s::regclass and contype = 'c'"
    for (check,) in connection.execute(checks, [f"app.{table}"]).fetchall():
        connection.execute(f"alter table app.{table} drop constraint {check}")
    connection.execute(ALONE.format(table))
    connection.execute("set session_replication_role = replica")
    connection.execute(f"delete from app.{table}")
    made, other = rows.row(connection, table, {}), rows.row(connection, table, {})
    connection.execute(rows.insert(table, made))
    connection.execute("set session_replication_role = origin")
    if "is_this" in other:  # the key of a table with a single row
        other["is_this"] = True
    return other


def told_column(table):
    """Return a column whose change must be told."""
    names = [one.name for one in METADATA.tables[f"app.{table}"].columns]
    return next(one for one in names if one not in GUARDS[table].free)


def by_statement(connection, table, other):
    column = sql.Identifier(told_column(table))
    name = sql.Identifier("app", table)
    yield "insert", lambda: connection.execute(rows.insert(table, other))
    yield "update", lambda: connection.execute(sql.SQL("update {} set {c} = {c}").format(name, c=column))
    yield "delete", lambda: connection.execute(sql.SQL("delete from {}").format(name))
    yield "truncate", lambda: connection.execute(sql.SQL("truncate {} cascade").format(name))


def by_copy(connection, table, other):
    def copy():
        names = sql.SQL(", ").join(map(sql.Identifier, other))
        with connection.cursor() as cursor:
            made = cursor.execute(
                sql.SQL("select {}").format(sql.SQL(", ").join(map(sql.Literal, other.values())))
            ).fetchone()
            with cursor.copy(sql.SQL("copy app.{} ({}) from stdin").format(sql.Identifier(table), names)) as into:
                into.write_row(made)

    yield "copy", copy


@pytest.mark.parametrize("table", REGULATED)
def test_a_statement_without_an_event_keeps_nothing(database, table):
    other = stand_alone(database, table)
    found = sql.SQL("select t::text from app.{} t").format(sql.Identifier(table))
    before = database.execute(found).fetchall()
    assert before
    for path in (by_statement, by_copy):
        for verb, change in path(database, table, other):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match=OR_BEFORE), database.transaction():
                change()
            assert database.execute(found).fetchall() == before, verb


@pytest.mark.parametrize("table", REGULATED)
@pytest.mark.parametrize("when", ["before", "after"])
def test_with_an_event_in_the_same_transaction_it_is_kept(database, table, when):
    other = stand_alone(database, table)
    for verb, change in by_statement(database, table, other):
        if verb == "truncate":
            continue
        with database.transaction():
            if when == "before":
                database.execute(EVENT)
            change()
            if when == "after":
                database.execute(EVENT)
    assert database.execute(sql.SQL("select count(*) from app.{}").format(sql.Identifier(table))).fetchone() == (0,)
    assert database.execute("select count(*) from app.unaccounted").fetchone() == (0,)


@pytest.mark.parametrize("table", REGULATED)
def test_the_object_mapper_without_an_event_keeps_nothing(database, place, table):
    other = stand_alone(database, table)
    mapped: Table = METADATA.tables[f"app.{table}"]
    column = mapped.columns[told_column(table)]
    engine = create_engine(make_url(place).set(drivername="postgresql+psycopg"))
    plain = {name: value for name, value in other.items() if name in mapped.columns}
    plain |= {name: {} for name, value in plain.items() if value == "{}"}
    kept = {name: value for name, value in plain.items() if "TIMESTAMP" not in str(mapped.columns[name].type).upper()}
    statements = [update(mapped).values({column: column}), delete(mapped)]
    if kept.keys() == plain.keys():
        statements.append(insert(mapped).values(**plain))
    try:
        for statement in statements:
            with pytest.raises(Exception, match=OR_BEFORE), engine.begin() as connection:
                connection.execute(statement)
    finally:
        engine.dispose()


def test_an_event_of_another_transaction_does_not_count(database):
    stand_alone(database, "site")
    database.execute(EVENT)
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match=SAYS), database.transaction():
        database.execute("update app.site set name = 'x'")


def test_an_event_that_was_rolled_back_to_a_savepoint_does_not_count(database):
    stand_alone(database, "site")

    def change():
        with database.transaction():
            database.execute("update app.site set name = 'x'")
            with database.transaction(force_rollback=True):
                database.execute(EVENT)

    with pytest.raises(psycopg.errors.InsufficientPrivilege, match=SAYS):
        change()


def test_what_may_change_without_an_event_is_named_column_by_column(database):
    for table, guard in GUARDS.items():
        names = {name for name, _, _ in rows.columns(database, table)}
        assert set(guard.free) <= names, table


def test_the_application_cannot_drop_the_note_or_the_check(database_url):
    with psycopg.connect(database_url, autocommit=True) as connection:
        for statement in (
            "delete from app.unaccounted",
            "insert into app.unaccounted values ('1', 'x')",
            "alter table app.site disable trigger need_event",
            "drop function app.need_event cascade",
            f"select app.need_event() -- {new_id()}",
        ):
            with pytest.raises(psycopg.Error):
                connection.execute(statement)
