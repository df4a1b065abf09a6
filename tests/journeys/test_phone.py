"""A participant's phone, with a real browser: link, consent, task, receipt, score; and what happens when it goes wrong."""

import re

import pytest
from playwright.sync_api import expect
from sqlalchemy import text

from apps.edge.app import create_edge
from apps.entrance.app import routes as entrance
from datamodel.audit import ledger
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import unit_of_work
from pipelines.intake.steps import drain
from tests.support.capture import build
from tests.support.web import Watch, repeating, serious, sideways, small_targets, small_text, wait_until

pytestmark = pytest.mark.browser
CODE, FRENCH = "701-1015", "701-1023"
NAME = "Eleonora Rigby-Whistlewood"


@pytest.fixture
def scene(database_url, home, monkeypatch):
    monkeypatch.setenv("METRICIS_DATABASE_URL", database_url)
    settings.cache_clear()
    made = build(database_url)
    yield made
    settings.cache_clear()


@pytest.fixture
def base(scene, serve):
    app = create_edge()
    app.include_router(entrance())
    return serve(app)


@pytest.fixture
def dispatcher(scene):
    with repeating(lambda: drain(scene.url)):
        yield


def rows(scene, statement, **values):
    with unit_of_work(scene.url, scene.service()) as unit:
        return unit.session.execute(text(statement), values).all()


def shorten(scene, trials=4, practice=1):
    """Make the assigned task short, so that a test takes seconds."""
    with unit_of_work(scene.url, scene.owner) as unit:
        unit.session.execute(
            text(
                "update app.battery set tasks = jsonb_set(tasks, '{0,parameters}', tasks->0->'parameters' || "
                "jsonb_build_object('trials', cast(:trials as int), 'practice_trials', cast(:practice as int), "
                "'isi_min_ms', 200, 'isi_max_ms', 400))"
            ),
            {"trials": trials, "practice": practice},
        )
        ledger.record(unit, "test.shorten")


def enter(scene, context, base, code=CODE):
    page = context.new_page()
    watch = Watch(page, base)
    page.goto(f"{base}/link#{scene.link(code)}")
    page.get_by_role("button", name=re.compile("Sign in|Se connecter")).click()
    page.wait_for_url(f"{base}/me")
    return page, watch


def read_through(page):
    for _ in range(5):
        page.locator(".step:not([hidden]) .end").scroll_into_view_if_needed()
        page.locator("#next:not([disabled])").click()


def sign_typed(page, base):
    page.goto(f"{base}/me/consent")
    read_through(page)
    page.get_by_role("radio", name="Type my name").check()
    page.get_by_label("First and last name").fill(NAME)
    page.get_by_label("I have read this text").check()
    page.get_by_role("button", name="I agree", exact=True).click()
    page.locator("#signed").wait_for()


def draw(page, down=60):
    page.locator("#pad").scroll_into_view_if_needed()
    box = page.locator("#pad").bounding_box()
    page.mouse.move(box["x"] + 40, box["y"] + down)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 90, steps=8)
    page.mouse.up()


def sign_drawn(page, pictures):
    """Draw, undo, clear, draw again, turn the phone, and sign."""
    read_through(page)
    agree = page.get_by_role("button", name="I agree", exact=True)
    expect(agree).to_be_disabled()
    draw(page, down=60)
    draw(page, down=100)
    page.get_by_label("I have read this text").check()
    expect(agree).to_be_enabled()
    page.screenshot(path=pictures / "phone-consent-sign-390.png", full_page=True)
    page.get_by_role("button", name="Undo").click()
    expect(agree).to_be_enabled()
    page.get_by_role("button", name="Clear").click()
    expect(agree).to_be_disabled()
    draw(page)
    page.set_viewport_size({"width": 844, "height": 390})
    page.set_viewport_size({"width": 390, "height": 844})
    expect(agree).to_be_enabled()
    agree.click()
    page.locator("#signed").wait_for()
    expect(page.locator("#signed")).to_contain_text("receipt", use_inner_text=True)
    page.screenshot(path=pictures / "phone-consent-copy-390.png", full_page=True)


def do_trials(page, number):
    """Press the circle as a person would: when it turns bright."""
    for _ in range(number):
        page.locator("#jspsych button.go:not([disabled])").tap()


