"""Are the guards of the database those of this release? Tables, policies, triggers, rights and functions, held against a list.

The list, `guards.json`, is part of the release: `python -m metricis.guards` makes it from a database that was just migrated. What
an owner altered since (a trigger that was switched off, a policy more, a function with another text) is named by its table or
function. Asking takes no lock and no right of an owner.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from datamodel.kernel.settings import settings
from datamodel.migrations.roles import Roles

EXPECTED: Final = Path(__file__).with_name("guards.json")
_CHARS: Final = 32


def found(session: Session, *, sealer: str) -> dict[str, str]:
    """Return name -> digest of everything that guards rows: one entry a table, a function, the schema, and the roles.

    Roles are written by what they are for, as an installation may name them differently; `sealer` is the sealer's name.
    """
    names = _names(session, sealer)
    facts: dict[str, list[Any]] = {}
    for query in (_TABLES, _COLUMNS, _RIGHTS, _POLICIES, _TRIGGERS, _INNER, _RULES, _CONSTRAINTS, _UNIQUE, _FUNCTIONS):
        for row in session.execute(text(query)):
            facts.setdefault(row.name, []).append([_named(one, names) for one in row.fact])
    for row in session.execute(text(_ROLES), {"names": [names_of for names_of in names if names[names_of] != "owner"]}):
        facts.setdefault("roles", []).append([_named(one, names) for one in row.fact])
    return {
        name: hashlib.sha256(json.dumps(sorted(lines, key=str)).encode()).hexdigest()[:_CHARS]
        for name, lines in sorted(facts.items())
    }


def expected() -> dict[str, str]:
    """Return the list of this release."""
    listed: dict[str, str] = json.loads(EXPECTED.read_text("utf-8"))
    return listed


def differences(session: Session) -> Iterator[str]:
    """Yield a sentence for each table, function or role that is not as this release makes it; `session` is the sealer's."""
    sealer: str = session.execute(text("select current_user")).scalar_one()
    present, listed = found(session, sealer=sealer), expected()
    for name in sorted(listed.keys() | present.keys()):
        if present.get(name) == listed.get(name):
            continue
        kind = (
            "is missing"
            if name not in present
            else "is not one of this release"
            if name not in listed
            else "was altered"
        )
        yield (
            f"The guard “{name}” of the database {kind}: its policies, triggers, rights or text are not those of this release. "
            "Run “metricis migrate” where the release is new; else find out who altered it, and when."
        )


def _names(session: Session, sealer: str) -> dict[str, str]:
    owner: str = session.execute(
        text("select pg_get_userbyid(nspowner) from pg_namespace where nspname = 'app'")
    ).scalar_one()
    app = make_url(settings().database_url.get_secret_value() or "postgresql://").username or Roles().app
    return {owner: "owner", app: "app", sealer: "sealer"}


def _named(value: Any, names: dict[str, str]) -> Any:
    return f"<{names[value]}>" if value in names else value


