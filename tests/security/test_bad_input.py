"""Generated requests at every door: types, sizes, encodings, replays, expired and foreign tokens. Seeded, so that a failure
can be repeated: no fault, no traceback, one clear sentence, nothing half-written.

`METRICIS_REQUESTS` says how many for each door; the nightly campaign asks for 10,000.
"""

import json
import os
import random
import re
from typing import get_args
from urllib.parse import quote, urlencode

import httpx
import psycopg
import pytest

from apps.routes import ROUTES, Who
from apps.shell.pages import PAGES
from datamodel.access import actions as access
from datamodel.access.actor import KNOCKING
from datamodel.kernel.unit import unit_of_work
from tests.support import dashboard

REQUESTS = int(os.environ.get("METRICIS_REQUESTS", "250"))
ODD = (
    "", " ", "\0", "\r\nset-cookie: a=b", "../../etc/passwd", "%2e%2e%2f", "' or 1=1 --", '"><script>alert(1)</script>',
    "{{7*7}}", "${jndi:ldap://x}", "Ω≈ç√∫", "\u202etxt.exe", "\ud7ff\ue000", "٣", "-1", "0", "1e309", "NaN", "null", "true",
    "9" * 40, "a" * 5000, "01-Jan-2026", "=cmd|' /C calc'!A0", "😀" * 50,
)  # fmt: skip
NAMES = ("name", "password", "next", "token", "code", "pin", "email", "q", "page", "state", "since", "answer", "csrf")
TYPES = (
    "application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain",
    "application/json; charset=utf-16", "", "a/b/c", "application/octet-stream", "text/xml",
)  # fmt: skip
FAULT = re.compile(r"Traceback|Internal Server Error|psycopg|sqlalchemy|File \"/|site-packages", re.IGNORECASE)
#: a door is all addresses for the same people; pages of the dashboard are one more
DOORS = (*get_args(Who), "pages")


def routes_of(door):
    """Every declared address of a door with its methods."""
    if door == "pages":
        return [(page.path, ["GET"]) for page in PAGES.all()]
    return [(path, sorted(needs.methods)) for path, needs in ROUTES.items() if needs.who == door]


def text(chance):
    return (
        chance.choice(ODD)
        if chance.random() < 0.7
        else "".join(chance.choices("abcXYZ019 _-é/\\", k=chance.randrange(40)))
    )


def value(chance, depth=0):
    kinds = ["text", "number", "none", "bool"] + ["list", "object"] * (depth < 3)
    match chance.choice(kinds):
        case "text":
            return text(chance)
        case "number":
            return chance.choice([0, -1, 2**63, 1e308, 0.1])
        case "none":
            return None
        case "bool":
            return True
        case "list":
            return [value(chance, depth + 1) for _ in range(chance.randrange(4))]
        case _:
            return {text(chance)[:30]: value(chance, depth + 1) for _ in range(chance.randrange(4))}


def body(chance):  # noqa: PLR0911 - one return a kind
    match chance.randrange(7):
        case 0:
            return b""
        case 1:
            return chance.randbytes(chance.randrange(400))
        case 2:
            return json.dumps(value(chance)).encode()
        case 3:
            return ("[" * 3000).encode()
        case 4:
            return b"x" * 300_000
        case 5:
            return json.dumps({chance.choice(NAMES): value(chance) for _ in range(4)}).encode("utf-8", "surrogatepass")
        case _:
            return urlencode({chance.choice(NAMES): text(chance) for _ in range(4)}, errors="replace").encode()


def filled(path, chance):
    known = {"study": dashboard.STUDY, "number": "1"}

    def one(found):
        name = found.group(1).partition(":")[0]
        return known[name] if name in known and chance.random() < 0.5 else quote(text(chance)[:200], safe="")

    return re.sub(r"{([^}]+)}", one, path)


def headers(chance, cookies, base):
    made = {"content-type": chance.choice(TYPES)}
    if chance.random() < 0.6:
        made |= {"sec-fetch-site": "same-origin", "origin": base}
    elif chance.random() < 0.5:
        made |= {"origin": chance.choice(["null", "https://evil.example", base + ".evil.example"])}
    if chance.random() < 0.8:
        made["cookie"] = f"metricis_session={chance.choice(cookies)}"
    if chance.random() < 0.4:
        made["authorization"] = f"Bearer {chance.choice(cookies)}"
    if chance.random() < 0.4:
        made["idempotency-key"] = chance.choice(["k" * 20, "", "a" * 300, "01a205ce-3333-7eae-ab2e-18d6216fae56"])
    if chance.random() < 0.3:
        made["accept-language"] = chance.choice(["fr", "zz;q=9", ",,,;;", "x" * 500])
    return made


@pytest.fixture(scope="module")
def cookies(scene):
    """Cookies of all sorts: one that works, one that was ended, one of nobody, and nonsense."""
    ended = scene.token("viewer")
    with unit_of_work(scene.url, KNOCKING) as unit:
        access.sign_out(unit, ended)
    return [scene.token("coordinator"), ended, "A" * 43, "", "x", "é" * 3, "a" * 3000]


@pytest.mark.parametrize("door", DOORS)
def test_nothing_that_comes_in_makes_a_fault(base, cookies, door):
    chance, doors, wrong = random.Random(f"{door} 1"), routes_of(door), []
    with httpx.Client(follow_redirects=False, timeout=30) as client:
        for number in range(REQUESTS):
            path, methods = chance.choice(doors)
            method = (
                chance.choice(methods) if chance.random() < 0.9 else chance.choice(["PUT", "DELETE", "PATCH", "TRACE"])
            )
            sent = {key: one.encode("utf-8") for key, one in headers(chance, cookies, base).items()}
            query = "?" + urlencode({chance.choice(NAMES): text(chance)[:300]}) if chance.random() < 0.5 else ""
            address = base + filled(path, chance) + query
            try:
                answer = client.request(method, address, headers=sent, content=body(chance))
            except (httpx.InvalidURL, httpx.LocalProtocolError):
                continue  # what no client can send does not arrive either
            if answer.status_code >= 500 or FAULT.search(answer.text) or not said(answer):
                wrong.append((number, method, path, answer.status_code, answer.text[:200]))
    assert wrong == []


def said(answer):
    """Return whether a refusal says something to whoever sent the request."""
    if answer.status_code < 400 or answer.status_code in {404, 405} or answer.request.method in {"HEAD", "OPTIONS"}:
        return True
    return len(answer.text.strip()) > 15


def test_and_nothing_was_half_written(scene, cluster):
    name = scene.url.rpartition("/")[2].partition("?")[0]
    with psycopg.connect(cluster.url(name)) as connection:
        (left,) = connection.execute("select count(*) from app.unaccounted").fetchone()
    assert left == 0