def do_task(page, base, scene, trials=4):
    page.goto(f"{base}/me/task/{scene.people[CODE].assignment}")
    page.locator("#start").click()
    do_trials(page, 1)
    page.get_by_role("button", name="Go on").tap()
    do_trials(page, trials)


def test_link_consent_task_receipt_and_score(scene, base, dispatcher, phone, pictures):
    shorten(scene)
    page, watch = enter(scene, phone(), base)
    expect(page.locator("article")).to_have_count(2)
    expect(page.locator("article[data-assignment]")).to_contain_text("Not open", use_inner_text=True)
    page.screenshot(path=pictures / "phone-home-blocked-390.png", full_page=True)

    page.get_by_role("link", name="Read and decide").click()
    page.screenshot(path=pictures / "phone-consent-1-390.png", full_page=True)
    sign_drawn(page, pictures)
    page.get_by_role("link", name="Go to your tasks").click()
    page.screenshot(path=pictures / "phone-home-open-390.png", full_page=True)
    page.get_by_role("link", name="Start").click()
    page.screenshot(path=pictures / "phone-task-intro-390.png", full_page=True)
    page.locator("#start").tap()
    page.locator("#jspsych button.target").first.wait_for()
    page.screenshot(path=pictures / "phone-task-wait-390.png")
    page.locator("#jspsych button.go").wait_for()
    page.screenshot(path=pictures / "phone-task-go-390.png")
    do_trials(page, 1)
    page.get_by_role("button", name="Go on").tap()
    do_trials(page, 4)
    page.locator("#delivery.done").wait_for()
    page.screenshot(path=pictures / "phone-task-done-390.png", full_page=True)
    receipt = int(re.search(r"receipt (\d+)", page.locator("#delivery").inner_text()).group(1))

    [found] = rows(scene, "select state, receipt, device, flags, is_simulated from app.assessment_session")
    assert (found.state, found.receipt, found.is_simulated) == ("scored", receipt, False)
    assert found.device["input"] == "touch"
    scores = dict(rows(scene, "select name, value from app.assessment_score"))
    assert scores["n_trials"] == 4
    assert scores["n"] + scores["anticipations"] == 4
    times = [
        row[0]
        for row in rows(scene, "select (data->>'rt')::int from app.assessment_trial where data->>'phase' = 'test'")
    ]
    assert all(0 < one < 5000 for one in times)
    page.goto(f"{base}/me")
    expect(page.locator("article .state.done")).to_have_count(2)
    page.screenshot(path=pictures / "phone-home-done-390.png", full_page=True)
    assert watch.problems == []
    assert not [one for one in watch.addresses if "Whistle" in one or "701-1015" in one]


def test_offline_during_the_task_then_online_everything_arrives_once(scene, base, dispatcher, phone, pictures):
    shorten(scene, trials=12)
    context = phone()
    page, watch = enter(scene, context, base)
    sign_typed(page, base)
    page.goto(f"{base}/me/task/{scene.people[CODE].assignment}")
    page.locator("#start").tap()
    do_trials(page, 1)
    context.set_offline(True)
    page.get_by_role("button", name="Go on").tap()
    do_trials(page, 12)
    page.locator("#delivery.saved").wait_for()
    expect(page.locator("#delivery")).to_contain_text("Saved on this phone", use_inner_text=True)
    expect(page.locator("#strip")).to_contain_text("offline", use_inner_text=True)
    page.screenshot(path=pictures / "phone-task-offline-390.png", full_page=True)
    assert rows(scene, "select count(*) from app.envelope where kind = 'jspsych'")[0][0] == 0
    page.reload()  # from the phone's own copy
    page.locator("#delivery.saved").wait_for()
    page.goto(f"{base}/me")
    page.locator("article .state.saved").wait_for()
    expect(page.locator("article[data-kind=consent] .state.done"), "the copy tells no old news").to_have_count(1)
    page.screenshot(path=pictures / "phone-home-saved-390.png", full_page=True)
    context.set_offline(False)
    wait_until(lambda: rows(scene, "select 1 from app.assessment_session where state = 'scored'"))
    wait_until(lambda: page.locator("article .state.done").count() == 2)
    assert rows(scene, "select count(*) from app.assessment_session")[0][0] == 1
    assert rows(scene, "select count(*) from app.envelope where kind = 'jspsych'")[0][0] == 2
    counts = rows(scene, "select data->>'phase', count(*) from app.assessment_trial group by 1 order by 1")
    assert counts == [("info", 1), ("practice", 1), ("test", 12), ("wait", 13)]
    watch.forgive("ERR_INTERNET_DISCONNECTED")
    watch.forgive("Failed to load resource")
    assert watch.problems == []


