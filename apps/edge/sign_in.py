"""Coming in and going out: password for staff, one-time links for everybody."""

import re
import time
from collections import defaultdict, deque
from typing import Annotated, Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from apps.edge.bodies import limited
from apps.edge.pages import Pages, language_of
from apps.edge.session import Anyone, actor_of, database_url, drop_cookie, landing, set_cookie, token_of
from datamodel.access import actions as access
from datamodel.access.actor import KNOCKING
from datamodel.kernel.errors import Refused, RefusedError
from datamodel.kernel.unit import unit_of_work

#: Own pages only: `//elsewhere` and `/\elsewhere` are addresses of other sites.
_OWN_PAGE: Final = re.compile(r"/(app|me)(/[^\\]*)?(\?[^\\]*)?")
_FORM: Final = Depends(limited(4_000, "application/x-www-form-urlencoded"))
_TOO_MANY: Final = Refused(
    "too-many-tries",
    "There were too many tries to sign in with this name.",
    "Wait fifteen minutes, or ask your administrator for a sign-in link.",
)


class Throttle:
    """Counts wrong passwords by name: at most `most` in `seconds`, in this process."""

    def __init__(self, most: int = 10, seconds: float = 900.0) -> None:
        self._most, self._seconds = most, seconds
        self._wrong: dict[str, deque[float]] = defaultdict(deque)

    def check(self, name: str) -> None:
        """Raise RefusedError when there were too many wrong passwords for this name lately."""
        wrong = self._wrong[name]
        while wrong and wrong[0] < time.monotonic() - self._seconds:
            wrong.popleft()
        if len(wrong) >= self._most:
            raise RefusedError(_TOO_MANY)
        if not wrong:
            del self._wrong[name]

    def wrong(self, name: str) -> None:
        """Count a wrong password."""
        self._wrong[name].append(time.monotonic())


def own_page(address: str) -> str:
    """Return the address when it is one of our pages, else an empty text."""
    return address if _OWN_PAGE.fullmatch(address) and "//" not in address else ""


def router(pages: Pages) -> APIRouter:
    """Return the routes of coming in and going out."""
    routes, throttle = APIRouter(), Throttle()

    @routes.get("/")
    def start(actor: Anyone) -> Response:
        return RedirectResponse(landing(actor) if actor else "/sign-in", status_code=303)

    @routes.get("/sign-in")
    def sign_in_page(request: Request, actor: Anyone) -> Response:
        then = own_page(request.query_params.get("next", ""))
        if actor is not None:
            return RedirectResponse(then or landing(actor), status_code=303)
        language = language_of(request.scope)
        why = {"signed-out": "signin.signed_out", "goodbye": "signin.goodbye"}.get(request.query_params.get("why", ""))
        return pages.render("sign_in.html", language, then=then, note=language(why) if why else "", name="", wrong="")

    @routes.post("/sign-in")
    def sign_in(request: Request, body: Annotated[bytes, _FORM]) -> Response:
        form = _fields(body)
        name, language = form.get("name", "").strip().lower(), language_of(request.scope)
        try:
            throttle.check(name)
            token = _sign_in(name, form.get("password", ""))
        except RefusedError as error:
            if error.refusal.code != _TOO_MANY.code:
                throttle.wrong(name)
            return pages.render(
                "sign_in.html",
                language,
                status=403 if error.refusal.code != _TOO_MANY.code else 429,
                then=own_page(form.get("next", "")),
                note="",
                name=form.get("name", ""),
                wrong=language.refusal(error.refusal),
            )
        return _enter(request, token, then=own_page(form.get("next", "")))

    @routes.get("/link")
    def link_page(request: Request) -> Response:
        return pages.render("link.html", language_of(request.scope))

    @routes.post("/link")
    def use_link(request: Request, body: Annotated[bytes, _FORM]) -> Response:
        with unit_of_work(database_url(), KNOCKING, reason="opened a sign-in link") as unit:
            token = access.use_link(unit, _fields(body).get("token", ""))
        return _enter(request, token)

    @routes.post("/sign-out")
    def sign_out(request: Request) -> Response:
        _end(token_of(request))
        answer = RedirectResponse("/sign-in?why=goodbye", status_code=303)
        drop_cookie(answer)
        return answer

    return routes


def _sign_in(name: str, password: str) -> str:
    with unit_of_work(database_url(), KNOCKING, reason="signed in with a password") as unit:
        return access.sign_in(unit, name=name, password=password)


def _enter(request: Request, token: str, *, then: str = "") -> Response:
    """Start the new signed-in browser, end the one this browser had before, and go on."""
    _end(token_of(request))
    actor = actor_of(token)
    answer = RedirectResponse(then or (landing(actor) if actor else "/sign-in"), status_code=303)
    set_cookie(answer, token)
    return answer


def _end(token: str) -> None:
    if token:
        with unit_of_work(database_url(), actor_of(token) or KNOCKING, reason="signed out") as unit:
            access.sign_out(unit, token)


def _fields(body: bytes) -> dict[str, str]:
    parsed = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=10)
    return {name: values[0] for name, values in parsed.items()}
