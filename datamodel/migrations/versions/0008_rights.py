"""Acts that need two people; roles end without being forgotten; tokens reach as far as they say."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

DDL = """
alter table app.membership add column ended_at timestamptz;
alter table app.access_token
    add column scopes jsonb,
    add column study_id uuid,
    add column made_by uuid;

CREATE TABLE app.approval (
    id UUID NOT NULL,
    study_id UUID,
    kind TEXT NOT NULL,
    what JSONB NOT NULL,
    reason TEXT NOT NULL,
    proposed_by UUID NOT NULL,
    proposed_name TEXT NOT NULL,
    proposed_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    event_id UUID NOT NULL,
    CONSTRAINT pk_approval PRIMARY KEY (id),
    CONSTRAINT ck_approval_kind CHECK (kind in ('unblinding', 'key_change', 'study_close', 'outbound_rule')),
    CONSTRAINT fk_approval_event_id FOREIGN KEY(event_id) REFERENCES app.audit_event (id) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX ix_approval_study_id_ends_at ON app.approval (study_id, ends_at);
CREATE TABLE app.approval_step (
    id UUID NOT NULL,
    approval_id UUID NOT NULL,
    step TEXT NOT NULL,
    account_id UUID NOT NULL,
    account_name TEXT NOT NULL,
    at timestamptz NOT NULL,
    reason TEXT NOT NULL,
    event_id UUID NOT NULL,
    CONSTRAINT pk_approval_step PRIMARY KEY (id),
    CONSTRAINT ck_approval_step_step CHECK (step in ('approved', 'ended', 'taken')),
    CONSTRAINT uq_approval_step_approval_id_step UNIQUE (approval_id, step),
    CONSTRAINT fk_approval_step_approval_id FOREIGN KEY(approval_id) REFERENCES app.approval (id),
    CONSTRAINT fk_approval_step_event_id FOREIGN KEY(event_id) REFERENCES app.audit_event (id) DEFERRABLE INITIALLY DEFERRED
);
"""


def upgrade() -> None:
    """Make them."""
    op.execute(DDL)
