import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.orm import Session

from datamodel.kernel.database import SCHEMA, engine_for
from datamodel.migrations import guarded, run
from datamodel.migrations.roles import Roles
from datamodel.migrations.schema import GUARDS, METADATA

APPEND_ONLY = sorted(table for table, guard in GUARDS.items() if guard.is_append_only)


def test_every_table_has_a_guard():
    assert {table.name for table in METADATA.tables.values()} == GUARDS.keys()


@pytest.mark.filterwarnings("ignore:Did not recognize type 'xid8'", "ignore:Can't validate argument 'dialect_options'")
def test_a_migrated_database_has_exactly_the_tables_of_the_code(owner_url):
    with engine_for(owner_url).connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_schemas": True, "version_table_schema": SCHEMA, "compare_type": True}
        )
        assert compare_metadata(context, METADATA) == []


@pytest.mark.parametrize("role", ["owner", "migrator"])
def test_migrating_twice_changes_nothing(owner_url, role):
    url = owner_url.replace("metricis:", f"{Roles()._asdict()[role]}:")
    assert run.state(owner_url) == run.newest()
    assert run.upgrade(url) == run.newest()


def test_the_list_of_guards_is_that_of_a_migrated_database(sealer_url):
    with Session(engine_for(sealer_url)) as session:
        found = list(guarded.differences(session))
    assert found == [], "A migration or a guard changed: run `python -m metricis.guards` and commit guards.json."


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_an_append_only_table_refuses_to_be_emptied(owner_url, table):
    with psycopg.connect(owner_url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(f"truncate app.{table} cascade")


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_an_append_only_table_has_a_guard_for_rows(database_url, table):
    with psycopg.connect(database_url) as connection:
        guards = connection.execute(
            "select tgname from pg_trigger where tgrelid = %s::regclass and not tgisinternal", [f"app.{table}"]
        ).fetchall()
    assert {"keep_rows", "keep_table"} <= {name for (name,) in guards}


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        (
            "form_revision",
            "instance_id, number, values, status, is_removed, content_hash, source, recorded_at, event_id",
        ),
        (
            "form_instance",
            (
                "study_id, participant_id, id, event_name, form_name, event_repeat, form_repeat, revision, status, "
                "content_hash, is_removed, updated_at"
            ),
        ),
    ],
)
def test_a_row_written_in_bulk_cannot_refer_to_nothing(owner_url, table, columns):
    values = {
        "form_revision": "gen_random_uuid(), 1, '{}', 'complete', false, '', 'redcap', now(), gen_random_uuid()",
        "form_instance": "gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'v', 'f', 0, 0, 1, 'complete', '', "
        "false, now()",
    }
    with psycopg.connect(owner_url) as connection, pytest.raises(psycopg.errors.ForeignKeyViolation):
        connection.execute(f"insert into app.{table} ({columns}) values ({values[table]})")


@pytest.mark.parametrize("table", ["participant", "form_instance"])
def test_what_values_refer_to_is_never_emptied(owner_url, table):
    with psycopg.connect(owner_url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(f"truncate app.{table} cascade")
