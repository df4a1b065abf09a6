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
from datamodel.migrations import run
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


@pytest.fixture(scope="session")
def template(cluster: Cluster) -> str:
    """Name of a database with all migrations run, to be cloned."""
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute("create database migrated")
    url = cluster.url("migrated")
    run.upgrade(url)
    engine_for(url).dispose()
    return "migrated"


@pytest.fixture
def database_url(cluster: Cluster, template: str) -> Iterator[str]:
    """Address of an empty, migrated database that belongs to this test alone."""
    name = f"t_{uuid4().hex[:12]}"
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(f"create database {name} template {template} strategy file_copy")
    url = cluster.url(name)
    yield url
    engine_for(url).dispose()
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of this test's own, named in the environment."""
    from datamodel.kernel.settings import settings

    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("METRICIS_HOME", str(folder))
    settings.cache_clear()
    yield folder
    settings.cache_clear()
