"""Tables that the guards need: the key of signed scopes, and transactions that have not told the ledger yet.

Row-level security, grants and triggers themselves are declared in `schema.GUARDS` and applied after every upgrade.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make them."""
    op.execute(
        """
        create table app.scope_key (
            id text not null,
            inner_pad bytea not null,
            outer_pad bytea not null,
            made_at timestamptz not null default now(),
            constraint pk_scope_key primary key (id)
        );
        create unlogged table app.unaccounted (
            xid xid8 not null,
            changed text not null,
            constraint pk_unaccounted primary key (xid)
        )
        """
    )
