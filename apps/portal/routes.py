"""The routes: a link is asked for, opened and used; a PIN is set and entered; a caregiver chooses for whom."""

from typing import Final
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response

from apps import cookies
from apps.portal.doors import (
    Fields,
    Person,
    Rendering,
    cookie,
    database_url,
    device_of,
    go,
    require_form,
    spoken,
    taking,
    welcome_in,
)
from datamodel.access import reads as access_reads
from datamodel.access.actor import KNOCKING
from datamodel.credentials import proofs
from datamodel.kernel.errors import BadInputError, Refused, RefusedError
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import unit_of_work
from datamodel.links import actions as links
from datamodel.links import devices
from datamodel.links.actions import CodeNeeded, Opened
from datamodel.links.codes import code_of
from datamodel.participants import caregivers
from datamodel.vault.seal import new_token

#: Seconds that an answer to "send me a link" takes, whoever asks.
ANSWER_SECONDS: Final = 0.4
_DIFFERENT: Final = Refused("pins-differ", "The two PINs are not the same, so nothing was set.", "Type it twice.")


def router(pages: Rendering) -> APIRouter:
    """Return every route of the portal."""
    routes = APIRouter()
    _links(routes, pages)
    _asking(routes, pages)
    _pins(routes, pages)
    _new_pins(routes, pages)
    _choice(routes, pages)
    return routes


def _links(routes: APIRouter, pages: Rendering) -> None:
    @routes.api_route("/link", methods=["GET", "HEAD"])
    def link_page(request: Request) -> Response:
        return pages.render("link.html", spoken(request))

    @routes.post("/link")
    def use_link(request: Request, form: Fields) -> Response:
        token, t = form.get("token", ""), spoken(request)
        try:
            with unit_of_work(database_url(), KNOCKING, reason="opened a sign-in link") as unit:
                found = links.use(
                    unit,
                    token,
                    nonce=cookie(request, cookies.ASKED),
                    code=form.get("code", ""),
                    device=device_of(request),
                )
        except RefusedError as error:
            return pages.render("digits.html", t, status=403, token="", kind="", wrong=t.refusal(error.refusal))
        if isinstance(found, CodeNeeded):
            return _digits(pages, request, found, token)
        return _entered(request, found)


def _digits(pages: Rendering, request: Request, needed: CodeNeeded, token: str) -> Response:
    t, wrong = spoken(request), needed.refusal
    is_over = wrong is not None and wrong.code == "link-code-over"
    return pages.render(
        "digits.html",
        t,
        status=200 if wrong is None else 403,
        token="" if is_over else token,
        kind=needed.kind,
        wrong="" if wrong is None else _said(request, wrong),
    )


def _said(request: Request, refusal: Refused) -> str:
    """Return a refusal in the browser's language, with the number of tries that are left."""
    number = "".join(one for one in refusal.reason.rpartition(":")[2] if one.isdigit())
    return spoken(request).refusal(refusal).replace("{left}", number)


def _entered(request: Request, opened: Opened) -> Response:
    entry = opened.entry
    if entry.half:
        answer = go("/sign-in/code" if entry.needs == "factor" else "/sign-in/set-up")
        cookies.give(answer, cookies.HALF, entry.half)
        return answer
    with unit_of_work(database_url(), KNOCKING) as unit:
        is_staff = access_reads.actor(unit.session, entry.account_id).kind == "staff"
        owner = devices.owner(unit.session, cookie(request, cookies.DEVICE), now=unit.instant)
    if is_staff:
        return welcome_in(request, go("/app/"), entry.token)
    has_pin = owner == entry.account_id or opened.kind == "shown"
    return welcome_in(request, go("/me" if has_pin else "/pin/new"), entry.token)


def _asking(routes: APIRouter, pages: Rendering) -> None:
    @routes.get("/link/ask")
    def ask_page(request: Request) -> Response:
        t, why = spoken(request), request.query_params.get("why", "")
        return pages.render("ask.html", t, note=t("signin.signed_out") if why == "signed-out" else "")

    @routes.post("/link/ask")
    def ask(request: Request, form: Fields) -> Response:
        nonce = new_token()
        with (
            taking(ANSWER_SECONDS),
            unit_of_work(database_url(), KNOCKING, reason="asked for a sign-in link") as unit,
        ):
            proofs.count_request(unit, "ask-link", source=request.client.host if request.client else "")
            links.ask(
                unit,
                address=form.get("address", ""),
                nonce=nonce,
                language=spoken(request).language,
                base_url=settings().base_url,
            )
        answer = go("/link/sent")
        cookies.keep(answer, cookies.ASKED, nonce, seconds=int(links.ASKED.total_seconds()))
        return answer

    @routes.get("/link/sent")
    def sent_page(request: Request) -> Response:
        nonce = cookie(request, cookies.ASKED)
        if not nonce:
            return go("/link/ask")
        return pages.render("sent.html", spoken(request), digits=code_of(nonce))


