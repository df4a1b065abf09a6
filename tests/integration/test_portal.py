"""The participants' door over HTTP: mail scanners, who asks, PIN, and for whom a caregiver acts."""

import json
import os
import re
import statistics
import time
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text

from apps import cookies
from apps.edge.app import create_edge
from apps.entrance.app import routes as entrance
from datamodel.access.actor import KNOCKING
from datamodel.credentials import tries
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import unit_of_work
from datamodel.links import actions as links
from datamodel.links.codes import code_of
from datamodel.participants import caregivers
from pipelines.intake.steps import drain
from tests.support.capture import STUDY, build
from tests.support.mailbox import ADDRESS, coordinator, give_address, outbox, tokens
from tests.support.web import running

CODE, OTHER = "701-1015", "701-1023"
#: The campaign tries 200 (`METRICIS_LINKS=200`).
LINKS = int(os.environ.get("METRICIS_LINKS", "6"))


@pytest.fixture
def scene(database_url, home, monkeypatch):
    monkeypatch.setenv("METRICIS_DATABASE_URL", database_url)
    settings.cache_clear()
    made = build(database_url)
    yield made
    settings.cache_clear()


@pytest.fixture
def base(scene):
    app = create_edge()
    app.include_router(entrance())
    with running(app) as address:
        yield address


@pytest.fixture
def browser(base):
    """Open browsers of one's own: `one = browser()`."""
    opened = []

    def make(**headers):
        client = httpx.Client(base_url=base, headers={"origin": base} | headers, timeout=30)
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.close()


def rows(scene, statement):
    with unit_of_work(scene.url, KNOCKING) as unit:
        return unit.session.execute(text(statement)).all()


def ask(client, address=ADDRESS):
    answer = client.post("/link/ask", data={"address": address})
    assert answer.headers["location"] == "/link/sent"
    return client


def digits_on(client):
    return re.search(r'id="digits">(\d{3}) (\d{3})<', client.get("/link/sent").text).expand(r"\1\2")


def scan(browser, base, token):
    """Do what mail scanners do to a link, each with its own browser, scripts apart; never what a person does."""
    for method in ("HEAD", "GET", "GET"):
        assert browser().request(method, "/link").status_code == 200
    prefetch = {"purpose": "prefetch", "sec-purpose": "prefetch;prerender", "sec-fetch-site": "none"}
    preview = {"user-agent": "Slackbot-LinkExpanding 1.0", "range": "bytes=0-32768"}
    rewritten = {"x-forwarded-host": "safelinks.mail.example", "via": "1.1 safelinks.mail.example"}
    for headers in (prefetch, preview, rewritten):
        assert browser(**headers).get("/link", params={"token": token}).status_code == 200
    for headers in ({"origin": "https://safelinks.mail.example"}, {"sec-fetch-site": "cross-site"}):
        assert browser(**headers).post("/link", data={"token": token}).status_code == 403
    pressed = browser().post("/link", data={"token": token})  # one that presses every button
    assert (pressed.status_code, pressed.headers.get("set-cookie")) == (200, None)


def test_no_scanner_spends_a_link_or_gets_in_and_everybody_still_does(scene, base, browser):
    give_address(scene, CODE)
    entered = 0
    for number in range(LINKS):
        if number % 2:
            with unit_of_work(scene.url, coordinator(scene)) as unit:
                handed = links.hand_out(unit, study=STUDY, code=CODE)
            token, form, person = handed.token, {"code": handed.code}, browser()
        else:
            with unit_of_work(scene.url, KNOCKING) as unit:
                unit.session.execute(text("delete from app.link_request"))
            person = ask(browser())
            token, form = tokens(outbox(scene)[-1])[0], {}
        scan(browser, base, token)
        answer = person.post("/link", data={"token": token} | form)
        assert answer.headers["location"] == "/pin/new", answer.text
        assert person.get("/me").status_code == 200
        entered += 1
        for replay in ({}, form):
            assert browser().post("/link", data={"token": token} | replay).status_code == 403
    assert entered == LINKS
    assert rows(scene, "select count(*) from app.session")[0][0] == LINKS


def test_another_device_needs_the_digits_of_the_first(scene, browser):
    give_address(scene, CODE)
    first, second = ask(browser()), browser()
    token = tokens(outbox(scene)[0])[0]
    page = second.post("/link", data={"token": token})
    assert "six digits that are shown there" in page.text
    digits = digits_on(first)
    wrong = second.post("/link", data={"token": token, "code": f"{(int(digits) + 1) % 1_000_000:06d}"})
    assert (wrong.status_code, "Tries left: 4" in wrong.text) == (403, True), wrong.text[-900:]
    answer = second.post("/link", data={"token": token, "code": digits})
    assert answer.headers["location"] == "/pin/new"


