"""A coordinator lets somebody act for a participant, hands out a link with six digits, and ends it, in a real browser."""

import re
from uuid import uuid4

import psycopg
import pytest
from playwright.sync_api import expect
from sqlalchemy import text

from apps.web import create_app
from datamodel.kernel.database import engine_for
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import unit_of_work
from tests.support import dashboard
from tests.support.web import Watch, running, serious, sideways

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.fixture
def scene(cluster, template, home, monkeypatch):
    name = f"t_{uuid4().hex[:12]}"
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(f"create database {name} template {template} strategy file_copy")
    url = cluster.url(name)
    monkeypatch.setenv("METRICIS_DATABASE_URL", url)
    settings.cache_clear()
    yield dashboard.build(url, subjects=2)
    settings.cache_clear()
    engine_for(url).dispose()


def open_record(scene, base, window, who):
    with unit_of_work(scene.url, scene.service()) as unit:
        code = unit.session.execute(text("select code from app.participant order by code limit 1")).scalar_one()
    context = window(width=1200, height=900)
    context.add_cookies([{"name": "metricis_session", "value": scene.token(who), "url": base}])
    page = context.new_page()
    watch = Watch(page, base)
    page.goto(f"{base}/app/{dashboard.STUDY}/participants/{code}")
    page.wait_for_selector("body.is-here")
    return page, watch, code


def test_a_caregiver_is_added_reached_and_ended_on_the_record(scene, window, phone, pictures):
    with running(create_app()) as base:
        page, watch, code = open_record(scene, base, window, "coordinator")
        page.get_by_text(f"Nobody acts for {code}.").wait_for()
        page.get_by_role("button", name="Add caregiver").click()
        page.get_by_role("cell", name=f"{code}/C1").wait_for()
        page.get_by_role("radio", name=f"{code}/C1").check()
        page.get_by_role("button", name="Make a sign-in link").click()
        page.get_by_text("Six digits, to be told in another way").wait_for()
        page.screenshot(path=pictures / "dashboard-reached-1200.png", full_page=True)
        assert sideways(page) <= 0
        assert serious(page) == []
        said = page.get_by_text("good for 14 days").locator("xpath=../..").inner_text()
        address, digits = (
            re.search(r"http\S+", said).group(),
            re.search(r"\d{3} \d{3}\b", said.split("way:")[1]).group(),
        )
        person = phone().new_page()
        person.goto(re.sub(r"^https?://[^/]+", base, address))
        person.get_by_role("button", name="Sign in").click()
        person.get_by_label("Six digits").fill(digits)
        person.get_by_role("button", name="Sign in").click()
        person.get_by_role("heading", name="A PIN for this device").wait_for()
        page.get_by_role("button", name="End caregiver").click()
        page.get_by_text(f"{code}/C1 acts no more").wait_for()
        person.goto(f"{base}/me")
        person.get_by_text("You act for nobody at present").wait_for()
        assert watch.problems == []


def test_who_may_not_enrol_sees_no_such_section(scene, window):
    with running(create_app()) as base:
        page, _, code = open_record(scene, base, window, "statistician")
        page.get_by_role("heading", name=code).wait_for()
        expect(page.get_by_role("button", name="Add caregiver")).to_have_count(0)
