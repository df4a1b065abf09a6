"""Revealing one participant's arm: that it was revealed and shown, never which one it is."""

from alembic import op

revision = "0013"
down_revision = "0014"
branch_labels = None
depends_on = None

DDL = """
alter table app.approval drop constraint ck_approval_kind;
alter table app.approval add constraint ck_approval_kind
    check (kind in ('unblinding', 'arm_reveal', 'key_change', 'study_close', 'outbound_rule'));
create table app.arm_reveal (
    id uuid not null,
    study_id uuid not null,
    participant_id uuid not null,
    account_id uuid not null,
    account_name text not null,
    kind text not null,
    category text not null,
    reason text not null,
    approval_id uuid,
    alerted integer not null,
    at timestamptz not null,
    event_id uuid not null,
    constraint pk_arm_reveal primary key (id),
    constraint ck_arm_reveal_kind check (kind in ('emergency', 'planned')),
    constraint ck_arm_reveal_approved check ((kind = 'planned') = (approval_id is not null)),
    constraint ck_arm_reveal_category check ((kind = 'emergency') = (category <> '')),
    constraint uq_arm_reveal_approval_id unique (approval_id),
    constraint fk_arm_reveal_study_id foreign key (study_id) references app.study (id),
    constraint fk_arm_reveal_participant_id foreign key (participant_id) references app.participant (id),
    constraint fk_arm_reveal_account_id foreign key (account_id) references app.account (id),
    constraint fk_arm_reveal_approval_id foreign key (approval_id) references app.approval (id),
    constraint fk_arm_reveal_event_id foreign key (event_id) references app.audit_event (id) deferrable initially deferred
);
create index ix_arm_reveal_participant_id on app.arm_reveal (participant_id);
create index ix_arm_reveal_account_id_at on app.arm_reveal (account_id, at);
create table app.arm_reveal_shown (
    reveal_id uuid not null,
    study_id uuid not null,
    participant_id uuid not null,
    at timestamptz not null,
    event_id uuid not null,
    constraint pk_arm_reveal_shown primary key (reveal_id),
    constraint fk_arm_reveal_shown_reveal_id foreign key (reveal_id) references app.arm_reveal (id),
    constraint fk_arm_reveal_shown_study_id foreign key (study_id) references app.study (id),
    constraint fk_arm_reveal_shown_participant_id foreign key (participant_id) references app.participant (id),
    constraint fk_arm_reveal_shown_event_id foreign key (event_id) references app.audit_event (id) deferrable initially deferred
);
"""


def upgrade() -> None:
    """Make the tables; guards, the trigger and the policy of arms are applied after every upgrade."""
    op.execute(DDL)