def test_the_store_grows_during_the_task_and_a_reload_keeps_what_was_done(scene, base, dispatcher, phone):
    shorten(scene, trials=14)
    page, watch = enter(scene, phone(), base)
    sign_typed(page, base)
    page.goto(f"{base}/me/task/{scene.people[CODE].assignment}")
    page.locator("#start").tap()
    do_trials(page, 1)
    page.get_by_role("button", name="Go on").tap()
    do_trials(page, 11)
    wait_until(lambda: rows(scene, "select count(*) from app.assessment_trial")[0][0] > 20)
    page.reload()
    page.locator("#left").wait_for()
    expect(page.locator("#left")).to_contain_text("starts from the beginning", use_inner_text=True)
    wait_until(
        lambda: rows(scene, "select count(*) from app.assessment_trial where data->>'phase' = 'test'")[0][0] == 11
    )
    assert rows(scene, "select state from app.assessment_session") == [("partial",)]
    do_again = page.locator("#start")
    do_again.tap()
    do_trials(page, 1)
    page.get_by_role("button", name="Go on").tap()
    do_trials(page, 14)
    page.locator("#delivery.done").wait_for()
    assert sorted(rows(scene, "select state from app.assessment_session")) == [("partial",), ("scored",)]
    assert watch.problems == []


def test_stopping_is_told_and_kept(scene, base, dispatcher, phone):
    shorten(scene)
    page, watch = enter(scene, phone(), base)
    sign_typed(page, base)
    page.goto(f"{base}/me/task/{scene.people[CODE].assignment}")
    page.locator("#start").tap()
    do_trials(page, 1)
    page.get_by_role("button", name="Stop").tap()
    page.get_by_text("You stopped.").wait_for()
    wait_until(lambda: rows(scene, "select 1 from app.assessment_session where state = 'partial'"))
    assert watch.problems == []


def test_a_server_that_fails_is_tried_again_with_the_same_key(scene, base, dispatcher, phone):
    shorten(scene)
    page, watch = enter(scene, phone(), base)
    sign_typed(page, base)
    keys = []

    def failing(route):
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) == 1:
            route.fulfill(status=503, body="{}")
        elif len(keys) == 2:
            route.fetch()  # it arrives, but the answer gets lost
            route.abort()
        else:
            route.continue_()

    page.route("**/api/assessments", failing)
    do_task(page, base, scene)
    page.locator("#delivery.done").wait_for()
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert rows(scene, "select count(*) from app.envelope where kind = 'jspsych'")[0][0] == 1
    watch.forgive("Failed to load resource")
    assert watch.problems == []


def test_without_consent_page_and_interface_refuse_with_the_sentence_of_the_ledger(scene, base, phone, pictures):
    page, watch = enter(scene, phone(), base)
    answer = page.goto(f"{base}/me/task/{scene.people[CODE].assignment}")
    assert answer.status == 403
    sentence = page.locator("#blocked p").inner_text()
    assert "needs your consent" in sentence
    page.screenshot(path=pictures / "phone-task-refused-390.png", full_page=True)
    said = page.evaluate(
        """async (assignment) => (await (await fetch('/api/assessments', {method: 'POST', headers: {'Content-Type': 'application/json', 'Idempotency-Key': crypto.randomUUID()},
            body: JSON.stringify({session: crypto.randomUUID(), assignment, task: 'simple-reaction-time', started_at: new Date().toISOString(), is_simulated: false, device: {}, trials: []})})).json()).sentence""",
        str(scene.people[CODE].assignment),
    )
    assert said == sentence
    told = [
        row[0]
        for row in rows(scene, "select change->'new'->>'sentence' from app.audit_event where action = 'consent.refuse'")
    ]
    assert told == [sentence, sentence]
    watch.forgive("403")
    assert watch.problems == []


