"""What is for development does not exist in production: not among the routes, and inert whatever is stored."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from datamodel.kernel.errors import BadInputError, RefusedError
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import reading, unit_of_work
from datamodel.rehearsal import actions, reads
from datamodel.rehearsal.surfaces import DEV_TEST_ROUTES
from datamodel.tasks import reads as tasks
from datamodel.vault.keys import load_key
from tests.support.capture import STUDY, build

AT = datetime(2026, 3, 5, 12, tzinfo=UTC)
CODE = "701-1015"
_ROUTES = """
import json
from apps.web import create_app
from apps.shell.pages import PAGES
app = create_app()
print(json.dumps(sorted({getattr(one, "path", "") for one in app.routes} | {one.path for one in PAGES.all()})))
"""


@pytest.fixture
def scene(database_url, home):
    return build(database_url)


def become(monkeypatch, environment, *, dev_mode):
    load_key(settings())  # made on first use, outside production
    monkeypatch.setenv("METRICIS_ENVIRONMENT", environment)
    monkeypatch.setenv("METRICIS_DEV_MODE", dev_mode)
    if environment == "production" and "METRICIS_ROOT_KEY" not in os.environ:
        monkeypatch.setenv("METRICIS_ROOT_KEY", (settings().home / "root.key").read_text())
    settings.cache_clear()


def move(scene, actor, days):
    with unit_of_work(scene.url, actor) as unit:
        actions.move_day(unit, study=STUDY, days=days)


def routes(home, **environment):
    done = subprocess.run(
        [sys.executable, "-c", _ROUTES],
        env={**os.environ, "METRICIS_HOME": str(home), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_routes_of_production_are_those_of_development_without_the_listed_ones(home):
    listed = {one.name for one in DEV_TEST_ROUTES if one.kind in {"page", "edge"}}
    key = {"METRICIS_ROOT_KEY": "unused"}
    production = routes(home, METRICIS_ENVIRONMENT="production", METRICIS_DEV_MODE="true", **key)
    development = routes(home, METRICIS_ENVIRONMENT="development", METRICIS_DEV_MODE="true")
    closed = routes(home, METRICIS_ENVIRONMENT="development", METRICIS_DEV_MODE="false")
    assert development - production == listed
    assert production == closed
    assert len(production) > 10


def test_the_day_moves_tasks_and_is_in_the_ledger(scene, monkeypatch, owner_url):
    become(monkeypatch, "development", dev_mode="true")
    person = scene.actor(CODE)

    def states(at):
        with reading(scene.url, person) as session:
            return [(one.state, one.days_left) for one in tasks.queue(session, person, at=at)]

    now = datetime.now(UTC)
    before = states(now)
    move(scene, scene.installer, 30)
    after = states(now)
    assert after != before
    assert after == states(now)
    move(scene, scene.installer, 0)
    assert states(now) == before
    with psycopg.connect(owner_url) as connection:
        rows = connection.execute(
            "select change->'new'->>'days' from app.audit_event where action = 'rehearsal.move_day' order by seq"
        ).fetchall()
    assert rows == [("30",), ("0",)]


@pytest.mark.parametrize(
    ("environment", "dev_mode", "is_allowed"),
    [
        ("development", "true", True),
        ("development", "false", False),
        ("production", "false", False),
        ("production", "true", False),
    ],
)
def test_only_development_mode_outside_production_moves_a_day(scene, monkeypatch, environment, dev_mode, is_allowed):
    become(monkeypatch, environment, dev_mode=dev_mode)
    if is_allowed:
        move(scene, scene.installer, 3)
        return
    with pytest.raises(RefusedError) as refused:
        move(scene, scene.installer, 3)
    assert refused.value.refusal.code == "development-only"


def test_only_an_administrator_moves_a_day_and_not_out_of_reach(scene, monkeypatch):
    become(monkeypatch, "development", dev_mode="true")
    with pytest.raises(RefusedError, match="Only an administrator"):
        move(scene, scene.owner, 3)
    with pytest.raises(BadInputError):
        move(scene, scene.installer, 99_999)


def test_what_is_stored_does_nothing_in_production(scene, monkeypatch):
    become(monkeypatch, "development", dev_mode="true")
    move(scene, scene.installer, 10)
    person = scene.actor(CODE)

    def seen():
        with reading(scene.url, scene.owner) as session:
            found = [row[0] for row in session.connection().exec_driver_sql("select id from app.study")]
            days = reads.offset_days(session, found[0])
            moved = reads.effective(session, found[0], AT) - AT
            words = reads.notice(session, found[0], AT)
        with reading(scene.url, person) as session:
            who = tasks.own(session, person)
            return days, moved, words, tasks.today(who, at=AT)

    days, moved, words, today = seen()
    assert (days, moved) == (10, timedelta(days=10))
    assert "15-Mar-2026" in words
    assert str(today) == "2026-03-15"
    for dev_mode in ("false", "true"):
        become(monkeypatch, "production", dev_mode=dev_mode)
        days, moved, words, today = seen()
        assert (days, moved, words, str(today)) == (0, timedelta(0), "", "2026-03-05")
