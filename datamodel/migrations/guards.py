"""Apply what `schema.GUARDS` declares: row-level security, grants, append-only tables, no change without an event.

Run at the end of every upgrade, as the owner; doing it again changes nothing.
"""
# ruff: noqa: S608 - the SQL is made of names from our own table of guards

from collections.abc import Iterable, Mapping
from typing import Any, Final

import psycopg
from sqlalchemy import Connection, text

from datamodel.kernel.scope import key_id, load_scope_key, pads
from datamodel.kernel.settings import settings
from datamodel.migrations.functions import ASKED, FUNCTIONS
from datamodel.migrations.roles import Roles, quoted
from datamodel.migrations.schema import Guard

_STUDIES: Final = "(select app.scope_studies())::uuid[]"
_OPEN: Final = "(select app.scope_open())::uuid[]"
_SELF: Final = "(select app.scope_account())"
#: kinds of subjects (`kind:name`) that tell nothing of a single participant
_COMMON: Final = "'study', 'site', 'design', 'battery', 'consent', 'form', 'snapshot'"


def _flag(*names: str) -> str:
    return f"(select app.scope_flags())::text[] && '{{{','.join(names)}}}'"


_DOOR: Final = _flag("door", "administrator")

#: What is proposed about one participant is for those who see the participant.
_PROPOSED: Final = (
    f"(study_id = any ({_STUDIES}) and (what->>'participant' is null or exists (select from app.participant p "
    f"where p.study_id = approval.study_id and p.code = approval.what->>'participant'))) "
    f"or (study_id is null and {_flag('administrator')})"
)

#: (which rows are seen, which may be written) where the general rules do not fit
SPECIAL: Final[Mapping[str, tuple[str, str]]] = {
    "study": (f"id = any ({_STUDIES}) or {_DOOR}", f"id = any ({_STUDIES}) or {_flag('administrator')}"),
    "participant": (
        (
            f"study_id = any ({_OPEN}) or site_id = any ((select app.scope_sites())::uuid[]) "
            "or id = any ((select app.scope_people())::uuid[])"
        ),
        (
            f"study_id = any ({_OPEN}) or (study_id = any ({_STUDIES}) and (site_id = any ((select app.scope_sites())::uuid[]) "
            "or id = any ((select app.scope_people())::uuid[])))"
        ),
    ),
    "account": (
        (
            f"{_flag('door', 'administrator', 'service')} or id = {_SELF} "
            "or (participant_id is not null and exists (select from app.participant p where p.id = participant_id)) "
            "or id in (select app.scope_colleagues())"
        ),
        (
            f"{_DOOR} or id = {_SELF} or (select app.has_nobody()) "
            "or (participant_id is not null and exists (select from app.participant p where p.id = participant_id))"
        ),
    ),
    "membership": (
        (
            f"{_flag('door', 'administrator', 'service')} or account_id = {_SELF} or study_id = any ({_OPEN}) "
            f"or (study_id = any ({_STUDIES}) and exists (select from app.account a where a.id = account_id))"
        ),
        (
            f"{_flag('administrator')} or study_id = any ((select app.scope_managed())::uuid[]) "
            f"or (role in ('participant', 'caregiver') and study_id = any ({_STUDIES}) "
            "and exists (select from app.account a where a.id = account_id and a.kind in ('participant', 'caregiver')))"
        ),
    ),
    # who acts for whom: asked at the door, by the person, and by whoever sees the participant
    "caregiver": (
        f"{_flag('door')} or account_id = {_SELF} or exists (select from app.participant p where p.id = participant_id)",
        f"study_id = any ({_STUDIES}) and exists (select from app.participant p where p.id = participant_id)",
    ),
    # what concerns the whole installation is for administrators
    "approval": (_PROPOSED, _PROPOSED),
    "rehearsal": (
        f"study_id = any ({_STUDIES}) or {_flag('administrator')}",
        f"study_id = any ({_STUDIES}) or {_flag('administrator')}",
    ),
    "rehearsal_copy": (
        f"study_id = any ({_STUDIES}) or {_flag('administrator')}",
        f"study_id = any ({_STUDIES}) or {_flag('administrator')}",
    ),
    "audit_event": (
        (
            f"xid = pg_current_xact_id_if_assigned() or actor_id = {_SELF} or study_id = any ({_OPEN}) "
            f"or (study_id is null and {_flag('administrator')}) "
            "or (study_id = any ((select app.scope_sited())::uuid[]) and ("
            f"split_part(subject, ':', 1) in ({_COMMON}) "
            "or (subject like 'participant:%' and exists (select from app.participant p "
            "where p.study_id = audit_event.study_id and p.code = substr(audit_event.subject, 13)))))"
        ),
        f"actor_id = {_SELF} and (study_id is null or study_id = any ({_STUDIES}) or {_DOOR})",
    ),
}


