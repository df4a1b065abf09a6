"""The edge as one application."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from apps.edge import api, me
from apps.edge.bodies import BodyError
from apps.edge.guard import Guard, note_fault
from apps.edge.pages import Assets, Pages, answer, language_of, refusal_of, status_of, wants_json
from apps.portal import routes as portal
from datamodel.kernel.errors import FaultError, MetricisError, Refused

_NOT_FOUND: Final = 404
_SERVER_ERROR: Final = 500


def create_edge() -> FastAPI:
    """Return the edge; it has no state but its files, so each process makes its own."""
    # FastAPI's own documentation pages load scripts from elsewhere; the manual documents the interface.
    edge = FastAPI(title="Metricis edge", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    assets = Assets()
    pages = Pages(assets)
    edge.include_router(api.ROUTES)
    edge.include_router(portal.router(pages))
    edge.include_router(me.router(pages))

    @edge.get("/assets/{name:path}")
    def asset(name: str, request: Request) -> Response:
        found = assets.answer(name, request)
        if found is None:
            raise HTTPException(_NOT_FOUND)
        return found

    _handle_errors(edge, pages)
    edge.add_middleware(Guard, refused=_refused(pages), broken=_broken(pages))
    return edge


def _handle_errors(edge: FastAPI, pages: Pages) -> None:
    @edge.exception_handler(MetricisError)
    def ours(request: Request, error: MetricisError) -> Response:
        reference = note_fault(error) if isinstance(error, FaultError) else ""
        status = error.status if isinstance(error, BodyError) else status_of(error)
        return answer(pages, request.scope, refusal_of(error), status=status, reference=reference)

    @edge.exception_handler(HTTPException)
    def plain(request: Request, error: HTTPException) -> Response:
        allow = Headers(error.headers or {}).get("allow", "")
        return answer(
            pages, request.scope, _http(request, error.status_code, allow), status=error.status_code, allow=allow
        )

    @edge.exception_handler(RequestValidationError)
    def address(request: Request, error: RequestValidationError) -> Response:
        # Only parts of addresses are checked this way: such an address does not exist.
        return answer(pages, request.scope, _http(request, _NOT_FOUND, ""), status=_NOT_FOUND)


def _http(request: Request, status: int, allow: str) -> Refused:
    if status == _NOT_FOUND:
        sentence = (
            "There is no such address." if wants_json(request.scope) else language_of(request.scope)("error.not_found")
        )
        return Refused("not-found", sentence)
    if allow:
        return Refused("method", f"Received {request.method}; this address takes {allow}.", "Nothing was stored.")
    return Refused("http", f"{HTTPStatus(status).phrase}.")


def _refused(pages: Pages) -> Callable[[Scope, Refused], Callable[[Scope, Receive, Send], Awaitable[None]]]:
    return lambda scope, refusal: answer(pages, scope, refusal, status=403)


def _broken(pages: Pages) -> Callable[[Scope, str], Callable[[Scope, Receive, Send], Awaitable[None]]]:
    def make(scope: Scope, reference: str) -> Response:
        refusal = Refused("fault", language_of(scope)("error.fault_text"))
        return answer(pages, scope, refusal, status=_SERVER_ERROR, reference=reference)

    return make
