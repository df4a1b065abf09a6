"""The functions that guards ask, as SQL.

All of them run as the owner with a search path of their own, so that neither a temporary table nor a setting of the
session changes what they mean; names are written with their schema.
"""

# ruff: noqa: S608 - the SQL is made of constants

from typing import Final

from datamodel.access.rights import ROLES

#: What policies ask; the application may call them, as a policy is checked as whoever runs the statement.
ASKED: Final = (
    "scope()",
    "scope_account()",
    "scope_flags()",
    "scope_studies()",
    "scope_open()",
    "scope_sited()",
    "scope_unblinded()",
    "scope_managed()",
    "scope_sites()",
    "scope_people()",
    "scope_participants()",
    "scope_colleagues()",
    "has_nobody()",
    "revealed_arms()",
)

_HEAD: Final = "stable parallel safe security definer set search_path = pg_catalog, pg_temp"

#: The signed scope of this transaction as JSON, or null when none was set. A scope that is forged or over is an error: to
#: see nothing could be taken for an answer. The comparison is of hashes, so that its time tells nothing.
_SCOPE: Final = f"""
create or replace function app.scope() returns jsonb language plpgsql {_HEAD} as $$
declare
    given text := current_setting('metricis.scope', true);
    content text;
    kept app.scope_key;
begin
    if given is null or given = '' then
        return null;
    end if;
    content := substr(given, 9, length(given) - 72);
    select k.* into kept from app.scope_key k where k.id = left(given, 8);
    if kept.id is null or sha256(convert_to(right(given, 64), 'UTF8')) is distinct from sha256(convert_to(
        encode(sha256(kept.outer_pad || sha256(kept.inner_pad || convert_to(content, 'UTF8'))), 'hex'), 'UTF8')) then
        raise exception 'The scope of this transaction was not signed by Metricis.'
            using errcode = 'insufficient_privilege',
            hint = 'If the scope key was changed, run "metricis migrate" and start the processes again.';
    end if;
    if (content::jsonb->>'x')::float8 < extract(epoch from clock_timestamp()) then
        raise exception 'The scope of this transaction is over.' using errcode = 'insufficient_privilege',
            hint = 'Begin a new transaction; if this happens at once, compare the clocks of the two machines.';
    end if;
    return content::jsonb;
end $$
"""

#: Written in PL/pgSQL although they are plain queries: it keeps their plans for the session, SQL functions plan each time.
_LIST: Final = """
declare
    given jsonb := app.scope();
    found uuid[];
begin
    if given is null then
        return '{}';
    end if;
    %s
    return coalesce(found, '{}');
end
"""
_STUDIES: Final = """
    if given->'%s' <> '[]' then
        select array_agg(s.id) into found from app.study s
        where s.code = any (array(select jsonb_array_elements_text(given->'%s')));
    end if;
"""


#: Roles that reveal an arm in an emergency.
_REVEALING: Final = ",".join(sorted(role for role, held in ROLES.items() if "study:arm:reveal" in held))


def _function(name: str, answer: str, body: str) -> str:
    return f"create or replace function app.{name} returns {answer} language plpgsql {_HEAD} as $$ {body} $$"


def _list(name: str, body: str) -> str:
    return _function(name, "uuid[]", _LIST % body)