def apply(connection: Connection, roles: Roles, guards: Mapping[str, Guard]) -> None:
    """Make functions, then guard every table of `guards` that the database has."""
    run = _Run(connection, roles)
    for function in FUNCTIONS:
        run(function)
    run(f"grant usage on schema app to {run.app}, {run.sealer}")
    for name in ASKED:
        run(f"revoke execute on function app.{name} from public")
        run(f"grant execute on function app.{name} to {run.app}, {run.sealer}")
    for name in ("need_event()", "refuse_unaccounted()", "refuse_reveal()"):
        run(f"revoke execute on function app.{name} from public")
    columns = run.columns()
    for table, guard in guards.items():
        if table in columns:
            _rows(run, table, guard, columns[table])
            _rights(run, table, guard)
            _triggers(run, table, guard, columns[table])
    run.trigger(
        "unaccounted",
        "account_for",
        "constraint",
        "after insert",
        "refuse_unaccounted()",
        "deferrable initially deferred for each row",
    )
    run.trigger("account", "keep_administrators", "", "before insert or update", "refuse_promotion()", "for each row")
    for table in ("arm_reveal", "arm_reveal_shown"):
        if table in columns:
            run.trigger(table, "may_reveal", "", "before insert", "refuse_reveal()", "for each row")
    run(f"grant select on app.alembic_version to {run.app}, {run.sealer}")
    keep_scope_key(connection)


def keep_scope_key(connection: Connection) -> None:
    """Let PostgreSQL know the present key of scopes, beside the one before, so that processes can change one by one."""
    key = load_scope_key(settings())
    inner, outer = pads(key)
    connection.execute(
        text(
            "insert into app.scope_key (id, inner_pad, outer_pad) values (:id, :inner, :outer) on conflict do nothing"
        ),
        {"id": key_id(key), "inner": inner, "outer": outer},
    )
    connection.execute(
        text(
            "delete from app.scope_key where id <> :id and id not in "
            "(select id from app.scope_key where id <> :id order by made_at desc limit 1)"
        ),
        {"id": key_id(key)},
    )


