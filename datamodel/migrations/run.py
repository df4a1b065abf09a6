"""Bring a database to the newest shape."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from datamodel.kernel.database import SCHEMA, engine_for
from datamodel.kernel.errors import FaultError
from datamodel.kernel.settings import settings
from datamodel.migrations import closing, guards, roles
from datamodel.migrations.schema import GUARDS

_MINIMUM_SERVER = 170000


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config


def upgrade(url: str) -> str:
    """Run all migrations that the database at `url` still lacks, apply all guards, and return the newest revision.

    `url` is the address of the owner, the migrator, or an administrator of the server (who makes missing roles).

    Raises
    ------
    FaultError
        When the server is older than PostgreSQL 17, or roles are missing and may not be made.
    """
    config = _config()
    with engine_for(url).begin() as connection:
        version = int(connection.execute(text("show server_version_num")).scalar_one())
        if version < _MINIMUM_SERVER:
            raise FaultError(
                f"The database server is PostgreSQL {version // 10000}; Metricis needs 17 or newer. Nothing was changed."
            )
        connection.execute(text("select pg_advisory_xact_lock(hashtext('metricis migrations'))"))
        names = roles.named(settings())
        roles.ensure(connection, names)
        roles.become_owner(connection, names)
        if not connection.execute(text("select to_regnamespace(:name)"), {"name": SCHEMA}).scalar_one():
            connection.execute(text(f"create schema {SCHEMA}"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        guards.apply(connection, names, GUARDS)
        closing.apply(connection, names, GUARDS)
    return newest()


def newest() -> str:
    """Return the newest revision that this release knows."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def state(url: str) -> str:
    """Return the revision of the database at `url`, or an empty text when it has none."""
    with engine_for(url).connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table_schema": SCHEMA})
        return context.get_current_revision() or ""
