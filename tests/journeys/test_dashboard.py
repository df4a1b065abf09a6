"""The researcher dashboard in a real browser: each page's main task, at three widths, for several roles."""

import re
from datetime import timedelta
from uuid import uuid4

import httpx
import psycopg
import pytest
from playwright.sync_api import expect
from sqlalchemy import text

from apps import sockets
from apps.web import create_app
from datamodel.access import actions as access
from datamodel.access.actor import KNOCKING
from datamodel.kernel.database import engine_for
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import unit_of_work
from tests.support import dashboard
from tests.support.web import Watch, running, serious, sideways, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
SUBJECTS = 42
HOME = f"/app/{dashboard.STUDY}"
INTERNAL = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}|_arm_\d|visit_\d|sysbp|birth_year")


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
    yield dashboard.build(url, subjects=SUBJECTS)
    patch.undo()
    settings.cache_clear()
    engine_for(url).dispose()


@pytest.fixture(scope="module")
def base(scene):
    with running(create_app()) as address:
        yield address


@pytest.fixture
def visit(scene, base, window):
    """Open a page as one of the people: `page, watch = visit("coordinator", "/overview")`."""

    def opened(who, path, *, width=1440, height=900, token=""):
        context = window(width=width, height=height)
        context.add_cookies([{"name": "metricis_session", "value": token or scene.token(who), "url": base}])
        page = context.new_page()
        watch = Watch(page, base)
        page.goto(f"{base}{HOME}{path}" if not path.startswith("/app") else base + path)
        here(page)
        return page, watch

    return opened


def here(page):
    page.wait_for_selector("body.is-here")


def number(words):
    return int(re.search(r"[\d,]+", words).group().replace(",", ""))


