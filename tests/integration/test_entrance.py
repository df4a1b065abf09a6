"""The entrance from outside, over HTTP: forms of ours only, cookies, headers, and every step of coming in."""

import re
from datetime import timedelta

import httpx
import pyotp
import pytest
from sqlalchemy import text
from starlette.routing import Route

from apps.cookies import HALF, HOLDER, SESSION, form_token
from apps.edge.app import create_edge
from apps.entrance import pages
from apps.entrance.app import routes as entrance
from datamodel.access.actor import KNOCKING
from datamodel.access.tables import SessionRow
from datamodel.audit import ledger
from datamodel.credentials import actions, tries
from datamodel.kernel.clock import system_clock
from datamodel.kernel.settings import settings
from tests.support.authenticator import Authenticator
from tests.support.staff import PASSWORD, World
from tests.support.stamps import altered
from tests.support.web import form_of, running

NAME = "ada@site.example"
NEW = "four quiet green boats"


@pytest.fixture
def world(database_url, owner_url, home, monkeypatch):
    monkeypatch.setenv("METRICIS_DATABASE_URL", database_url)
    settings.cache_clear()
    made = World(database_url, owner_url)
    made.now = system_clock()
    return made


@pytest.fixture
def application():
    app = create_edge()
    app.include_router(entrance())
    return app


@pytest.fixture
def browser(world, application):
    with (
        running(application) as base,
        httpx.Client(base_url=base, headers={"origin": base, "user-agent": "Firefox Linux"}, timeout=30) as client,
    ):
        yield client


def enter(browser, *, password=PASSWORD, name=NAME, **more):
    return browser.post("/sign-in", data={"name": name, "password": password} | form_of(browser, "/sign-in") | more)


def sentence(answer):
    return " ".join(re.findall(r'role="alert"[^>]*>([^<]+)<', answer.text))


# -- coming in -----------------------------------------------------------------------------------------------------


def test_a_password_brings_one_to_the_page_that_was_asked_for(world, browser):
    assert enter(browser, next="/app/demo/overview").headers["location"] == "/app/demo/overview"
    assert browser.get("/").headers["location"] == "/app/"
    assert "Ada Berger" in browser.get("/account").text


def test_wrong_passwords_are_one_sentence_and_then_a_wait(world, browser):
    answers = [enter(browser, password=f"wrong number {n}") for n in range(6)]
    assert [one.status_code for one in answers] == [403] * 5 + [429]
    unknown = enter(browser, name="nobody@site.example")
    hide = re.compile(r'value="[^"]*"|data-form="[^"]*"')
    assert hide.sub("", unknown.text) == hide.sub("", answers[0].text), "the same page for an unknown name"
    assert "wrong number" not in answers[0].text


def test_the_second_step_comes_between(world, browser):
    world.use_authenticator()
    answer = enter(browser)
    assert answer.headers["location"] == "/sign-in/code"
    assert SESSION not in browser.cookies
    assert browser.get("/account", follow_redirects=False).headers["location"].startswith("/sign-in")
    form = form_of(browser, "/sign-in/code")
    assert browser.post("/sign-in/code", data=form | {"code": "000000"}).status_code == 403
    answer = browser.post("/sign-in/code", data=form | {"code": world.recovery[0]})
    assert answer.headers["location"] == "/app/"
    assert HALF not in browser.cookies
    assert browser.get("/account").status_code == 200


def test_a_required_second_step_is_set_up_before_anything_opens(world, browser, monkeypatch):
    monkeypatch.setenv("METRICIS_REQUIRE_SECOND_FACTOR", "true")
    settings.cache_clear()
    assert enter(browser).headers["location"] == "/sign-in/set-up"
    assert browser.get("/account").status_code == 303
    page = browser.post("/sign-in/set-up/authenticator", data=form_of(browser, "/sign-in/set-up"))
    assert "<svg" in page.text
    secret = re.search(r'class="secret">([A-Z2-7 ]+)<', page.text).group(1).replace(" ", "")
    form = {"form": re.search(r'name="form" value="(\w+)"', page.text).group(1)}
    wrong = browser.post("/sign-in/set-up/authenticator/confirm", data=form | {"code": "000000"})
    assert wrong.status_code == 403
    assert "<svg" in wrong.text, "the same code can be scanned again"
    done = browser.post("/sign-in/set-up/authenticator/confirm", data=form | {"code": pyotp.TOTP(secret).now()})
    assert len(re.findall(r"<li><code>([A-Z0-9-]{19})</code>", done.text)) == 10
    assert browser.get("/account").status_code == 200


