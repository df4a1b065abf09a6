"""Static files that do not change under an address: compressed once, named by their content, kept by the browser."""

import gzip
import hashlib
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from datamodel.kernel.settings import settings

_COMPRESSIBLE: Final = ("text/", "application/javascript", "application/json", "image/svg+xml")
#: Files whose address names their version never change under it; others are asked for again, answered 304.
_FOREVER: Final = b"public, max-age=31536000, immutable"
_ASK_AGAIN: Final = b"public, max-age=0, must-revalidate"
#: These answers do not pass the guards of the pages: a file is no page, and no frame's content.
_SAFETY: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"),
)
_TLS_ONLY: Final = (b"strict-transport-security", b"max-age=31536000")


@dataclass(frozen=True, slots=True)
class _Kept:
    content_type: bytes
    plain: bytes
    packed: bytes | None
    etag: bytes


class KeepStatics:
    """Keeps answers under `prefixes` in memory: the whole set is some 10 MB and changes with a restart only."""

    def __init__(self, app: ASGIApp, *, prefixes: tuple[str, ...]) -> None:
        self.app = app
        self.prefixes = prefixes
        self.kept: dict[str, _Kept] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer from memory, or ask the application once."""
        if (
            scope["type"] != "http"
            or scope["method"] not in {"GET", "HEAD"}
            or not scope["path"].startswith(self.prefixes)
        ):
            await self.app(scope, receive, send)
            return
        kept = self.kept.get(scope["path"])
        if kept is None:
            kept = await self._ask(scope, receive, send)
            if kept is None:
                return
        await _answer(kept, scope, send)

    async def _ask(self, scope: Scope, receive: Receive, send: Send) -> _Kept | None:
        """Return the application's answer as kept from now on; pass on and return None when it is not a plain 200."""
        messages: list[Message] = []

        async def hold(message: Message) -> None:
            messages.append(message)

        plain_headers = [(name, value) for name, value in scope["headers"] if name not in {b"if-none-match", b"range"}]
        await self.app({**scope, "method": "GET", "headers": plain_headers}, receive, hold)
        if messages[0]["status"] != 200:  # noqa: PLR2004 - HTTP's own number
            for message in messages:
                await send(message)
            return None
        body = b"".join(message.get("body", b"") for message in messages[1:])
        content_type = Headers(raw=messages[0]["headers"]).get("content-type", "application/octet-stream")
        packed = gzip.compress(body, 6, mtime=0) if content_type.startswith(_COMPRESSIBLE) else None
        kept = _Kept(
            content_type=content_type.encode(),
            plain=body,
            packed=packed if packed is not None and len(packed) < len(body) else None,
            etag=f'"{hashlib.sha256(body).hexdigest()[:20]}"'.encode(),
        )
        self.kept[scope["path"]] = kept
        return kept


async def _answer(kept: _Kept, scope: Scope, send: Send) -> None:
    asked = Headers(scope=scope)
    is_versioned = b"v=" in scope.get("query_string", b"")
    headers = [
        (b"etag", kept.etag),
        (b"cache-control", _FOREVER if is_versioned else _ASK_AGAIN),
        (b"vary", b"accept-encoding"),
        *_SAFETY,
        *((_TLS_ONLY,) if settings().base_url.startswith("https://") else ()),
    ]
    if kept.etag.decode() in asked.get("if-none-match", ""):
        await send({"type": "http.response.start", "status": 304, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
        return
    body = kept.plain
    if kept.packed is not None and "gzip" in asked.get("accept-encoding", ""):
        body, headers = kept.packed, [*headers, (b"content-encoding", b"gzip")]
    headers += [(b"content-type", kept.content_type), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
