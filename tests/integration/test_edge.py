"""The edge over HTTP: what it takes, what it refuses, and how it says so."""

import base64
import logging
import re
from uuid import uuid4

import httpx
import orjson
import psycopg
import pytest
import uvicorn
from sqlalchemy import text

from apps.cookies import SESSION as COOKIE
from apps.edge.app import create_edge
from apps.entrance.app import routes as entrance
from apps.entrance.way_in import own_page
from datamodel.consent import reads as consent
from datamodel.intake import triggers
from datamodel.kernel.database import engine_for
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import unit_of_work
from datamodel.vault.keys import load_key
from tests.support.capture import PASSWORD, STUDY, build
from tests.support.web import form_of, running

CODE = "701-1015"
SECRET = "Whistlewood"


@pytest.fixture
def scene(database_url, home, monkeypatch):
    monkeypatch.setenv("METRICIS_DATABASE_URL", database_url)
    settings.cache_clear()
    made = build(database_url)
    yield made
    settings.cache_clear()


@pytest.fixture
def edge(scene):
    app = create_edge()
    app.include_router(entrance())
    with running(app) as base, httpx.Client(base_url=base, headers={"origin": base}, timeout=30) as client:
        yield client


@pytest.fixture
def phone(scene, edge):
    answer = edge.post("/link", data={"token": scene.link(CODE)})
    assert (answer.status_code, answer.headers["location"]) == (303, "/me")
    return edge


def rows(scene, statement):
    with unit_of_work(scene.url, scene.service()) as unit:
        return unit.session.execute(text(statement)).all()


def consent_body(scene, **changes):
    with unit_of_work(scene.url, scene.service()) as unit:
        person = consent.who(unit.session, scene.people[CODE].id)
        shown = consent.version_in_force(unit.session, person.study_id, language="en", at=unit.instant)
        now = unit.instant.isoformat()
    return {
        "decision": "agreed",
        "decided_at": now,
        "version": str(shown.id),
        "content_sha256": shown.content_sha256,
        "is_certified": True,
        "method": "typed",
        "typed_name": f"E. {SECRET}",
    } | changes


def send(client, path, body, *, key=None, **headers):
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    head = {"content-type": "application/json", "idempotency-key": key or str(uuid4())} | headers
    return client.post(path, content=raw, headers={name: value for name, value in head.items() if value is not None})


