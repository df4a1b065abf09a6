"""The functions that guards ask, as SQL.

All of them run as the owner with a search path of their own, so that neither a temporary table nor a setting of the
session changes what they mean; names are written with their schema.
"""

# ruff: noqa: S608 - the SQL is made of constants

from typing import Final

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