class _Run:
    """Statements on one connection, and the names of the roles as SQL writes them."""

    def __init__(self, connection: Connection, roles: Roles) -> None:
        # The driver's own connection: what has no parameters is not searched for them.
        self.connection: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
        self.owner, self.app, self.sealer = (
            quoted(connection, name) for name in (roles.owner, roles.app, roles.sealer)
        )

    def __call__(self, statement: Any) -> None:
        self.connection.execute(statement)

    def columns(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        rows = self.connection.execute(
            "select c.relname, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid "
            "where c.relnamespace = 'app'::regnamespace and c.relkind in ('r', 'p') and a.attnum > 0 "
            "and not a.attisdropped order by c.relname, a.attnum"
        )
        for table, column in rows:
            found.setdefault(table, []).append(column)
        return found

    def trigger(self, table: str, name: str, kind: str, when: str, function: str, each: str) -> None:
        self(f"drop trigger if exists {name} on app.{table}")
        self(f"create {kind} trigger {name} {when} on app.{table} {each} execute function app.{function}")


def seen_and_written(table: str, guard: Guard, columns: Iterable[str]) -> tuple[str, str] | None:
    """Return the conditions under which the application sees and writes a row; None where it sees none."""
    seen = SPECIAL[table] if table in SPECIAL else _general(table, guard, set(columns))
    if seen is None or not guard.is_blinded:
        return seen
    return tuple(  # type: ignore[return-value]
        f"({one}) and (select p.study_id = any ((select app.scope_unblinded())::uuid[]) "
        f"from app.participant p where p.id = {table}.participant_id)"
        for one in seen
    )


def _general(table: str, guard: Guard, columns: set[str]) -> tuple[str, str] | None:
    if guard.scope == "owner":
        return None
    if guard.scope == "open":
        found = f"study_id is null or study_id = any ({_STUDIES})" if "study_id" in columns else "true"
        if "study_id" in columns and not guard.sealer:
            found += f" or {_DOOR}"
        return found, found
    if guard.scope == "door":
        found = _flag("door", "administrator", "service")
        if "account_id" in columns:
            found += (
                f" or account_id = {_SELF} or (select a.participant_id is not null from app.account a "
                f"where a.id = {table}.account_id)"
            )
        return found, found
    if guard.through is not None:
        column, parent = guard.through
        # A scalar query, as that is looked up row by row: planned as EXISTS, one row might cost a read of all parents.
        found = f"(select true from app.{parent} q where q.id = {table}.{column})"
    elif guard.scope == "study":
        found = f"study_id = any ({_STUDIES})"
    elif {"study_id", "participant_id"} <= columns:
        found = (
            f"study_id = any ({_OPEN}) or (participant_id in (select app.scope_participants()) "
            f"and study_id = any ({_STUDIES}))"
        )
    elif "participant_id" in columns:
        found = f"(select true from app.participant q where q.id = {table}.participant_id)"
    else:
        raise ValueError(f"The guard of {table} says participant; it has no participant_id, so name what it hangs on.")
    return found, found


def _rows(run: _Run, table: str, guard: Guard, columns: list[str]) -> None:
    run(f"alter table app.{table} enable row level security, force row level security")
    for policy in ("of_scope", "by_reveal", "of_owner", "of_sealer", "by_sealer"):
        run(f"drop policy if exists {policy} on app.{table}")
    run(f"create policy of_owner on app.{table} to {run.owner} using (true) with check (true)")
    conditions = seen_and_written(table, guard, columns)
    if conditions is not None:
        seen, written = conditions
        run(f"create policy of_scope on app.{table} to {run.app} using ({seen}) with check ({written})")
    if guard.is_revealed:
        run(
            f"create policy by_reveal on app.{table} for select to {run.app} "
            "using (participant_id in (select app.revealed_arms()))"
        )
    if _is_sealed(guard):
        run(f"create policy of_sealer on app.{table} for select to {run.sealer} using (true)")
    if guard.sealer == "writes":
        run(f"create policy by_sealer on app.{table} for insert to {run.sealer} with check (true)")


def _is_sealed(guard: Guard) -> bool:
    return bool(guard.sealer) or guard.is_append_only


def _rights(run: _Run, table: str, guard: Guard) -> None:
    run(f"revoke all on app.{table} from public, {run.app}, {run.sealer}")
    if guard.scope != "owner":
        verbs = ["select"]
        if guard.sealer != "writes":
            verbs += ["insert"] if guard.is_append_only else ["insert", "update"]
        if guard.is_removable and not guard.is_append_only:
            verbs += ["delete"]
        run(f"grant {', '.join(verbs)} on app.{table} to {run.app}")
    if _is_sealed(guard):
        seen = f" ({', '.join(guard.sealer_sees)})" if guard.sealer_sees else ""
        run(f"grant select{seen} on app.{table} to {run.sealer}")
    if guard.sealer == "writes":
        run(f"grant insert on app.{table} to {run.sealer}")


def _triggers(run: _Run, table: str, guard: Guard, columns: list[str]) -> None:
    if guard.is_append_only:
        run.trigger(table, "keep_rows", "", "before update or delete", "refuse_change()", "for each row")
        run.trigger(table, "keep_table", "", "before truncate", "refuse_change()", "for each statement")
    if guard.is_regulated:
        told = ", ".join(f'"{one}"' for one in columns if one not in guard.free)
        when, each = f"after insert or delete or update of {told}", "statement" if guard.is_bulk else "row"
        run.trigger(table, "need_event", "", when, "need_event()", f"for each {each}")
        run.trigger(table, "need_event_at_all", "", "after truncate", "need_event()", "for each statement")
    else:
        run(f"drop trigger if exists need_event on app.{table}")
        run(f"drop trigger if exists need_event_at_all on app.{table}")
