"""Coming in and going out: password, second factor, passkey, and the first sign-in."""

import json
import re
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from apps import cookies
from apps.entrance.doors import (
    Comer,
    Form,
    Guest,
    database_url,
    go,
    hold,
    landing,
)
from apps.entrance.pages import render, spoken
from datamodel.access import actions as access
from datamodel.access import reads as access_reads
from datamodel.access.actor import KNOCKING, Actor
from datamodel.credentials import actions, factors, passkeys, proofs, reads
from datamodel.credentials.actions import Entry
from datamodel.kernel.errors import Refused, RefusedError
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import unit_of_work

#: Own pages only: `//elsewhere` and `/\elsewhere` are addresses of other sites.
_OWN_PAGE: Final = re.compile(r"/(app|me|account)(/[^\\]*)?(\?[^\\]*)?")
_LONGEST_PAGE: Final = 1000
_DIFFERENT: Final = Refused("passwords-differ", "The two passwords differ, so nothing was changed.", "Type both again.")
_HALF_OVER: Final = Refused("sign-in-over", "This sign-in waited too long or was completed already.", "Start again.")
ROUTES = APIRouter()


def own_page(address: str) -> str:
    """Return the address when it is one of our pages, else an empty text."""
    is_own = len(address) <= _LONGEST_PAGE and _OWN_PAGE.fullmatch(address) and "//" not in address
    return address if is_own and address.isprintable() else ""


def status_of(refusal: Refused) -> int:
    """Return the HTTP status of a refusal on these pages."""
    return 429 if refusal.code == "too-many-tries" else 403


def same(first: str, second: str) -> None:
    """Raise RefusedError unless both passwords are the same."""
    if first != second:
        raise RefusedError(_DIFFERENT)


@ROUTES.get("/")
def start(request: Request, guest: Comer) -> Response:
    """Send everybody where they belong; a device with a PIN to where the PIN is entered."""
    way_in = "/pin" if cookies.of(request.cookies, cookies.DEVICE) else "/sign-in"
    return go(landing(guest.actor) if guest.actor else way_in)


@ROUTES.get("/sign-in")
def sign_in_page(request: Request, guest: Comer) -> Response:
    """Ask who it is."""
    then = own_page(request.query_params.get("next", ""))
    if guest.actor is not None:
        return go(then or landing(guest.actor))
    t = spoken(request)
    why = {"signed-out": "signin.signed_out", "goodbye": "signin.goodbye", "rights": "signin.rights"}.get(
        request.query_params.get("why", "")
    )
    return _sign_in_page(request, guest, note=t(why) if why else "", then=then)


def _sign_in_page(
    request: Request, guest: Guest, *, then: str = "", note: str = "", name: str = "", refusal: Refused | None = None
) -> Response:
    return render(
        request,
        guest,
        "sign_in.html",
        status=status_of(refusal) if refusal is not None else 200,
        then=then,
        note=note,
        name=name,
        wrong=spoken(request).refusal(refusal) if refusal is not None else "",
        has_passkeys=passkeys.is_possible(),
        institution=settings().oidc_name or settings().oidc_issuer,
    )


@ROUTES.post("/sign-in")
def sign_in(request: Request, guest: Comer, form: Form) -> Response:
    """Take name and password."""
    then, name = own_page(form.get("next", "")), form.get("name", "").strip()
    try:
        with unit_of_work(database_url(), KNOCKING, reason="signed in with a password") as unit:
            entry = actions.sign_in(
                unit, name=name, password=form.get("password", ""), source=guest.source, device=guest.device
            )
    except RefusedError as error:
        return _sign_in_page(request, guest, then=then, name=name, refusal=error.refusal)
    return entered(guest, entry, then=then)


def entered(guest: Guest, entry: Entry, *, then: str = "") -> Response:
    """Go on after a factor was right: with the new session, or to what is still needed."""
    if entry.half:
        answer = go("/sign-in/code" if entry.needs == "factor" else "/sign-in/set-up")
        cookies.give(answer, cookies.HALF, entry.half)
        return hold(answer, guest)
    return welcome_in(guest, go(then or own_landing(entry)), entry.token)


def welcome_in(guest: Guest, answer: Response, token: str) -> Response:
    """Give the browser its new session, end the one it had before, and forget what led here."""
    end(guest.token)
    cookies.give(answer, cookies.SESSION, token)
    cookies.take(answer, cookies.HALF)
    return answer


def own_landing(entry: Entry) -> str:
    """Return where an account goes first."""
    with unit_of_work(database_url(), KNOCKING) as unit:
        return landing(access_reads.actor(unit.session, entry.account_id))


def end(token: str) -> None:
    """End a session, if there is one."""
    if token:
        with unit_of_work(database_url(), KNOCKING, reason="signed out") as unit:
            access.sign_out(unit, token)