# Each query yields name and a fact about it, as an array of texts.
_TABLES: Final = """
    select c.relname as name, array['table', c.relkind::text, c.relpersistence::text, c.relrowsecurity::text,
        c.relforcerowsecurity::text, pg_get_userbyid(c.relowner)::text,
        (exists (select from pg_inherits i where c.oid in (i.inhrelid, i.inhparent)))::text] as fact
    from pg_class c where c.relnamespace = 'app'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f')
    union all
    select 'schema app', array['owner', pg_get_userbyid(nspowner)::text] from pg_namespace where nspname = 'app'
"""
_COLUMNS: Final = """
    select c.relname as name, array['column', a.attname::text, a.atttypid::regtype::text, a.attnotnull::text,
        a.attgenerated::text, a.attidentity::text, coalesce(pg_get_expr(d.adbin, d.adrelid), '')] as fact
    from pg_attribute a join pg_class c on c.oid = a.attrelid
        left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
    where c.relnamespace = 'app'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f') and a.attnum > 0
        and not a.attisdropped
"""
_RIGHTS: Final = """
    select c.relname as name, array['right', coalesce(g.rolname, 'public')::text, x.privilege_type,
        x.is_grantable::text] as fact
    from pg_class c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) x left join pg_roles g on g.oid = x.grantee
    where c.relnamespace = 'app'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f')
    union all
    select c.relname, array['column right', a.attname::text, coalesce(g.rolname, 'public')::text, x.privilege_type]
    from pg_class c join pg_attribute a on a.attrelid = c.oid, aclexplode(a.attacl) x left join pg_roles g on g.oid = x.grantee
    where c.relnamespace = 'app'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f')
    union all
    select 'schema app', array['right', coalesce(g.rolname, 'public')::text, x.privilege_type]
    from pg_namespace n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) x left join pg_roles g on g.oid = x.grantee
    where n.nspname = 'app'
"""
_POLICIES: Final = """
    select c.relname as name, array['policy', p.polname::text, p.polcmd::text, p.polpermissive::text,
        coalesce(pg_get_expr(p.polqual, p.polrelid), ''), coalesce(pg_get_expr(p.polwithcheck, p.polrelid), '')] || array(
        select coalesce(r.rolname, 'public')::text from unnest(p.polroles) o(id) left join pg_roles r on r.oid = o.id
        order by 1) as fact
    from pg_policy p join pg_class c on c.oid = p.polrelid where c.relnamespace = 'app'::regnamespace
"""
_TRIGGERS: Final = """
    select c.relname as name, array['trigger', t.tgname::text, t.tgenabled::text, pg_get_triggerdef(t.oid)] as fact
    from pg_trigger t join pg_class c on c.oid = t.tgrelid
    where c.relnamespace = 'app'::regnamespace and not t.tgisinternal
"""
_INNER: Final = """
    select c.relname as name, array['reference', t.tgfoid::regproc::text, t.tgenabled::text, count(*)::text] as fact
    from pg_trigger t join pg_class c on c.oid = t.tgrelid
    where c.relnamespace = 'app'::regnamespace and t.tgisinternal group by 1, t.tgfoid, t.tgenabled
"""
_RULES: Final = """
    select c.relname as name, array['rule', r.rulename::text, r.ev_enabled::text, pg_get_ruledef(r.oid)] as fact
    from pg_rewrite r join pg_class c on c.oid = r.ev_class where c.relnamespace = 'app'::regnamespace
"""
# that a column is not null is told of the column; PostgreSQL 18 makes a constraint of it besides
_CONSTRAINTS: Final = """
    select c.relname as name, array['constraint', k.conname::text, k.convalidated::text, pg_get_constraintdef(k.oid)] as fact
    from pg_constraint k join pg_class c on c.oid = k.conrelid
    where c.relnamespace = 'app'::regnamespace and k.contype <> 'n'
"""
_UNIQUE: Final = """
    select c.relname as name, array['unique', i.indisvalid::text, pg_get_indexdef(i.indexrelid)] as fact
    from pg_index i join pg_class c on c.oid = i.indrelid where c.relnamespace = 'app'::regnamespace and i.indisunique
"""
_FUNCTIONS: Final = """
    select p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')' as name, array['function', p.prosrc,
        p.prosecdef::text, p.provolatile::text, p.prorettype::regtype::text, l.lanname::text,
        coalesce(array_to_string(p.proconfig, ';'), ''), pg_get_userbyid(p.proowner)::text] as fact
    from pg_proc p join pg_language l on l.oid = p.prolang where p.pronamespace = 'app'::regnamespace
    union all
    select p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')',
        array['right', coalesce(g.rolname, 'public')::text, x.privilege_type]
    from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x left join pg_roles g on g.oid = x.grantee
    where p.pronamespace = 'app'::regnamespace
"""
_ROLES: Final = """
    select array['role', r.rolname::text, r.rolsuper::text, r.rolbypassrls::text, r.rolcreaterole::text] as fact
    from pg_roles r where r.rolname = any(:names)
    union all
    select array['member', m.rolname::text, r.rolname::text] from pg_auth_members x
    join pg_roles m on m.oid = x.member join pg_roles r on r.oid = x.roleid where m.rolname = any(:names)
"""