def test_a_half_sign_in_does_not_set_up_another_factor(world, browser):
    world.use_authenticator()
    enter(browser)
    assert browser.get("/sign-in/set-up").headers["location"] == "/sign-in/code"
    answer = browser.post("/sign-in/set-up/authenticator", data=form_of(browser, "/sign-in/code"))
    assert answer.headers["location"] == "/sign-in/code"


def test_an_invitation_leads_in(world, browser):
    with world.unit(world.admin) as unit:
        token = actions.invite(unit, account_id=world.ada)
    for _ in range(3):
        assert browser.get("/welcome").status_code == 200, "looking spends nothing"
    form = form_of(browser, "/welcome") | {"token": token, "accepted": "yes"}
    differ = browser.post("/welcome", data=form | {"password": NEW, "again": "something else"})
    assert (differ.status_code, "two passwords differ" in sentence(differ)) == (403, True)
    assert "guessed first" in sentence(
        browser.post("/welcome", data=form | {"password": "password1234", "again": "password1234"})
    )
    done = browser.post("/welcome", data=form | {"password": NEW, "again": NEW})
    assert done.headers["location"] == "/app/"
    assert browser.get("/account").status_code == 200


def test_a_session_s_identifier_is_new_at_sign_in_step_up_and_password_change(world, browser):
    seen = []

    def renewed(answer):
        seen.append(browser.cookies[SESSION])
        assert answer.status_code == 303, sentence(answer)

    browser.cookies.set(SESSION, "planted-by-somebody-else")
    form = form_of(browser, "/sign-in")
    browser.cookies.delete(SESSION)
    renewed(browser.post("/sign-in", data={"name": NAME, "password": PASSWORD} | form))
    renewed(browser.post("/confirm", data={"password": PASSWORD} | form_of(browser, "/confirm")))
    change = {"old": PASSWORD, "password": NEW, "again": NEW}
    renewed(browser.post("/account/password", data=change | form_of(browser, "/account")))
    assert len(set(seen)) == 3
    assert "planted-by-somebody-else" not in seen
    for old in seen[:-1]:
        assert not world.is_signed_in(old)
    assert world.is_signed_in(seen[-1])


def test_passkeys_over_http(world, browser, monkeypatch):
    base = str(browser.base_url).rstrip("/").replace("127.0.0.1", "localhost")
    monkeypatch.setenv("METRICIS_BASE_URL", base)
    settings.cache_clear()
    device = Authenticator(base, "localhost")
    browser.headers["origin"] = base
    enter(browser)

    def ask(path, **fields):
        return browser.post(path, json=form_of(browser, fields.pop("page")) | fields)

    options = ask("/account/set-up/passkeys/options", page="/account")
    kept = ask("/account/set-up/passkeys", page="/account", answer=device.make(options.text))
    assert kept.json() == {"next": "/account/recovery-codes"}
    browser.post("/sign-out", data=form_of(browser, "/account"))
    assert enter(browser).headers["location"] == "/sign-in/code", "a passkey is a second factor"
    browser.cookies.delete(HALF)
    answer = ask("/sign-in/passkey/options", page="/sign-in")
    done = ask("/sign-in/passkey", page="/sign-in", answer=device.show(answer.text))
    assert done.json() == {"next": "/app/"}
    assert browser.get("/account").status_code == 200


def test_a_network_that_asks_too_often_is_not_looked_at_and_holds_nobody_s_password_up(world, browser, monkeypatch):
    monkeypatch.setitem(tries.MOST_REQUESTS, "ask-passkey", 3)
    form = form_of(browser, "/sign-in")
    told = [browser.post("/sign-in/passkey/options", json=form) for _ in range(5)]
    assert [one.status_code for one in told] == [200, 200, 200, 429, 429]
    assert "too many requests from this network" in told[-1].json()["sentence"]
    assert enter(browser).status_code == 303
    with world.unit(KNOCKING) as unit:  # and ten minutes later it asks again
        unit.session.execute(text("update app.credential_try set at = at - interval '11 minutes'"))
    browser.cookies.clear()
    assert browser.post("/sign-in/passkey/options", json=form_of(browser, "/sign-in")).status_code == 200