def test_a_decision_gets_a_receipt_and_its_repeat_the_same_one(scene, phone):
    body, key = consent_body(scene), str(uuid4())
    first, again = (send(phone, "/api/consent", body, key=key) for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json()["receipt"] == again.json()["receipt"]
    assert phone.get(f"/api/receipts/{first.json()['receipt']}").json()["state"] == "pending"
    other = send(phone, "/api/consent", consent_body(scene, typed_name="Someone"), key=key)
    assert (other.status_code, other.json()["code"]) == (409, "key-reused")


@pytest.mark.parametrize(
    ("body", "headers", "status", "says"),
    [
        (b"{", {}, 400, "not JSON"),
        (b"[]", {}, 422, "one JSON object"),
        (b"{}", {"idempotency-key": None}, 422, "decision"),
        (b"{}", {"content-type": "text/plain"}, 415, "takes application/json"),
        (b"x" * 600_001, {}, 413, "600,000 bytes"),
        (b'{"decision": "%s"}' % SECRET.encode(), {}, 422, "'agreed', 'declined' or 'withdrawn'"),
    ],
)
def test_bad_input_is_told_what_is_allowed_and_stored_nowhere(scene, phone, body, headers, status, says):
    answer = send(phone, "/api/consent", body, **headers)
    assert answer.status_code == status
    assert says in answer.json()["sentence"]
    assert "Nothing was stored" in answer.json()["sentence"]
    assert SECRET not in answer.text
    assert rows(scene, "select count(*) from app.envelope")[0][0] == 0


def test_a_message_without_a_key_and_one_with_a_bad_key(scene, phone):
    assert "no Idempotency-Key" in send(phone, "/api/consent", consent_body(scene), **{"idempotency-key": None}).text
    assert send(phone, "/api/consent", consent_body(scene), key="x").status_code == 422


def test_a_body_that_lies_about_its_length_is_cut_off(scene, phone):
    def chunks():
        for _ in range(700):
            yield b"x" * 1000

    answer = phone.post("/api/consent", content=chunks(), headers={"content-type": "application/json"})
    assert answer.status_code == 413


def test_another_version_than_the_one_in_force_is_refused(scene, phone):
    answer = send(phone, "/api/consent", consent_body(scene, content_sha256="0" * 64))
    assert (answer.status_code, answer.json()["code"]) == (409, "consent-other-version")
    assert rows(scene, "select count(*) from app.envelope")[0][0] == 0


def test_nobody_sends_without_being_signed_in(scene, edge):
    for path in ("/api/consent", "/api/assessments"):
        answer = send(edge, path, {})
        assert (answer.status_code, answer.json()["code"]) == (401, "signed-out")
    assert edge.get("/me").headers["location"].startswith("/sign-in")


def test_staff_have_no_phone_view_and_send_nothing(scene, edge):
    answer = edge.post(
        "/sign-in", data={"name": "owner@demo.example", "password": PASSWORD} | form_of(edge, "/sign-in")
    )
    assert answer.headers["location"] == "/app/"
    assert edge.get("/me").status_code == 404
    assert send(edge, "/api/consent", consent_body(scene)).status_code == 404


def test_nobody_sees_another_s_task_or_receipt(scene, phone):
    assert phone.get(f"/me/task/{scene.people['701-1023'].assignment}").status_code == 404
    receipt = send(phone, "/api/consent", consent_body(scene)).json()["receipt"]
    phone.cookies.clear()
    phone.post("/link", data={"token": scene.link("701-1023")})
    assert phone.get(f"/api/receipts/{receipt}").status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
@pytest.mark.parametrize("path", ["/api/consent", "/api/assessments", "/sign-in", "/link", "/sign-out"])
def test_what_does_not_come_from_our_own_pages_is_refused(scene, phone, headers, path):
    answer = phone.post(path, content=b"{}", headers={"content-type": "application/json"} | headers)
    assert answer.status_code == 403
    assert phone.get("/me").status_code == 200, "still signed in"


def test_the_cookie_is_out_of_reach_of_scripts_and_secure_behind_tls(scene, edge, monkeypatch):
    head = edge.post("/link", data={"token": scene.link(CODE)}).headers["set-cookie"].lower()
    assert "httponly" in head
    assert "samesite=lax" in head
    assert "secure" not in head
    monkeypatch.setenv("METRICIS_BASE_URL", "https://trial.example")
    settings.cache_clear()
    answer = edge.post("/link", data={"token": scene.link(CODE)}, headers={"origin": "https://trial.example"})
    assert "secure" in answer.headers["set-cookie"].lower()
    assert "strict-transport-security" in answer.headers


def test_signing_in_gives_a_new_token_and_ends_the_one_before(scene, phone):
    before = phone.cookies[COOKIE]
    phone.post("/link", data={"token": scene.link(CODE)})
    after = phone.cookies[COOKIE]
    assert before != after
    phone.cookies.set(COOKIE, before)
    phone.cookies.delete(COOKIE)
    assert phone.get("/me", headers={"cookie": f"{COOKIE}={before}"}).status_code == 303
    assert phone.get("/me", headers={"cookie": f"{COOKIE}={after}"}).status_code == 200


def test_signing_out_ends_the_session(scene, phone):
    token = phone.cookies[COOKIE]
    assert phone.post("/sign-out").status_code == 403, "the form's token is missing"
    assert phone.post("/sign-out", data=form_of(phone, "/me")).headers["location"].startswith("/sign-in")
    assert phone.get("/me", headers={"cookie": f"{COOKIE}={token}"}).status_code == 303


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("/app/cdiscpilot/participants?site=701", True),
        ("/me/consent", True),
        ("/app", True),
        ("https://evil.example/app", False),
        ("//evil.example/app", False),
        ("/app//evil.example", False),
        ("/app/\\evil.example", False),
        ("/application", False),
        ("javascript:alert(1)", False),
    ],
)
def test_after_signing_in_one_goes_to_our_own_pages_only(address, kept):
    assert own_page(address) == (address if kept else "")


