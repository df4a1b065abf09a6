"""Which terminology and rules a study goes by."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

DDL = """
create table app.study_standards (
    id uuid not null,
    study_id uuid not null,
    terminology text not null,
    terminology_sha256 text not null,
    rules text not null,
    rules_sha256 text not null,
    at timestamptz not null,
    event_id uuid not null,
    constraint pk_study_standards primary key (id),
    constraint fk_study_standards_study_id foreign key (study_id) references app.study (id),
    constraint fk_study_standards_event_id foreign key (event_id) references app.audit_event (id) deferrable initially deferred
);
create index ix_study_standards_study_id on app.study_standards (study_id);
"""


def upgrade() -> None:
    """Make the table; its guards are declared in `schema.GUARDS`."""
    op.execute(DDL)
