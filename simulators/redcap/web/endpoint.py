"""The API address: reads a request, passes it through the switches, and sends the answer."""

import asyncio
import mimetypes
from collections.abc import AsyncIterator, Iterable
from urllib.parse import parse_qsl

from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse

from simulators.redcap.api.call import Call, Reply, Server, Upload
from simulators.redcap.api.dispatch import answer
from simulators.redcap.web.switches import BANNED_PAGE, HTML_PAGE, OUT_OF_MEMORY, Switches, Traffic, drip, truncate

NOT_FOUND = (
    '<!DOCTYPE HTML PUBLIC "-//IETF//DTD HTML 2.0//EN">\n<html><head>\n<title>404 Not Found</title>\n</head><body>\n'
    "<h1>Not Found</h1>\n<p>The requested URL was not found on this server.</p>\n</body></html>\n"
)
_MANY = 1_000_000
_PART = 1 << 30


async def _pairs(request: Request) -> tuple[list[tuple[str, str]], Upload | None]:
    if request.headers.get("content-type", "").startswith("multipart/"):
        pairs, upload = [], None
        async with request.form(max_files=10, max_fields=_MANY, max_part_size=_PART) as form:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    file_name = value.filename or "file"
                    mime = mimetypes.guess_type(file_name)[0] or value.content_type or "application/octet-stream"
                    upload = Upload(file_name, mime, await value.read())
                else:
                    pairs.append((name, value))
        return pairs, upload
    body = await request.body()
    return await run_in_threadpool(parse_qsl, body.decode("utf-8", "replace"), keep_blank_values=True), None


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


def _as_stream(body: str | bytes | Iterable[bytes]) -> AsyncIterator[bytes]:
    if isinstance(body, str):
        return _once(body.encode())
    return _once(body) if isinstance(body, bytes) else iterate_in_threadpool(body)


def _sent(reply: Reply, switches: Switches) -> Response:
    media_type = reply.media_type.split(";")[0] if switches.no_charset else reply.media_type
    headers = {"content-type": media_type}
    body = reply.body
    if switches.truncate_bytes is None and switches.drip_bytes_per_second is None:
        if isinstance(body, str | bytes):
            return Response(body, status_code=reply.status, headers=headers)
        return StreamingResponse(iterate_in_threadpool(body), status_code=reply.status, headers=headers)
    stream = _as_stream(body)
    if switches.truncate_bytes is not None:
        stream = truncate(stream, switches.truncate_bytes)
    if switches.drip_bytes_per_second is not None:
        stream = drip(stream, switches.drip_bytes_per_second)
    return StreamingResponse(stream, status_code=reply.status, headers=headers)


async def _spoiled(switches: Switches, traffic: Traffic) -> Response | None:
    if switches.latency_ms:
        await asyncio.sleep(switches.latency_ms / 1000)
    if traffic.fails(switches):
        return HTMLResponse(HTML_PAGE.replace("Something else", "Internal Server Error"), switches.fail_status)
    if switches.html_200:
        return HTMLResponse(HTML_PAGE)
    return HTMLResponse(OUT_OF_MEMORY) if switches.out_of_memory_200 else None


async def serve(request: Request, server: Server, traffic: Traffic) -> Response:
    """Answer one POST to the API address."""
    limit = traffic.switches.max_body_bytes
    if limit is not None and int(request.headers.get("content-length", "0")) > limit:
        return HTMLResponse(HTML_PAGE.replace("Something else", "Request Entity Too Large"), 413)
    if traffic.is_banned(request.client.host if request.client else ""):
        return HTMLResponse(BANNED_PAGE)
    pairs, upload = await _pairs(request)
    if traffic.switches.max_input_vars is not None:
        pairs = pairs[: traffic.switches.max_input_vars]  # PHP drops the rest without a word
    call = Call(server, pairs, upload)
    traffic.count(call.get("content"), call.get("action"))
    switches = traffic.take(call.get("content"))
    spoiled = await _spoiled(switches, traffic)
    if spoiled is not None:
        return spoiled
    call.hidden = frozenset(switches.drop_records)
    return _sent(await run_in_threadpool(answer, call), switches)


async def refuse_get(_: Request) -> Response:
    """The API address takes POST only."""
    return PlainTextResponse("The API only accepts POST requests.", 405)
