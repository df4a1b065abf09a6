"""Signed checkpoints, an order within each study, and sealing as one function of the database.

`seal_events` runs with the owner's rights, so that whoever may not read the ledger can still ask for positions. Everything
below the oldest running transaction is final: a transaction is sealed as a whole, so what comes after the newest sealed
transaction is what has no position yet. Two exceptions look at every event instead: a database that was restored into
another server, whose transaction numbers start again, and a ledger whose newest event is gone.
Positions are not given while fewer entries are there than the newest checkpoint names: that is for people to look into.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

#: as `datamodel.audit.ledger` names it
SEAL_LOCK = 0x7365616C

TABLES = """
create table app.checkpoint (
    origin text not null,
    size bigint not null,
    study_id uuid,
    position bigint not null,
    root bytea not null,
    note text not null,
    signed_at timestamptz not null default clock_timestamp(),
    constraint pk_checkpoint primary key (origin, size)
);
create index ix_checkpoint_study on app.checkpoint (study_id, size);
alter table app.audit_entry add column study_id uuid, add column study_position bigint;
alter table app.audit_entry disable trigger user;
update app.audit_entry s set study_id = o.study_id, study_position = o.place
    from (
        select x.event_id, e.study_id,
            case when e.study_id is not null then row_number() over (partition by e.study_id order by x.position) end as place
        from app.audit_entry x join app.audit_event e on e.id = x.event_id
    ) o
    where o.event_id = s.event_id;
alter table app.audit_entry enable trigger user;
create unique index ix_audit_entry_study on app.audit_entry (study_id, study_position);
"""

SEAL = f"""
create function app.seal_events() returns bigint language plpgsql
security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
declare
    newest bigint;
    horizon xid8;
    ceiling xid8;
    after_xid xid8;
begin
    perform pg_advisory_xact_lock({SEAL_LOCK});
    select coalesce(max(position), 0) into newest from app.audit_entry;
    if newest < (select coalesce(max(size), 0) from app.checkpoint where study_id is null) then
        return newest;
    end if;
    select pg_snapshot_xmin(s), pg_snapshot_xmax(s) into horizon, ceiling from pg_current_snapshot() s;
    select e.xid into after_xid
        from app.audit_entry s join app.audit_event e on e.id = s.event_id where s.position = newest;
    if newest > 0 and (after_xid is null or after_xid >= ceiling) then
        insert into app.audit_entry (position, event_id, study_id, study_position, leaf)
        select newest + row_number() over (order by f.is_new, f.xid, f.seq), f.id, f.study_id,
            case when f.study_id is not null then row_number() over (partition by f.study_id order by f.is_new, f.xid, f.seq)
                + coalesce((select max(k.study_position) from app.audit_entry k where k.study_id = f.study_id), 0) end,
            sha256('\\x00'::bytea || f.body)
        from (
            select e.*, e.xid < horizon as is_new from app.audit_event e
            where (e.xid < horizon or e.xid >= ceiling)
                and not exists (select from app.audit_entry k where k.event_id = e.id)
        ) f;
    else
        insert into app.audit_entry (position, event_id, study_id, study_position, leaf)
        select newest + row_number() over (order by f.xid, f.seq), f.id, f.study_id,
            case when f.study_id is not null then row_number() over (partition by f.study_id order by f.xid, f.seq)
                + coalesce((select max(k.study_position) from app.audit_entry k where k.study_id = f.study_id), 0) end,
            sha256('\\x00'::bytea || f.body)
        from app.audit_event f where f.xid < horizon and f.xid > coalesce(after_xid, '0'::xid8);
    end if;
    select coalesce(max(position), 0) into newest from app.audit_entry;
    return newest;
end $$;
"""

#: Seconds for which the oldest event without position has waited; 0 when none waits.
LAG = """
create function app.seal_lag() returns double precision language sql
security definer set search_path = pg_catalog, pg_temp as $$
    select greatest(0, coalesce(extract(epoch from clock_timestamp() - min(e.at)), 0))::float8
    from app.audit_event e
    where e.xid > coalesce((
        select n.xid from app.audit_entry s join app.audit_event n on n.id = s.event_id order by s.position desc limit 1
    ), '0'::xid8)
$$;
"""


def upgrade() -> None:
    """Make table, columns and functions."""
    op.execute(TABLES)
    op.execute(SEAL)
    op.execute(LAG)