FUNCTIONS: Final = (
    _SCOPE,
    _function("scope_account()", "uuid", "begin return (app.scope()->>'a')::uuid; end"),
    _function("scope_flags()", "text[]", "begin return array(select jsonb_array_elements_text(app.scope()->'f')); end"),
    # own participants: of participants themselves and of who acts for them
    _list("scope_people()", "found := array(select jsonb_array_elements_text(given->'p')::uuid);"),
    # studies with all their sites
    _list("scope_open()", _STUDIES % ("s", "s")),
    _list("scope_unblinded()", _STUDIES % ("b", "b")),
    _list("scope_managed()", _STUDIES % ("m", "m")),
    # studies of which one site is seen
    _list(
        "scope_sited()",
        """
        if given->'t' <> '[]' then
            select array_agg(s.id) into found from jsonb_array_elements(given->'t') one
            join app.study s on s.code = one->>0;
        end if;
        """,
    ),
    _list(
        "scope_sites()",
        """
        if given->'t' <> '[]' then
            select array_agg(i.id) into found from jsonb_array_elements(given->'t') one
            join app.study s on s.code = one->>0 join app.site i on i.study_id = s.id and i.code = one->>1;
        end if;
        """,
    ),
    # every study of which anything is seen
    _list(
        "scope_studies()",
        _STUDIES % ("s", "s")
        + """
        if given->'t' <> '[]' or given->'p' <> '[]' then
            found := found || app.scope_sited() || array(
                select p.study_id from app.participant p
                where p.id = any (array(select jsonb_array_elements_text(given->'p')::uuid))
            );
        end if;
        """,
    ),
    # participants that are seen one by one: of a site, or one's own
    _function(
        "scope_participants()",
        "setof uuid",
        """
        begin
            return query select p.id from app.participant p where p.site_id = any (app.scope_sites())
                and p.study_id = any (app.scope_sited());
            return query select unnest(app.scope_people());
        end
        """,
    ),
    # staff and machines of the studies that are seen; never participants
    _function(
        "scope_colleagues()",
        "setof uuid",
        """
        begin
            return query select a.id from app.account a join app.membership m on m.account_id = a.id
                where a.kind in ('staff', 'machine') and m.study_id = any (app.scope_open() || app.scope_sited());
        end
        """,
    ),
    _function("has_nobody()", "boolean", "begin return not exists (select from app.account); end"),
    # a change before its ledger event is noted and looked at again when the transaction commits
    """
    create or replace function app.need_event() returns trigger language plpgsql security definer
    set search_path = pg_catalog, pg_temp as $$
    begin
        if not exists (select from app.audit_event e where e.xid = pg_current_xact_id()) then
            insert into app.unaccounted (xid, changed) values (pg_current_xact_id(), tg_table_name)
                on conflict do nothing;
        end if;
        return null;
    end $$
    """,
    """
    create or replace function app.refuse_unaccounted() returns trigger language plpgsql security definer
    set search_path = pg_catalog, pg_temp as $$
    begin
        if not exists (select from app.audit_event e where e.xid = pg_current_xact_id()) then
            raise exception 'app.% was changed without an event in the ledger, so nothing was kept.', new.changed
                using errcode = 'insufficient_privilege', hint = 'Record what was done in the same transaction.';
        end if;
        delete from app.unaccounted u where u.xid = new.xid;
        return null;
    end $$
    """,
    # whose arm one person sees: revealed to them and kept before this transaction, noted as shown in it, five minutes at most
    _function(
        "revealed_arms()",
        "setof uuid",
        """
        begin
            return query select r.participant_id from app.arm_reveal r
                join app.audit_event told on told.id = r.event_id
                join app.arm_reveal_shown s on s.reveal_id = r.id
                join app.audit_event e on e.id = s.event_id
                where r.account_id = app.scope_account() and r.at > clock_timestamp() - interval '5 minutes'
                    and told.xid is distinct from pg_current_xact_id_if_assigned()
                    and e.xid = pg_current_xact_id_if_assigned();
        end
        """,
    ),
    # a reveal is for whoever acts, with its own event, by a role that may or as two people decided
    f"""
    create or replace function app.refuse_reveal() returns trigger language plpgsql security definer
    set search_path = pg_catalog, pg_temp as $$
    declare
        about app.participant;
        is_lawful boolean;
    begin
        select p.* into about from app.participant p where p.id = new.participant_id and p.study_id = new.study_id;
        is_lawful := about.id is not null and abs(extract(epoch from new.at - now())) < 60 and exists (
            select from app.audit_event e where e.id = new.event_id and e.xid = pg_current_xact_id_if_assigned()
                and e.study_id = new.study_id and e.actor_id = app.scope_account()
                and e.subject = 'participant:' || about.code
                and e.action = case tg_table_name when 'arm_reveal' then 'reveals.reveal' else 'reveals.show' end);
        if tg_table_name = 'arm_reveal_shown' then
            is_lawful := is_lawful and exists (select from app.arm_reveal r where r.id = new.reveal_id
                and r.participant_id = about.id and r.account_id = app.scope_account());
        elsif new.kind = 'emergency' then
            is_lawful := is_lawful and new.account_id = app.scope_account() and exists (
                select from app.membership m where m.account_id = new.account_id and m.study_id = new.study_id
                    and m.ended_at is null and m.role = any ('{{{_REVEALING}}}')
                    and (m.site_code is null or m.site_code = (select s.code from app.site s where s.id = about.site_id)));
        else
            is_lawful := is_lawful and new.account_id = app.scope_account() and exists (
                select from app.approval a
                    join app.approval_step y on y.approval_id = a.id and y.step = 'approved' and y.account_id <> a.proposed_by
                    join app.approval_step d on d.approval_id = a.id and d.step = 'taken'
                where a.id = new.approval_id and a.kind = 'arm_reveal' and a.study_id = new.study_id
                    and a.proposed_by = new.account_id and a.what->>'participant' = about.code and a.ends_at > now());
        end if;
        if not coalesce(is_lawful, false) then
            raise exception 'An arm is revealed only by a role that may, or as two people decided, with an event of its own.'
                using errcode = 'insufficient_privilege';
        end if;
        return new;
    end $$
    """,
    # who is an administrator is decided by administrators; the first one comes with the installation
    """
    create or replace function app.refuse_promotion() returns trigger language plpgsql
    set search_path = pg_catalog, pg_temp as $$
    begin
        if new.is_administrator and not (tg_op = 'UPDATE' and old.is_administrator)
            and not app.scope_flags() && '{administrator}' and not app.has_nobody() then
            raise exception 'Only an administrator makes administrators.' using errcode = 'insufficient_privilege';
        end if;
        return new;
    end $$
    """,
)
