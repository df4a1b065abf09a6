"""An institution's sign-in, against a provider that answers over HTTP, honestly and not."""

import time
from urllib.parse import parse_qs, urlsplit

import httpx
import psycopg
import pytest
from joserfc.jwk import OctKey, RSAKey

from apps.cookies import HALF, HOLDER, SESSION
from apps.edge.app import create_edge
from apps.entrance.app import routes as entrance
from datamodel.credentials import reads
from datamodel.kernel.clock import system_clock
from datamodel.kernel.settings import settings
from tests.support.institution import CLIENT, SECRET, Institution
from tests.support.staff import PASSWORD, World
from tests.support.web import form_of, running


@pytest.fixture
def world(database_url, owner_url, home, monkeypatch):
    monkeypatch.setenv("METRICIS_DATABASE_URL", database_url)
    settings.cache_clear()
    made = World(database_url, owner_url)
    made.now = system_clock()
    return made


@pytest.fixture
def hospital(monkeypatch):
    made = Institution()
    with running(made.app) as address:
        made.issuer = address
        monkeypatch.setenv("METRICIS_OIDC_ISSUER", address)
        monkeypatch.setenv("METRICIS_OIDC_CLIENT_ID", CLIENT)
        monkeypatch.setenv("METRICIS_OIDC_CLIENT_SECRET", SECRET)
        monkeypatch.setenv("METRICIS_OIDC_NAME", "St. Elsewhere")
        settings.cache_clear()
        yield made


@pytest.fixture
def browser(world, hospital, monkeypatch):
    app = create_edge()
    app.include_router(entrance())
    with running(app) as base, httpx.Client(base_url=base, headers={"origin": base}, timeout=30) as client:
        monkeypatch.setenv("METRICIS_BASE_URL", base)
        settings.cache_clear()
        yield client


def there_and_back(browser, out):
    """Follow the way to the institution and back, as a browser does; return our last answer."""
    back = httpx.get(out, timeout=30).headers["location"]
    return browser.get(back)


def through(browser, path="/sign-in/institution"):
    return there_and_back(browser, browser.get(path).headers["location"])


def link(browser):
    browser.post("/sign-in", data={"name": "ada@site.example", "password": PASSWORD} | form_of(browser, "/sign-in"))
    page = browser.post("/account/institution", data=form_of(browser, "/account"))
    out = page.text.split('class="button primary wide" href="')[1].split('"')[0].replace("&amp;", "&")
    answer = there_and_back(browser, out)
    assert answer.headers["location"] == "/account?done=linked"


def leave(browser):
    browser.post("/sign-out", data=form_of(browser, "/account"))
    assert SESSION not in browser.cookies


def test_nobody_is_let_in_or_made_because_an_institution_says_so(world, browser):
    answer = through(browser)
    assert answer.status_code == 403
    assert "No account here is linked" in answer.text
    assert SESSION not in browser.cookies
    with psycopg.connect(world.owner_url) as connection:
        assert connection.execute("select count(*) from app.account where kind = 'staff'").fetchone()[0] == 1


def test_a_linked_identity_signs_in_to_the_page_that_was_asked_for(world, browser):
    link(browser)
    leave(browser)
    assert through(browser, "/sign-in/institution?next=/app/demo/overview").headers["location"] == "/app/demo/overview"
    assert "Ada Berger" in browser.get("/account").text
    with psycopg.connect(world.owner_url) as connection:
        told = "".join(str(row) for row in connection.execute("select * from app.audit_event"))
    assert "subject-4711" not in told


def test_what_is_sent_to_the_institution_holds_pkce_state_and_nonce(world, browser, hospital):
    asked = parse_qs(urlsplit(browser.get("/sign-in/institution").headers["location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert all(len(asked[name][0]) >= 43 for name in ("state", "nonce", "code_challenge"))
    assert asked["scope"] == ["openid"]


def test_our_second_step_comes_after_the_institution_unless_it_vouches_for_one(world, browser, hospital):
    link(browser)
    leave(browser)
    world.use_authenticator()
    assert through(browser).headers["location"] == "/sign-in/code"
    assert SESSION not in browser.cookies
    browser.cookies.delete(HALF)
    hospital.lie = {"claims": {"amr": ["pwd", "mfa"]}}
    assert through(browser).headers["location"] == "/app/"


LIES = {
    "another audience": {"claims": {"aud": "another-client"}},
    "another issuer in the token": {"claims": {"iss": "https://attacker.example"}},
    "another nonce": {"claims": {"nonce": "x" * 43}},
    "an old token": {"claims": {"exp": int(time.time()) - 3600}},
    "no subject": {"claims": {"sub": ""}},
    "for another party": {"claims": {"aud": [CLIENT, "other"], "azp": "other"}},
    "another key": {"key": RSAKey.generate_key(2048, {"kid": "one"}, private=True)},
    "a shared secret": {"header": {"alg": "HS256"}, "key": OctKey.import_key(SECRET)},
    "a code that was not given": {"back": {"code": "made-up"}},
    "no code": {"back": {"code": ""}},
    "a state that was not given": {"back": {"state": "made-up"}},
    "another issuer beside the code": {"back": {"iss": "https://attacker.example"}},
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_what_does_not_hold_opens_nothing(world, browser, hospital, lie):
    link(browser)
    leave(browser)
    hospital.lie = lie
    answer = through(browser)
    assert (answer.status_code, "not accepted" in answer.text or "No account" in answer.text) == (403, True)
    assert SESSION not in browser.cookies


def test_an_institution_that_calls_itself_otherwise_is_not_asked(world, browser, hospital):
    hospital.lie = {"issuer": "https://attacker.example"}
    assert browser.get("/sign-in/institution").status_code == 503


def test_an_answer_works_once_and_for_the_browser_that_set_out(world, browser, hospital):
    link(browser)
    leave(browser)
    back = httpx.get(browser.get("/sign-in/institution").headers["location"]).headers["location"]
    holder = browser.cookies[HOLDER]
    assert browser.get(back, headers={"cookie": f"{HOLDER}=another-browser"}).status_code == 403
    back = httpx.get(browser.get("/sign-in/institution").headers["location"]).headers["location"]
    assert browser.get(back, headers={"cookie": f"{HOLDER}={holder}"}).status_code == 303
    assert browser.get(back).status_code == 403


def test_an_identity_belongs_to_one_account_and_can_be_unlinked(world, browser):
    link(browser)
    with world.unit() as unit:
        found = reads.factors(unit.session, world.ada).identities[0]
    answer = browser.post(f"/account/institution/{found.id}/remove", data=form_of(browser, "/account"))
    assert answer.headers["location"] == "/account?done=removed"
    leave(browser)
    assert through(browser).status_code == 403


def test_without_an_institution_there_is_no_such_door(world, browser, monkeypatch):
    monkeypatch.setenv("METRICIS_OIDC_ISSUER", "")
    settings.cache_clear()
    assert browser.get("/sign-in/institution").status_code == 404
    assert "St. Elsewhere" in browser.get("/sign-in").text  # the name alone decides nothing


def test_production_asks_an_institution_by_https_only(world, browser, monkeypatch):
    monkeypatch.setenv("METRICIS_ENVIRONMENT", "production")
    settings.cache_clear()
    assert browser.get("/sign-in/institution").status_code == 500
