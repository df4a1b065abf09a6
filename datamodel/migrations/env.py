"""Alembic's entry: runs on the connection that `run.upgrade` opened."""

from alembic import context

from datamodel.kernel.database import SCHEMA
from datamodel.migrations.schema import METADATA

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=METADATA,
    version_table_schema=SCHEMA,
    include_schemas=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
