"""Fixtures of the journeys: one Chromium for the session, phones and desktops of a test's own, servers."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from tests.support.web import ARGUMENTS, CHROMIUM, running

#: Milliseconds that a page is given to come to what a test expects of it; how fast it does is measured in `benchmarks/`.
PATIENCE = 30_000
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The machine's Chromium, headless. `METRICIS_CHROMIUM` names another one."""
    path = os.environ.get("METRICIS_CHROMIUM", CHROMIUM)
    if not Path(path).exists():
        pytest.fail(f"There is no Chromium at {path}; install it, or name another one in METRICIS_CHROMIUM.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def serve() -> Iterator[Callable[[Any], str]]:
    """Serve an ASGI application until the test ends: `base = serve(app)`."""
    with ExitStack() as stack:
        yield lambda app: stack.enter_context(running(app))


@pytest.fixture
def window(chromium: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Open a browser window of one's own: `window(width=1440, height=900)`; other options go to Playwright."""
    with ExitStack() as stack:

        def opened(*, width: int = 1440, height: int = 900, **options: Any) -> BrowserContext:
            context = chromium.new_context(viewport={"width": width, "height": height}, **options)
            context.set_default_timeout(PATIENCE)
            stack.callback(context.close)
            return context

        yield opened


@pytest.fixture
def phone(window: Callable[..., BrowserContext]) -> Callable[..., BrowserContext]:
    """Open a phone: touch, 390 x 844 unless told otherwise."""

    def opened(*, width: int = 390, height: int = 844, **options: Any) -> BrowserContext:
        return window(width=width, height=height, has_touch=True, is_mobile=True, **options)

    return opened


@pytest.fixture
def pictures() -> Path:
    """Folder for screenshots; CI keeps it."""
    folder = Path(os.environ.get("METRICIS_ARTIFACTS", "artifacts")) / "screens"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
