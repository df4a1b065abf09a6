"""The web process: the edge and the researcher pages in one FastAPI application (`uvicorn --factory apps.web:create_app`)."""

import panel as pn
from fastapi import FastAPI
from panel.io.fastapi import add_applications
from starlette.responses import Response

from apps import logs, sockets
from apps.access import accounts, own
from apps.access import page as access
from apps.audit import page as audit
from apps.connections import page as connections
from apps.discrepancies import page as discrepancies
from apps.edge.app import create_edge
from apps.entrance.app import routes as entrance
from apps.exports import page as exports
from apps.guard import Guard
from apps.overview import page as overview
from apps.participants import page as participants
from apps.records import page as records
from apps.rehearsal import page as rehearsal
from apps.routes import Declared
from apps.shell.frame import FILES, serve, style
from apps.shell.pages import PAGES
from apps.shell.session import auth_policy
from apps.standards import page as standards
from apps.statics import KeepStatics
from apps.validation import page as validation
from datamodel.kernel.settings import settings
from datamodel.rehearsal import surfaces

#: Importing a room declares its pages.
ROOMS = (
    overview,
    participants,
    records,
    discrepancies,
    connections,
    standards,
    validation,
    exports,
    audit,
    access,
    own,
    accounts,
)
_KINDS = {
    "shell.css": "text/css",
    "shell.js": "text/javascript",
    "ending.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}


def create_app() -> FastAPI:
    """Return the edge with the researcher pages around it."""
    pn.extension(notifications=False, browser_info=False)
    pn.config.reconnect = True
    logs.quiet()
    if surfaces.opened(settings()):
        rehearsal.declare()
    app = create_edge()
    app.include_router(entrance())
    app.add_api_route("/shell/{name}", _shell_file, include_in_schema=False)
    add_applications(
        {page.path: serve(page) for page in PAGES.all()},
        app=app,
        title={page.path: "" for page in PAGES.all()},  # the frame gives each document its own
        auth_policy=auth_policy(),
        index_enabled=False,
        ico_path="none",
        websocket_origin=["*"],  # the guard in front compares origins exactly
        # a page's token holds nothing of the request but the theme and the browser it is for, and nobody else can make one
        include_headers=[sockets.BROWSER],
        include_cookies=["metricis_theme"],
        sign_sessions=True,
        secret_key=sockets.page_key(),
        session_token_expiration=sockets.TOKEN_SECONDS,
    )
    app.add_middleware(Guard)
    app.add_middleware(Declared)
    app.add_middleware(KeepStatics, prefixes=("/static/", "/shell/"))
    return app


def _shell_file(name: str) -> Response:
    if name not in _KINDS:
        return Response(status_code=404)
    body = style() if name == "shell.css" else (FILES / name).read_text("utf-8")
    return Response(body, media_type=_KINDS[name])
