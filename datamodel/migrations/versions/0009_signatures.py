"""Electronic signatures, what became of them, and each step of a form's life."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

DDL = """
CREATE TABLE app.signature (
    id UUID NOT NULL,
    act_id UUID NOT NULL,
    study_id UUID NOT NULL,
    participant_id UUID,
    kind TEXT NOT NULL,
    record_id UUID NOT NULL,
    version INTEGER NOT NULL,
    content_hash BYTEA NOT NULL,
    participant TEXT NOT NULL,
    event_name TEXT NOT NULL,
    form_name TEXT NOT NULL,
    event_repeat INTEGER NOT NULL,
    form_repeat INTEGER NOT NULL,
    meaning TEXT NOT NULL,
    account_id UUID NOT NULL,
    printed_name TEXT NOT NULL,
    role TEXT NOT NULL,
    session_id UUID NOT NULL,
    signed_at timestamptz NOT NULL,
    zone TEXT NOT NULL,
    salt BYTEA NOT NULL,
    manifest_sha256 BYTEA NOT NULL,
    public_key BYTEA NOT NULL,
    value BYTEA NOT NULL,
    event_id UUID NOT NULL,
    CONSTRAINT pk_signature PRIMARY KEY (id),
    CONSTRAINT ck_signature_meaning CHECK (meaning in ('author', 'review', 'approval', 'responsibility', 'locking')),
    CONSTRAINT ck_signature_sizes CHECK (octet_length(content_hash) = 32 and octet_length(manifest_sha256) = 32
        and octet_length(public_key) = 32 and octet_length(value) = 64 and octet_length(salt) = 16),
    CONSTRAINT fk_signature_study_id FOREIGN KEY(study_id) REFERENCES app.study (id),
    CONSTRAINT fk_signature_participant_id FOREIGN KEY(participant_id) REFERENCES app.participant (id),
    CONSTRAINT fk_signature_account_id FOREIGN KEY(account_id) REFERENCES app.account (id),
    CONSTRAINT fk_signature_event_id FOREIGN KEY(event_id) REFERENCES app.audit_event (id) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX ix_signature_record_id ON app.signature (record_id);
CREATE INDEX ix_signature_session_id ON app.signature (session_id);
CREATE INDEX ix_signature_event_id ON app.signature (event_id);
CREATE INDEX ix_signature_participant_id ON app.signature (participant_id);
CREATE TABLE app.signature_void (
    signature_id UUID NOT NULL,
    study_id UUID NOT NULL,
    participant_id UUID,
    cause TEXT NOT NULL,
    reason TEXT NOT NULL,
    actor_name TEXT NOT NULL,
    at timestamptz NOT NULL,
    event_id UUID NOT NULL,
    CONSTRAINT pk_signature_void PRIMARY KEY (signature_id),
    CONSTRAINT ck_signature_void_cause CHECK (cause in ('changed', 'removed', 'reopened')),
    CONSTRAINT fk_signature_void_signature_id FOREIGN KEY(signature_id) REFERENCES app.signature (id),
    CONSTRAINT fk_signature_void_event_id FOREIGN KEY(event_id) REFERENCES app.audit_event (id) DEFERRABLE INITIALLY DEFERRED
);
CREATE TABLE app.form_step (
    id UUID NOT NULL,
    instance_id UUID NOT NULL,
    study_id UUID NOT NULL,
    participant_id UUID NOT NULL,
    step TEXT NOT NULL,
    status_before TEXT NOT NULL,
    status TEXT NOT NULL,
    revision INTEGER NOT NULL,
    reason TEXT NOT NULL,
    actor_name TEXT NOT NULL,
    at timestamptz NOT NULL,
    event_id UUID NOT NULL,
    CONSTRAINT pk_form_step PRIMARY KEY (id),
    CONSTRAINT ck_form_step_step CHECK (step in ('verify', 'sign', 'lock', 'reopen', 'change')),
    CONSTRAINT fk_form_step_instance_id FOREIGN KEY(instance_id) REFERENCES app.form_instance (id),
    CONSTRAINT fk_form_step_event_id FOREIGN KEY(event_id) REFERENCES app.audit_event (id) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX ix_form_step_instance_id ON app.form_step (instance_id);
CREATE INDEX ix_form_step_event_id ON app.form_step (event_id);
CREATE INDEX ix_form_instance_marked ON app.form_instance (study_id, form_name)
    WHERE status in ('verified', 'signed', 'locked');
"""


def upgrade() -> None:
    """Make them."""
    op.execute(DDL)
