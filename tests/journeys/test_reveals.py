"""Revealing one participant's arm in a real browser: an emergency in three steps, two people, and what everybody else reads."""

import re
from uuid import uuid4

import psycopg
import pytest
from playwright.sync_api import expect

from apps.web import create_app
from datamodel.access import actions as access
from datamodel.access.actor import KNOCKING
from datamodel.kernel.database import engine_for
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import unit_of_work
from datamodel.migrations.roles import Roles
from tests.conftest import _PASSWORD
from tests.journeys.test_signing import DEEP_TEXT, HOME, INTERNAL, fill
from tests.support import dashboard
from tests.support.web import Watch, running, serious, sideways, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
ARMS = ("Placebo", "Low dose", "High dose")
SUBJECTS = dashboard.codes(6)
ARM = re.compile("|".join(ARMS))


@pytest.fixture(scope="module")
def scene(cluster, template, tmp_path_factory):
    """The dashboard's study, with the application in its own role of PostgreSQL."""
    name = f"t_{uuid4().hex[:12]}"
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(f"create database {name} template {template} strategy file_copy")
    url = cluster.url(name, role=Roles().app, password=_PASSWORD)
    patch = pytest.MonkeyPatch()
    patch.setenv("METRICIS_DATABASE_URL", url)
    patch.setenv("METRICIS_SEALER_URL", cluster.url(name, role=Roles().sealer, password=_PASSWORD))
    patch.setenv("METRICIS_HOME", str(tmp_path_factory.mktemp("home")))
    settings.cache_clear()
    yield dashboard.build(url, subjects=len(SUBJECTS))
    patch.undo()
    settings.cache_clear()
    engine_for(url).dispose()


@pytest.fixture(scope="module")
def base(scene):
    with running(create_app()) as address:
        yield address


@pytest.fixture
def visit(scene, base, window):
    def opened(who, path, *, width=1440):
        with unit_of_work(scene.url, KNOCKING) as unit:
            token = access.start_session(unit, scene.accounts[who], kind="staff", how="password")
        context = window(width=width, height=900)
        context.add_cookies([{"name": "metricis_session", "value": token, "url": base}])
        page = context.new_page()
        watch = Watch(page, base)
        page.goto(f"{base}{HOME}{path}")
        page.wait_for_selector("body.is-here")
        return page, watch

    return opened


def test_an_emergency_takes_three_steps_and_everybody_else_reads_a_mark(visit, pictures):
    code, width = SUBJECTS[0], 390
    path = f"/participants/{code}"
    page, watch = visit("investigator", path, width=width)
    page.get_by_role("button", name="Reveal the arm (emergency)").wait_for()
    assert ARM.search(page.evaluate(DEEP_TEXT)) is None
    page.screenshot(path=pictures / f"reveal-record-{width}.png")
    page.get_by_role("button", name="Reveal the arm (emergency)").click()  # 1
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("told by mail at once").wait_for()
    page.get_by_label("Why, without naming a treatment").fill("Seizure; the hospital asks what was given.")
    fill(page, password="not mine at all")
    dialog.get_by_role("alert").wait_for()
    expect(dialog.get_by_role("alert")).to_contain_text("does not prove that it is you", use_inner_text=True)
    expect(page.get_by_role("textbox", name="Password")).to_have_value("")
    assert ARM.search(page.evaluate(DEEP_TEXT)) is None
    page.screenshot(path=pictures / f"reveal-dialog-{width}.png")
    fill(page)  # 2: what is asked for; 3: Enter
    arm = dialog.locator(".arm")
    arm.wait_for()
    assert arm.inner_text().split(" (")[0] in ARMS
    wait_until(lambda: "3 people were told by mail" in page.evaluate(DEEP_TEXT))
    page.screenshot(path=pictures / f"reveal-shown-{width}.png")
    assert serious(page) == []
    page.get_by_role("button", name="Close").click()
    dialog.wait_for(state="hidden")
    assert ARM.search(page.content() + page.evaluate(DEEP_TEXT)) is None
    page.get_by_text("Arm revealed (emergency)").wait_for()
    assert sideways(page) <= 0
    other, seen = visit("coordinator", path)
    other.get_by_text("Arm revealed (emergency)").wait_for()
    said = other.evaluate(DEEP_TEXT)
    assert re.search(r"on\s+\d\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d\s.*by Ida Paul\. Medical emergency", said)
    assert ARM.search(other.content() + said) is None
    assert INTERNAL.search(said) is None
    expect(other.get_by_role("button", name="Reveal the arm (emergency)")).to_have_count(0)
    other.screenshot(path=pictures / "reveal-mark-1440.png")
    assert (watch.problems, seen.problems) == ([], [])


def test_two_people_decide_and_only_who_asked_is_shown_it(visit, pictures):
    code = SUBJECTS[2]
    page, watch = visit("investigator", f"/participants/{code}")
    page.get_by_role("button", name="Ask to see the arm").click()
    page.get_by_label("Why, without naming a treatment").fill("An expedited report is due.")
    page.get_by_role("button", name="Ask", exact=True).click()
    page.get_by_text("Asked. A second person must approve it").wait_for()
    page.get_by_text("Waits for a second person").wait_for()
    other, seen = visit("safety", "/people")
    other.get_by_role("link", name=f"Ida Paul sees the treatment arm of {code}, once").click()
    other.wait_for_url("**one=*")
    other.wait_for_selector("body.is-here")
    other.get_by_label("Reason").fill("The report is due.")
    other.get_by_role("button", name="Approve").click()
    other.get_by_text("nobody else can").wait_for()
    other.screenshot(path=pictures / "reveal-approved-1440.png")
    page.reload()
    page.get_by_role("button", name="Show the arm").click()
    fill(page)
    arm = page.get_by_role("dialog").locator(".arm")
    arm.wait_for()
    assert arm.inner_text().split(" (")[0] in ARMS
    page.get_by_role("button", name="Close").click()
    page.get_by_text("Arm revealed (decided by two people)").wait_for()
    expect(page.get_by_role("button", name="Show the arm")).to_have_count(0)
    assert ARM.search(other.content() + other.evaluate(DEEP_TEXT)) is None
    assert (watch.problems, seen.problems) == ([], [])
