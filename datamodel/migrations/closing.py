"""A closed study is held by PostgreSQL: the application's role writes nothing into it, whatever the program forgot.

Each table with study data has policies that restrict what may be inserted and how a row may look after an update; owner, migrator
(changes of keys) and sealer are not bound. Whether a study is closed is asked once a statement, under a lock that a closing
waits for: who began to write before it ends before it, and who comes after it is refused. Applied after the guards, at the end of
every upgrade; doing it again changes nothing. A table that is not named here is held.
"""
# ruff: noqa: S608 - the SQL is made of names from our own table of guards

from collections.abc import Mapping
from typing import Any, Final, Literal

import psycopg
from sqlalchemy import Connection

from datamodel.migrations.roles import Roles, quoted
from datamodel.migrations.schema import Guard

Verb = Literal["insert", "update"]
_BOTH: Final[tuple[Verb, ...]] = ("insert", "update")

#: What stays possible in a closed study, with the reason; every other table with study data is held.
FREE: Final[Mapping[str, tuple[Verb, ...]]] = {
    "audit_event": _BOTH,  # who read what, and which files left, is told also then
    "approval": _BOTH,  # who may read what is decided by two people also then
    "approval_step": _BOTH,
    "arm_reveal": _BOTH,  # somebody's safety may ask for it also then
    "arm_reveal_shown": _BOTH,
    "consent_signature": _BOTH,  # what a participant decided is filed whenever it comes; consent says what counts
    "consent_decline": _BOTH,
    "consent_withdrawal": _BOTH,
    "form_redaction": _BOTH,  # a value typed by mistake is taken out also then
    "discrepancy": ("update",),  # and out of the questions that quote it
    "participant_identity": ("update",),  # an identity is destroyed also then
    "envelope": ("update",),  # what had arrived is settled
    "sync_run": ("update",),  # a run under way ends, badly
    "sync_request": ("update",),
    "rehearsal": _BOTH,  # development only: back to the real day
}
#: Rows that are taken although their table is held.
_EXCEPT: Final[Mapping[str, str]] = {"envelope": "kind = 'consent'"}

#: Volatile on purpose: after waiting for a closing under way, it must see its outcome.
CLOSED: Final = """
create or replace function app.closed_studies() returns uuid[] language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp as $$
begin
    perform pg_advisory_xact_lock_shared(hashtext('metricis closing'));
    return coalesce((select array_agg(s.id) from app.study s where s.status = 'closed'), '{}');
end $$
"""
#: Taken first by whoever closes a study: it waits for every transaction that writes study data.
STOP: Final = """
create or replace function app.stop_writing() returns void language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp as $$
begin
    perform pg_advisory_xact_lock(hashtext('metricis closing'));
end $$
"""
REFUSE: Final = """
create or replace function app.refuse_closed(wanted uuid) returns boolean language plpgsql stable security definer
set search_path = pg_catalog, pg_temp as $$
begin
    raise exception 'The study % is closed, so nothing is written in it any more; what is in it can be read.',
        coalesce((select s.code from app.study s where s.id = wanted), 'of this row')
        using errcode = 'insufficient_privilege', constraint = 'while_open';
end $$
"""
_NAMES: Final = ("closed_studies()", "stop_writing()", "refuse_closed(uuid)")
_COLUMNS: Final = (
    "select c.relname, array_agg(a.attname::text) from pg_class c join pg_attribute a on a.attrelid = c.oid "
    "where c.relnamespace = 'app'::regnamespace and c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped group by 1"
)
_CLOSED: Final = "(select app.closed_studies())"


def apply(connection: Connection, roles: Roles, guards: Mapping[str, Guard]) -> None:
    """Make the functions, then hold every table with study data that the database has."""
    run: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
    app, tables = quoted(connection, roles.app), dict(run.execute(_COLUMNS).fetchall())
    for function in (CLOSED, STOP, REFUSE):
        run.execute(function.encode())
    for name in _NAMES:
        run.execute(f"revoke execute on function app.{name} from public".encode())
        run.execute(f"grant execute on function app.{name} to {app}".encode())
    for table, guard in guards.items():
        if table in tables and guard.scope in {"study", "participant"}:
            for verb in _BOTH:
                _hold(run, app, table, verb, guards, tables)
            _keep(run, table, guard, tables[table])


def held(table: str, verb: Verb) -> bool:
    """Return whether a statement of this kind is refused in a closed study."""
    return verb not in FREE.get(table, ())


def _hold(
    run: psycopg.Connection[Any],
    app: str,
    table: str,
    verb: Verb,
    guards: Mapping[str, Guard],
    tables: Mapping[str, list[str]],
) -> None:
    run.execute(f"drop policy if exists while_open_{verb} on app.{table}".encode())
    is_possible = verb == "insert" or not guards[table].is_append_only
    if not (held(table, verb) and is_possible):
        return
    study = study_of(table, guards, tables)
    test = f"cardinality({_CLOSED}) = 0 or coalesce({study} <> all ({_CLOSED}::uuid[]), true) or app.refuse_closed({study})"
    if table in _EXCEPT:
        test = f"{_EXCEPT[table]} or {test}"
    using = "using (true) " if verb == "update" else ""
    run.execute(
        f"create policy while_open_{verb} on app.{table} as restrictive for {verb} to {app} {using}with check ({test})".encode()
    )


def study_of(table: str, guards: Mapping[str, Guard], tables: Mapping[str, list[str]], alias: str = "") -> str:
    """Return SQL for the study that a row belongs to: its own column, or that of what it hangs on."""
    name = alias or table
    if table == "study":
        return f"{name}.id"
    if "study_id" in tables[table]:
        return f"{name}.study_id"
    column, parent = guards[table].through or ("participant_id", "participant")
    inner = f"p{len(alias)}"
    above = study_of(parent, guards, tables, inner)
    return f"(select {above} from app.{parent} {inner} where {inner}.id = {name}.{column})"


def _keep(run: psycopg.Connection[Any], table: str, guard: Guard, columns: list[str]) -> None:
    """Let no row move to another study: that would be a way out of a closed one."""
    run.execute(f"drop trigger if exists keep_study on app.{table}".encode())
    if guard.is_append_only or table == "study":
        return
    column = "study_id" if "study_id" in columns else (guard.through or ("participant_id", ""))[0]
    run.execute(
        f"create trigger keep_study before update of {column} on app.{table} for each row "
        f"when (old.{column} is distinct from new.{column}) execute function app.refuse_change()".encode()
    )
