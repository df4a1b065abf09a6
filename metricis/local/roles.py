"""The addresses of the four roles of the database: read from the environment, or made on the embedded or a named server."""

from collections.abc import Callable
from typing import Final, Literal, get_args

import psycopg
from psycopg import sql
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from datamodel.kernel.database import libpq_url
from datamodel.kernel.errors import FaultError, TransientFault
from datamodel.kernel.settings import settings
from datamodel.migrations import roles

Role = Literal["owner", "app", "sealer", "migrator"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
#: the variable that names each role's address
VARIABLES: Final[dict[Role, str]] = {
    "owner": "METRICIS_OWNER_URL",
    "app": "METRICIS_DATABASE_URL",
    "sealer": "METRICIS_SEALER_URL",
    "migrator": "METRICIS_MIGRATOR_URL",
}


def given() -> dict[Role, str]:
    """Return the addresses that the environment names, by role."""
    found = settings()
    urls = {
        "owner": found.owner_url,
        "app": found.database_url,
        "sealer": found.sealer_url,
        "migrator": found.migrator_url,
    }
    return {role: text for role in ROLES if (text := urls[role].get_secret_value())}


def on_server(named: dict[Role, str], *, secret: Callable[[str], str]) -> dict[Role, str]:
    """Return all addresses on the server that `named` names, after making the roles that it leaves out.

    They are made when the owner's address is there, or when the only address is that of a role that may make roles. An
    administrator of the server makes all four and is none of them. `secret` gives the password of a role by name.
    """
    urls = dict(named)
    first = urls.get("owner") or (urls["app"] if set(urls) == {"app"} else "")
    if not first or set(urls) == set(ROLES):
        return urls
    is_administrator, may_make = standing(first)
    if "owner" not in urls and not may_make:
        return urls
    urls = {role: url for role, url in urls.items() if url != first}
    if not is_administrator:
        urls["owner"] = first
    names: dict[str, str] = roles.Roles()._asdict() | {role: str(make_url(url).username) for role, url in urls.items()}
    missing = [role for role in ROLES if role not in urls]
    lent = make(first, roles.Roles(**names), logins={names[role]: secret(names[role]) for role in missing})
    base = make_url(first).set(drivername="postgresql")
    for role in missing:
        theirs = base.set(username=names[role], password=secret(names[role]))
        urls[role] = theirs.render_as_string(hide_password=False)
    if not lent and "migrator" in missing:
        urls["migrator"] = urls["owner"]  # which no administrator of the server has lent to another role
    return urls


def make(admin_url: str, names: roles.Roles, *, logins: dict[str, str]) -> bool:
    """Make the roles that are missing, with what each may do, and let those in `logins` sign in with their password.

    Return whether the migrator may act as the owner.
    """
    engine = create_engine(make_url(admin_url).set(drivername="postgresql+psycopg"))
    try:
        with engine.begin() as connection:
            roles.ensure(connection, names)
            cursor = connection.connection.cursor()
            for name, password in logins.items():
                statement = sql.SQL("alter role {} login password {}").format(
                    sql.Identifier(name), sql.Literal(password)
                )
                cursor.execute(statement)
            return roles.may_migrate(connection, names)
    finally:
        engine.dispose()


def standing(url: str) -> tuple[bool, bool]:
    """Return whether the role of this address is an administrator of the server, and whether it may make roles."""
    try:
        with psycopg.connect(libpq_url(url), connect_timeout=10) as connection:
            row = connection.execute(
                "select rolsuper, rolsuper or rolcreaterole from pg_roles where rolname = current_user"
            ).fetchone()
    except psycopg.OperationalError as error:
        raise TransientFault(
            "The database that METRICIS_DATABASE_URL or METRICIS_OWNER_URL names does not answer. Check that it runs, then "
            "do it again."
        ) from error
    return bool(row and row[0]), bool(row and row[1])


def lacking(role: Role) -> FaultError:
    """Return what to say when a role has no address."""
    return FaultError(
        f"No address is known for the database's role {role}. Set {VARIABLES[role]}, or {VARIABLES['owner']} to a role "
        "that may make the others; docs/manual/database.md says how."
    )