def test_opening_a_link_s_address_spends_nothing(scene, edge):
    token = scene.link(CODE)
    for _ in range(5):
        assert edge.get("/link").status_code == 200
        assert edge.head("/link").status_code in {200, 405}
        assert edge.get("/link", params={"token": token}).status_code == 200
    assert edge.post("/link", data={"token": token}).headers["location"] == "/me"
    late = edge.post("/link", data={"token": token})
    assert late.status_code == 403
    assert "used already" in late.text


@pytest.mark.parametrize(
    "path", ["/", "/sign-in", "/link", "/me", "/me/consent", "/nothing", "/api/health", "/api/nothing"]
)
def test_every_answer_carries_the_security_headers(scene, phone, path):
    head = phone.get(path).headers
    assert "default-src 'none'" in head["content-security-policy"]
    assert "unsafe" not in head["content-security-policy"]
    assert head["x-content-type-options"] == "nosniff"
    assert head["x-frame-options"] == "DENY"
    assert head["cache-control"] == "no-store"


def test_pages_hold_no_inline_script_style_or_handler(scene, phone):
    for path in ("/me", "/me/consent", f"/me/task/{scene.people[CODE].assignment}", "/sign-in", "/link"):
        html = phone.get(path).text
        assert not re.search(r"<script(?![^>]*(src=|application/json))", html), path
        assert not re.search(r"\son\w+=|\sstyle=|<style", html), path


def test_files_are_kept_by_their_version_and_zipped(scene, edge):
    page = edge.get("/link").text
    address = re.search(r'href="(/assets/metricis\.css\?v=\w+)"', page).group(1)
    first = edge.get(address)
    assert "immutable" in first.headers["cache-control"]
    assert first.headers["content-encoding"] == "gzip"
    assert edge.get(address, headers={"if-none-match": first.headers["etag"]}).status_code == 304
    assert "no-cache" in edge.get("/assets/metricis.css").headers["cache-control"]
    for outside in ("/assets/nothing.css", "/assets/../app.py", "/assets/%2e%2e/app.py"):
        assert edge.get(outside).status_code == 404


def test_the_libraries_of_the_task_page_are_served(scene, edge):
    for name in ("jspsych/jspsych.js", "jspsych/html-button-response.js", "signature_pad/signature_pad.js"):
        answer = edge.get(f"/assets/vendor/{name}")
        assert answer.status_code == 200
        # Both names are in use for JavaScript (RFC 9239 prefers the first); which one a machine has depends on its tables.
        assert answer.headers["content-type"].partition(";")[0] in {"text/javascript", "application/javascript"}


@pytest.fixture
def serve_logged(scene, monkeypatch):
    """The edge with uvicorn's own log of every address switched on."""
    original = uvicorn.Config
    monkeypatch.setattr(uvicorn, "Config", lambda app, **_: original(app, log_config=None, access_log=True))
    for name in ("uvicorn", "uvicorn.access"):  # as uvicorn.Config set them for the other tests
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)
    level = logging.getLogger("uvicorn.access").level
    logging.getLogger("uvicorn.access").setLevel(logging.INFO)
    yield lambda: running(create_edge())
    logging.getLogger("uvicorn.access").setLevel(level)


def trigger(edge, *, study=STUDY, secret=None, form=None, **options):
    query = {} if secret is None else {"secret": secret}
    body = {"project_id": "1", "record": f"{SECRET}-1", "instrument": "vitals"} if form is None else form
    return edge.post(f"/api/redcap/{study}", params=query, data=body, headers={"origin": ""}, **options)


def test_a_trigger_is_a_hint_stored_once(scene, edge):
    secret = triggers.secret(settings(), STUDY)
    first, second = trigger(edge, secret=secret), trigger(edge, secret=secret)
    assert first.status_code == 202
    assert second.json()["receipt"] == first.json()["receipt"]
    basic = base64.b64encode(f"redcap:{secret}".encode()).decode()
    answer = edge.post(
        f"/api/redcap/{STUDY}",
        data={"project_id": "1", "record": "2", "instrument": "vitals"},
        headers={"authorization": f"Basic {basic}"},
    )
    assert answer.status_code == 202
    assert SECRET not in str(
        rows(scene, "select e::text, a::text from app.envelope e join app.audit_event a on a.id = e.event_id")
    )


