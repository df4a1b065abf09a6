"""References of the two tables that are written in bulk are checked set by set instead of row by row.

A foreign key fires one check for each row: for the revisions of a first sync that was a third of the server's time. The
same promise is kept with one query for each statement; what is referred to is never deleted, and never moves.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

#: table, its column, what it refers to, and the foreign key that said so
REFERENCES = (
    ("form_instance", "participant_id", "participant", "fk_form_instance_participant_id"),
    ("form_revision", "instance_id", "form_instance", "fk_form_revision_instance_id"),
    ("form_revision", "event_id", "audit_event", "fk_form_revision_event_id"),
)


def upgrade() -> None:
    """Put checks of whole statements in the place of three foreign keys."""
    op.execute(
        """
        create function app.refuse_orphans() returns trigger language plpgsql as $$
        declare
            orphan uuid;
        begin
            execute format(
                'select f.%1$I from fresh f '
                'where not exists (select from app.%2$I p where p.id = f.%1$I) limit 1', tg_argv[0], tg_argv[1]
            ) into orphan;
            if orphan is not null then
                raise exception '% of app.% refers to a row of app.% that is not there: %.',
                    tg_argv[0], tg_table_name, tg_argv[1], orphan using errcode = 'foreign_key_violation';
            end if;
            return null;
        end $$
        """
    )
    for table, column, target, key in REFERENCES:
        op.execute(f"alter table app.{table} drop constraint {key}")
        op.execute(
            f"create trigger refer_{column} after insert on app.{table} referencing new table as fresh "
            f"for each statement execute function app.refuse_orphans('{column}', '{target}')"
        )
    # Revisions are append-only already; an instance may change its state, but not whose it is.
    op.execute(
        "create trigger keep_owner before update on app.form_instance for each row "
        "when (old.id is distinct from new.id or old.participant_id is distinct from new.participant_id) "
        "execute function app.refuse_change()"
    )
    for table in ("participant", "form_instance"):
        op.execute(
            f"create trigger keep_rows before delete on app.{table} for each row execute function app.refuse_change()"
        )
        op.execute(
            f"create trigger keep_table before truncate on app.{table} "
            "for each statement execute function app.refuse_change()"
        )
