"""Start the simulator: as an ASGI app, as a process of its own, or in a thread beside a test."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from simulators.redcap.api.call import Server
from simulators.redcap.store import Store
from simulators.redcap.web.control import control_routes
from simulators.redcap.web.endpoint import NOT_FOUND, refuse_get, serve
from simulators.redcap.web.pages import page_routes
from simulators.redcap.web.switches import BANNED_PAGE, Traffic

VERSION = "15.2.1"
_START_SECONDS = 20.0
_STOP_SECONDS = 10


def create_app(
    *,
    data_dir: Path,
    super_token: str | None = None,
    public_url: str = "http://127.0.0.1",
    version: str = VERSION,
    time_zone: str = "UTC",
) -> Starlette:
    """The simulator as an ASGI app.

    ``super_token`` is kept in ``data_dir`` and may be left out later; a random one is made if none was ever given. ``app.state`` has
    ``server`` (with its store) and ``traffic``.
    """
    ZoneInfo(time_zone)  # an unknown zone is refused now, not at the first request
    store = Store(data_dir)
    if super_token is not None:
        store.set_setting("super_token", super_token)
    store.setting("super_token")
    server = Server(store, public_url.rstrip("/"), version, time_zone)
    traffic = Traffic()

    async def api(request: Request) -> Response:
        return await serve(request, server, traffic)

    async def missing(request: Request, _: Exception) -> Response:
        banned = traffic.is_banned(request.client.host if request.client else "")
        return HTMLResponse(BANNED_PAGE) if banned else HTMLResponse(NOT_FOUND, 404)

    routes = [
        Route("/api/", api, methods=["POST"]),
        Route("/api/", refuse_get, methods=["GET"]),
        *control_routes(server, traffic),
        *page_routes(server, traffic),
    ]
    app = Starlette(routes=routes, exception_handlers={404: missing})
    app.state.server, app.state.traffic = server, traffic
    return app


def run(
    *,
    host: str = "127.0.0.1",
    port: int,
    public_url: str | None = None,
    super_token: str | None = None,
    data: Path,
    time_zone: str = "UTC",
) -> None:
    """Serve until stopped.

    The tokens are in the data folder's files ``super-token`` and ``control-token``, readable by their owner only.
    """
    address = public_url or f"http://{host}:{port}"
    app = create_app(data_dir=data, super_token=super_token, public_url=address, time_zone=time_zone)
    for name in ("super", "control"):
        token_file = data / f"{name}-token"
        token_file.touch(mode=0o600)
        token_file.write_text(app.state.server.store.setting(f"{name}_token"))
    uvicorn.run(
        app, host=host, port=port, log_level="warning", access_log=False, timeout_graceful_shutdown=_STOP_SECONDS
    )


@dataclass(frozen=True, slots=True)
class RunningSimulator:
    """A simulator that runs in a thread of this process."""

    base_url: str
    super_token: str
    app: Starlette

    @property
    def url(self) -> str:
        """The API address that clients are given; ends in ``/api/``."""
        return f"{self.base_url}/api/"

    @property
    def control_url(self) -> str:
        """The control surface; ends in ``/_sim/``."""
        return f"{self.base_url}/_sim/"


@contextmanager
def running_simulator(
    folder: Path, *, super_token: str | None = None, version: str = VERSION, time_zone: str = "UTC"
) -> Iterator[RunningSimulator]:
    """A simulator on a free loopback port, stopped on leaving; its data stay in ``folder``."""
    listener = socket.create_server(("127.0.0.1", 0))
    base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    app = create_app(
        data_dir=folder, super_token=super_token, public_url=base_url, version=version, time_zone=time_zone
    )
    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="redcap-sim", daemon=True)
    thread.start()
    deadline = time.monotonic() + _START_SECONDS
    while not server.started:
        if time.monotonic() > deadline or not thread.is_alive():
            raise RuntimeError(f"The REDCap simulator did not start within {_START_SECONDS} s on {base_url}")
        time.sleep(0.01)
    try:
        yield RunningSimulator(base_url, app.state.server.store.setting("super_token"), app)
    finally:
        server.should_exit = True
        thread.join(timeout=_STOP_SECONDS)
        listener.close()
        app.state.server.store.close()