@pytest.mark.parametrize("change", [{"secret": None}, {"secret": ""}, {"secret": "0" * 64}, {"study": "other"}])
def test_a_trigger_without_the_right_secret_is_refused(scene, edge, change):
    given = {"secret": triggers.secret(settings(), STUDY)} | change
    answer = trigger(edge, **given)
    assert (answer.status_code, answer.json()["code"]) == (403, "wrong-secret")
    assert rows(scene, "select count(*) from app.envelope")[0][0] == 0


def test_a_trigger_without_its_parts_is_told_which(scene, edge):
    answer = trigger(edge, secret=triggers.secret(settings(), STUDY), form={"record": SECRET})
    assert answer.status_code == 422
    assert "project_id, instrument" in answer.json()["sentence"]
    assert SECRET not in answer.text


def test_no_secret_and_no_value_reaches_a_log(scene, serve_logged, caplog):
    secret = triggers.secret(settings(), STUDY)
    token = scene.link(CODE)
    with (
        serve_logged() as base,
        httpx.Client(base_url=base, headers={"origin": base}) as client,
        caplog.at_level(logging.DEBUG),
    ):
        client.post(
            f"/api/redcap/{STUDY}?secret={secret}&x=1", data={"project_id": "1", "record": SECRET, "instrument": "v"}
        )
        client.post(f"/api/redcap/{STUDY}?secret=wrong{SECRET}", data={"record": SECRET})
        client.post("/link", data={"token": token})
        client.post("/sign-in", data={"name": SECRET, "password": SECRET})
        send(client, "/api/consent", consent_body(scene))
        send(client, "/api/consent", {"decision": SECRET})
    theirs = ("httpx", "httpcore")  # the client that plays the browser logs what it sends
    logged = "\n".join(one.getMessage() for one in caplog.records if not one.name.startswith(theirs))
    assert f"POST /api/redcap/{STUDY}?x=1" in logged, "the access log is on"
    assert not [one for one in (secret, token, SECRET) if one in logged]


def test_a_fault_shows_a_reference_and_no_internals(scene, phone, owner_url, caplog):
    engine_for(scene.url).dispose()
    with psycopg.connect(owner_url) as connection:
        connection.execute("alter table app.task_assignment rename to elsewhere")
    with caplog.at_level(logging.ERROR):
        answer = phone.get("/me")
    assert answer.status_code == 500
    reference = re.search(r"Reference (\w{8})", answer.text).group(1)
    assert reference in caplog.text
    assert not re.search(r"Traceback|psycopg|sqlalchemy|select|File ", answer.text)
    assert "select" not in caplog.text.lower()


def test_a_lost_database_is_said_and_asks_to_try_again(scene, edge, monkeypatch):
    monkeypatch.setenv("METRICIS_DATABASE_URL", "postgresql://nobody:x@127.0.0.1:1/none")
    settings.cache_clear()
    assert edge.get("/api/health").json() == {"status": "no database"}
    answer = edge.get("/me", headers={"cookie": f"{COOKIE}=x"})
    assert answer.status_code == 503
    assert "127.0.0.1" not in answer.text


def test_health_tells_the_time(scene, edge):
    answer = edge.get("/api/health")
    assert answer.json()["status"] == "ok"
    assert answer.json()["now"].endswith("+00:00")


def test_a_wrong_method_is_told_the_right_one(scene, edge):
    answer = edge.get("/api/consent")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert "takes POST" in answer.json()["sentence"]


def test_simulation_is_dead_in_production(scene, phone, monkeypatch):
    load_key(settings())  # makes the key file of a development installation
    key = (settings().home / "root.key").read_text()
    address = f"/me/task/{scene.people[CODE].assignment}?simulate=visual"
    assert '"simulate": "visual"' in phone.get(address).text
    monkeypatch.setenv("METRICIS_ENVIRONMENT", "production")
    monkeypatch.setenv("METRICIS_ROOT_KEY", key)
    settings.cache_clear()
    page = phone.get(address).text
    assert '"simulate": ""' in page
    assert "Development installation" not in page


def test_the_browser_s_language_is_spoken_before_signing_in(scene, edge):
    assert "Se connecter" in edge.get("/sign-in", headers={"accept-language": "fr-CH,fr;q=0.9"}).text
    assert 'lang="en"' in edge.get("/sign-in", headers={"accept-language": "de"}).text
