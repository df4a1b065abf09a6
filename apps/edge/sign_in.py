"""Coming in with a one-time link. Staff who have a second factor are asked for it next."""

from typing import Annotated, Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from apps import cookies
from apps.edge.bodies import limited
from apps.edge.pages import Pages, language_of
from apps.edge.session import actor_of, database_url, landing, set_cookie, token_of
from datamodel.access import actions as access
from datamodel.access.actor import KNOCKING
from datamodel.access.sessions import device_words
from datamodel.credentials import actions as credentials
from datamodel.kernel.unit import unit_of_work

_FORM: Final = Depends(limited(4_000, "application/x-www-form-urlencoded"))


def router(pages: Pages) -> APIRouter:
    """Return the routes of the link."""
    routes = APIRouter()

    @routes.get("/link")
    def link_page(request: Request) -> Response:
        return pages.render("link.html", language_of(request.scope))

    @routes.post("/link")
    def use_link(request: Request, body: Annotated[bytes, _FORM]) -> Response:
        with unit_of_work(database_url(), KNOCKING, reason="opened a sign-in link") as unit:
            account_id = access.spend_link(unit, _fields(body).get("token", ""))
            device = device_words(request.headers.get("user-agent", ""))
            entry = credentials.first_factor(unit, account_id, how="link", device=device)
        if entry.half:
            answer = RedirectResponse("/sign-in/code" if entry.needs == "factor" else "/sign-in/set-up", status_code=303)
            cookies.give(answer, cookies.HALF, entry.half)
            return answer
        return _enter(request, entry.token)

    return routes


def _enter(request: Request, token: str) -> Response:
    """Start the new signed-in browser, end the one this browser had before, and go on."""
    _end(token_of(request))
    actor = actor_of(token)
    answer = RedirectResponse(landing(actor) if actor else "/sign-in", status_code=303)
    set_cookie(answer, token)
    return answer


def _end(token: str) -> None:
    if token:
        with unit_of_work(database_url(), actor_of(token) or KNOCKING, reason="signed out") as unit:
            access.sign_out(unit, token)


def _fields(body: bytes) -> dict[str, str]:
    parsed = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=10)
    return {name: values[0] for name, values in parsed.items()}
