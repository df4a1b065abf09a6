"""Running web servers and a real browser, for journeys.

Use: `from tests.support.web import Watch` in a test, and the fixtures `chromium`, `phone`, `serve` of
`tests/journeys/conftest.py`.
"""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import uvicorn

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--disable-dev-shm-usage",
]


@contextmanager
def running(app: Any) -> Iterator[str]:
    """Serve an ASGI application on a free loopback port in a thread; give its address."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
        config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        wait_until(lambda: server.started or not thread.is_alive(), seconds=60)
        assert server.started, "the server ended before it began; look at its log above"
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True
        thread.join(timeout=10)


@contextmanager
def repeating(work: Callable[[], Any], *, every: float = 0.2) -> Iterator[None]:
    """Do `work` again and again in a thread until the block ends (stands in for the dispatcher)."""
    stop = threading.Event()

    def loop() -> None:
        while not stop.wait(every):
            work()

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=10)


def form_of(client: Any, path: str) -> dict[str, str]:
    """Return the token that the forms of a page carry."""
    found = re.search(r'name="form" value="(\w+)"', client.get(path).text)
    assert found, f"{path} has no form"
    return {"form": found.group(1)}


def wait_until(true: Callable[[], Any], *, seconds: float = 30.0) -> Any:
    """Return the first truthy answer; AssertionError when there is none in time."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        answer = true()
        if answer:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"it did not become true in {seconds} s")


class Watch:
    """What a page did that it should not: console errors, faults, requests to other origins."""

    def __init__(self, page: Any, base: str) -> None:
        self.problems: list[str] = []
        self.addresses: list[str] = []
        self._host = urlsplit(base).netloc
        page.on("console", lambda one: self.problems.append(f"console: {one.text}") if one.type == "error" else None)
        page.on("pageerror", lambda error: self.problems.append(f"error: {error} {error.stack}"))
        page.on("request", self._request)

    def _request(self, request: Any) -> None:
        self.addresses.append(request.url)
        parts = urlsplit(request.url)
        if parts.scheme in {"http", "https", "ws", "wss"} and parts.netloc != self._host:
            self.problems.append(f"request to another origin: {parts.netloc}")

    def forgive(self, text: str) -> None:
        """Forget problems with that text: the test brought them about itself."""
        self.problems = [one for one in self.problems if text not in one]


def sideways(page: Any) -> int:
    """Return by how many pixels a page is wider than its window."""
    width: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return width


def small_targets(page: Any, least: int = 44) -> list[str]:
    """Return the visible buttons, links outside running text, and inputs that are smaller than `least` pixels."""
    found: list[str] = page.evaluate(
        """least => [...document.querySelectorAll('a.button, a.brand, nav a, button, summary, label.tick, .ways label, input[type=text], input[type=password]')]
            .filter(one => one.offsetParent !== null && !one.classList.contains('skip'))
            .map(one => [one, one.getBoundingClientRect()])
            .filter(([one, box]) => box.height < least || box.width < least)
            .map(([one, box]) => `${one.tagName} ${one.textContent.trim()} ${Math.round(box.width)}x${Math.round(box.height)}`)""",
        least,
    )
    return found


def small_text(page: Any, least: int = 16) -> list[str]:
    """Return the visible texts that are set smaller than `least` pixels."""
    found: list[str] = page.evaluate(
        """least => [...document.querySelectorAll('body *')]
            .filter(one => one.offsetParent !== null && [...one.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()))
            .filter(one => parseFloat(getComputedStyle(one).fontSize) < least).map(one => one.textContent.trim().slice(0, 40))""",
        least,
    )
    return found


def serious(page: Any) -> list[str]:
    """Return axe's serious and critical findings on a page."""
    from axe_playwright_python.sync_playwright import Axe

    results = Axe().run(page)
    return [
        f"{one['id']}: {[node['target'] for node in one['nodes']][:3]}"
        for one in results.response["violations"]
        if one["impact"] in {"serious", "critical"}
    ]
