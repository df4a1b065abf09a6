"""Fixtures that every test may ask for: a real PostgreSQL, a migrated database of one's own, an actor."""

import base64
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from datamodel.kernel.database import engine_for
from datamodel.kernel.settings import settings
from datamodel.migrations import run
from datamodel.migrations.roles import Roles
from metricis.local.postgres import Cluster

# One key for all databases of this session, whatever home a test has.
os.environ.setdefault("METRICIS_SCOPE_KEY", base64.b64encode(os.urandom(32)).decode())


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server of this test session's own."""
    # pytest's own folders are closed to the account that the server runs under when root runs the tests.
    with tempfile.TemporaryDirectory(prefix="metricis-pg-") as folder:
        Path(folder).chmod(0o711)
        server = Cluster(Path(folder) / "home", durable=False).ensure_running()
        yield server
        server.destroy()


_PASSWORD = "of-the-tests"


@pytest.fixture(scope="session")
def template(cluster: Cluster) -> str:
    """Name of a database with all migrations run, to be cloned, on a server with the four roles."""
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute("create database migrated")
    url = cluster.url("migrated")
    run.upgrade(url)
    engine_for(url).dispose()
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        for role in Roles():
            connection.execute(f"alter role {role} login password '{_PASSWORD}'")
    return "migrated"


@pytest.fixture
def server_url(
    cluster: Cluster, template: str, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Address of this test's database for the server's administrator, whom nothing holds."""
    name = f"t_{uuid4().hex[:12]}"
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(f"create database {name} template {template} strategy file_copy")
    url = cluster.url(name)
    urls = {role: cluster.url(name, role=user, password=_PASSWORD) for role, user in Roles()._asdict().items()}
    monkeypatch.setenv("METRICIS_SEALER_URL", urls["sealer"])
    if "METRICIS_HOME" not in os.environ:  # the key of what is written belongs to no installation of this machine
        monkeypatch.setenv("METRICIS_HOME", str(tmp_path_factory.mktemp("home")))
    settings.cache_clear()
    yield url
    for each in (url, *urls.values()):
        engine_for(each).dispose()
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")
    settings.cache_clear()


@pytest.fixture
def database_url(cluster: Cluster, server_url: str) -> str:
    """Address of an empty, migrated database of this test's own, for the application: row-level security holds."""
    return _as(cluster, server_url, Roles().app)


@pytest.fixture
def owner_url(cluster: Cluster, server_url: str) -> str:
    """Address of the same database for its owner, who makes tables and triggers and can take them away."""
    return _as(cluster, server_url, Roles().owner)


@pytest.fixture
def sealer_url(cluster: Cluster, server_url: str) -> str:
    """Address of the same database for the sealer of the ledger."""
    return _as(cluster, server_url, Roles().sealer)


def _as(cluster: Cluster, url: str, role: str) -> str:
    return cluster.url(url.rpartition("/")[2], role=role, password=_PASSWORD)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of this test's own, named in the environment."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("METRICIS_HOME", str(folder))
    settings.cache_clear()
    yield folder
    settings.cache_clear()


@pytest.fixture(autouse=True)
def _mask() -> Iterator[None]:
    """Commands close what they make to others; a test that calls one leaves that to no other test."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put browser tests last: Playwright keeps an event loop running, and others want one of their own."""
    items.sort(key=lambda one: one.get_closest_marker("browser") is not None)
