"""Every answer of every address, from outside: the headers of safety are on it, whatever it says (S21)."""

import httpx
import pytest

from apps import cookies
from apps.routes import ROUTES
from apps.shell.pages import PAGES
from datamodel.kernel.settings import settings
from tests.support import dashboard

FILES = ("/static/js/bokeh.min.js", "/shell/shell.css", "/assets/metricis.css", "/nothing")
ADDRESSES = sorted({*ROUTES, *(page.path for page in PAGES.all()), *FILES})


@pytest.fixture
def behind_tls(monkeypatch):
    monkeypatch.setenv("METRICIS_BASE_URL", "https://metricis.example.org")
    settings.cache_clear()
    yield
    monkeypatch.undo()
    settings.cache_clear()


@pytest.mark.parametrize("who", ["nobody", "coordinator"])
def test_every_answer_has_them(base, scene, behind_tls, who):
    held = {"cookie": f"{cookies.named(cookies.SESSION)}={scene.token(who)}"} if who != "nobody" else {}
    with httpx.Client(base_url=base, headers=held, timeout=30) as client:
        for path in ADDRESSES:
            client.cookies.clear()
            has_them(client, path)


def has_them(client, path):
    filled = path.replace("{study}", dashboard.STUDY).replace("{number}", "1")
    # without a body: what the page holds matters nothing here, and making it takes long
    answer = client.head(filled)
    policy = answer.headers.get("content-security-policy", "")
    assert "frame-ancestors 'none'" in policy, (path, answer.status_code)
    assert "object-src 'none'" in policy or "default-src 'none'" in policy, path
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"], path
    assert "max-age=31536000" in answer.headers["strict-transport-security"], path
    for cookie in answer.headers.get_list("set-cookie"):
        assert cookie.startswith("__Host-"), cookie.partition("=")[0]
        assert {"secure", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}


def test_there_are_many():
    assert len(ADDRESSES) > 40
