"""Rehearsal copies: which studies are copies of others, to rehearse in with invented participants."""

from alembic import op

revision = "0017"
down_revision = "0013"
branch_labels = None
depends_on = None

DDL = """
create table app.rehearsal_copy (
    study_id uuid not null,
    source_id uuid not null,
    is_consent_bypassed boolean not null,
    event_id uuid not null,
    constraint pk_rehearsal_copy primary key (study_id),
    constraint ck_rehearsal_copy_itself check (study_id <> source_id),
    constraint fk_rehearsal_copy_study_id foreign key (study_id) references app.study (id),
    constraint fk_rehearsal_copy_source_id foreign key (source_id) references app.study (id),
    constraint fk_rehearsal_copy_event_id foreign key (event_id) references app.audit_event (id) deferrable initially deferred
);
"""


def upgrade() -> None:
    """Make the table; its guard is applied after every upgrade."""
    op.execute(DDL)