# -- my account ----------------------------------------------------------------------------------------------------


def test_what_changes_a_factor_asks_for_a_fresh_confirmation(world, browser):
    enter(browser)
    with world.unit(KNOCKING) as unit:
        altered(unit.session, SessionRow, confirmed_at=unit.instant - timedelta(minutes=6))
        ledger.record(unit, "test.turn_back")
    form = form_of(browser, "/account")
    for path in ("/account/recovery-codes", "/account/authenticator/remove", "/account/set-up/authenticator"):
        assert browser.post(path, data=form).headers["location"].startswith("/confirm?next=/account"), path
    assert browser.get("/account/set-up").headers["location"] == "/confirm?next=/account/set-up"
    answer = browser.post(
        "/confirm", data={"password": PASSWORD, "next": "/account/set-up"} | form_of(browser, "/confirm")
    )
    assert answer.headers["location"] == "/account/set-up"
    assert browser.get("/account/set-up").status_code == 200


def test_signed_in_browsers_are_listed_and_ended(world, browser):
    enter(browser)
    other = world.sign_in().token
    page = browser.get("/account").text
    assert page.count("Firefox on Linux") >= 2
    end = re.search(r'action="(/account/sessions/[0-9a-f-]{36}/end)"', page).group(1)
    browser.post(end, data=form_of(browser, "/account"))
    assert not world.is_signed_in(other)
    assert browser.get("/account").status_code == 200


def test_five_wrong_confirmations_sign_one_out(world, browser):
    enter(browser)
    form = form_of(browser, "/confirm")
    answers = [browser.post("/confirm", data={"password": f"wrong number {n}"} | form) for n in range(5)]
    assert [one.status_code for one in answers] == [403] * 4 + [303]
    assert browser.get("/account").status_code == 303


def test_a_page_learns_how_long_it_stays_signed_in_and_can_stay(world, browser):
    assert browser.get("/session").status_code == 401
    enter(browser)
    state = browser.get("/session").json()
    assert 890 <= state["seconds_left"] <= 900
    assert 43_100 <= state["seconds_at_most"] <= 43_200
    assert browser.post("/session", json={"form": state["form"]}).json()["seconds_left"] >= state["seconds_left"]
    assert browser.post("/session", json={"form": "x"}).status_code == 403


# -- forms of ours only (S20) ----------------------------------------------------------------------------------------


def unsafe():
    """Return the address of every changing route of the entrance."""
    some = "0198c0de-0000-7000-8000-000000000000"
    found = [(prefix, route) for prefix, route in _routes(entrance().routes) if "POST" in route.methods]
    paths = {prefix + route.path if not route.path.startswith(prefix) else route.path for prefix, route in found}
    return sorted(
        re.sub(r"\{(?!where)\w+\}", some, path).replace("{where}", where)
        for path in paths
        for where in (("account", "sign-in") if "{where}" in path else ("",))
    )


def _routes(found, prefix=""):
    for one in found:
        if isinstance(one, Route):
            yield prefix, one
        else:
            yield from _routes(one.original_router.routes, prefix)


CROSS = {
    "foreign origin": {"origin": "https://attacker.example"},
    "look-alike origin": {"origin": "http://127.0.0.1.attacker.example"},
    "null origin": {"origin": "null"},
    "no origin": {"origin": ""},
    "cross-site": {"sec-fetch-site": "cross-site"},
    "same-site": {"sec-fetch-site": "same-site"},
    "same-origin said beside a foreign origin": {"sec-fetch-site": "same-origin", "origin": "https://attacker.example"},
}


def test_every_changing_route_refuses_what_is_not_a_form_of_ours(world, browser):
    paths = unsafe()
    assert len(paths) >= 20
    enter(browser)
    token = form_of(browser, "/account")
    for path in paths:
        for why, headers in CROSS.items():
            for body in ({"data": token}, {"json": token}):
                answer = browser.post(path, headers=headers, **body)
                assert answer.status_code == 403, (path, why, answer.status_code)
        for body in (
            {"data": {}},
            {"data": {"form": "0" * 64}},
            {"json": {}},
            {"content": b"form=" + token["form"].encode()},
        ):
            answer = browser.post(path, **body)
            assert answer.status_code in {401, 403}, (path, body, answer.status_code)
    assert browser.get("/account").status_code == 200, "still signed in, nothing happened"


