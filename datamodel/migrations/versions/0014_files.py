"""The newest record of the program's files, asked at every start by processes that see nothing of the ledger yet."""

from alembic import op

revision = "0014"
down_revision = "0012"
branch_labels = None
depends_on = None

#: `seq + 0` keeps the planner from walking the whole ledger backwards: what is looked for stands under one subject.
RECORDED = """
create function app.recorded_files() returns table (at timestamptz, actor_name text, change jsonb)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select e.at, e.actor_name, e.change from app.audit_event e
    where e.subject = 'program:files' and e.action = 'custody.record_files' order by e.seq + 0 desc limit 1
$$
"""


def upgrade() -> None:
    """Make the function."""
    op.execute(RECORDED)
