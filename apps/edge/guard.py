"""Around every request: same-origin check, security headers, no secret in logs, one boundary for faults."""

import logging
import secrets
import traceback
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from datamodel.kernel.errors import MetricisError, Refused
from datamodel.kernel.settings import settings

logger = logging.getLogger("metricis.edge")

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; worker-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # `no-referrer` would make browsers send `Origin: null` with our own forms.
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
#: Panel serves these with scripts and a policy of its own.
_NOT_OURS: Final = ("/app", "/static", "/components")
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
#: Machines without cookies call this; it has a secret instead.
_MACHINES: Final = "/api/redcap/"
#: Where the trigger's secret is kept for the route, out of the address.
SECRET: Final = "metricis.secret"  # noqa: S105 - a name, not a secret
CROSS_SITE: Final = Refused(
    "cross-site",
    "This was not sent from a page of this site, so it was not accepted.",
    "Open the page again and send it from there.",
)

Answer = Callable[[Scope, Receive, Send], Awaitable[None]]


class Guard:
    """The outermost layer of the edge. `refused` and `broken` make the answers (page or JSON)."""

    def __init__(
        self, app: ASGIApp, *, refused: Callable[[Scope, Refused], Answer], broken: Callable[[Scope, str], Answer]
    ) -> None:
        self.app = app
        self.refused = refused
        self.broken = broken

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["path"].startswith(_NOT_OURS):
            await self.app(scope, receive, send)
            return
        hide_secret(scope)
        state = {"started": False}
        send_with_headers = _with_headers(send, state)
        if scope["method"] not in _SAFE and not is_own(scope):
            await self.refused(scope, CROSS_SITE)(scope, receive, send_with_headers)
            return
        try:
            await self.app(scope, receive, send_with_headers)
        except Exception as error:  # noqa: BLE001 - the page boundary: nothing below catches broadly
            reference = note_fault(error)
            if not state["started"]:
                await self.broken(scope, reference)(scope, receive, send_with_headers)


def hide_secret(scope: Scope) -> None:
    """Take the trigger's secret out of the address, so that no log of addresses can hold it."""
    if not scope["path"].startswith(_MACHINES):
        return
    pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    scope[SECRET] = next((value for name, value in pairs if name == "secret"), "")
    scope["query_string"] = urlencode([pair for pair in pairs if pair[0] != "secret"]).encode()


def is_own(scope: Scope) -> bool:
    """Return whether a changing request comes from a page of ours (or from a machine that shows a secret).

    Browsers tell with Sec-Fetch-Site and with Origin, older ones with Origin alone. Whatever is told has to be ours.
    """
    if scope["path"].startswith(_MACHINES):
        return True
    headers = Headers(scope=scope)
    if headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return False
    host = urlsplit(headers.get("origin", "")).netloc
    return bool(host) and host in {headers.get("host", ""), urlsplit(settings().base_url).netloc}


def note_fault(error: Exception) -> str:
    """Log a fault under a new reference number and return the number.

    Only our own errors' words are logged: those of drivers and libraries may repeat values that were sent.
    """
    reference = secrets.token_hex(4).upper()
    words = str(error) if isinstance(error, MetricisError) else "(its message is withheld: it may hold values)"
    where = "".join(traceback.format_tb(error.__traceback__)[-4:])
    logger.error("Reference %s: %s %s\n%s", reference, type(error).__name__, words, where)
    return reference


def _with_headers(send: Send, state: dict[str, bool]) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            state["started"] = True
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("cache-control", "no-store")
            if settings().base_url.startswith("https://"):
                headers.setdefault("strict-transport-security", "max-age=31536000")
        await send(message)

    return sending
