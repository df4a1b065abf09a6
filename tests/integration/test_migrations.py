import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from datamodel.kernel.database import SCHEMA, engine_for
from datamodel.migrations import run
from datamodel.migrations.schema import APPEND_ONLY, METADATA


@pytest.mark.filterwarnings("ignore:Did not recognize type 'xid8'")
def test_a_migrated_database_has_exactly_the_tables_of_the_code(database_url):
    with engine_for(database_url).connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_schemas": True, "version_table_schema": SCHEMA, "compare_type": True}
        )
        assert compare_metadata(context, METADATA) == []


def test_migrating_twice_changes_nothing(database_url):
    assert run.state(database_url) == run.newest()
    assert run.upgrade(database_url) == run.newest()


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_an_append_only_table_refuses_to_be_emptied(database_url, table):
    with psycopg.connect(database_url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(f"truncate app.{table} cascade")


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_an_append_only_table_has_a_guard_for_rows(database_url, table):
    with psycopg.connect(database_url) as connection:
        guards = connection.execute(
            "select tgname from pg_trigger where tgrelid = %s::regclass and not tgisinternal", [f"app.{table}"]
        ).fetchall()
    assert {"keep_rows", "keep_table"} <= {name for (name,) in guards}
