"""A random number beside each arm, so that a digest of the row tells nobody the arm."""

from alembic import op

revision = "0016"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; rows that are there get a number each."""
    op.execute("alter table app.participant_arm add column nonce uuid not null default gen_random_uuid()")
