"""Tables of critical fields and of the review of their changes."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "critical_field",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("study_id", sa.Uuid(), nullable=False),
        sa.Column("form_name", sa.Text(), nullable=False),
        sa.Column("field_name", sa.Text(), nullable=False),
        sa.Column("is_critical", sa.Boolean(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_critical_field")),
        sa.UniqueConstraint(
            "study_id",
            "form_name",
            "field_name",
            "event_id",
            name=op.f("uq_critical_field_study_id_form_name_field_name_event_id"),
        ),
        schema="app",
    )
    op.create_table(
        "change_review",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("study_id", sa.Uuid(), nullable=False),
        sa.Column("instance_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("field_name", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("reviewed_by", sa.Uuid(), nullable=False),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("verdict in ('accepted', 'questioned')", name=op.f("ck_change_review_verdict")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change_review")),
        sa.UniqueConstraint(
            "instance_id", "revision", "field_name", name=op.f("uq_change_review_instance_id_revision_field_name")
        ),
        schema="app",
    )
