"""Setting up a second factor: in one's account, or on the way in when the installation requires one."""

import json
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response

from apps import cookies
from apps.entrance.doors import SIGNED_OUT, Comer, Form, Guest, database_url, fresh, go, hold
from apps.entrance.pages import qr, render, spoken
from apps.entrance.way_in import half_account, status_of, told, welcome_in
from datamodel.access.actor import KNOCKING, Actor
from datamodel.credentials import actions, factors, passkeys, reads
from datamodel.credentials.factors import Setup
from datamodel.kernel.errors import BadInputError, Refused, RefusedError
from datamodel.kernel.unit import unit_of_work

ROUTES = APIRouter(prefix="/{where}/set-up")
_REASON = "set up a second factor"


class Place:
    """Where factors are set up: `account` for who is inside and just confirmed, `sign-in` for a half sign-in."""

    def __init__(self, guest: Guest, where: str) -> None:
        self.guest, self.base, self.is_inside = guest, f"/{where}/set-up", where == "account"
        if self.is_inside:
            if guest.actor is None or guest.actor.kind != "staff":
                raise RefusedError(SIGNED_OUT)
            fresh(guest)
            self.actor: Actor = guest.actor
            self.account_id = guest.actor.id
        else:
            self.actor, self.account_id = KNOCKING, half_account(guest).id
            self._is_first()

    def _is_first(self) -> None:
        """Refuse a half sign-in that has to show a factor: setting up another one would go round it."""
        with unit_of_work(database_url(), KNOCKING) as unit:
            if reads.factors(unit.session, self.account_id).has_second:
                raise RefusedError(Refused("factor-needed", "This account has a second factor.", "Show it to come in."))

    def page(self, request: Request, *, setup: Setup | None = None, refusal: Refused | None = None) -> Response:
        """Show what can be set up."""
        return render(
            request,
            self.guest,
            "set_up.html",
            status=status_of(refusal) if refusal is not None else 200,
            base=self.base,
            setup=setup is not None,
            drawing=qr(setup.address) if setup else "",
            secret=" ".join(setup.secret[at : at + 4] for at in range(0, len(setup.secret), 4)) if setup else "",
            wrong=spoken(request).refusal(refusal) if refusal is not None else "",
            has_passkeys=passkeys.is_possible(),
        )

    def completed(self, how: str) -> str:
        """Return the token of the session that a half sign-in becomes, or an empty text inside."""
        if self.is_inside:
            return ""
        with unit_of_work(database_url(), KNOCKING, reason=_REASON) as unit:
            return actions.complete(unit, self.guest.half, how=how, device=self.guest.device).token


def place_of(where: Literal["account", "sign-in"], guest: Comer) -> Place | str:
    """Return where factors are set up, or the address of what has to be done before."""
    try:
        return Place(guest, where)
    except RefusedError as error:
        return {
            "not-fresh": "/confirm?next=/account/set-up",
            "factor-needed": "/sign-in/code",
            "sign-in-over": "/sign-in",
        }.get(error.refusal.code, "/sign-in?why=signed-out")


Where = Annotated[Place | str, Depends(place_of)]


@ROUTES.get("")
def page(request: Request, place: Where) -> Response:
    """Show what can be set up."""
    return go(place) if isinstance(place, str) else place.page(request)


@ROUTES.post("/authenticator")
def begin(request: Request, form: Form, place: Where) -> Response:
    """Make an authenticator's secret and show it."""
    del form
    if isinstance(place, str):
        return go(place)
    try:
        with unit_of_work(database_url(), place.actor, reason=_REASON) as unit:
            setup = factors.begin_totp(unit, account_id=place.account_id)
    except RefusedError as error:
        return place.page(request, refusal=error.refusal)
    return place.page(request, setup=setup)


@ROUTES.post("/authenticator/confirm")
def finish(request: Request, form: Form, place: Where) -> Response:
    """Take the authenticator's first code; show recovery codes when there are none yet."""
    if isinstance(place, str):
        return go(place)
    try:
        with unit_of_work(database_url(), place.actor, reason=_REASON) as unit:
            codes = factors.finish_totp(unit, account_id=place.account_id, code=form.get("code", ""))
        token = place.completed("setup+code")
    except RefusedError as error:
        with unit_of_work(database_url(), place.actor) as unit:
            setup = factors.pending_totp(unit.session, place.account_id)
        return place.page(request, setup=setup, refusal=error.refusal)
    then = "/account" if place.is_inside else "/"
    answer = go(then)
    if codes:
        form_token = cookies.form_token(token) if token else ""
        answer = render(request, place.guest, "codes.html", codes=codes, then=then, form_token=form_token)
    return welcome_in(place.guest, answer, token) if token else answer


@ROUTES.post("/passkeys/options")
def options(form: Form, place: Where) -> Response:
    """Say how a passkey is to be made."""
    del form
    if isinstance(place, str):
        return JSONResponse({"next": place}, status_code=403)
    with unit_of_work(database_url(), place.actor, reason=_REASON) as unit:
        asked = factors.begin_passkey(unit, account_id=place.account_id, holder=place.guest.holder)
    return hold(JSONResponse(json.loads(asked)), place.guest)


@ROUTES.post("/passkeys")
def keep(form: Form, place: Where) -> Response:
    """Keep a passkey that the browser made."""
    if isinstance(place, str):
        return JSONResponse({"next": place}, status_code=403)
    try:
        with unit_of_work(database_url(), place.actor, reason=_REASON) as unit:
            factors.finish_passkey(
                unit,
                account_id=place.account_id,
                holder=place.guest.holder,
                answer=form.get("answer", ""),
                label=form.get("label", "") or place.guest.device,
            )
            has_codes = reads.factors(unit.session, place.account_id).recovery_left > 0
        token = place.completed("setup+passkey")
    except RefusedError as error:
        return told(error)
    except BadInputError as error:
        return told(RefusedError(Refused("input", str(error))))
    answer = JSONResponse({"next": "/account?done=passkey" if has_codes else "/account/recovery-codes"})
    return welcome_in(place.guest, answer, token) if token else answer
