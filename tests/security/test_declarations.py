"""Every address says what it needs, found by walking the application; what is not declared does not exist in production."""

import asyncio
from typing import get_args

import httpx
import pytest
from fastapi import FastAPI

from apps.routes import ROUTES, Declared, Who
from apps.shell.pages import PAGES
from datamodel.access.rights import PERMISSIONS
from datamodel.kernel.settings import settings
from tests.support import dashboard

WRITES = {"POST", "PUT", "PATCH", "DELETE"}


def walk(routes):
    """Yield (path, methods) of every route of the tree."""
    for route in routes:
        inner = getattr(route, "original_router", None) or getattr(route, "app", None)
        if getattr(inner, "routes", None) is not None:
            yield from walk(inner.routes)
        elif getattr(route, "path", None):
            yield route.path, frozenset(route.methods or ())


@pytest.fixture(scope="module")
def app(scene):
    from apps.web import create_app

    return create_app()


def test_every_route_is_declared_and_every_declaration_is_served(app):
    served: dict[str, set[str]] = {}
    for path, methods in walk(app.router.routes):
        served.setdefault(path, set()).update(methods)
    assert len(served) > 30  # the walk found the tree
    assert sorted(served.keys() - ROUTES.keys()) == []
    assert sorted(ROUTES.keys() - served.keys()) == []
    wrong = {
        path: (methods, ROUTES[path].methods) for path, methods in served.items() if methods - ROUTES[path].methods
    }
    assert wrong == {}


def test_every_page_of_the_panel_tree_is_declared(app):
    (panel,) = app.state._panel_asgi_apps
    assert set(panel.core.applications) == {page.path for page in PAGES.all()}
    assert [pattern.pattern for pattern, _ in panel._extra_routes if "admin" in pattern.pattern] == []


def test_every_declaration_names_rights_of_the_table():
    for path, needs in ROUTES.items():
        assert needs.who in get_args(Who)
        assert not needs.permission or needs.permission in PERMISSIONS, path
        assert needs.study == "none" or needs.permission or needs.who == "secret", path
        assert needs.blinding == "none" or needs.study != "none", path
    for page in PAGES.all():
        assert not page.permission or page.permission in PERMISSIONS


def asked(base, path, method, cookie=""):
    headers = {"sec-fetch-site": "same-origin", "origin": base} | (
        {"cookie": f"metricis_session={cookie}"} if cookie else {}
    )
    filled = path
    for name in ("{session_id}", "{passkey_id}", "{identity_id}", "{assignment}"):
        filled = filled.replace(name, "00000000-0000-0000-0000-000000000001")
    filled = filled.replace("{number}", "1").replace("{study}", dashboard.STUDY).replace("{where}", "account")
    return httpx.request(method, base + filled, headers=headers, follow_redirects=False)


INSIDE = sorted(
    (path, method)
    for path, needs in ROUTES.items()
    if needs.who in {"staff", "participant", "person", "secret"}
    for method in needs.methods - {"HEAD"}
)


@pytest.mark.parametrize(("path", "method"), INSIDE)
def test_whoever_is_not_signed_in_gets_nothing_of_it(base, path, method):
    answer = asked(base, path, method)
    assert answer.status_code in {302, 303, 401, 403, 404, 411, 415, 422}, answer.text
    if answer.status_code in {302, 303}:
        assert answer.headers["location"].startswith(("/sign-in", "/link", "/pin")), answer.headers["location"]


@pytest.mark.parametrize(("path", "method"), [one for one in INSIDE if ROUTES[one[0]].who == "participant"])
def test_staff_have_no_participant_s_pages(base, scene, path, method):
    answer = asked(base, path, method, scene.token("coordinator"))
    assert answer.status_code in {302, 303, 401, 403, 404, 411, 415, 422}, answer.text


@pytest.mark.parametrize(("path", "method"), [one for one in INSIDE if one[1] in WRITES])
def test_what_comes_from_another_site_is_refused(base, scene, path, method):
    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}):
        cookie = {"cookie": f"metricis_session={scene.token('coordinator')}"}
        filled = path.replace("{study}", dashboard.STUDY)
        answer = httpx.request(method, base + filled, headers=headers | cookie)
        assert answer.status_code in {401, 403, 404, 415, 422}, path
        assert "set-cookie" not in answer.headers or "metricis_session" not in answer.headers["set-cookie"]


async def statuses(app, *paths):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x.example") as client:
        return {path: (await client.get(path)).status_code for path in paths}


@pytest.mark.parametrize("environment", ["production", "development"])
def test_what_nobody_declared_exists_outside_production_only(environment, monkeypatch):
    app = FastAPI()
    app.add_api_route("/forgotten", lambda: {"secret": "shown"})
    app.add_api_route("/api/forgotten", lambda: {"secret": "shown"})
    app.add_api_route("/api/health", lambda: {"status": "ok"})
    monkeypatch.setenv("METRICIS_ENVIRONMENT", environment)
    settings.cache_clear()
    try:
        found = asyncio.run(statuses(Declared(app), "/forgotten", "/api/forgotten", "/api/health", "/none"))
    finally:
        monkeypatch.undo()
        settings.cache_clear()
    forgotten = 404 if environment == "production" else 200
    assert found == {"/forgotten": forgotten, "/api/forgotten": forgotten, "/api/health": 200, "/none": 404}
