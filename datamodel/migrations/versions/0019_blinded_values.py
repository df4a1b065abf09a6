"""Values of blinded fields stand in a table of their own, whose rows PostgreSQL shows to those who may see blinded data.

`values` are those that came while the field was blinded; the revision keeps their hash (`blinded_sha256`), which a random text among
them keeps from telling them. `moved` are values that were open when they came: a later design blinded their field, or the version of
Metricis before this one kept them beside the others. `blind_fields` moves them, together with an event of the ledger that
publishes the design; nothing ever moves back.
"""

from alembic import op
from sqlalchemy import text

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

TABLE = """
alter table app.form_revision add column blinded_sha256 bytea;
create table app.form_blinded (
    instance_id uuid not null,
    number integer not null,
    study_id uuid not null,
    participant_id uuid not null,
    "values" json not null,
    moved json not null,
    event_id uuid not null,
    constraint pk_form_blinded primary key (instance_id, number)
);
create index ix_form_blinded_event_id on app.form_blinded (event_id);
"""

REFUSE = """
create or replace function app.refuse_change() returns trigger language plpgsql
security definer set search_path = pg_catalog, pg_temp as $$
declare
    here text;
    free text[];
begin
    if tg_op = 'UPDATE' and tg_table_name in ('form_revision', 'form_blinded', 'discrepancy_step') then
        here := tg_table_name || ':' || case tg_table_name
            when 'discrepancy_step' then to_jsonb(old)->>'id'
            else (to_jsonb(old)->>'instance_id') || ':' || (to_jsonb(old)->>'number') end;
        free := case tg_table_name
            when 'form_revision' then array['values'] when 'form_blinded' then array['values', 'moved'] else array['text'] end;
        if to_jsonb(new) - free = to_jsonb(old) - free
            and exists (select from app.redacting r where r.xid = pg_current_xact_id_if_assigned() and r.place = here) then
            return new;
        end if;
    end if;
    raise exception 'Rows of %.% are never changed or removed.', tg_table_schema, tg_table_name
        using errcode = 'insufficient_privilege';
end $$;
"""

MOVE = """
create function app.move_blinded(of_study uuid, fields text[], under uuid) returns void language plpgsql
security definer set search_path = pg_catalog, pg_temp as $$
begin
    -- whoever writes this study's records ends first, and who comes after sees the design that blinds (`records.store.lock`)
    perform pg_advisory_xact_lock(1919247219, hashtext(of_study::text));
    insert into app.redacting
        select pg_current_xact_id(), name || ':' || r.instance_id || ':' || r.number
        from app.form_revision r join app.form_instance i on i.id = r.instance_id, unnest(array['form_revision', 'form_blinded']) name
        where i.study_id = of_study
            and exists (select from json_object_keys(r."values") k where split_part(k, '___', 1) = any(fields));
    insert into app.form_blinded (instance_id, number, study_id, participant_id, "values", moved, event_id)
        select r.instance_id, r.number, i.study_id, i.participant_id, '{}',
            (select json_object_agg(k.key, k.value) from json_each_text(r."values") k where split_part(k.key, '___', 1) = any(fields)),
            coalesce(under, r.event_id)
        from app.form_revision r join app.form_instance i on i.id = r.instance_id
            join app.redacting a on a.xid = pg_current_xact_id() and a.place = 'form_revision:' || r.instance_id || ':' || r.number
        where i.study_id = of_study
    on conflict (instance_id, number) do update set moved = (form_blinded.moved::jsonb || excluded.moved::jsonb)::json;
    update app.form_revision r set "values" = (
        select coalesce(json_object_agg(k.key, k.value), '{}') from json_each_text(r."values") k
        where not split_part(k.key, '___', 1) = any(fields))
    where exists (select from app.redacting a
        where a.xid = pg_current_xact_id() and a.place = 'form_revision:' || r.instance_id || ':' || r.number);
    delete from app.redacting a where a.xid = pg_current_xact_id();
end $$;
revoke execute on function app.move_blinded(uuid, text[], uuid) from public;

create function app.blind_fields(event uuid, of_study uuid, fields text[]) returns void language plpgsql
security definer set search_path = pg_catalog, pg_temp as $$
begin
    if not exists (select from app.audit_event e where e.id = event and e.xid = pg_current_xact_id_if_assigned()
        and e.action = 'study.publish_design' and e.study_id = of_study) then
        raise exception 'Values are blinded only together with an event in the ledger that publishes a design.'
            using errcode = 'insufficient_privilege';
    end if;
    perform app.move_blinded(of_study, fields, event);
end $$;
"""

REDACT = """
create or replace function app.redact(event uuid, instance uuid, field text, numbers integer[], documents text[], steps uuid[], texts text[])
returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    told app.audit_event;
    kept app.form_instance;
    part text;
    present json;
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
        part := 'open';
        select r."values" into present from app.form_revision r where r.instance_id = instance and r.number = redact.numbers[n];
        if present is not null and not (present::jsonb ? field) then
            select case when b."values"::jsonb ? field then 'values' else 'moved' end,
                   case when b."values"::jsonb ? field then b."values" else b.moved end into part, present
                from app.form_blinded b where b.instance_id = instance and b.number = redact.numbers[n];
        end if;
        if field = '' or present is null or not (present::jsonb ? field) or documents[n]::jsonb <> present::jsonb - field then
            raise exception 'Only the field % may be taken out of revision %, nothing else.', field, numbers[n]
                using errcode = 'insufficient_privilege';
        end if;
        insert into app.redacting
            values (pg_current_xact_id(), case part when 'open' then 'form_revision:' else 'form_blinded:' end || instance || ':' || numbers[n]);
        if part = 'open' then
            update app.form_revision r set "values" = documents[n]::json
                where r.instance_id = instance and r.number = redact.numbers[n];
        elsif part = 'values' then
            update app.form_blinded b set "values" = documents[n]::json
                where b.instance_id = instance and b.number = redact.numbers[n];
        else
            update app.form_blinded b set moved = documents[n]::json
                where b.instance_id = instance and b.number = redact.numbers[n];
        end if;
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

_BLINDED = """
select d.study_id, array_agg(distinct f->>'name') from app.design d
    cross join lateral jsonb_array_elements(d.document::jsonb->'forms') o cross join lateral jsonb_array_elements(o->'fields') f
where (f->>'is_blinded')::boolean group by d.study_id
"""
_HELD = ("form_revision", "form_instance", "design")


def upgrade() -> None:
    """Make table and functions, and move what earlier versions kept beside the other values."""
    for statement in (TABLE, REFUSE, MOVE, REDACT):
        op.execute(statement)
    # rows of every study are looked at and moved here, and none of it is an act that the ledger tells
    for table in _HELD:
        op.execute(f"alter table app.{table} no force row level security, disable trigger user")
    bind = op.get_bind()
    for study, fields in bind.execute(text(_BLINDED)).all():
        bind.execute(
            text("select app.move_blinded(:study, cast(:fields as text[]), null)"), {"study": study, "fields": fields}
        )
    for table in _HELD:
        op.execute(f"alter table app.{table} force row level security, enable trigger user")