def test_the_same_answer_after_the_same_time_for_known_and_unknown_addresses(scene, browser):
    give_address(scene, CODE)
    seen, took = {}, {"known": [], "unknown": []}
    for _ in range(5):
        for name, address in (("known", ADDRESS), ("unknown", f"{uuid4().hex}@mail.example")):
            client = browser()
            began = time.monotonic()
            answer = client.post("/link/ask", data={"address": address})
            took[name].append(time.monotonic() - began)
            heads = {key: value for key, value in answer.headers.items() if key not in {"date", "set-cookie"}}
            page = re.sub(r"\d{3} \d{3}<", "<", client.get("/link/sent").text)
            seen.setdefault(name, set()).add((answer.status_code, answer.text, json.dumps(heads), page))
            name_of_cookie, _, rest = answer.headers["set-cookie"].partition("=")
            assert (name_of_cookie, "HttpOnly" in rest) == (cookies.ASKED, True)
    assert seen["known"] == seen["unknown"]
    assert len(seen["known"]) == 1
    assert abs(statistics.median(took["known"]) - statistics.median(took["unknown"])) < 0.05
    assert len(outbox(scene)) == links.MOST_MAILS


def test_the_session_is_a_new_one_at_every_sign_in(scene, browser):
    client = browser()
    client.cookies.set("metricis_session", "planted-by-somebody-before-sign-in-0000000", domain="127.0.0.1")
    client.post("/link", data={"token": scene.link(CODE)})
    first = client.cookies["metricis_session"]
    assert first != "planted-by-somebody-before-sign-in-0000000"
    client.post("/link", data={"token": scene.link(CODE)})
    assert client.cookies["metricis_session"] != first
    client.cookies.clear()
    client.cookies.set("metricis_session", first)
    assert client.get("/me").headers["location"].startswith("/sign-in")


def set_pin(client, pin="4071"):
    form = re.search(r'name="form" value="(\w+)"', client.get("/pin/new").text).group(1)
    return client.post("/pin/new", data={"pin": pin, "again": pin, "form": form})


def test_a_device_with_a_pin_asks_for_the_pin_alone(scene, browser):
    client = browser()
    client.post("/link", data={"token": scene.link(CODE)})
    assert "Set a PIN" in client.get("/me").text
    assert set_pin(client).headers["location"] == "/me"
    assert "Set a PIN" not in client.get("/me").text
    del client.cookies["metricis_session"]
    assert client.get("/me").headers["location"] == "/pin?why=signed-out"
    assert client.post("/pin", data={"pin": "9999"}).status_code == 403
    assert client.post("/pin", data={"pin": "4071"}).headers["location"] == "/me"
    assert client.get("/me").status_code == 200
    del client.cookies["metricis_device"]
    assert client.post("/pin", data={"pin": "4071"}).status_code == 403


def test_a_pin_is_set_by_the_person_signed_in_from_our_own_page_only(scene, browser):
    client = browser()
    assert client.post("/pin/new", data={"pin": "4071", "again": "4071"}).headers["location"].startswith("/sign-in")
    client.post("/link", data={"token": scene.link(CODE)})
    assert client.post("/pin/new", data={"pin": "4071", "again": "4071"}).status_code == 403
    assert set_pin(client, "1234").status_code == 422
    assert rows(scene, "select count(*) from app.device")[0][0] == 0


def test_links_are_asked_for_so_often_from_one_network_and_no_oftener(scene, browser, monkeypatch):
    monkeypatch.setitem(tries.MOST_REQUESTS, "ask-link", 3)
    client = browser()
    told = [client.post("/link/ask", data={"address": f"p{one}@nowhere.example"}) for one in range(4)]
    assert [one.status_code for one in told] == [303, 303, 303, 429]
    assert "too many requests from this network" in told[-1].text
    assert outbox(scene) == []


UNSAFE = ("/link", "/link/ask", "/pin", "/pin/new", "/pin/forget", "/me/for")


@pytest.mark.parametrize("path", UNSAFE)
@pytest.mark.parametrize(
    "headers",
    [{"origin": "https://elsewhere.example"}, {"origin": ""}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}],
)
def test_nothing_is_taken_from_another_site(scene, browser, path, headers):
    answer = browser(**headers).post(path, data={"token": scene.link(CODE), "address": ADDRESS, "pin": "4071"})
    assert answer.status_code == 403
    assert rows(scene, "select count(*) from app.session")[0][0] == 0


@pytest.mark.parametrize("path", UNSAFE)
@pytest.mark.parametrize("body", [b"\xff\xfe", b"token=%00", b"a=1&" * 2000, b"{}", b"pin=" + b"9" * 5000])
def test_a_body_that_is_no_form_of_ours_is_refused_in_one_sentence(scene, browser, path, body):
    for kind in ("application/x-www-form-urlencoded", "text/plain"):
        answer = browser().post(path, content=body, headers={"content-type": kind})
        assert answer.status_code < 500, answer.text
        assert "Traceback" not in answer.text


