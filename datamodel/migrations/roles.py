"""Who may do what in the database: four roles, made when they are missing and the connection may make them."""

from typing import NamedTuple

from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url

from datamodel.kernel.database import SCHEMA
from datamodel.kernel.errors import FaultError
from datamodel.kernel.settings import Settings


class Roles(NamedTuple):
    """Names of the four roles."""

    #: owns tables and functions; nothing of the application runs as it
    owner: str = "metricis"
    #: web, worker, dispatcher: reads and writes rows in its signed scope
    app: str = "metricis_app"
    #: reads the ledger and what it vouches for; writes positions and checkpoints
    sealer: str = "metricis_sealer"
    #: acts as the owner while the shape of the database changes
    migrator: str = "metricis_migrator"


def named(settings: Settings) -> Roles:
    """Return the roles that the addresses in the settings name, by default those of an embedded server."""
    given = {
        "owner": settings.owner_url,
        "app": settings.database_url,
        "sealer": settings.sealer_url,
        "migrator": settings.migrator_url,
    }
    users = {role: make_url(url.get_secret_value()).username for role, url in given.items() if url.get_secret_value()}
    roles = Roles(**{role: user for role, user in users.items() if user})
    if len({roles.owner, roles.app, roles.sealer, roles.migrator}) < len(roles) - (roles.owner == roles.migrator):
        raise FaultError(
            f"Owner, application and sealer must be different roles of the database; received {', '.join(roles)}. "
            "Give each address a role of its own."
        )
    return roles


def ensure(connection: Connection, roles: Roles) -> None:
    """Make the roles that are missing, without a right to sign in, and let the migrator become the owner.

    Raises
    ------
    FaultError
        When a role is missing and this connection may not make roles.
    """
    connection.execute(text("select pg_advisory_xact_lock(hashtext('metricis roles'))"))
    present = set(connection.execute(text("select rolname from pg_roles")).scalars())
    missing = [role for role in roles if role not in present]
    me = connection.execute(
        text("select rolname, rolsuper, rolcreaterole from pg_roles where rolname = current_user")
    ).one()
    if missing and not (me.rolsuper or me.rolcreaterole):
        raise FaultError(
            f"The database lacks the roles {', '.join(missing)}, and {me.rolname} may not make them; nothing was changed. "
            "Let an administrator of the server make them, or give METRICIS_OWNER_URL a role with CREATEROLE."
        )
    for role in missing:
        connection.execute(text(f"create role {quoted(connection, role)} nologin"))
    if me.rolsuper or missing:
        if me.rolsuper or _administers(connection, roles.owner):
            owner, migrator = quoted(connection, roles.owner), quoted(connection, roles.migrator)
            connection.execute(text(f"grant {owner} to {migrator}"))
        # A write that takes longer would hold up the sealing of the ledger for everybody.
        app = quoted(connection, roles.app)
        connection.execute(text(f"alter role {app} set transaction_timeout = '60s'"))
        connection.execute(text(f"alter role {app} set idle_in_transaction_session_timeout = '30s'"))
    if me.rolsuper:
        _hand_over(connection, roles)


def may_migrate(connection: Connection, roles: Roles) -> bool:
    """Whether the migrator may act as the owner."""
    found: bool = connection.execute(
        text("select pg_has_role(:migrator, :owner, 'SET')"), {"migrator": roles.migrator, "owner": roles.owner}
    ).scalar_one()
    return found


def _administers(connection: Connection, role: str) -> bool:
    """Whether this connection may let others act as `role`; a role may not do so of itself."""
    found: bool = connection.execute(
        text("select pg_has_role(current_user, :role, 'SET WITH ADMIN OPTION')"), {"role": role}
    ).scalar_one()
    return found


def become_owner(connection: Connection, roles: Roles) -> None:
    """Act as the owner until the end of the transaction, so that it owns what is made."""
    connection.execute(text(f"set local role {quoted(connection, roles.owner)}"))


def quoted(connection: Connection, name: str) -> str:
    """Return a name as SQL writes it."""
    return connection.dialect.identifier_preparer.quote(name)


def _hand_over(connection: Connection, roles: Roles) -> None:
    """Give the owner what an administrator of the server made before, and let it make the schema."""
    owner = quoted(connection, roles.owner)
    database = quoted(connection, connection.execute(text("select current_database()")).scalar_one())
    connection.execute(text(f"grant create, temporary on database {database} to {owner}"))
    if not connection.execute(text("select to_regnamespace(:name) is not null"), {"name": SCHEMA}).scalar_one():
        return
    connection.execute(text(f"alter schema {SCHEMA} owner to {owner}"))
    things = connection.execute(
        text(
            "select case c.relkind when 'v' then 'view' else 'table' end, c.relname from pg_class c "
            "where c.relnamespace = to_regnamespace(:name) and c.relkind in ('r', 'v', 'p') "
            "and pg_get_userbyid(c.relowner) <> :owner"
        ),
        {"name": SCHEMA, "owner": roles.owner},
    )
    for kind, name in things.all():
        connection.execute(text(f"alter {kind} {SCHEMA}.{quoted(connection, name)} owner to {owner}"))
    functions = connection.execute(
        text(
            "select p.oid::regprocedure::text from pg_proc p where p.pronamespace = to_regnamespace(:name) "
            "and pg_get_userbyid(p.proowner) <> :owner"
        ),
        {"name": SCHEMA, "owner": roles.owner},
    )
    for name in functions.scalars().all():
        connection.execute(text(f"alter function {name} owner to {owner}"))
