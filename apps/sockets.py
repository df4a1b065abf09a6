"""Open websockets: each belongs to one signed-in browser, ends with its session or its rights, and takes only so much.

A page's token says which browser it was made for (`seal`), so that it is worth nothing in another one. Once in `EVERY` seconds all
open sockets of the process are held against the database in one question.
"""

import asyncio
import hashlib
import hmac
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final
from uuid import UUID

from bokeh.util.token import get_token_payload
from starlette.types import Message, Receive, Send

from datamodel.access import reads as access_reads
from datamodel.access.actor import KNOCKING
from datamodel.kernel.errors import FaultError
from datamodel.kernel.scope import load_scope_key
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import unit_of_work

log = logging.getLogger("metricis.apps")

#: Header by which the guard tells Panel which browser a page is made for; what comes from outside under this name is dropped.
BROWSER: Final = "x-metricis-browser"
#: Seconds for which a page's token opens a websocket.
TOKEN_SECONDS: Final = 120
#: Seconds between two looks at the sessions of all open sockets.
EVERY: Final = 0.5
#: Largest message in bytes, and how many a second are taken over ten seconds.
LARGEST: Final = 2_000_000
RATE: Final = 100
_SPAN: Final = 10.0
#: Codes that a socket closes with: session or rights over; too large; too many.
ENDED: Final = 4401
TOO_LARGE: Final = 1009
TOO_MANY: Final = 1008


def page_key() -> bytes:
    """Return the key that pages' tokens are signed with: of all processes of this installation."""
    return hmac.new(load_scope_key(settings()), b"metricis page tokens", hashlib.sha256).digest()


def seal(session_id: UUID) -> str:
    """Return what a page's token says of the browser it was made for; it tells nothing of the session."""
    return hmac.new(page_key(), b"browser" + session_id.bytes, hashlib.sha256).hexdigest()


def is_token_of(subprotocols: Iterable[str], session_id: UUID) -> bool:
    """Return whether a websocket shows the token of a page that was made for this browser."""
    shown = [one for one in subprotocols if one != "bokeh"]
    if len(shown) != 1:
        return False
    try:
        headers = get_token_payload(shown[0])["headers"]
        made_for = next((value for name, value in headers.items() if name.lower() == BROWSER), "")
    except Exception:  # noqa: BLE001 - whatever a stranger sends as a token and cannot be read is no token
        return False
    return hmac.compare_digest(str(made_for), seal(session_id))


def _standing(tokens: list[str]) -> set[str]:
    with unit_of_work(settings().database_url.get_secret_value(), KNOCKING) as unit:
        return access_reads.still_standing(unit.session, tokens, now=unit.instant)


class Watch:
    """Ends open sockets whose session ended or whose account's rights changed."""

    def __init__(self, ask: Callable[[list[str]], set[str]] = _standing, *, every: float = EVERY) -> None:
        self._ask, self._every = ask, every
        self._open: dict[str, set[asyncio.Event]] = {}
        self._task: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def hold(self, token: str) -> AsyncIterator[asyncio.Event]:
        """Look after one open socket; the event is set when it must end."""
        ended = asyncio.Event()
        self._open.setdefault(token, set()).add(ended)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._look())
        try:
            yield ended
        finally:
            held = self._open.get(token, set())
            held.discard(ended)
            if not held:
                self._open.pop(token, None)

    async def _look(self) -> None:
        while self._open:
            await asyncio.sleep(self._every)
            tokens = list(self._open)
            try:
                standing = await asyncio.to_thread(self._ask, tokens)
            except FaultError:
                log.warning("The database does not answer, so open pages could not be held against their sessions.")
                continue  # every act asks again for itself, so nothing is done meanwhile
            for token in tokens:
                if token not in standing:
                    for ended in self._open.get(token, ()):
                        ended.set()


class Line:
    """One socket's messages: those that are too large or too many close it, and so does the end of its session."""

    def __init__(self, receive: Receive, send: Send, ended: asyncio.Event, *, now: Any = time.monotonic) -> None:
        self._receive, self._send, self._ended, self._now = receive, send, ended, now
        self._is_closed = False
        self._since, self._count = now(), 0

    async def receive(self) -> Message:
        """Give the next message, or the end."""
        if self._is_closed:
            return {"type": "websocket.disconnect", "code": ENDED}
        coming, ending = asyncio.ensure_future(self._receive()), asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait({coming, ending}, return_when=asyncio.FIRST_COMPLETED)
            if self._ended.is_set():
                return await self._close(ENDED)
            message = coming.result()
        finally:
            for task in (coming, ending):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        return await self._checked(message)

    async def send(self, message: Message) -> None:
        """Pass an answer on, unless the socket was closed meanwhile."""
        if not self._is_closed:
            await self._send(message)

    async def _checked(self, message: Message) -> Message:
        if message["type"] != "websocket.receive":
            return message
        now = self._now()
        if now - self._since > _SPAN:
            self._since, self._count = now, 0
        self._count += 1
        if len(message.get("bytes") or b"") + len(message.get("text") or "") > LARGEST:
            return await self._close(TOO_LARGE)
        return await self._close(TOO_MANY) if self._count > RATE * _SPAN else message

    async def _close(self, code: int) -> Message:
        self._is_closed = True
        await self._send({"type": "websocket.close", "code": code})
        return {"type": "websocket.disconnect", "code": code}
