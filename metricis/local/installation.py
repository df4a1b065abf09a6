"""An installation on one machine: its home folder, its databases and their passwords.

`DATABASE_URL` (or `METRICIS_DATABASE_URL`) names any PostgreSQL from 17 on; without it the embedded server in the home
folder is used, started when it does not run yet. Four roles use the product's database (owner, application, sealer,
migrator; see `roles`). Passwords are made once and kept in `secrets.json` (mode 0600) in the home folder.
"""

import json
import os
import secrets
from functools import lru_cache
from pathlib import Path

import psycopg
from psycopg import sql

from datamodel.kernel.settings import settings
from datamodel.migrations.roles import Roles
from metricis.local import roles
from metricis.local.postgres import Cluster
from metricis.local.roles import Role

PRODUCT = "metricis"
PREFECT = "prefect"


def home() -> Path:
    """Return the home folder, made when it is not there.

    Others may pass through it, as the account that the database server runs under must, but not look around; what this
    process makes inside is closed to them.
    """
    os.umask(0o077)
    folder = settings().home.absolute()
    if not folder.exists():
        folder.mkdir(parents=True)
        folder.chmod(0o711)
    return folder


@lru_cache(maxsize=1)
def cluster() -> Cluster:
    """Return the embedded server of this installation, running, with its roles and databases."""
    server = Cluster(home() / "postgres").ensure_running()
    for role in (PRODUCT, PREFECT):
        _ensure_role(server, role)
        server.ensure_database(role, owner=role)
    names = Roles()
    roles.make(server.url(PRODUCT), names, logins={name: _secret(name) for name in names})
    # Prefect's migrations make this extension, which only an owner of the server may do.
    with psycopg.connect(server.url(PREFECT), autocommit=True) as connection:
        connection.execute("create extension if not exists pg_trgm")
    return server


def database_url() -> str:
    """Return the product's database for the application: the one that was named, or the embedded one."""
    return role_url("app")


def role_url(role: Role) -> str:
    """Return the address of the product's database for one of its roles.

    Raises
    ------
    FaultError
        When the environment names a server, but neither this role nor an owner who may make it.
    """
    named = roles.given()
    if named:
        urls = _named(tuple(named.items()))
        if role not in urls:
            raise roles.lacking(role)
        return urls[role]
    name = Roles()._asdict()[role]
    return cluster().url(PRODUCT, role=name, password=_secret(name))


def enter(*others: Role) -> str:
    """Let this process and its children know the address of the application, the sealer and `others`; return the first."""
    urls = {role: role_url(role) for role in ("app", "sealer", *others)}
    os.environ.update({roles.VARIABLES[role]: url for role, url in urls.items()})
    settings.cache_clear()
    return settings().database_url.get_secret_value()


@lru_cache(maxsize=4)
def _named(named: tuple[tuple[Role, str], ...]) -> dict[Role, str]:
    return roles.on_server(dict(named), secret=_secret)


def prefect_database_url() -> str:
    """Return Prefect's own database in the embedded server, as its server wants it (asyncpg)."""
    return cluster().url(PREFECT, role=PREFECT, password=_secret(PREFECT), driver="asyncpg")


def _ensure_role(server: Cluster, role: str) -> None:
    with psycopg.connect(server.admin_url, autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(hashtext('metricis.local.installation'))")
        exists = connection.execute("select 1 from pg_roles where rolname = %s", [role]).fetchone()
        verb = "alter" if exists else "create"
        connection.execute(
            sql.SQL("{} role {} login password {}").format(
                sql.SQL(verb), sql.Identifier(role), sql.Literal(_secret(role))
            )
        )


def _secret(name: str) -> str:
    path = home() / "secrets.json"
    kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    if name not in kept:
        kept[name] = secrets.token_urlsafe(24)
        handle = os.open(path.with_suffix(".new"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            json.dump(kept, file)
        path.with_suffix(".new").replace(path)
    return kept[name]
