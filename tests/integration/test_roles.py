"""A server that the environment names: its roles are made, or asked for in a sentence."""

from uuid import uuid4

import psycopg
import pytest
from sqlalchemy.engine import make_url

from datamodel.kernel.database import engine_for
from datamodel.kernel.errors import FaultError
from datamodel.kernel.settings import settings
from datamodel.migrations import run
from datamodel.migrations.roles import Roles, named
from metricis.local import installation, roles
from tests.conftest import _PASSWORD


@pytest.fixture
def empty(cluster, template):
    name = f"t_{uuid4().hex[:12]}"
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(f"create database {name}")
        yield cluster.url(name)
        connection.execute(f"drop database {name} with (force)")


def test_an_administrator_s_address_is_enough_and_is_given_to_nobody(empty, home, monkeypatch):
    urls = roles.on_server({"app": empty}, secret=lambda _: _PASSWORD)
    assert [make_url(urls[role]).username for role in ("owner", "app", "sealer", "migrator")] == list(Roles())
    assert run.upgrade(urls["migrator"]) == run.newest()
    with psycopg.connect(urls["app"]) as connection:
        assert connection.execute("show transaction_timeout").fetchone() == ("1min",)
        assert connection.execute("show idle_in_transaction_session_timeout").fetchone() == ("30s",)
        assert connection.execute("select count(*) from app.study").fetchone() == (0,)
    for url in urls.values():
        engine_for(url).dispose()


def test_addresses_of_all_four_roles_are_taken_as_they_are():
    given = {role: f"postgresql://{role}:p@nowhere.example/db" for role in roles.ROLES}
    assert roles.on_server(given, secret=lambda _: "") == given


def test_a_role_without_address_is_asked_for(cluster, template, home, monkeypatch):
    monkeypatch.setenv("METRICIS_DATABASE_URL", cluster.url("migrated", role=Roles().app, password=_PASSWORD))
    settings.cache_clear()
    assert make_url(installation.database_url()).username == Roles().app
    with pytest.raises(FaultError, match="METRICIS_OWNER_URL"):
        installation.role_url("owner")


def test_one_role_for_two_tasks_is_refused(home, monkeypatch):
    for name in ("METRICIS_DATABASE_URL", "METRICIS_SEALER_URL"):
        monkeypatch.setenv(name, "postgresql://same:p@nowhere.example/db")
    settings.cache_clear()
    with pytest.raises(FaultError, match="must be different roles"):
        named(settings())