@pytest.fixture
def mother(scene, browser):
    """A caregiver of both participants, signed in."""
    with unit_of_work(scene.url, coordinator(scene)) as unit:
        account = caregivers.add(unit, study=STUDY, code=CODE, relation="mother")
        caregivers.add(unit, study=STUDY, code=OTHER, relation="mother", account_id=account)
        handed = links.hand_out(unit, study=STUDY, code=CODE, account_id=account)
    client = browser()
    client.post("/link", data={"token": handed.token, "code": handed.code})
    return client, account


def choose(client, scene, code):
    form = re.search(r'name="form" value="(\w+)"', client.get("/me/for").text).group(1)
    return client.post("/me/for", data={"participant": str(scene.people[code].id), "form": form})


def test_a_caregiver_chooses_and_what_they_do_says_who_acted(scene, mother):
    client, account = mother
    assert client.get("/me").headers["location"] == "/me/for"
    assert choose(client, scene, OTHER).headers["location"] == "/me"
    page = client.get("/me").text
    assert f"Vous agissez pour {OTHER}" in page
    who = json.loads(re.search(r'id="page">(.*?)</script>', page).group(1))["who"]
    consent = json.loads(re.search(r'id="page">(.*?)</script>', client.get("/me/consent").text).group(1))
    body = {
        "decision": "agreed",
        "version": consent["version"],
        "content_sha256": consent["content_sha256"],
        "method": "typed",
        "typed_name": "Somebody",
        "is_certified": True,
        "decided_at": rows(scene, "select now()")[0][0].isoformat(),
    }
    # another tab chose somebody else meanwhile: a message stays for whom its page was made
    choose(client, scene, CODE)
    sent = client.post(
        "/api/consent",
        json=body,
        headers={"idempotency-key": str(uuid4()), "metricis-who": who.replace("<", "%3C").replace(" ", "%20")},
    )
    assert sent.status_code == 202, sent.text
    drain(scene.url)
    with unit_of_work(scene.url, scene.owner) as unit:
        filed = unit.session.execute(text("select participant_id, signed_by from app.consent_signature")).one()
        told = unit.session.execute(
            text("select subject, change::text from app.audit_event where action = 'consent.file_signature'")
        ).one()
        came = unit.session.execute(
            text("select actor_id, actor_kind from app.audit_event where action = 'intake.accept'")
        ).one()
    assert tuple(filed) == (scene.people[OTHER].id, account)
    assert told.subject == f"participant:{OTHER}"
    assert f"{CODE}/C1" in told.change
    assert tuple(came) == (account, "caregiver")


def test_a_caregiver_whose_time_is_over_is_refused_with_the_reason(scene, mother):
    client, account = mother
    choose(client, scene, CODE)
    assert client.get("/me").status_code == 200
    with unit_of_work(scene.url, coordinator(scene)) as unit:
        for code in (CODE, OTHER):
            caregivers.end(unit, study=STUDY, code=code, account_id=account)
    assert client.get("/me").headers["location"] == "/me/for"
    assert "You act for nobody at present" in client.get("/me/for").text
    refused = client.post("/api/consent", json={}, headers={"idempotency-key": str(uuid4())})
    assert (refused.status_code, refused.json()["code"]) == (403, "acts-for-nobody")


def test_a_caregiver_chooses_nobody_they_do_not_act_for(scene, browser):
    with unit_of_work(scene.url, coordinator(scene)) as unit:
        account = caregivers.add(unit, study=STUDY, code=CODE, relation="father")
        handed = links.hand_out(unit, study=STUDY, code=CODE, account_id=account)
    client = browser()
    client.post("/link", data={"token": handed.token, "code": handed.code})
    assert choose(client, scene, OTHER).status_code == 403
    client.cookies.set("metricis_acts_for", str(scene.people[OTHER].id), domain="127.0.0.1")
    assert client.get("/me").headers["location"] == "/me/for"


def test_what_one_person_left_on_a_phone_is_not_sent_by_another(scene, browser):
    client = browser()
    client.post("/link", data={"token": scene.link(CODE)})
    for who in (OTHER, f"{CODE} < {CODE}/C1"):
        answer = client.post(
            "/api/consent",
            json={},
            headers={"idempotency-key": str(uuid4()), "metricis-who": who.replace("<", "%3C").replace(" ", "%20")},
        )
        assert (answer.status_code, answer.json()["code"]) == (401, "signed-out"), "it waits on the phone"


def test_the_digits_follow_from_the_nonce():
    assert code_of("a") == code_of("a") != code_of("b")
    assert all(re.fullmatch(r"\d{6}", code_of(str(number))) for number in range(200))
