"""Removing a value that was entered by mistake (ICH E6(R3) 4.2.2), and nothing else, from rows that are never changed.

`redact` takes one field out of the named revisions, and puts other words into steps of data questions about it. It asks for an
event `records.redact` of the same transaction that names instance, field and revisions, so that nothing is removed unseen. The
trigger that keeps rows lets through exactly the rows that `redact` announces, and only the column that it announces.
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TABLES = """
create table app.form_redaction (
    id uuid not null,
    study_id uuid not null,
    participant_id uuid not null,
    instance_id uuid not null,
    revision integer not null,
    field text not null,
    commitment bytea not null,
    content_sha256 bytea not null,
    at timestamptz not null,
    event_id uuid not null,
    constraint pk_form_redaction primary key (id),
    constraint uq_form_redaction_instance_id_revision_field unique (instance_id, revision, field),
    constraint fk_form_redaction_event_id foreign key (event_id) references app.audit_event (id) deferrable initially deferred
);
create unlogged table app.redacting (
    xid xid8 not null,
    place text not null,
    constraint pk_redacting primary key (xid, place)
);
"""

REFUSE = """
create or replace function app.refuse_change() returns trigger language plpgsql
security definer set search_path = pg_catalog, pg_temp as $$
declare
    here text;
    free text;
begin
    if tg_op = 'UPDATE' and tg_table_name in ('form_revision', 'discrepancy_step') then
        here := case tg_table_name
            when 'form_revision' then 'form_revision:' || (to_jsonb(old)->>'instance_id') || ':' || (to_jsonb(old)->>'number')
            else 'discrepancy_step:' || (to_jsonb(old)->>'id') end;
        free := case tg_table_name when 'form_revision' then 'values' else 'text' end;
        if to_jsonb(new) - free = to_jsonb(old) - free
            and exists (select from app.redacting r where r.xid = pg_current_xact_id_if_assigned() and r.place = here) then
            return new;
        end if;
    end if;
    raise exception 'Rows of %.% are never changed or removed.', tg_table_schema, tg_table_name
        using errcode = 'insufficient_privilege';
end $$;
"""

REDACT = """
create function app.redact(event uuid, instance uuid, field text, numbers integer[], documents text[], steps uuid[], texts text[])
returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    told app.audit_event;
    kept app.form_instance;
    present json;
    number integer;
    n integer;
begin
    select e.* into told from app.audit_event e
        where e.id = event and e.xid = pg_current_xact_id_if_assigned() and e.action = 'records.redact';
    select i.* into kept from app.form_instance i where i.id = instance;
    if told.id is null or kept.id is null or told.study_id is distinct from kept.study_id
        or told.change->>'instance' is distinct from instance::text or told.change->>'field' is distinct from field
        or (select array_agg((one->>'number')::integer order by (one->>'number')::integer)
            from jsonb_array_elements(told.change->'revisions') one)
           is distinct from (select array_agg(x order by x) from unnest(numbers) x) then
        raise exception 'A value is removed only together with an event in the ledger that names it.'
            using errcode = 'insufficient_privilege';
    end if;
    for n in 1 .. cardinality(numbers) loop
        number := numbers[n];
        select r."values" into present from app.form_revision r where r.instance_id = instance and r.number = redact.numbers[n];
        if present is null or not (present::jsonb ? field) or documents[n]::jsonb <> present::jsonb - field then
            raise exception 'Only the field % may be taken out of revision %, nothing else.', field, number
                using errcode = 'insufficient_privilege';
        end if;
        insert into app.redacting values (pg_current_xact_id(), 'form_revision:' || instance || ':' || number);
        update app.form_revision r set "values" = documents[n]::json
            where r.instance_id = instance and r.number = redact.numbers[n];
    end loop;
    for n in 1 .. cardinality(steps) loop
        if not exists (
            select from app.discrepancy_step s join app.discrepancy d on d.id = s.discrepancy_id
            where s.id = steps[n] and d.participant_id = kept.participant_id and d.event_name = kept.event_name
                and d.form_name = kept.form_name and d.event_repeat = kept.event_repeat
                and d.form_repeat = kept.form_repeat) then
            raise exception 'A step of another form''s data question stays as it is.' using errcode = 'insufficient_privilege';
        end if;
        insert into app.redacting values (pg_current_xact_id(), 'discrepancy_step:' || steps[n]);
        update app.discrepancy_step s set "text" = texts[n] where s.id = steps[n];
    end loop;
    delete from app.redacting r where r.xid = pg_current_xact_id();
end $$;
"""


def upgrade() -> None:
    """Make table and functions."""
    op.execute(TABLES)
    op.execute(REFUSE)
    op.execute(REDACT)