def _pins(routes: APIRouter, pages: Rendering) -> None:
    @routes.get("/pin")
    def pin_page(request: Request) -> Response:
        t, secret = spoken(request), cookie(request, cookies.DEVICE)
        with unit_of_work(database_url(), KNOCKING) as unit:
            is_known = devices.is_known(unit.session, secret, now=unit.instant)
        if not is_known:
            return _without_device("/link/ask")
        note = t("signin.signed_out") if request.query_params.get("why") == "signed-out" else ""
        return pages.render("pin.html", t, note=note, wrong="", is_known=True)

    @routes.post("/pin")
    def enter_pin(request: Request, form: Fields) -> Response:
        with unit_of_work(database_url(), KNOCKING, reason="entered the PIN of a device") as unit:
            entered = devices.enter(unit, cookie(request, cookies.DEVICE), pin=form.get("pin", ""))
        if entered.refusal is None:
            return welcome_in(request, go("/me"), entered.token)
        answer = pages.render(
            "pin.html",
            spoken(request),
            status=403,
            note="",
            wrong=_said(request, entered.refusal),
            is_known=not entered.is_forgotten,
        )
        if entered.is_forgotten:
            cookies.take(answer, cookies.DEVICE)
        return answer

    @routes.post("/pin/forget")
    def forget(request: Request, form: Fields) -> Response:
        del form
        with unit_of_work(database_url(), KNOCKING, reason="asked to forget this device") as unit:
            devices.forget(unit, cookie(request, cookies.DEVICE))
        return _without_device("/link/ask")


def _new_pins(routes: APIRouter, pages: Rendering) -> None:
    @routes.get("/pin/new")
    def new_pin_page(request: Request, actor: Person) -> Response:
        del actor
        return _new_pin(pages, request)

    @routes.post("/pin/new")
    def set_pin(request: Request, actor: Person, form: Fields) -> Response:
        require_form(request, form)
        if form.get("pin", "") != form.get("again", ""):
            return _new_pin(pages, request, wrong=spoken(request).refusal(_DIFFERENT))
        try:
            with unit_of_work(database_url(), actor, reason="set a PIN on this device") as unit:
                secret = devices.set_pin(
                    unit, pin=form.get("pin", ""), label=device_of(request), earlier=cookie(request, cookies.DEVICE)
                )
        except RefusedError as error:
            return _new_pin(pages, request, wrong=spoken(request).refusal(error.refusal))
        except BadInputError as error:
            return _new_pin(pages, request, wrong=spoken(request).refusal(Refused("pin-weak", str(error))))
        answer = go("/me")
        cookies.keep(answer, cookies.DEVICE, secret, seconds=int(devices.LIFE.total_seconds()))
        return answer


def _new_pin(pages: Rendering, request: Request, *, wrong: str = "") -> Response:
    token = cookies.form_token(cookie(request, cookies.SESSION))
    return pages.render("new_pin.html", spoken(request), status=422 if wrong else 200, wrong=wrong, form=token)


def _without_device(address: str) -> Response:
    answer = go(address)
    cookies.take(answer, cookies.DEVICE)
    return answer


def _choice(routes: APIRouter, pages: Rendering) -> None:
    @routes.get("/me/for")
    def choose_page(request: Request, actor: Person) -> Response:
        with unit_of_work(database_url(), actor) as unit:
            people = caregivers.people_of(unit.session, actor, at=unit.instant)
        t = spoken(request)
        token = cookies.form_token(cookie(request, cookies.SESSION))
        return pages.render("choose.html", t, people=people, nobody=t.refusal(caregivers.NOBODY), form=token)

    @routes.post("/me/for")
    def choose(request: Request, actor: Person, form: Fields) -> Response:
        require_form(request, form)
        try:
            wanted = UUID(form.get("participant", ""))
        except ValueError:
            raise RefusedError(caregivers.NOT_FOR_THEM) from None
        with unit_of_work(database_url(), actor) as unit:
            caregivers.acting(unit.session, actor, wanted, at=unit.instant)
        answer = go("/me")
        cookies.give(answer, cookies.ACTS_FOR, str(wanted))
        return answer
