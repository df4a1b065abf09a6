"""Signing in a real browser: the dialog, what the form shows after it, what makes it void, many at once."""

import re
from uuid import uuid4

import psycopg
import pytest
from playwright.sync_api import expect

from apps.web import create_app
from datamodel.access import actions as access
from datamodel.kernel.database import engine_for
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import unit_of_work
from datamodel.records import actions as records
from tests.support import dashboard
from tests.support.web import Watch, running, serious, sideways, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
HOME = f"/app/{dashboard.STUDY}"
INTERNAL = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}|_arm_\d|visit_\d|sysbp|diabp|birth_year")
#: all words of a page, those of its panes too
DEEP_TEXT = """() => { const read = node => { let out = ''; for (const one of node.childNodes) {
    if (one.nodeType === 3) out += one.textContent + ' ';
    else if (one.nodeType === 1 && !['SCRIPT', 'STYLE'].includes(one.tagName)) {
        for (const name of ['aria-label', 'title', 'placeholder']) out += (one.getAttribute(name) || '') + ' ';
        out += read(one.shadowRoot || one) + (one.shadowRoot ? read(one) : ''); } } return out; };
    return read(document.body); }"""
BASELINE = next(n for n, (label, _) in enumerate(dashboard.VISITS) if label == "Baseline")
FORM = "/participants/{}/baseline/vital-signs"


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
    yield dashboard.build(url, subjects=12)
    patch.undo()
    settings.cache_clear()
    engine_for(url).dispose()


@pytest.fixture(scope="module")
def base(scene):
    with running(create_app()) as address:
        yield address


@pytest.fixture
def visit(scene, base, window):
    """Open a page as one of the people."""

    def opened(who, path, *, width=1440, height=900, token=""):
        context = window(width=width, height=height)
        context.add_cookies([{"name": "metricis_session", "value": token or scene.token(who), "url": base}])
        page = context.new_page()
        watch = Watch(page, base)
        page.goto(f"{base}{HOME}{path}")
        page.wait_for_selector("body.is-here")
        return page, watch

    return opened


def people():
    return dashboard.codes(12)


def fill(page, *, password=dashboard.PASSWORD, name="investigator@demo.example"):
    """Type into the open dialog and press Enter."""
    if name:
        page.get_by_label("Sign-in name").fill(name)
    page.get_by_role("textbox", name="Password").fill(password)
    page.keyboard.press("Enter")


