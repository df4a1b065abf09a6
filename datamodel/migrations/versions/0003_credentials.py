"""Sessions know their side, device and last confirmation; credentials get tables of their own."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

DDL = """
alter table app.session
    add column kind text not null default 'staff',
    add column how text not null default 'link',
    add column device text not null default '',
    add column confirmed_at timestamptz,
    add column rights bytea;
create index ix_session_account_id on app.session (account_id) where revoked_at is null;

CREATE TABLE app.credential_profile (
    account_id UUID NOT NULL,
    password_set_at timestamptz,
    accepted_at timestamptz,
    CONSTRAINT pk_credential_profile PRIMARY KEY (account_id),
    CONSTRAINT fk_credential_profile_account_id FOREIGN KEY(account_id) REFERENCES app.account (id)
);
CREATE TABLE app.credential_try (
    id UUID NOT NULL,
    at timestamptz NOT NULL,
    kind TEXT NOT NULL,
    name_hash BYTEA NOT NULL,
    source_hash BYTEA NOT NULL,
    is_good BOOLEAN NOT NULL,
    CONSTRAINT pk_credential_try PRIMARY KEY (id)
);
CREATE INDEX ix_credential_try_source_hash_at ON app.credential_try (source_hash, at);
CREATE INDEX ix_credential_try_name_hash_at ON app.credential_try (name_hash, at);
CREATE TABLE app.credential_totp (
    id UUID NOT NULL,
    account_id UUID NOT NULL,
    secret TEXT NOT NULL,
    last_step BIGINT NOT NULL,
    created_at timestamptz NOT NULL,
    confirmed_at timestamptz,
    CONSTRAINT ck_credential_totp_secret_is_sealed CHECK (secret ~ '^enc:v3:[0-9a-z]{2,32}:[A-Za-z0-9+/]+={0,2}$'),
    CONSTRAINT pk_credential_totp PRIMARY KEY (id),
    CONSTRAINT uq_credential_totp_account_id UNIQUE (account_id),
    CONSTRAINT fk_credential_totp_account_id FOREIGN KEY(account_id) REFERENCES app.account (id)
);
CREATE TABLE app.credential_passkey (
    id UUID NOT NULL,
    account_id UUID NOT NULL,
    credential_id BYTEA NOT NULL,
    public_key BYTEA NOT NULL,
    sign_count BIGINT NOT NULL,
    label TEXT NOT NULL,
    created_at timestamptz NOT NULL,
    used_at timestamptz,
    CONSTRAINT pk_credential_passkey PRIMARY KEY (id),
    CONSTRAINT fk_credential_passkey_account_id FOREIGN KEY(account_id) REFERENCES app.account (id),
    CONSTRAINT uq_credential_passkey_credential_id UNIQUE (credential_id)
);
CREATE TABLE app.credential_recovery (
    id UUID NOT NULL,
    account_id UUID NOT NULL,
    code_hash BYTEA NOT NULL,
    created_at timestamptz NOT NULL,
    used_at timestamptz,
    CONSTRAINT pk_credential_recovery PRIMARY KEY (id),
    CONSTRAINT fk_credential_recovery_account_id FOREIGN KEY(account_id) REFERENCES app.account (id),
    CONSTRAINT uq_credential_recovery_code_hash UNIQUE (code_hash)
);
CREATE TABLE app.credential_challenge (
    id UUID NOT NULL,
    challenge BYTEA NOT NULL,
    purpose TEXT NOT NULL,
    holder_hash BYTEA NOT NULL,
    account_id UUID,
    created_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    used_at timestamptz,
    CONSTRAINT pk_credential_challenge PRIMARY KEY (id),
    CONSTRAINT uq_credential_challenge_challenge UNIQUE (challenge),
    CONSTRAINT fk_credential_challenge_account_id FOREIGN KEY(account_id) REFERENCES app.account (id)
);
CREATE TABLE app.credential_half (
    id UUID NOT NULL,
    token_hash BYTEA NOT NULL,
    account_id UUID NOT NULL,
    how TEXT NOT NULL,
    created_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    used_at timestamptz,
    CONSTRAINT pk_credential_half PRIMARY KEY (id),
    CONSTRAINT uq_credential_half_token_hash UNIQUE (token_hash),
    CONSTRAINT fk_credential_half_account_id FOREIGN KEY(account_id) REFERENCES app.account (id)
);
CREATE TABLE app.credential_invitation (
    id UUID NOT NULL,
    token_hash BYTEA NOT NULL,
    account_id UUID NOT NULL,
    kind TEXT NOT NULL,
    created_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    used_at timestamptz,
    CONSTRAINT pk_credential_invitation PRIMARY KEY (id),
    CONSTRAINT uq_credential_invitation_token_hash UNIQUE (token_hash),
    CONSTRAINT fk_credential_invitation_account_id FOREIGN KEY(account_id) REFERENCES app.account (id)
);
CREATE TABLE app.credential_identity (
    id UUID NOT NULL,
    account_id UUID NOT NULL,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    created_at timestamptz NOT NULL,
    used_at timestamptz,
    CONSTRAINT pk_credential_identity PRIMARY KEY (id),
    CONSTRAINT uq_credential_identity_issuer_subject UNIQUE (issuer, subject),
    CONSTRAINT fk_credential_identity_account_id FOREIGN KEY(account_id) REFERENCES app.account (id)
);
CREATE TABLE app.credential_trip (
    id UUID NOT NULL,
    state_hash BYTEA NOT NULL,
    holder_hash BYTEA NOT NULL,
    secret TEXT NOT NULL,
    account_id UUID,
    next_page TEXT NOT NULL,
    created_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    used_at timestamptz,
    CONSTRAINT ck_credential_trip_secret_is_sealed CHECK (secret ~ '^enc:v3:[0-9a-z]{2,32}:[A-Za-z0-9+/]+={0,2}$'),
    CONSTRAINT pk_credential_trip PRIMARY KEY (id),
    CONSTRAINT uq_credential_trip_state_hash UNIQUE (state_hash),
    CONSTRAINT fk_credential_trip_account_id FOREIGN KEY(account_id) REFERENCES app.account (id)
);
"""


def upgrade() -> None:
    """Make them."""
    op.execute(DDL)