# -- the second factor ---------------------------------------------------------------------------------------------


def half_account(guest: Guest) -> Actor:
    """Return whose half sign-in this browser holds; RefusedError when it is over."""
    with unit_of_work(database_url(), KNOCKING) as unit:
        account_id = reads.account_of_half(unit.session, guest.half, now=unit.instant)
        if account_id is None:
            raise RefusedError(_HALF_OVER)
        return access_reads.actor(unit.session, account_id)


@ROUTES.get("/sign-in/code")
def code_page(request: Request, guest: Comer) -> Response:
    """Ask for the second factor."""
    return _code_page(request, guest)


def _code_page(request: Request, guest: Guest, refusal: Refused | None = None) -> Response:
    try:
        account = half_account(guest)
    except RefusedError as error:
        return _sign_in_page(request, guest, refusal=error.refusal)
    with unit_of_work(database_url(), KNOCKING) as unit:
        found = reads.factors(unit.session, account.id)
    return render(
        request,
        guest,
        "code.html",
        status=status_of(refusal) if refusal is not None else 200,
        wrong=spoken(request).refusal(refusal) if refusal is not None else "",
        has_passkey=bool(found.passkeys) and passkeys.is_possible(),
    )


@ROUTES.post("/sign-in/code")
def use_code(request: Request, guest: Comer, form: Form) -> Response:
    """Take a code of the authenticator or a recovery code."""
    try:
        with unit_of_work(database_url(), KNOCKING, reason="signed in with a code") as unit:
            entry = actions.second_factor(
                unit, guest.half, code=form.get("code", ""), source=guest.source, device=guest.device
            )
    except RefusedError as error:
        return _code_page(request, guest, error.refusal)
    return entered(guest, entry)


# -- passkeys ------------------------------------------------------------------------------------------------------


def told(error: RefusedError) -> Response:
    """Tell a script why not."""
    return JSONResponse(
        {"code": error.refusal.code, "sentence": error.refusal.sentence}, status_code=status_of(error.refusal)
    )


@ROUTES.post("/sign-in/passkey/options")
def passkey_options(guest: Comer, form: Form) -> Response:
    """Say what a passkey has to sign."""
    del form
    with unit_of_work(database_url(), KNOCKING) as unit:
        try:
            proofs.count_request(unit, "ask-passkey", source=guest.source)
        except RefusedError as error:
            return told(error)
        account_id = reads.account_of_half(unit.session, guest.half, now=unit.instant)
        options = factors.ask_passkey(unit, holder=guest.holder, account_id=account_id)
    return hold(JSONResponse(json.loads(options)), guest)


@ROUTES.post("/sign-in/passkey")
def use_passkey(request: Request, guest: Comer, form: Form) -> Response:
    """Take what a passkey signed."""
    try:
        with unit_of_work(database_url(), KNOCKING, reason="signed in with a passkey") as unit:
            half = guest.half if reads.account_of_half(unit.session, guest.half, now=unit.instant) else ""
            entry = factors.sign_in_with_passkey(
                unit,
                holder=guest.holder,
                answer=form.get("answer", ""),
                half=half,
                device=guest.device,
            )
    except RefusedError as error:
        return told(error)
    then = own_page(request.query_params.get("next", "")) or own_landing(entry)
    return welcome_in(guest, JSONResponse({"next": then}), entry.token)


# -- the first sign-in ---------------------------------------------------------------------------------------------


@ROUTES.get("/welcome")
def welcome_page(request: Request, guest: Comer) -> Response:
    """Ask for a password; the link's token stands behind `#` and is not sent with this."""
    return render(request, guest, "welcome.html", token_value="", wrong="")


@ROUTES.post("/welcome")
def welcome(request: Request, guest: Comer, form: Form) -> Response:
    """Spend an invitation or a reset link."""
    token, password = form.get("token", ""), form.get("password", "")
    try:
        same(password, form.get("again", ""))
        with unit_of_work(database_url(), KNOCKING, reason="used a link to set a password") as unit:
            entry = actions.accept(
                unit, token, password=password, has_accepted=form.get("accepted") == "yes", device=guest.device
            )
    except RefusedError as error:
        wrong = spoken(request).refusal(error.refusal)
        return render(request, guest, "welcome.html", status=status_of(error.refusal), token_value=token, wrong=wrong)
    return entered(guest, entry)


# -- going out -----------------------------------------------------------------------------------------------------


@ROUTES.post("/sign-out")
def sign_out(guest: Comer, form: Form) -> Response:
    """End this browser's session."""
    del form
    end(guest.token)
    answer = go("/sign-in?why=goodbye")
    cookies.take(answer, cookies.SESSION)
    cookies.take(answer, cookies.HALF)
    return answer