def test_whoever_has_no_password_yet_is_led_to_where_to_set_one(visit, scene, pictures):
    with unit_of_work(scene.url, scene.installer) as unit:
        made = {"kind": "staff", "name": "Nils New", "sign_in_name": "nils@demo.example"}
        scene.accounts["nils"] = access.create_account(unit, **made)
        access.grant(unit, account_id=scene.accounts["nils"], study=dashboard.STUDY, role="investigator")
    page, watch = visit("nils", FORM.format(people()[0]), width=390)
    page.get_by_role("button", name="Sign", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("You have no password yet").wait_for()
    way = dialog.get_by_role("link", name="Set a password")
    page.screenshot(path=pictures / "signing-no-password-390.png")
    way.click()
    page.wait_for_url("**/account#h-password")
    page.get_by_role("heading", name="Password").wait_for()
    assert watch.problems == []


def test_an_investigator_signs_a_form_by_keyboard_and_the_page_shows_name_time_zone_and_meaning(visit, pictures):
    page, watch = visit("investigator", FORM.format(people()[0]))
    page.get_by_role("button", name="Sign", exact=True).focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Ida Paul").wait_for()
    said = page.evaluate(DEEP_TEXT)
    assert "Ida Paul" in said
    assert f"{people()[0]}, Baseline, Vital signs" in said
    assert "I am responsible for this record" in said
    page.screenshot(path=pictures / "signing-dialog-1440.png")
    assert serious(page) == []
    fill(page, password="not mine at all")
    dialog.get_by_role("alert").wait_for()
    expect(dialog.get_by_role("alert")).to_contain_text("does not prove that it is you", use_inner_text=True)
    expect(page.get_by_role("textbox", name="Password")).to_have_value("")
    fill(page)
    page.get_by_text("Signed by Ida Paul").wait_for()
    shown = page.locator("section.life").inner_text()
    assert re.search(r"\d\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d \(America/New_York, UTC-0[45]:00\)", shown)
    assert "Responsibility: I am responsible for this record; it is accurate and complete." in shown
    expect(page.locator(".head .chip")).to_have_text("Signed", use_inner_text=True)
    page.get_by_role("button", name="Sign", exact=True).wait_for(state="hidden")
    page.screenshot(path=pictures / "signed-form-1440.png", full_page=True)
    assert serious(page) == []
    assert INTERNAL.search(page.evaluate(DEEP_TEXT)) is None
    assert watch.problems == []


def test_a_signed_form_on_paper_has_place_version_values_and_signature_and_no_buttons(visit, pictures):
    page, watch = visit("monitor", FORM.format(people()[0]))
    page.get_by_text("Signed by Ida Paul").wait_for()
    page.emulate_media(media="print")
    said = page.get_by_text("the record itself is in Metricis")
    expect(said).to_be_visible()
    expect(said).to_contain_text(
        f"participant {people()[0]}, Baseline, Vital signs, version 1, signed.", use_inner_text=True
    )
    expect(page.get_by_text("Signed by Ida Paul")).to_be_visible()
    for name in ("Verify", "Sign", "Lock", "Reopen", "Remove a value"):
        expect(page.get_by_role("button", name=name, exact=True)).to_be_hidden()
    page.set_viewport_size({"width": 794, "height": 1123})
    page.screenshot(path=pictures / "form-on-paper.png", full_page=True)
    assert page.pdf(format="A4").startswith(b"%PDF")
    assert watch.problems == []


def test_a_changed_value_shows_the_signature_void_with_the_field_that_changed(visit, scene, pictures):
    code = people()[1]
    page, watch = visit("investigator", FORM.format(code))
    page.get_by_role("button", name="Sign", exact=True).click()
    fill(page)
    page.get_by_text("Signed by Ida Paul").wait_for()
    with unit_of_work(scene.url, scene.service()) as unit:
        values = dashboard._values("vs", 1, BASELINE, pulse="121")
        records.revise_batch(
            unit, study=dashboard.STUDY, form="vs", rows=[(code, f"visit_{BASELINE}_arm_1", 0, 0, "complete", values)]
        )
    page.reload()
    page.wait_for_selector("body.is-here")
    fallen = page.locator(".fallen")
    fallen.wait_for()
    expect(fallen).to_contain_text("Signature void", use_inner_text=True)
    expect(fallen).to_contain_text("Value changed: Pulse", use_inner_text=True)
    page.get_by_text("What happened to this form").click()
    expect(page.locator("section.life")).to_contain_text("VOID since", use_inner_text=True)
    page.screenshot(path=pictures / "signature-void-1440.png", full_page=True)
    assert serious(page) == []
    assert watch.problems == []


def test_a_form_that_changes_while_the_dialog_is_open_is_not_signed(visit, scene):
    code = people()[2]
    page, _ = visit("investigator", FORM.format(code))
    page.get_by_role("button", name="Sign", exact=True).click()
    page.get_by_role("dialog").get_by_text("You sign as").wait_for()
    with unit_of_work(scene.url, scene.service()) as unit:
        values = dashboard._values("vs", 2, BASELINE, pulse="122")
        records.revise_batch(
            unit, study=dashboard.STUDY, form="vs", rows=[(code, f"visit_{BASELINE}_arm_1", 0, 0, "complete", values)]
        )
    fill(page)
    page.get_by_role("alert").wait_for()
    expect(page.get_by_role("alert")).to_contain_text("changed after it was shown to you", use_inner_text=True)


def test_a_monitor_verifies_and_a_data_manager_locks_and_reopens(visit, scene, pictures):
    path = FORM.format(people()[3])
    page, _ = visit("monitor", path)
    expect(page.get_by_role("button", name="Sign", exact=True)).to_be_hidden()
    page.get_by_role("button", name="Verify").click()
    page.locator(".head .chip", has_text="Verified").wait_for()
    page, _ = visit("investigator", path)
    page.get_by_role("button", name="Sign", exact=True).click()
    fill(page)
    page.get_by_text("Signed by Ida Paul").wait_for()
    page, watch = visit("manager", path)
    page.get_by_role("button", name="Lock").click()
    fill(page, name="manager@demo.example")
    page.locator(".head .chip", has_text="Locked").wait_for()
    page.get_by_role("button", name="Reopen").click()
    page.get_by_role("dialog").get_by_text("become void").wait_for()
    page.get_by_role("dialog").get_by_role("button", name="Reopen").click()
    page.get_by_role("alert").wait_for()
    page.get_by_label("Why it is reopened").fill("The cuff was too small")
    page.screenshot(path=pictures / "reopen-dialog-1440.png")
    assert serious(page) == []
    page.get_by_role("dialog").get_by_role("button", name="Reopen").click()
    page.locator(".head .chip", has_text="Complete").wait_for()
    expect(page.locator(".fallen")).to_contain_text("The cuff was too small", use_inner_text=True)
    assert watch.problems == []


def test_many_forms_are_signed_with_one_confirmation_and_the_rest_is_left_out_with_reasons(visit, pictures):
    page, watch = visit("investigator", "/signing")
    assert serious(page) == []
    page.screenshot(path=pictures / "signing-people-1440.png", full_page=True)
    code = people()[0]
    page.get_by_role("link", name=code, exact=True).click()
    page.wait_for_url(f"**subject={code}")
    page.wait_for_selector("body.is-here")
    go = page.get_by_role("button", name=re.compile(r"Sign \d+ forms"))
    count = int(re.search(r"\d+", go.inner_text()).group())
    assert count > 5
    expect(page.get_by_role("checkbox", checked=True)).to_have_count(count)
    page.get_by_role("checkbox").first.uncheck()
    page.get_by_role("button", name=f"Sign {count - 1} forms").wait_for()
    wait_until(lambda: "open query" in page.evaluate(DEEP_TEXT))
    page.screenshot(path=pictures / "signing-bulk-1440.png", full_page=True)
    assert serious(page) == []
    page.get_by_role("button", name=f"Sign {count - 1} forms").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Left out").wait_for()
    expect(dialog.locator(".signed-list").first.locator("li")).to_have_count(count - 1)
    fill(page)
    page.get_by_role("heading", name=f"{count - 1} forms signed").wait_for()
    expect(page.get_by_role("checkbox")).to_have_count(1)
    assert INTERNAL.search(page.evaluate(DEEP_TEXT)) is None
    assert watch.problems == []


def test_many_forms_are_verified_at_once_and_what_was_not_compared_is_not(visit, pictures):
    page, watch = visit("manager", f"/verifying?subject={people()[7]}")
    go = page.get_by_role("button", name=re.compile(r"Verify \d+ forms"))
    count = int(re.search(r"\d+", go.inner_text()).group())
    page.get_by_text("you compared these forms").wait_for()
    page.get_by_role("checkbox").first.uncheck()
    assert serious(page) == []
    page.screenshot(path=pictures / "verifying-bulk-1440.png", full_page=True)
    page.get_by_role("button", name=f"Verify {count - 1} form").click()
    page.get_by_role("heading", name=f"{count - 1} forms verified").wait_for()
    expect(page.get_by_role("checkbox")).to_have_count(1)
    assert watch.problems == []


def test_signed_forms_are_locked_at_once_with_a_signature(visit, pictures):
    code = people()[8]
    page, _ = visit("investigator", f"/signing?subject={code}")
    page.get_by_role("button", name=re.compile(r"Sign \d+ form")).click()
    fill(page)
    page.get_by_role("heading", name=re.compile("signed$")).wait_for()
    page, watch = visit("manager", f"/locking?subject={code}", width=390)
    go = page.get_by_role("button", name=re.compile(r"Lock \d+ form"))
    count = int(re.search(r"\d+", go.inner_text()).group())
    assert sideways(page) == 0
    page.screenshot(path=pictures / "locking-bulk-390.png", full_page=True)
    go.click()
    page.get_by_role("dialog").get_by_text("You sign as").wait_for()
    fill(page, name="manager@demo.example")
    page.get_by_role("heading", name=re.compile(f"^{count} forms? locked$")).wait_for()
    expect(page.get_by_role("checkbox")).to_have_count(0)
    assert watch.problems == []


def test_a_value_typed_by_mistake_is_removed_with_a_reason_and_two_components(visit, pictures):
    page, watch = visit("manager", FORM.format(people()[1]))
    page.get_by_role("button", name="Remove a value").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Why, without the value itself").fill("A name stood here.")
    dialog.get_by_label("Sign-in name").fill("manager@demo.example")
    dialog.get_by_role("textbox", name="Password").fill("something else")
    dialog.get_by_role("button", name="Remove for good").click()
    dialog.get_by_role("alert").wait_for()
    expect(page.locator(".signed-list", has_text="a value was removed")).to_have_count(0)
    page.screenshot(path=pictures / "removal-dialog-1440.png")
    assert serious(page) == []
    dialog.get_by_role("textbox", name="Password").fill(dashboard.PASSWORD)
    dialog.get_by_role("button", name="Remove for good").click()
    dialog.get_by_text("The value is removed").wait_for()
    page.set_viewport_size({"width": 390, "height": 844})
    assert sideways(page) == 0
    page.screenshot(path=pictures / "removal-done-390.png")
    dialog.get_by_role("button", name="Close").click()
    page.get_by_text("a value was removed from version").wait_for()
    assert INTERNAL.search(page.evaluate(DEEP_TEXT)) is None
    assert watch.problems == []


def test_whoever_may_not_remove_values_is_not_offered_it(visit):
    page, _ = visit("investigator", FORM.format(people()[1]))
    expect(page.get_by_role("button", name="Remove a value")).to_have_count(0)


def test_whoever_may_not_sign_has_no_list_of_forms_to_sign(visit):
    page, _ = visit("coordinator", "/overview")
    expect(page.get_by_role("link", name="Forms to sign")).to_have_count(0)


@pytest.mark.parametrize("path", ["/signing", "/signing?subject=701", FORM])
def test_on_a_phone_nothing_runs_over_the_edge(visit, pictures, path):
    page, watch = visit("investigator", path.format(people()[5]), width=390, height=844)
    assert sideways(page) == 0
    name = path.split("?")[0].strip("/").split("/")[-1].format("")
    page.screenshot(path=pictures / f"{name}{'-bulk' if '?' in path else ''}-390.png", full_page=True)
    sign = page.get_by_role("button", name=re.compile("^Sign"))
    if sign.count() and sign.first.is_visible():
        sign.first.click()
        page.get_by_role("dialog").get_by_text("You sign as").wait_for()
        page.screenshot(path=pictures / f"{name}{'-bulk' if '?' in path else ''}-dialog-390.png")
    assert serious(page) == []
    assert watch.problems == []
