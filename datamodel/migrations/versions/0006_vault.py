"""The vault's own tables, identities of participants, checks of sealed columns, and the simulated day.

The checks do not look at rows that are there already: `metricis vault status` finds those, and the start refuses them.
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

#: a value sealed by this build, and one that an earlier build may have left
SEALED = "^enc:v3:[0-9a-z]{2,32}:[A-Za-z0-9+/]+={0,2}$"
OLD = "^enc:v[123]:"
CHECKS = (
    ("redcap_connection", "token", OLD),
    ("envelope", "body", SEALED),
    ("consent_signature", "mark", SEALED),
)

TABLES = f"""
create table app.installation (
    is_this boolean not null,
    id uuid not null,
    constraint pk_installation primary key (is_this),
    constraint ck_installation_only_one check (is_this)
);
insert into app.installation (is_this, id) values (true, gen_random_uuid());

create table app.data_key (
    id uuid not null,
    key_id text not null,
    study_id uuid,
    person_id uuid,
    purpose text not null,
    wrapped text,
    made_at timestamptz not null default now(),
    retired_at timestamptz,
    destroyed_at timestamptz,
    constraint pk_data_key primary key (id),
    constraint uq_data_key_key_id unique (key_id),
    constraint uq_data_key_person_id unique (person_id),
    constraint fk_data_key_study_id foreign key (study_id) references app.study (id),
    constraint fk_data_key_person_id foreign key (person_id) references app.participant (id),
    constraint ck_data_key_purpose check (purpose in ('seal', 'lookup', 'person')),
    constraint ck_data_key_person check ((purpose = 'person') = (person_id is not null)),
    constraint ck_data_key_wrapped_is_sealed check (wrapped ~ '{SEALED}')
);
create unique index uq_data_key_study on app.data_key (study_id, purpose)
    where person_id is null and study_id is not null and retired_at is null;
create unique index uq_data_key_common on app.data_key (purpose)
    where person_id is null and study_id is null and retired_at is null;

create table app.participant_identity (
    id uuid not null,
    study_id uuid not null,
    participant_id uuid not null,
    person_id uuid not null,
    field text not null,
    value text,
    lookup bytea,
    event_id uuid not null,
    constraint pk_participant_identity primary key (id),
    constraint uq_participant_identity_participant_id_person_id_field unique (participant_id, person_id, field),
    constraint fk_participant_identity_study_id foreign key (study_id) references app.study (id),
    constraint fk_participant_identity_participant_id foreign key (participant_id) references app.participant (id),
    constraint fk_participant_identity_event_id foreign key (event_id) references app.audit_event (id)
        deferrable initially deferred,
    constraint ck_participant_identity_field check (field in ('name', 'mail', 'phone', 'birth_date')),
    constraint ck_participant_identity_value_is_sealed check (value ~ '{SEALED}')
);
create index ix_participant_identity_lookup on app.participant_identity (field, lookup);

create table app.rehearsal (
    study_id uuid not null,
    offset_days integer not null,
    event_id uuid not null,
    constraint pk_rehearsal primary key (study_id),
    constraint fk_rehearsal_study_id foreign key (study_id) references app.study (id),
    constraint fk_rehearsal_event_id foreign key (event_id) references app.audit_event (id) deferrable initially deferred
);
"""

#: Who knocks sees no study data; whoever answers a request for a link asks by keyed hash, and is told identifiers only.
MATCHES = """
create function app.identity_matches(wanted text, hash bytea)
returns table (study_id uuid, participant_id uuid, person_id uuid)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select i.study_id, i.participant_id, i.person_id from app.participant_identity i
    where i.field = wanted and i.lookup = hash and i.value is not null
$$
"""

#: What of the given columns (`table.column`) is not sealed by this build, counted; no value leaves the function.
UNSEALED = """
create function app.unsealed(places text[]) returns table (place text, version text, number bigint)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    one text;
begin
    foreach one in array places loop
        return query execute format(
            'select %1$L::text, coalesce(substring(left(%3$I, 7) from ''^enc:(v[0-9]):''), ''''), count(*) '
            'from app.%2$I where left(%3$I, 7) <> ''enc:v3:'' group by 2',
            one, split_part(one, '.', 1), split_part(one, '.', 2));
    end loop;
end $$
"""

#: A key may be made wherever something is sealed first; retired or destroyed it is with an event of the ledger only. The
#: function is made whole when the guards are applied.
CHANGES = (
    "create or replace function app.need_event() returns trigger language plpgsql as $$ begin return null; end $$",
    (
        "create trigger need_event_of_change after update or delete on app.data_key "
        "for each statement execute function app.need_event()"
    ),
)


def upgrade() -> None:
    """Make tables, checks and functions."""
    op.execute(TABLES)
    for table, column, pattern in CHECKS:
        op.execute(
            f"alter table app.{table} add constraint ck_{table}_{column}_is_sealed check ({column} ~ '{pattern}') not valid"
        )
    op.execute(MATCHES)
    op.execute(UNSEALED)
    for statement in CHANGES:
        op.execute(statement)
