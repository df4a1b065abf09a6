"""Links and devices of participants, caregivers, and the outbox of mail."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

SEALED = "^enc:v3:[0-9a-z]{2,32}:[A-Za-z0-9+/]+={0,2}$"

DDL = f"""
-- its links live an hour at most; those who hold one ask for a new one
drop table app.sign_in_link;

create table app.link (
    id uuid not null,
    token_hash bytea not null,
    account_id uuid not null,
    kind text not null,
    holder_hash bytea,
    code_hash bytea,
    tries integer not null,
    created_at timestamptz not null,
    ends_at timestamptz not null,
    used_at timestamptz,
    closed_at timestamptz,
    constraint pk_link primary key (id),
    constraint uq_link_token_hash unique (token_hash),
    constraint fk_link_account_id foreign key (account_id) references app.account (id),
    constraint ck_link_kind check (kind in ('asked', 'handed', 'shown')),
    constraint ck_link_second check (kind = 'shown' or code_hash is not null)
);
create index ix_link_account_id on app.link (account_id) where used_at is null and closed_at is null;

create table app.link_request (
    id uuid not null,
    address_hash bytea not null,
    at timestamptz not null,
    constraint pk_link_request primary key (id)
);
create index ix_link_request_address_hash_at on app.link_request (address_hash, at);

create table app.device (
    id uuid not null,
    secret_hash bytea not null,
    account_id uuid not null,
    pin_hash text not null,
    label text not null,
    tries integer not null,
    created_at timestamptz not null,
    used_at timestamptz not null,
    ends_at timestamptz not null,
    forgotten_at timestamptz,
    constraint pk_device primary key (id),
    constraint uq_device_secret_hash unique (secret_hash),
    constraint fk_device_account_id foreign key (account_id) references app.account (id)
);
create index ix_device_account_id on app.device (account_id);

create table app.caregiver (
    id uuid not null,
    study_id uuid not null,
    participant_id uuid not null,
    account_id uuid not null,
    relation text not null,
    starts_at timestamptz not null,
    ends_at timestamptz,
    event_id uuid not null,
    constraint pk_caregiver primary key (id),
    constraint fk_caregiver_study_id foreign key (study_id) references app.study (id),
    constraint fk_caregiver_participant_id foreign key (participant_id) references app.participant (id),
    constraint fk_caregiver_account_id foreign key (account_id) references app.account (id),
    constraint fk_caregiver_event_id foreign key (event_id) references app.audit_event (id) deferrable initially deferred,
    constraint ck_caregiver_span check (ends_at is null or ends_at > starts_at)
);
create index ix_caregiver_account_id on app.caregiver (account_id);
create index ix_caregiver_participant_id on app.caregiver (participant_id);

create table app.notice (
    id uuid not null,
    account_id uuid not null,
    study_id uuid not null,
    participant_id uuid,
    kind text not null,
    address text,
    content text,
    state text not null,
    tries integer not null,
    due_at timestamptz not null,
    ends_at timestamptz,
    created_at timestamptz not null,
    done_at timestamptz,
    outcome text not null,
    event_id uuid not null,
    constraint pk_notice primary key (id),
    constraint fk_notice_account_id foreign key (account_id) references app.account (id),
    constraint fk_notice_study_id foreign key (study_id) references app.study (id),
    constraint fk_notice_participant_id foreign key (participant_id) references app.participant (id),
    constraint fk_notice_event_id foreign key (event_id) references app.audit_event (id) deferrable initially deferred,
    constraint ck_notice_state check (state in ('waiting', 'sent', 'failed', 'late')),
    constraint ck_notice_address_is_sealed check (address ~ '{SEALED}'),
    constraint ck_notice_content_is_sealed check (content ~ '{SEALED}')
);
create index ix_notice_due on app.notice (due_at) where state = 'waiting';
"""


#: A caregiver's scope holds nobody before it is known for whom they act; only they, the door and the flows may ask.
ACTS_FOR = """
create function app.acts_for(wanted uuid) returns table (
    id uuid, name text, participant_id uuid, code text, study text, relation text, starts_at timestamptz, ends_at timestamptz
) language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select c.id, a.name, c.participant_id, p.code, s.code, c.relation, c.starts_at, c.ends_at
    from app.caregiver c join app.account a on a.id = c.account_id join app.participant p on p.id = c.participant_id
    join app.study s on s.id = c.study_id
    where c.account_id = wanted
    and (wanted = app.scope_account() or app.scope_flags() && array['door', 'service'])
$$
"""


def upgrade() -> None:
    """Make them."""
    op.execute(DDL)
    # its body names functions that the guards make after all migrations
    op.execute("set local check_function_bodies = off")
    op.execute(ACTS_FOR)
