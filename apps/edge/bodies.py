"""What may come in a body: how long, of which type, and under which key."""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from fastapi import Request

from datamodel.intake.actions import KEY_RULE
from datamodel.kernel.errors import BadInputError


class BodyError(BadInputError):
    """A body that is not read to its end, with the HTTP status that says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def limited(most: int, kind: str) -> Callable[[Request], Awaitable[bytes]]:
    """Return a dependency that reads at most `most` bytes of the type `kind`."""

    async def read(request: Request) -> bytes:
        given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if given != kind:
            raise BodyError(415, f"Received {_named(given)}; this address takes {kind}. Nothing was stored.")
        if request.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
            raise BodyError(
                415, "Received a packed body; this address unpacks none. Nothing was stored. Send it as it is."
            )
        length = request.headers.get("content-length", "0")
        if not length.isdigit() or int(length) > most:
            raise _too_long(most)
        chunks, size = [], 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > most:
                raise _too_long(most)
            chunks.append(chunk)
        return b"".join(chunks)

    return read


def _named(given: str) -> str:
    return "a body of another type" if given else "a body without a Content-Type"


def _too_long(most: int) -> BodyError:
    return BodyError(
        413, f"Received more than the {most:,} bytes that this address takes. Nothing was stored. Send less at once."
    )


def parsed(body: bytes) -> Any:
    """Return a JSON body; BadInputError (without any of its text) when it is none."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BodyError(
            400, f"Received {len(body)} bytes that are not JSON (RFC 8259). Nothing was stored. Send one JSON object."
        ) from error


def key_of(request: Request) -> str:
    """Return the request's idempotency key; BadInputError when it has none."""
    key = request.headers.get("idempotency-key", "")
    if not key:
        raise BodyError(
            400,
            f"Received no Idempotency-Key header; each message needs one of its own: {KEY_RULE}. Nothing was stored. "
            "Send the message again with the same key whenever there was no answer.",
        )
    return key
