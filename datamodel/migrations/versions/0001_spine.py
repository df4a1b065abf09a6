"""The tables of the spine, and the triggers that keep append-only tables append-only."""

from alembic import op

from datamodel.migrations.schema import APPEND_ONLY, METADATA

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    METADATA.create_all(op.get_bind())
    # Rows up to 8 kB stay in the table as they are: compressing each takes longer than writing it.
    op.execute("alter table app.form_revision set (toast_tuple_target = 8160)")
    op.execute(
        """
        create function app.refuse_change() returns trigger language plpgsql as $$
        begin
            raise exception 'Rows of %.% are never changed or removed.', tg_table_schema, tg_table_name
                using errcode = 'insufficient_privilege';
        end $$
        """
    )
    for table in APPEND_ONLY:
        op.execute(
            f"create trigger keep_rows before update or delete on app.{table} "
            "for each row execute function app.refuse_change()"
        )
        op.execute(
            f"create trigger keep_table before truncate on app.{table} "
            "for each statement execute function app.refuse_change()"
        )
    op.execute(
        """
        create function app.tell() returns trigger language plpgsql as $$
        begin
            perform pg_notify('metricis', json_build_object('table', tg_table_name)::text);
            return null;
        end $$
        """
    )
    for table in ("envelope", "sync_request", "sync_run"):
        op.execute(
            f"create trigger tell after insert or update on app.{table} for each statement execute function app.tell()"
        )