def test_a_coordinator_signs_in_with_a_password_and_lands_in_the_one_study(base, window):
    page = window().new_page()
    page.goto(f"{base}{HOME}/questions?state=all")
    page.wait_for_url("**/sign-in?next=*")
    page.fill("input[name=name]", "coordinator@demo.example")
    page.fill("input[type=password]", dashboard.PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/questions?state=all")
    here(page)
    page.goto(f"{base}/app/")
    page.wait_for_url(f"**{HOME}/overview")
    here(page)
    assert page.title() == "Overview · CDISCPILOT01 · Metricis"


def test_every_number_of_the_overview_opens_the_rows_it_counts(visit, base):
    page, watch = visit("coordinator", "/overview")
    tiles = page.locator("a.tile")
    told = [(tiles.nth(n).get_attribute("href"), number(tiles.nth(n).locator(".value").inner_text())) for n in range(3)]
    segments = page.locator("a.seg")
    every_ninth = [segments.nth(n) for n in range(0, segments.count(), 9)]
    told += [
        (one.get_attribute("href"), number(one.get_attribute("aria-label").rsplit(":", 1)[1])) for one in every_ninth
    ]
    small = page.locator(".multiples a")
    told += [(one.get_attribute("href"), number(one.locator("b").inner_text())) for one in (small.first, small.last)]
    overdue = page.locator("a[href$='due=overdue']")
    told.append((overdue.get_attribute("href"), number(overdue.inner_text())))
    assert len(told) > 6
    for href, count in told:
        page.goto(base + href)
        here(page)
        assert number(page.locator(".summary b, .count b").first.inner_text()) == count, href
    assert watch.problems == []


def test_the_grid_has_a_row_for_each_participant_and_a_named_cell_for_each_form(visit, scene):
    page, watch = visit("coordinator", "/participants?rows=50")
    design = dashboard.protocol()
    columns = sum(len(event.forms) for event in design.events)
    expect(page.locator("table.grid tbody tr")).to_have_count(SUBJECTS)
    expect(page.locator("table.grid a.c")).to_have_count(SUBJECTS * columns)
    first = dashboard.codes(SUBJECTS)[0]
    expect(page.get_by_role("link", name=f"{first}, Week 2, Vital signs: Query, 1 open")).to_have_count(1)
    shown = {words for words in page.locator(".legend span").all_inner_texts() if words}
    used = {
        re.search(r": ([\w ]+)", name).group(1)
        for name in page.eval_on_selector_all("table.grid a.c", "all => all.map(one => one.getAttribute('aria-label'))")
    }
    assert used <= shown
    with unit_of_work(scene.url, scene.actor("coordinator")) as unit:
        people = unit.session.execute(text("select count(*) from app.participant")).scalar_one()
    assert number(page.locator(".summary b").first.inner_text()) == people
    assert watch.problems == []


def test_filters_are_kept_in_the_address_and_restored_from_it(visit):
    page, watch = visit("coordinator", "/participants")
    page.get_by_label("Only with problems").click()
    page.wait_for_url("**problems=yes**")
    page.wait_for_selector("text=Clear filters")
    expect(page.locator(".summary b").first).not_to_have_text(f"{SUBJECTS} participants", use_inner_text=True)
    count = page.locator(".summary b").first.inner_text()
    page.reload()
    here(page)
    expect(page.locator(".summary b").first).to_have_text(count, use_inner_text=True)
    page.get_by_label("Subject", exact=True).fill("701")
    page.wait_for_url("**subject=701**")
    wait_until(
        lambda: (
            page.locator("table.grid tbody th").all_inner_texts()
            and all(one.startswith("701") for one in page.locator("table.grid tbody th").all_inner_texts())
        )
    )
    page.goto(page.url.split("?")[0] + "?subject=nobody")
    here(page)
    expect(page.get_by_text("No participant fits these filters")).to_be_visible()
    assert watch.problems == []


def test_the_keyboard_alone_walks_the_grid_and_opens_a_form(visit):
    page, watch = visit("coordinator", "/participants")
    page.locator("table.grid a.c").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_url("**/screening-1/vital-signs")
    here(page)
    expect(page.get_by_role("heading", name="Vital signs", level=1)).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("q")
    page.wait_for_url("**/questions")
    here(page)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("701-10")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?q=701-10")
    here(page)
    assert page.locator(".hits a").count() > 0
    assert watch.problems == []


def test_a_value_s_history_is_one_click_away(visit):
    code = dashboard.codes(SUBJECTS)[0]
    page, watch = visit("coordinator", f"/participants/{code}/screening-1/vital-signs")
    page.get_by_label("History of Systolic blood pressure, 2 changes").click()
    told = page.locator(".history[open] li").first.inner_text()
    for words in ("118 → 151", "Metricis sync", "sync with REDCap"):
        assert words in told
    expect(page.get_by_text("mmHg").first).to_be_visible()
    assert watch.problems == []


def test_a_repeating_form_lists_its_entries(visit):
    code = dashboard.codes(SUBJECTS)[1]
    page, _ = visit("coordinator", f"/participants/{code}/throughout-the-study/adverse-events?instance=2")
    expect(page.get_by_label("Entry 2: Complete")).to_have_attribute("aria-current", "page")
    expect(page.get_by_text("11-Feb-2026").first).to_be_visible()


def test_what_was_typed_is_text_and_never_markup(visit):
    page, _ = visit("coordinator", f"/participants/{dashboard.codes(SUBJECTS)[0]}/baseline/laboratory")
    expect(page.get_by_text("<b>not bold</b>").first).to_be_visible()


def test_a_coordinator_answers_a_data_question_and_the_counts_follow(visit):
    page, watch = visit("coordinator", "/questions")
    before = number(page.locator(".count b").inner_text())
    expect(page.locator(".list a")).to_have_count(before)
    page.locator(".list a").first.click()
    page.wait_for_url("**question=*")
    here(page)
    page.get_by_role("button", name="Answer").click()
    page.get_by_text("Received no text").wait_for()
    page.get_by_label("What you found or did").fill("Typing error; the site corrects it today.")
    page.get_by_role("button", name="Answer").click()
    page.get_by_text("Saved.").wait_for()
    page.locator(".steps").get_by_text("Typing error; the site corrects it today.").wait_for()
    wait_until(lambda: number(page.locator(".count b").inner_text()) == before - 1)
    expect(page.get_by_role("button", name="Close")).to_have_count(0)  # coordinators answer, others close
    page.reload()
    here(page)
    expect(page.locator(".rail .n")).to_have_text(str(before - 1), use_inner_text=True)
    assert watch.problems == []


def test_run_now_is_disabled_while_it_is_asked_for_or_runs(visit, scene):
    page, watch = visit("coordinator", "/sync")
    page.get_by_role("button", name="Run now").click()
    button = page.get_by_role("button", name="Asked for, begins shortly…")
    button.wait_for()
    expect(button).to_be_disabled()
    with unit_of_work(scene.url, scene.service()) as unit:
        unit.session.execute(text("update app.sync_request set taken_at = now()"))
    page.get_by_role("button", name="Run now").wait_for()  # the page follows by itself
    expect(page.locator("table.runs tbody tr")).to_have_count(6)
    assert watch.problems == []


def test_a_failed_sync_puts_the_amber_banner_on_every_page_and_a_good_one_takes_it_away(visit, scene):
    dashboard.add_run(
        scene, state="failed", sentence="The token was refused; nothing was changed.", ago=timedelta(seconds=50)
    )
    page, _ = visit("coordinator", "/participants")
    banner = page.locator(".banner.stale")
    assert re.search(r"As of \d\d:\d\d, sync failed: The token was refused", banner.inner_text())
    page.screenshot(path=str(_folder() / "dashboard-stale-1440.png"))
    dashboard.add_run(scene, state="succeeded", sentence="All forms were read.", ago=timedelta(seconds=1))
    page.reload()
    here(page)
    expect(page.locator(".banner.stale")).to_have_count(0)


def test_a_site_s_own_people_only_by_grid_search_and_direct_address(visit, scene):
    page, _ = visit("site", "/participants?rows=100")
    sites = {code[:3] for code in page.locator("table.grid tbody th").all_inner_texts()}
    assert sites == {"702"}
    other = next(code for code in dashboard.codes(SUBJECTS) if code.startswith("701"))
    page, _ = visit("site", f"/participants/{other}")
    expect(page.get_by_role("heading", name="Not found")).to_be_visible()
    page, _ = visit("site", f"/participants/{other}/baseline/vital-signs")
    expect(page.get_by_role("heading", name="Not found")).to_be_visible()
    page, _ = visit("site", f"/search?q={other}")
    expect(page.get_by_text("Nothing found")).to_be_visible()
    page, _ = visit("site", "/questions?state=all")
    assert {code[:3] for code in page.locator(".list .body b").all_inner_texts()} <= {"702"}


def test_whoever_is_blinded_meets_no_arm_anywhere(visit):
    code = dashboard.codes(SUBJECTS)[0]
    for path in (
        "/overview",
        "/participants",
        f"/participants/{code}",
        f"/participants/{code}/screening-1/demographics",
    ):
        page, _ = visit("coordinator", path)
        words = page.evaluate(DEEP_TEXT)
        assert not re.search("Placebo|Low dose|High dose", words), path
    expect(page.get_by_text("Blinded: not shown to your role")).to_be_visible()


def test_a_page_that_is_not_declared_or_not_allowed_is_refused_with_the_reason(scene, base):
    def get(who, path):
        cookies = {"metricis_session": scene.token(who)} if who else {}
        return httpx.get(base + path, cookies=cookies, follow_redirects=False)

    assert get(None, f"{HOME}/overview").headers["location"].startswith("/sign-in?next=%2Fapp")
    assert get("coordinator", f"{HOME}/secrets").status_code == 404
    assert get("coordinator", "/app/other-study/overview").status_code == 403
    refused = get("viewer", f"{HOME}/participants")
    assert refused.status_code == 403
    assert "The role viewer may not see form values." in refused.text
    for part in ("/autoload.js", "/metadata"):
        assert get("viewer", f"{HOME}/participants{part}").status_code == 403
    guest = httpx.get(f"{base}{HOME}/overview", cookies={"is_guest": "1", "user": "guest"})
    assert guest.status_code == 302


def test_a_websocket_from_another_origin_or_without_rights_is_refused(scene, base, window):
    context = window()
    context.add_cookies([{"name": "metricis_session", "value": scene.token("viewer"), "url": base}])
    page = context.new_page()
    opened = "path => new Promise(r => { const s = new WebSocket(path); s.onopen = () => r('open'); s.onerror = () => r('refused'); })"
    address = base.replace("http", "ws") + HOME
    page.goto("about:blank")
    assert page.evaluate(opened, f"{address}/overview/ws") == "refused"
    page.goto(f"{base}/shell/icon.svg")
    assert page.evaluate(opened, f"{address}/participants/ws") == "refused"


def test_a_revoked_session_stops_acting_at_once(visit, scene, monkeypatch):
    async def nobody_looks(_watch):
        """The look that ends a page's socket comes too late, so that the press reaches the program."""

    monkeypatch.setattr(sockets.Watch, "_look", nobody_looks)
    token = scene.token("coordinator")
    page, _ = visit("coordinator", "/sync", token=token)
    with unit_of_work(scene.url, KNOCKING) as unit:
        access.sign_out(unit, token)
    # The page may say meanwhile that the session ended, over everything else; a press that comes through it does nothing.
    page.get_by_role("button", name="Run now").dispatch_event("click")
    page.get_by_text("You have been signed out, so nothing was done.").wait_for()
    with unit_of_work(scene.url, scene.actor("coordinator")) as unit:
        waiting = unit.session.execute(
            text("select count(*) from app.sync_request where taken_at is null")
        ).scalar_one()
    assert waiting == 0


def test_static_files_are_compressed_once_and_kept_by_the_browser(base):
    page = httpx.get(f"{base}/shell/shell.css?v=1", headers={"accept-encoding": "gzip"})
    assert page.headers["content-encoding"] == "gzip"
    assert "immutable" in page.headers["cache-control"]
    again = httpx.get(f"{base}/shell/shell.css?v=1", headers={"if-none-match": page.headers["etag"]})
    assert again.status_code == 304
    bokeh = httpx.get(f"{base}/static/js/bokeh.min.js", headers={"accept-encoding": "gzip"})
    assert bokeh.status_code == 200
    assert bokeh.headers["etag"]
    assert httpx.get(f"{base}/static/js/nothing.js").status_code == 404


PAGES = {
    "studies": "/app/studies",
    "overview": "/overview",
    "participants": "/participants",
    "record": "/participants/701-1001",
    "form": "/participants/701-1001/week-2/vital-signs",
    "questions": "/questions?state=all",
    "sync": "/sync",
    "search": "/search?q=vital",
}
DEEP_TEXT = """() => { const read = node => { let out = ''; for (const one of node.childNodes) {
    if (one.nodeType === 3) out += one.textContent + ' ';
    else if (one.nodeType === 1 && !['SCRIPT', 'STYLE'].includes(one.tagName)) {
        for (const name of ['aria-label', 'title', 'placeholder']) out += (one.getAttribute(name) || '') + ' ';
        out += read(one.shadowRoot || one) + (one.shadowRoot ? read(one) : ''); } } return out; }; return read(document.body); }"""


def _folder():
    from pathlib import Path

    folder = Path("artifacts/screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.parametrize("width", [1440, 768, 390])
@pytest.mark.parametrize("name", list(PAGES))
def test_every_page_is_whole_at_every_width(visit, name, width):
    page, watch = visit("coordinator", PAGES[name], width=width)
    page.wait_for_timeout(300)
    page.screenshot(path=str(_folder() / f"dashboard-{name}-{width}.png"))
    assert sideways(page) <= 0
    assert watch.problems == []
    assert len(page.locator("main h1").all_inner_texts()) == 1
    assert INTERNAL.findall(page.evaluate(DEEP_TEXT) + page.url) == []
    if width != 768:
        assert serious(page) == []


def test_the_night_theme_is_readable_and_kept(visit):
    page, _ = visit("coordinator", "/overview")
    page.get_by_role("button", name="Change between light and dark").click()
    page.reload()
    here(page)
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.wait_for_timeout(300)
    page.screenshot(path=str(_folder() / "dashboard-overview-dark-1440.png"))
    assert serious(page) == []
    page.goto(page.url.replace("overview", "participants"))
    here(page)
    page.screenshot(path=str(_folder() / "dashboard-participants-dark-1440.png"))
    assert serious(page) == []


def test_on_a_phone_the_menu_is_a_drawer_closed_at_first(visit):
    page, _ = visit("coordinator", "/overview", width=390, height=844)
    rail = page.get_by_role("navigation", name="Study", exact=True)
    expect(rail).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    rail.wait_for(state="visible")
    page.wait_for_timeout(250)
    page.screenshot(path=str(_folder() / "dashboard-menu-390.png"))
    rail.get_by_text("Sync runs").click()
    page.wait_for_url("**/sync")
