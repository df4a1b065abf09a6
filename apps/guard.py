"""The door in front of the pages: same origin for websockets, 404 for what is not declared, 403 with a reason.

Who comes is asked of the database at each request and at each websocket; Panel's own idea of the user is never used. A page's
token opens a websocket for the browser that it was made for and for no other.
"""

import asyncio
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit
from uuid import UUID

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from apps import cookies, sockets
from apps.shell.frame import refusal_page
from apps.shell.pages import PAGES, may_open
from apps.shell.session import SIGN_IN, Visitor, database_url
from datamodel.access import actions as access
from datamodel.access import reads as access_reads
from datamodel.access.actor import KNOCKING
from datamodel.kernel.errors import MetricisError, Refused, RefusedError, TransientFault
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import unit_of_work

#: Addresses under which nothing but declared pages may answer.
_OURS: Final = ("/app/",)
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
#: Arguments by which Bokeh would let a request join a page that exists already.
_JOINING: Final = frozenset({"bokeh-token", "bokeh-session-id"})
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


@dataclass(frozen=True, slots=True)
class Comer:
    """Who comes with a request: the visitor, which signed-in browser, and whether its account's rights are as they were."""

    visitor: Visitor
    session_id: UUID
    has_its_rights: bool


class Guard:
    """Asks who comes and whether they may, before Panel makes a page; puts safety headers on its answers."""

    def __init__(self, app: ASGIApp, *, watch: sockets.Watch | None = None) -> None:
        self.app = app
        self.watch = watch or sockets.Watch()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let through, send to the sign-in page, or refuse with the reason."""
        path = scope.get("path", "")
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
            return
        if scope["type"] == "http" and (path + "/").startswith(_OURS):
            answer, more = await asyncio.to_thread(_answer, scope, _page_path(path))
            send = _with_headers(send, more)
            if answer is not None:
                await answer(scope, receive, send)
                return
        await self.app(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not await asyncio.to_thread(_may_connect, scope):
            await send({"type": "websocket.close", "code": 4403})
            return
        async with self.watch.hold(_token(scope)) as ended:
            line = sockets.Line(receive, send, ended)
            await self.app(scope, line.receive, line.send)


def _may_connect(scope: Scope) -> bool:
    """Return whether a websocket comes from a page of ours, made for this very browser, that it may still open."""
    if not is_own_origin(Headers(scope=scope)):
        return False
    try:
        comer, found = _comer(scope, is_seen=False), PAGES.at(_page_path(scope["path"]))
    except MetricisError:
        return False
    if comer is None or found is None or not comer.has_its_rights:
        return False
    if not sockets.is_token_of(scope.get("subprotocols", ()), comer.session_id):
        return False
    return bool(may_open(found[0], comer.visitor.actor, found[1]))


def _page_path(path: str) -> str:
    """Return the page that a request belongs to: its own parts (`/autoload.js`, `/metadata`) obey the same rule."""
    for suffix in ("/autoload.js", "/metadata", "/ws"):
        path = path.removesuffix(suffix)
    return path


def _answer(scope: Scope, path: str) -> tuple[Response | None, list[tuple[bytes, bytes]]]:
    """Return the answer that ends it here, or None to go on; and headers for either."""
    more: list[tuple[bytes, bytes]] = []
    try:
        comer = _comer(scope)
        if comer is None:
            asked = path + (f"?{scope['query_string'].decode('latin-1')}" if scope.get("query_string") else "")
            return RedirectResponse(f"{SIGN_IN}?next={quote(asked, safe='')}", status_code=302), more
        if not comer.has_its_rights:
            comer = _renew(scope, comer, more)
        visitor = comer.visitor
        if path.rstrip("/") == "/app":
            return RedirectResponse(_landing(visitor), status_code=302), more
        found = PAGES.at(path)
        if found is None or _brings_a_token(scope):
            return _said("Not found", _NOT_FOUND, 404, visitor), more
        may = may_open(found[0], visitor.actor, found[1])
        if isinstance(may, Refused):
            may.leave_trace(database_url(), visitor.actor)
    except MetricisError as error:
        return _said("Not available now", str(error), 503 if isinstance(error, TransientFault) else 500, None), more
    _tell_panel(scope, comer)
    return (_said("Not allowed", may.sentence, 403, visitor) if isinstance(may, Refused) else None), more


def _renew(scope: Scope, comer: Comer, more: list[tuple[bytes, bytes]]) -> Comer:
    """Give a browser whose rights changed a new identifier, and put it into this answer and this request."""
    try:
        with unit_of_work(database_url(), KNOCKING) as door:
            fresh = access.rotate_session(door, _token(scope), why="rights changed")
    except RefusedError:
        return comer  # another request of this browser did it at the same moment; its answer brings the new one
    more.append((b"set-cookie", cookies.header(cookies.SESSION, fresh)))
    scope["headers"] = [one for one in scope["headers"] if one[0] != b"cookie"] + [
        (b"cookie", _with_cookie(Headers(scope=scope).get("cookie", ""), fresh))
    ]
    return Comer(Visitor(actor=comer.visitor.actor, token=fresh), comer.session_id, has_its_rights=True)


def _with_cookie(header: str, fresh: str) -> bytes:
    kept = {**cookie_parser(header), cookies.named(cookies.SESSION): fresh}
    return "; ".join(f"{name}={value}" for name, value in kept.items()).encode("latin-1")


def _brings_a_token(scope: Scope) -> bool:
    """Return whether a request wants to join a page that was made before: no page of ours asks for that."""
    names = {name for name, _ in parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)}
    return bool(names & _JOINING) or "bokeh-session-id" in Headers(scope=scope)


def _tell_panel(scope: Scope, comer: Comer) -> None:
    """Say which browser the page is made for, in the one header that goes into the page's token."""
    name = sockets.BROWSER.encode()
    kept = [one for one in scope["headers"] if one[0] != name]
    scope["headers"] = [*kept, (name, sockets.seal(comer.session_id).encode())]


def _landing(visitor: Visitor) -> str:
    """Return the first page: the one study's overview, or the list of several."""
    studies = [one.study for one in visitor.actor.memberships]
    return f"/app/{studies[0]}/overview" if len(studies) == 1 else "/app/studies"


def _token(scope: Scope) -> str:
    return cookies.of(cookie_parser(Headers(scope=scope).get("cookie", "")), cookies.SESSION)


def _comer(scope: Scope, *, is_seen: bool = True) -> Comer | None:
    token = _token(scope)
    if not token:
        return None
    with unit_of_work(database_url(), KNOCKING) as door:
        info = access_reads.session_of(door.session, token, now=door.instant)
        actor = access_reads.actor_of_session(door.session, token, now=door.instant) if info else None
        settled = access_reads.has_its_rights(door.session, token)
        if not is_seen:
            door.session.rollback()
    if info is None or actor is None or actor.kind != "staff":
        return None
    return Comer(Visitor(actor=actor, token=token), info.id, has_its_rights=settled)


def _said(title: str, words: str, status: int, visitor: Visitor | None) -> Response:
    page = refusal_page(title=title, words=words, actor=visitor.actor if visitor else None)
    return HTMLResponse(page, status_code=status, headers={"cache-control": "no-store"})


def _with_headers(send: Send, more: list[tuple[bytes, bytes]]) -> Send:
    async def sending(message: dict) -> None:
        if message["type"] == "http.response.start":
            tls = [(b"strict-transport-security", b"max-age=31536000")] if cookies.is_secure() else []
            message = {**message, "headers": [*message.get("headers", []), *_HEADERS, *tls, *more]}
        await send(message)

    return sending
