"""Coming in by mail with a real browser: link, six digits, PIN, for whom; and a scanner that runs scripts and presses buttons."""

import re

import pytest

from apps.edge.app import create_edge
from apps.entrance.app import routes as entrance
from datamodel.access.actor import KNOCKING
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import unit_of_work
from datamodel.links import actions as links
from datamodel.participants import caregivers
from tests.support.capture import STUDY, build
from tests.support.mailbox import ADDRESS, coordinator, give_address, outbox, tokens
from tests.support.web import Watch, serious, sideways, small_targets, small_text

pytestmark = pytest.mark.browser
CODE, OTHER = "701-1015", "701-1023"


@pytest.fixture
def scene(database_url, home, monkeypatch):
    monkeypatch.setenv("METRICIS_DATABASE_URL", database_url)
    settings.cache_clear()
    made = build(database_url)
    give_address(made, CODE)
    yield made
    settings.cache_clear()


@pytest.fixture
def base(scene, serve):
    app = create_edge()
    app.include_router(entrance())
    return serve(app)


@pytest.fixture
def look(pictures):
    """Look at a page: nothing sideways, nothing small, nothing that axe finds serious; keep a picture."""

    def at(page, name, width):
        page.screenshot(path=pictures / f"portal-{name}-{width}.png", full_page=True)
        assert sideways(page) <= 0, name
        assert small_targets(page) == [], name
        assert small_text(page) == [], name
        assert serious(page) == [], name

    return at


def set_pin(page, pin="4071"):
    page.get_by_label("PIN", exact=True).fill(pin)
    page.get_by_label("The same PIN again").fill(pin)
    page.get_by_role("button", name="Set PIN").click()


@pytest.mark.parametrize("width", [360, 390])
def test_from_the_mail_to_the_tasks_and_next_time_with_the_pin_alone(scene, base, phone, look, width):
    context = phone(width=width, height=700)
    page = context.new_page()
    watch = Watch(page, base)
    page.goto(f"{base}/link/ask")
    look(page, "ask", width)
    page.get_by_label("Mail address").fill(ADDRESS)
    page.get_by_role("button", name="Send me a link").click()
    page.get_by_role("heading", name="Look into your mail").wait_for()
    look(page, "sent", width)
    token = tokens(outbox(scene)[0])[0]
    page.goto(f"{base}/link#{token}")
    look(page, "link", width)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="A PIN for this device").wait_for()
    look(page, "new-pin", width)
    set_pin(page, "1234")
    page.get_by_text("This PIN cannot be used").wait_for()
    set_pin(page)
    page.wait_for_url(f"{base}/me")
    context.clear_cookies(name="metricis_session")
    page.goto(f"{base}/me")
    page.get_by_role("heading", name="Welcome back").wait_for()
    look(page, "pin", width)
    page.get_by_label("PIN of this device").fill("0000")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("Tries left: 4").wait_for()
    page.get_by_label("PIN of this device").fill("4071")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{base}/me")
    for status in ("403", "422"):
        watch.forgive(status)
    assert watch.problems == []
    assert not [one for one in watch.addresses if token in one.partition("#")[0]]


def test_the_link_opens_on_another_device_with_the_digits(scene, base, phone, look):
    asking = phone().new_page()
    asking.goto(f"{base}/link/ask")
    asking.get_by_label("Mail address").fill(ADDRESS)
    asking.get_by_role("button", name="Send me a link").click()
    digits = asking.locator("#digits").inner_text()
    page = phone().new_page()
    page.goto(f"{base}/link#{tokens(outbox(scene)[0])[0]}")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Six digits").wait_for()
    look(page, "digits", 390)
    page.get_by_label("Six digits").fill(digits)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="A PIN for this device").wait_for()


def test_a_scanner_that_runs_scripts_and_presses_buttons_gets_nothing_and_burns_nothing(scene, base, window):
    with unit_of_work(scene.url, coordinator(scene)) as unit:
        handed = links.hand_out(unit, study=STUDY, code=CODE)
    for _ in range(3):
        scanner = window()
        page = scanner.new_page()
        page.goto(f"{base}/link#{handed.token}", wait_until="networkidle")
        page.locator("#link button").click()
        page.get_by_role("heading", name="Six digits").wait_for()
        page.evaluate("document.querySelector('main form').submit()")  # with nothing typed
        page.get_by_role("heading", name="Six digits").wait_for()
        assert scanner.cookies() == []
    human = window().new_page()
    human.goto(f"{base}/link#{handed.token}")
    human.get_by_role("button", name="Sign in").click()
    human.get_by_label("Six digits").fill(f"{handed.code[:3]} {handed.code[3:]}")
    human.get_by_role("button", name="Sign in").click()
    human.get_by_role("heading", name="A PIN for this device").wait_for()
    human.get_by_role("link", name="Not now").click()
    human.wait_for_url(f"{base}/me")


def test_a_caregiver_of_two_chooses_on_the_phone(scene, base, phone, look):
    with unit_of_work(scene.url, coordinator(scene)) as unit:
        account = caregivers.add(unit, study=STUDY, code=CODE, relation="mother")
        caregivers.add(unit, study=STUDY, code=OTHER, relation="guardian", account_id=account)
    with unit_of_work(scene.url, scene.installer) as unit:
        token = links.show(unit, account_id=account)
    page = phone(width=360, height=700).new_page()
    page.goto(f"{base}/link#{token}")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="For whom?").wait_for()
    look(page, "choose", 360)
    page.get_by_role("button", name=f"Act for {CODE}").click()
    page.get_by_text(f"You act for {CODE}.").wait_for()
    look(page, "acting", 360)
    page.get_by_role("link", name="Somebody else").click()
    page.get_by_role("button", name=f"Act for {OTHER}").click()
    page.get_by_text(re.compile(f"Vous agissez pour {OTHER}")).wait_for()
    with unit_of_work(scene.url, KNOCKING) as unit:
        assert len(caregivers.people_of(unit.session, scene.actor(CODE), at=unit.instant)) == 0
