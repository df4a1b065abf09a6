"""A dashboard that serves, with its people; shared by the tests of who gets in."""

from uuid import uuid4

import psycopg
import pytest

from datamodel.kernel.database import engine_for
from datamodel.kernel.settings import settings
from datamodel.migrations.roles import Roles
from tests.conftest import _PASSWORD
from tests.support import dashboard
from tests.support.web import running

SUBJECTS = 14


@pytest.fixture(scope="package")
def scene(cluster, template, tmp_path_factory):
    """The dashboard's study and people, in a database that the application's own role uses."""
    name = f"t_{uuid4().hex[:12]}"
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(f"create database {name} template {template} strategy file_copy")
    url = cluster.url(name, role=Roles().app, password=_PASSWORD)
    patch = pytest.MonkeyPatch()
    patch.setenv("METRICIS_DATABASE_URL", url)
    patch.setenv("METRICIS_HOME", str(tmp_path_factory.mktemp("home")))
    settings.cache_clear()
    yield dashboard.build(url, subjects=SUBJECTS)
    patch.undo()
    settings.cache_clear()
    engine_for(url).dispose()


@pytest.fixture(scope="package")
def base(scene):
    """The web process's address."""
    from apps.web import create_app

    with running(create_app()) as address:
        yield address
