"""The control surface: not REDCap's. It needs the control token unless the caller is on this machine."""

import asyncio
import hmac
import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulators.redcap.api.call import Call, Server
from simulators.redcap.formats import ApiError
from simulators.redcap.web.switches import Switches, Traffic
from simulators.redcap.web.trigger import fire, save_form

_HERE = {"127.0.0.1", "localhost", "::1"}
type View = Callable[[Request], Awaitable[Response]]


def allowed(request: Request, server: Server) -> bool:
    """Whether a caller may use what is not REDCap's: from this machine, or with the control token."""
    sent = request.headers.get("x-control-token", "")
    if sent and hmac.compare_digest(sent, server.store.setting("control_token")):
        return True
    # The name in the address bar counts too, so that a page elsewhere cannot lead a browser here under another name.
    if request.url.hostname not in _HERE:
        return False
    try:
        return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def _guarded(server: Server, view: View) -> View:
    async def guarded(request: Request) -> Response:
        if not allowed(request, server):
            return JSONResponse({"error": "The control token is missing or wrong; send it as X-Control-Token."}, 403)
        try:
            return await view(request)
        except (ValueError, ApiError) as error:
            return JSONResponse({"error": str(error)}, 400)

    return guarded


def control_routes(server: Server, traffic: Traffic) -> list[Route]:
    """Routes under ``/_sim/``: ``switches``, ``reset``, ``requests``, ``settings``, ``det``, ``save``."""
    waiting: set[asyncio.Task[None]] = set()

    async def switches(request: Request) -> Response:
        if request.method == "POST":
            traffic.switches = Switches.read(await request.json(), traffic.switches)
        return JSONResponse(asdict(traffic.switches))

    async def reset(_: Request) -> Response:
        traffic.reset()
        return JSONResponse(asdict(traffic.switches))

    async def requests(_: Request) -> Response:
        return JSONResponse({"counts": traffic.counts, "last": list(traffic.seen), "banned": sorted(traffic.banned)})

    async def settings(request: Request) -> Response:
        wanted: dict[str, str] = await request.json() if request.method == "POST" else {}
        server.change(**wanted)
        return JSONResponse({"public_url": server.public_url, "version": server.version, "time_zone": server.time_zone})

    async def det(request: Request) -> Response:
        wanted: dict[str, Any] = await request.json()
        await run_in_threadpool(_set_det, server, int(wanted["project_id"]), str(wanted["url"]))
        return JSONResponse({"project_id": wanted["project_id"], "url": wanted["url"]})

    async def save(request: Request) -> Response:
        wanted: dict[str, Any] = await request.json()
        sent = await run_in_threadpool(save_form, server, wanted)
        task = asyncio.create_task(fire(sent, traffic.switches))
        waiting.add(task)
        task.add_done_callback(waiting.discard)
        return JSONResponse({"saved": True, "trigger": sent.fields if sent.url else None})

    views: dict[str, tuple[View, list[str]]] = {
        "switches": (switches, ["GET", "POST"]),
        "reset": (reset, ["POST"]),
        "requests": (requests, ["GET"]),
        "settings": (settings, ["GET", "POST"]),
        "det": (det, ["POST"]),
        "save": (save, ["POST"]),
    }
    return [Route(f"/_sim/{name}", _guarded(server, view), methods=methods) for name, (view, methods) in views.items()]


def _set_det(server: Server, project_id: int, url: str) -> None:
    with server.store.writing():
        call = Call(server, [], project_id=project_id, username="site_admin")
        project = call.project
        project.doc["det_url"] = url
        server.store.save_project(project)
        call.log("manage", "Manage/Design ", "Modify project settings")
