"""Coming in as staff, in a real browser: invitation, passkey, code, my account, and the warning before a session ends."""

import re

import pyotp
import pytest
from playwright.sync_api import expect
from sqlalchemy import text

from apps.web import create_app
from datamodel.access.actor import KNOCKING
from datamodel.audit import ledger
from datamodel.credentials import actions, factors
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import unit_of_work
from tests.support import dashboard
from tests.support.web import Watch, running, serious, sideways, small_targets, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
NEW = "four quiet green boats"
NAME = "coordinator@demo.example"


@pytest.fixture
def scene(database_url, home, monkeypatch):
    monkeypatch.setenv("METRICIS_DATABASE_URL", database_url)
    settings.cache_clear()
    return dashboard.build(database_url, subjects=4)


@pytest.fixture
def base(scene, monkeypatch):
    with running(create_app()) as address:
        # passkeys need a name; an address of numbers has none
        named = address.replace("127.0.0.1", "localhost")
        monkeypatch.setenv("METRICIS_BASE_URL", named)
        settings.cache_clear()
        yield named


@pytest.fixture
def open_page(base, window, pictures):
    def opened(path, *, width=1440, height=900):
        page = window(width=width, height=height).new_page()
        watch = Watch(page, base)
        page.goto(base + path)
        return page, watch

    return opened


def good(page, name, pictures):
    """Look at a page: nothing serious for axe, nothing too wide, every target large enough, a picture of it."""
    width = page.viewport_size["width"]
    page.screenshot(path=pictures / f"entrance-{name}-{width}.png", full_page=True)
    assert serious(page) == [], name
    assert sideways(page) == 0, name
    assert small_targets(page) == [], name


def authenticator(page):
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return session


def invite(scene):
    with unit_of_work(scene.url, scene.installer) as unit:
        return actions.invite(unit, account_id=scene.accounts["coordinator"])


@pytest.mark.parametrize("width", [1440, 390])
def test_from_an_invitation_to_a_passkey_and_back_in(scene, base, open_page, pictures, monkeypatch, width):
    monkeypatch.setenv("METRICIS_REQUIRE_SECOND_FACTOR", "true")
    settings.cache_clear()
    page, watch = open_page(f"/welcome#{invite(scene)}", width=width)
    authenticator(page)
    page.wait_for_url(lambda address: "#" not in address)  # the link's secret leaves the address bar
    good(page, "welcome", pictures)
    page.get_by_label("New password", exact=True).fill(NEW)
    page.get_by_label("New password again").fill(NEW)
    page.get_by_label("I have read this").check()
    page.get_by_role("button", name="Set password and go on").click()
    page.wait_for_url("**/sign-in/set-up")
    good(page, "set-up", pictures)
    page.get_by_role("button", name="Make a passkey").click()
    page.wait_for_url("**/account/recovery-codes")
    page.get_by_role("button", name="Make new recovery codes").click()
    expect(page.locator("ol.codes li")).to_have_count(10)
    good(page, "codes", pictures)
    page.get_by_role("link", name="I have kept them").click()
    page.wait_for_url("**/account")
    good(page, "account", pictures)
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.wait_for_url("**/sign-in?why=goodbye")
    good(page, "sign-in", pictures)
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url(f"**/app/{dashboard.STUDY}/overview")
    assert watch.problems == []


def test_password_and_code_by_keyboard_alone(scene, base, open_page, pictures):
    with unit_of_work(scene.url, scene.actor("coordinator")) as unit:
        setup = factors.begin_totp(unit, account_id=scene.accounts["coordinator"])
    generator = pyotp.TOTP(setup.secret)
    with unit_of_work(scene.url, scene.actor("coordinator")) as unit:
        factors.finish_totp(
            unit, account_id=scene.accounts["coordinator"], code=generator.at(int(unit.instant.timestamp()) - 30)
        )
    page, watch = open_page(f"/app/{dashboard.STUDY}/questions", width=390)
    page.wait_for_url("**/sign-in?next=*")
    page.get_by_label("Sign-in name").focus()
    page.keyboard.type(NAME)
    page.keyboard.press("Tab")
    page.keyboard.type("not the password")
    page.keyboard.press("Enter")
    page.get_by_role("alert").filter(has_text="do not belong together").wait_for()
    watch.forgive("403")
    good(page, "wrong", pictures)
    page.get_by_label("Password").focus()
    page.keyboard.type(dashboard.PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/sign-in/code")
    good(page, "code", pictures)
    page.get_by_label("Code").focus()
    page.keyboard.type(generator.now())
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/app/{dashboard.STUDY}/**")
    page.goto(f"{base}/account")
    good(page, "account-with-authenticator", pictures)
    assert watch.problems == []


def set_back(scene, **columns):
    """Turn a session's clock back: the wait is too long for a test."""
    with unit_of_work(scene.url, KNOCKING) as unit:
        for column, value in columns.items():
            unit.session.execute(text(f"update app.session set {column} = {value}"))
        ledger.record(unit, "test.set_back")


def test_before_a_session_ends_one_is_asked_and_what_was_typed_is_kept(scene, base, open_page, pictures):
    page, watch = open_page(f"/sign-in?next=/app/{dashboard.STUDY}/questions")
    sign_in(page)
    page.locator("body.is-here").wait_for(timeout=40_000)
    page.locator("table a, .question a, a[href*=questions]").filter(has_text=re.compile(r"\d{3}-\d{4}")).first.click()
    page.locator("body.is-here").wait_for(timeout=40_000)
    field = page.locator("textarea").first
    field.fill("The nurse read the gauge again: 102.")
    set_back(scene, seen_at="now() - interval '13 minutes 20 seconds'")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    dialog = page.locator("#ending")
    dialog.get_by_text("You will be signed out in").wait_for()
    page.screenshot(path=pictures / "session-ending-1440.png")
    assert serious(page) == []
    page.get_by_role("button", name="Stay signed in").click()
    wait_until(lambda: not dialog.is_visible())
    expect(field).to_have_value("The nurse read the gauge again: 102.")

    set_back(scene, revoked_at="now()")
    dialog.get_by_text("What you typed here is kept").wait_for()
    page.screenshot(path=pictures / "session-ended-1440.png")
    page.get_by_role("link", name="Sign in again").click()
    watch.forgive("401")
    sign_in(page)
    page.locator("body.is-here").wait_for(timeout=40_000)
    wait_until(lambda: page.locator("textarea").first.input_value() == "The nurse read the gauge again: 102.")
    for words in ("websocket", "WebSocket"):
        watch.forgive(words)
    assert watch.problems == []


def sign_in(page):
    page.get_by_label("Sign-in name").fill(NAME)
    page.get_by_label("Password").fill(dashboard.PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