def test_declining_is_as_easy_and_asks_nothing(scene, base, dispatcher, phone):
    page, watch = enter(scene, phone(), base)
    page.goto(f"{base}/me/consent")
    page.get_by_role("button", name="I do not want to take part").click()
    page.get_by_text("You said no to this consent").wait_for()
    page.goto(f"{base}/me")
    expect(page.locator("article").first).to_contain_text("You said no", use_inner_text=True)
    assert rows(scene, "select count(*) from app.consent_decline")[0][0] == 1
    sign_typed(page, base)
    assert watch.problems == []


def test_yes_and_no_have_the_same_weight(scene, base, phone):
    page, _ = enter(scene, phone(), base)
    page.goto(f"{base}/me/consent")
    read_through(page)
    yes, no = page.locator("#yes").bounding_box(), page.locator("#no").bounding_box()
    assert (yes["width"], yes["height"]) == pytest.approx((no["width"], no["height"]), abs=1)


def test_withdrawing_closes_the_tasks(scene, base, dispatcher, phone):
    page, watch = enter(scene, phone(), base)
    sign_typed(page, base)
    page.get_by_text("Withdraw my consent").click()
    page.get_by_role("button", name="Withdraw now").click()
    page.get_by_text("You withdrew your consent").wait_for()
    answer = page.goto(f"{base}/me/task/{scene.people[CODE].assignment}")
    assert answer.status == 403
    expect(page.locator("#blocked")).to_contain_text("withdrawn", use_inner_text=True)
    watch.forgive("403")
    assert watch.problems == []


def test_a_link_is_spent_by_its_button_only_and_once(scene, base, phone, pictures):
    token = scene.link(CODE)
    for _ in range(3):  # a mail scanner opens the address, scripts and all
        scanner = phone().new_page()
        scanner.goto(f"{base}/link#{token}")
        scanner.get_by_role("button", name="Sign in").wait_for()
    context = phone()
    page = context.new_page()
    watch = Watch(page, base)
    page.goto(f"{base}/link#{token}")
    page.screenshot(path=pictures / "phone-link-390.png", full_page=True)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{base}/me")
    late = phone().new_page()
    late.goto(f"{base}/link#{token}")
    late.get_by_role("button", name="Sign in").click()
    late.get_by_text("This sign-in link was used already").wait_for()
    late.screenshot(path=pictures / "phone-link-used-390.png", full_page=True)
    assert not [one for one in watch.addresses if token in one.partition("#")[0]]
    assert watch.problems == []


def test_signing_out_tells_what_was_not_sent_and_keeps_it(scene, base, dispatcher, phone, pictures):
    shorten(scene)
    context = phone()
    page, _ = enter(scene, context, base)
    sign_typed(page, base)
    page.route("**/api/assessments", lambda route: route.abort())
    do_task(page, base, scene)
    page.locator("#delivery.saved").wait_for()
    page.get_by_role("button", name="Sign out").click()
    page.locator("#leave").wait_for()
    expect(page.locator("#leave-text")).to_contain_text("Not sent yet: 1", use_inner_text=True)
    page.screenshot(path=pictures / "phone-leave-390.png")
    page.get_by_role("button", name="Sign out all the same").click()
    page.get_by_text("You are signed out").wait_for()
    page.unroute("**/api/assessments")
    other, _ = enter(scene, context, base, code=FRENCH)
    other.wait_for_timeout(1500)
    assert rows(scene, "select count(*) from app.envelope where kind = 'jspsych'")[0][0] == 0, (
        "nobody sends for another"
    )
    enter(scene, context, base)
    wait_until(lambda: rows(scene, "select 1 from app.assessment_session where state = 'scored'"))


