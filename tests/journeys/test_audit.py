"""The audit trail and the review of critical changes in a real browser."""

import csv
import hashlib
import io
from uuid import uuid4

import psycopg
import pytest
from playwright.sync_api import expect
from sqlalchemy import text

from apps.web import create_app
from datamodel.kernel.database import engine_for
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import unit_of_work
from datamodel.trail import actions as trail
from tests.support import dashboard
from tests.support.web import Watch, running, serious, sideways

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
HOME = f"/app/{dashboard.STUDY}"
SUBJECTS = 8


@pytest.fixture(scope="module")
def scene(cluster, template, tmp_path_factory):
    name = f"t_{uuid4().hex[:12]}"
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(f"create database {name} template {template} strategy file_copy")
    url = cluster.url(name)
    patch = pytest.MonkeyPatch()
    patch.setenv("METRICIS_DATABASE_URL", url)
    patch.setenv("METRICIS_SEALER_URL", url)
    patch.setenv("METRICIS_HOME", str(tmp_path_factory.mktemp("home")))
    settings.cache_clear()
    built = dashboard.build(url, subjects=SUBJECTS)
    with unit_of_work(url, built.actor("manager")) as unit:
        trail.mark_critical(unit, study=dashboard.STUDY, fields=[("vs", "sysbp")])
    yield built
    patch.undo()
    settings.cache_clear()
    engine_for(url).dispose()


@pytest.fixture(scope="module")
def base(scene):
    with running(create_app()) as address:
        yield address


@pytest.fixture
def visit(scene, base, window):
    def opened(who, path, *, width=1440, height=900):
        context = window(width=width, height=height)
        context.add_cookies([{"name": "metricis_session", "value": scene.token(who), "url": base}])
        page = context.new_page()
        watch = Watch(page, base)
        page.goto(f"{base}{HOME}{path}")
        page.wait_for_selector("body.is-here")
        return page, watch

    return opened


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("path", ["/audit", "/audit?show=changes", "/review"])
def test_the_pages_are_readable_at_two_widths(visit, pictures, width, path):
    page, watch = visit("manager", path, width=width)
    page.wait_for_selector(".count")
    page.wait_for_timeout(400)
    name = path.strip("/").replace("?", "-").replace("=", "-")
    page.screenshot(path=str(pictures / f"{name}-{width}.png"), full_page=True)
    assert sideways(page) == 0
    assert serious(page) == []
    assert watch.problems == []


def test_a_change_says_who_when_why_and_what_it_was(visit):
    page, _ = visit("manager", "/audit?show=changes")
    row = page.locator("table.trail tbody tr").first
    words = row.inner_text()
    assert "Systolic blood pressure" in words
    assert "118" in words
    assert "151" in words
    assert dashboard.codes(SUBJECTS)[0] in words


def test_filters_stand_in_the_address_and_hold_for_whoever_opens_it(visit):
    page, _ = visit("manager", "/audit?kind=exports")
    expect(page.locator(".count")).to_contain_text("0 events", use_inner_text=True)
    page, _ = visit("manager", "/audit?show=changes&form=vital-signs&subject=nobody")
    expect(page.locator(".count")).to_contain_text("0 changes", use_inner_text=True)
    page.get_by_label("Participant").fill(dashboard.codes(SUBJECTS)[0])
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('.count') || true")
    page.wait_for_url(f"**subject={dashboard.codes(SUBJECTS)[0]}*")


def test_a_file_that_is_taken_away_is_in_the_ledger_with_its_hash(visit, scene):
    page, _ = visit("manager", "/audit?show=changes")
    with page.expect_download() as coming:
        page.get_by_text("Take away as CSV").click()
    content = coming.value.path().read_bytes()
    rows = list(csv.reader(io.StringIO(content.decode())))
    assert rows[0][:3] == ["at_utc", "who", "participant"]
    assert any("151" in row for row in rows[1:])
    with engine_for(scene.url).connect() as connection:
        told = connection.execute(
            text("select change from app.audit_event where action = 'trail.export' order by seq desc limit 1")
        ).scalar_one()
    assert told["new"]["sha256"] == hashlib.sha256(content).hexdigest()


def test_a_monitor_accepts_a_change_and_it_no_longer_waits(visit):
    page, watch = visit("monitor", "/review")
    expect(page.locator(".count")).to_contain_text("1 change", use_inner_text=True)
    page.get_by_role("button", name="Accept").click()
    page.get_by_text("No change is chosen").wait_for()
    page.get_by_role("checkbox").first.check()
    page.get_by_role("button", name="Accept").click()
    page.get_by_text("Saved: 1 reviewed.").wait_for()
    page.get_by_text("Nothing waits").wait_for()
    expect(page.locator("table.trail")).to_contain_text("Accepted", use_inner_text=True)
    assert watch.problems == []


def test_who_may_not_review_is_told_who_may(visit):
    page, _ = visit("coordinator", "/review")
    expect(page.get_by_role("button", name="Accept")).to_have_count(0)
