"""The door in front of the pages: same origin for websockets, 404 for what is not declared, 403 with a reason."""

import asyncio
from typing import Final
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from apps.shell.frame import refusal_page
from apps.shell.pages import PAGES, may_open
from apps.shell.session import COOKIE, SIGN_IN, Visitor, database_url, visitor_of
from datamodel.kernel.errors import MetricisError, Refused, TransientFault
from datamodel.kernel.settings import settings

#: Addresses under which nothing but declared pages may answer.
_OURS: Final = ("/app/",)
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_NOT_FOUND: Final = "There is no page at this address. Check it, or go back to your studies."
#: Panel builds its own scripts in the page, so inline ones are allowed; other origins never are.
_POLICY: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' blob: data:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS: Final = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)


def is_own_origin(headers: Headers) -> bool:
    """Return whether a websocket's Origin is exactly ours: the address of the settings.

    Outside production a loopback address is ours too, when it is the very one that was asked.
    """
    origin = headers.get("origin", "")
    base = urlsplit(settings().base_url)
    if origin == f"{base.scheme}://{base.netloc}":
        return True
    host = headers.get("host", "")
    is_loopback = urlsplit(f"//{host}").hostname in _LOOPBACK
    return not settings().is_production and is_loopback and origin == f"http://{host}"


class Guard:
    """Asks who comes and whether they may, before Panel makes a page; puts safety headers on its answers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let through, send to the sign-in page, or refuse with the reason."""
        path = scope.get("path", "")
        if scope["type"] == "websocket":
            if not await asyncio.to_thread(_may_connect, scope):
                await send({"type": "websocket.close", "code": 4403})
                return
        elif scope["type"] == "http" and (path + "/").startswith(_OURS):
            answer = await asyncio.to_thread(_answer, scope, _page_path(path))
            if answer is not None:
                await answer(scope, receive, _with_headers(send))
                return
            send = _with_headers(send)
        await self.app(scope, receive, send)


def _may_connect(scope: Scope) -> bool:
    """Return whether a websocket comes from a page of ours, for a page that its browser may open."""
    if not is_own_origin(Headers(scope=scope)):
        return False
    try:
        visitor, found = _visitor(scope), PAGES.at(_page_path(scope["path"]))
    except MetricisError:
        return False
    return visitor is not None and found is not None and bool(may_open(found[0], visitor.actor, found[1]))


def _page_path(path: str) -> str:
    """Return the page that a request belongs to: its own parts (`/autoload.js`, `/metadata`) obey the same rule."""
    for suffix in ("/autoload.js", "/metadata", "/ws"):
        path = path.removesuffix(suffix)
    return path


def _answer(scope: Scope, path: str) -> Response | None:
    """Return the answer that ends it here, or None to go on."""
    try:
        visitor = _visitor(scope)
        if visitor is None:
            asked = path + (f"?{scope['query_string'].decode('latin-1')}" if scope.get("query_string") else "")
            return RedirectResponse(f"{SIGN_IN}?next={quote(asked, safe='')}", status_code=302)
        if path.rstrip("/") == "/app":
            return RedirectResponse(_landing(visitor), status_code=302)
        found = PAGES.at(path)
        if found is None:
            return _said("Not found", _NOT_FOUND, 404, visitor)
        may = may_open(found[0], visitor.actor, found[1])
        if isinstance(may, Refused):
            may.leave_trace(database_url(), visitor.actor)
    except MetricisError as error:
        return _said("Not available now", str(error), 503 if isinstance(error, TransientFault) else 500, None)
    return _said("Not allowed", may.sentence, 403, visitor) if isinstance(may, Refused) else None


def _landing(visitor: Visitor) -> str:
    """Return the first page: the one study's overview, or the list of several."""
    studies = [one.study for one in visitor.actor.memberships]
    return f"/app/{studies[0]}/overview" if len(studies) == 1 else "/app/studies"


def _visitor(scope: Scope) -> Visitor | None:
    cookies = cookie_parser(Headers(scope=scope).get("cookie", ""))
    return visitor_of(cookies.get(COOKIE, ""))


def _said(title: str, words: str, status: int, visitor: Visitor | None) -> Response:
    page = refusal_page(title=title, words=words, actor=visitor.actor if visitor else None)
    return HTMLResponse(page, status_code=status, headers={"cache-control": "no-store"})


def _with_headers(send: Send) -> Send:
    async def sending(message: dict) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *_HEADERS]}
        await send(message)

    return sending