@pytest.mark.parametrize("width", [360, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_the_phone_and_axe_finds_nothing_serious(
    scene, base, dispatcher, phone, pictures, width, scheme
):
    page, watch = enter(scene, phone(width=width, height=640, color_scheme=scheme), base, code=FRENCH)
    looked = []

    def look(name):
        looked.append(name)
        page.screenshot(path=pictures / f"phone-{name}-{scheme}-{width}.png", full_page=True)
        assert sideways(page) <= 0, name
        assert small_targets(page) == [], name
        assert small_text(page) == [], name
        assert serious(page) == [], name

    look("home")
    page.goto(f"{base}/me/task/{scene.people[FRENCH].assignment}")
    look("refused")
    page.goto(f"{base}/me/consent")
    look("consent")
    read_through(page)
    look("decision")
    page.get_by_role("radio", name="Taper mon nom").check()
    look("typed")
    page.get_by_label("Prénom et nom").fill(NAME)
    page.get_by_label("J’ai lu").check()
    page.get_by_role("button", name="J’accepte", exact=True).click()
    page.locator("#signed").wait_for()
    look("copy")
    page.goto(f"{base}/me/task/{scene.people[FRENCH].assignment}")
    look("intro")
    page.locator("#start").click()
    page.locator("#jspsych button.go").wait_for()
    look("stage")
    page.context.clear_cookies()
    for address, name in (("/sign-in", "signin"), ("/link", "link"), ("/nothing", "missing")):
        page.goto(f"{base}{address}")
        look(name)
    watch.forgive("403")
    watch.forgive("404")
    assert watch.problems == []
    assert len(looked) == 11


def test_the_whole_way_with_the_keyboard_alone(scene, base, dispatcher, window):
    shorten(scene, trials=3)
    page, watch = enter(scene, window(), base)
    page.goto(f"{base}/me/consent")

    def press_on(locator, key="Enter"):
        for _ in range(30):
            if locator.evaluate("one => one === document.activeElement"):
                break
            page.keyboard.press("Tab")
        else:
            pytest.fail("the keyboard does not get there")
        page.keyboard.press(key)

    for _ in range(5):
        page.keyboard.press("End")
        page.locator("#next:not([disabled])").wait_for()
        press_on(page.locator("#next"))
    page.locator('input[value="drawn"]').focus()
    page.keyboard.press("ArrowRight")
    press_on(page.locator("#name"), "a")
    page.keyboard.type("nne Example")
    press_on(page.locator("#agree"), "Space")
    press_on(page.locator("#yes"))
    page.locator("#signed").wait_for()
    page.goto(f"{base}/me/task/{scene.people[CODE].assignment}")
    press_on(page.locator("#start"))
    for number in range(4):
        page.locator("#jspsych button.go:focus").wait_for()
        page.keyboard.press("Enter")
        if number == 0:
            page.get_by_role("button", name="Go on").wait_for()
            page.keyboard.press("Enter")
    page.locator("#delivery.done").wait_for()
    assert rows(scene, "select device->>'input' from app.assessment_session") == [("keyboard",)]
    assert watch.problems == []


@pytest.mark.parametrize("mode", ["visual", "data-only"])
def test_simulated_results_are_marked(scene, base, dispatcher, phone, mode):
    shorten(scene)
    page, watch = enter(scene, phone(), base)
    sign_typed(page, base)
    page.goto(f"{base}/me/task/{scene.people[CODE].assignment}?simulate={mode}")
    page.locator("#start").tap()
    page.locator("#delivery.done").wait_for()
    assert rows(scene, "select is_simulated, state from app.assessment_session") == [(True, "scored")]
    assert watch.problems == []


def test_what_the_edge_refuses_is_told_kept_and_the_task_can_be_done_again(scene, base, dispatcher, phone, pictures):
    shorten(scene)
    page, watch = enter(scene, phone(), base)
    sign_typed(page, base)
    refusal = '{"code": "odd", "sentence": "The interface says no."}'
    page.route("**/api/assessments", lambda route: route.fulfill(status=422, body=refusal))
    do_task(page, base, scene)
    page.locator("#delivery.overdue").wait_for()
    expect(page.locator("#delivery")).to_contain_text("The interface says no.", use_inner_text=True)
    page.screenshot(path=pictures / "phone-task-problem-390.png", full_page=True)
    page.unroute("**/api/assessments")
    do_task(page, base, scene)
    page.locator("#delivery.done").wait_for()
    expect(page.locator("#strip")).to_contain_text("kept on this phone", use_inner_text=True)
    assert rows(scene, "select state from app.assessment_session") == [("scored",)]
    watch.forgive("422")
    assert watch.problems == []