@pytest.mark.parametrize("token", [form_token("another"), "é" * 64, "٣", ""])
def test_a_token_of_another_browser_is_worth_nothing(world, browser, token):
    browser.get("/sign-in")
    answer = browser.post("/sign-in", data={"name": NAME, "password": PASSWORD, "form": token})
    assert answer.status_code == 403
    assert SESSION not in browser.cookies


@pytest.mark.parametrize(
    "raw", [b"form=a&form=b&" + b"x=1&" * 40, b"\xff\xfe", b"form=%00", b"x" * 40_000, b"{}", b"[]"]
)
def test_what_is_no_form_is_refused_in_one_sentence(world, browser, raw):
    for kind in ("application/x-www-form-urlencoded", "application/json", "multipart/form-data", ""):
        answer = browser.post("/sign-in", content=raw, headers={"content-type": kind})
        assert answer.status_code == 403
        assert "Traceback" not in answer.text


# -- cookies, headers, words -----------------------------------------------------------------------------------------


def test_cookies_behind_tls_belong_to_this_host_alone(world, browser, monkeypatch):
    monkeypatch.setenv("METRICIS_BASE_URL", "https://trial.example")
    settings.cache_clear()
    browser.headers["origin"] = "https://trial.example"
    page = browser.get("/sign-in")
    holder = page.headers["set-cookie"]
    value = re.match(rf"__Host-{HOLDER}=([^;]+)", holder).group(1)
    form = {"form": re.search(r'name="form" value="(\w+)"', page.text).group(1)}
    answer = browser.post(
        "/sign-in", data={"name": NAME, "password": PASSWORD} | form, headers={"cookie": f"__Host-{HOLDER}={value}"}
    )
    cookies = [one for one in answer.headers.get_list("set-cookie") if one.startswith(f"__Host-{SESSION}=")]
    for one in (holder, *cookies):
        said = one.lower()
        assert all(part in said for part in ("httponly", "secure", "path=/", "samesite=lax")), one
        assert "domain=" not in said
    assert len(cookies) == 1
    assert "max-age=31536000" in answer.headers["strict-transport-security"]


def test_pages_carry_a_policy_without_inline_anything(world, browser):
    enter(browser)
    for path in ("/account", "/account/set-up", "/confirm", "/welcome", "/account/recovery-codes"):
        page = browser.get(path)
        policy = page.headers["content-security-policy"]
        assert "unsafe" not in policy, path
        assert "frame-ancestors 'none'" in policy, path
        assert page.headers["cache-control"] == "no-store"
        assert not re.search(r"<script(?![^>]*src=)|\son\w+=|\sstyle=|<style", page.text), path


def test_both_languages_say_everything(world, browser):
    english, french = (pages.words_of(language)._texts for language in ("en", "fr"))
    assert english.keys() == french.keys()
    for key, words in english.items():
        assert set(re.findall(r"{\w+}", str(words))) == set(re.findall(r"{\w+}", str(french[key]))), key
    assert "Se connecter" in browser.get("/sign-in", headers={"accept-language": "fr-CH"}).text


def test_files_of_the_entrance_are_its_own(browser):
    assert browser.get("/entrance/passkey.js").status_code == 200
    for name in ("../app.py", "..%2fapp.py", "app.py", "passkey.js%00", "%2e%2e%2fpages.py"):
        assert browser.get(f"/entrance/{name}").status_code == 404


def test_no_secret_reaches_a_log(world, browser, caplog):
    caplog.set_level("DEBUG")
    enter(browser, password="a very secret phrase", name="secret.person@site.example")
    enter(browser)
    # httpx, httpcore and their like are the browser's side of this test
    ours = [one.getMessage() for one in caplog.records if not one.name.startswith(("http", "h11"))]
    for secret in ("a very secret phrase", "secret.person", PASSWORD, browser.cookies[SESSION]):
        assert not any(secret in line for line in ours)
