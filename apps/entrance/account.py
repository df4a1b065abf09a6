"""My account: factors, password, signed-in browsers; the confirmation that sensitive acts ask for."""

import json
from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from apps import cookies
from apps.entrance.doors import Comer, Form, Guest, Inside, Present, database_url, fresh, go, hold
from apps.entrance.pages import render, spoken
from apps.entrance.way_in import own_page, same, status_of, told
from datamodel.access import actions as access
from datamodel.access import reads as access_reads
from datamodel.access.actor import KNOCKING
from datamodel.credentials import actions, factors, passkeys, reads
from datamodel.kernel.errors import BadInputError, MetricisError, NotFoundError, Refused, RefusedError
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import unit_of_work

ROUTES = APIRouter()


# -- the page ------------------------------------------------------------------------------------------------------


@ROUTES.get("/account")
def account_page(request: Request, guest: Inside) -> Response:
    """Show one's own credentials and signed-in browsers."""
    return _page(request, guest, note=_NOTES.get(request.query_params.get("done", ""), ""))


#: what was done -> key of the words that say so
_NOTES = {
    "password": "done.password",
    "passkey": "done.passkey",
    "removed": "done.removed",
    "ended": "done.ended",
    "confirmed": "done.confirmed",
    "linked": "done.linked",
}


def _page(request: Request, guest: Guest, *, note: str = "", refusal: Refused | None = None) -> Response:
    t = spoken(request)
    with unit_of_work(database_url(), guest.actor) as unit:
        found = reads.factors(unit.session, guest.actor.id)
        sessions = access_reads.sessions_of(unit.session, guest.actor.id, now=unit.instant)
        name = reads.sign_in_name(unit.session, guest.actor.id)

    def when(at: datetime) -> str:
        return t.moment(at, "UTC")

    return render(
        request,
        guest,
        "account.html",
        status=status_of(refusal) if refusal is not None else 200,
        factors=found,
        sessions=sessions,
        sign_in_name=name,
        when=when,
        note=t(note) if note else "",
        wrong=t.refusal(refusal) if refusal is not None else "",
        institution=settings().oidc_name or settings().oidc_issuer,
    )


def _refused(request: Request, guest: Guest, error: MetricisError) -> Response:
    """Show the page with what was wrong; ask for a confirmation where that is what is missing."""
    if isinstance(error, RefusedError) and error.refusal.code == "not-fresh":
        return go("/confirm?next=/account")
    if isinstance(error, RefusedError) and error.refusal.code in {"credentials-misuse", "too-many-tries"}:
        return go("/sign-in?why=signed-out")
    refusal = error.refusal if isinstance(error, RefusedError) else Refused("input", str(error))
    return _page(request, guest, refusal=refusal)


@ROUTES.post("/account/password")
def change_password(request: Request, guest: Inside, form: Form) -> Response:
    """Change one's password."""
    try:
        same(form.get("password", ""), form.get("again", ""))
        with unit_of_work(database_url(), guest.actor, reason="changed the password") as unit:
            actions.change_password(
                unit,
                old=form.get("old", ""),
                new=form.get("password", ""),
                code=form.get("code", ""),
                token=guest.token,
            )
            token = access.rotate_session(unit, guest.token, is_confirmed=True, why="password changed")
    except (RefusedError, BadInputError) as error:
        return _refused(request, guest, error)
    return _renewed("/account?done=password", token)


def _renewed(address: str, token: str) -> Response:
    answer = go(address)
    cookies.give(answer, cookies.SESSION, token)
    return answer


# -- signed-in browsers --------------------------------------------------------------------------------------------


@ROUTES.post("/account/sessions/others/end")
def end_others(guest: Inside, form: Form) -> Response:
    """End every signed-in browser but this one."""
    del form
    with unit_of_work(database_url(), guest.actor, reason="ended other sessions") as unit:
        access.revoke_sessions(unit, account_id=guest.actor.id, except_token=guest.token)
    return go("/account?done=ended")


@ROUTES.post("/account/sessions/{session_id}/end")
def end_one(guest: Inside, form: Form, session_id: UUID) -> Response:
    """End one signed-in browser."""
    del form
    with unit_of_work(database_url(), guest.actor, reason="ended a session") as unit:
        access.revoke_session(unit, session_id)
    return go("/account?done=ended")


# -- factors -------------------------------------------------------------------------------------------------------


@ROUTES.post("/account/passkeys/{passkey_id}/remove")
def drop_passkey(request: Request, guest: Inside, form: Form, passkey_id: UUID) -> Response:
    """Remove a passkey."""
    del form
    try:
        fresh(guest)
        with unit_of_work(database_url(), guest.actor, reason="removed a passkey") as unit:
            factors.drop_passkey(unit, account_id=guest.actor.id, passkey_id=passkey_id)
    except (RefusedError, NotFoundError) as error:
        return _refused(request, guest, error)
    return go("/account?done=removed")


@ROUTES.post("/account/authenticator/remove")
def drop_totp(request: Request, guest: Inside, form: Form) -> Response:
    """Remove the authenticator."""
    del form
    try:
        fresh(guest)
        with unit_of_work(database_url(), guest.actor, reason="removed the authenticator") as unit:
            factors.drop_totp(unit, account_id=guest.actor.id)
    except (RefusedError, NotFoundError) as error:
        return _refused(request, guest, error)
    return go("/account?done=removed")


@ROUTES.get("/account/recovery-codes")
def recovery_page(request: Request, guest: Inside) -> Response:
    """Offer new recovery codes."""
    t = spoken(request)
    return render(
        request,
        guest,
        "said.html",
        title=t("codes.title"),
        words=t("codes.offer"),
        action="/account/recovery-codes",
        button=t("factors.recovery_new"),
        href="/account",
        link=t("back_to_account"),
        is_away=False,
    )


@ROUTES.post("/account/recovery-codes")
def recovery_codes(request: Request, guest: Inside, form: Form) -> Response:
    """Make ten new recovery codes and show them once."""
    del form
    try:
        fresh(guest)
        with unit_of_work(database_url(), guest.actor, reason="made recovery codes") as unit:
            codes = factors.new_recovery_codes(unit, account_id=guest.actor.id)
    except RefusedError as error:
        return _refused(request, guest, error)
    return render(request, guest, "codes.html", codes=codes, then="/account")


# -- confirmation --------------------------------------------------------------------------------------------------


@ROUTES.get("/confirm")
def confirm_page(request: Request, guest: Inside) -> Response:
    """Ask to prove again who it is."""
    return _confirm_page(request, guest, then=own_page(request.query_params.get("next", "")) or "/account")


def _confirm_page(request: Request, guest: Guest, *, then: str, refusal: Refused | None = None) -> Response:
    with unit_of_work(database_url(), guest.actor) as unit:
        found = reads.factors(unit.session, guest.actor.id)
        name = reads.sign_in_name(unit.session, guest.actor.id)
    return render(
        request,
        guest,
        "confirm.html",
        status=status_of(refusal) if refusal is not None else 200,
        then=then,
        wrong=spoken(request).refusal(refusal) if refusal is not None else "",
        sign_in_name=name,
        has_password=found.has_password,
        has_totp=found.has_totp,
        has_passkey=bool(found.passkeys) and passkeys.is_possible(),
    )


@ROUTES.post("/confirm")
def confirm(request: Request, guest: Inside, form: Form) -> Response:
    """Take password and code; the session gets a new identifier."""
    then = own_page(form.get("next", "")) or "/account"
    try:
        with unit_of_work(database_url(), guest.actor, reason="confirmed who it is") as unit:
            token = actions.step_up(unit, guest.token, password=form.get("password", ""), code=form.get("code", ""))
    except RefusedError as error:
        if error.refusal.code in {"credentials-misuse", "too-many-tries"}:
            return go("/sign-in?why=signed-out")
        return _confirm_page(request, guest, then=then, refusal=error.refusal)
    return _renewed(then, token)


@ROUTES.post("/confirm/passkey/options")
def confirm_options(guest: Inside, form: Form) -> Response:
    """Say what a passkey of one's own has to sign."""
    del form
    with unit_of_work(database_url(), guest.actor) as unit:
        asked = factors.ask_passkey(unit, holder=guest.holder, purpose="confirm", account_id=guest.actor.id)
    return hold(JSONResponse(json.loads(asked)), guest)


@ROUTES.post("/confirm/passkey")
def confirm_with_passkey(request: Request, guest: Inside, form: Form) -> Response:
    """Take what a passkey signed; the session gets a new identifier."""
    try:
        with unit_of_work(database_url(), guest.actor, reason="confirmed with a passkey") as unit:
            token = factors.step_up_with_passkey(unit, guest.token, holder=guest.holder, answer=form.get("answer", ""))
    except RefusedError as error:
        return told(error)
    answer = JSONResponse({"next": own_page(request.query_params.get("next", "")) or "/account"})
    cookies.give(answer, cookies.SESSION, token)
    return answer


# -- staying signed in ---------------------------------------------------------------------------------------------


@ROUTES.get("/session")
def session_state(guest: Comer) -> Response:
    """Tell a page how long its browser stays signed in; asking does not prolong it."""
    return _state(guest)


@ROUTES.post("/session")
def stay(guest: Present, form: Form) -> Response:
    """Stay signed in."""
    del form
    with unit_of_work(database_url(), KNOCKING) as unit:
        info = access_reads.session_of(unit.session, guest.token, now=unit.instant)
        left = int((info.idle_ends_at - unit.instant).total_seconds()) if info else 0
        last = int((info.ends_at - unit.instant).total_seconds()) if info else 0
    return JSONResponse({"seconds_left": left, "seconds_at_most": last, "form": guest.form_token})


def _state(guest: Guest) -> Response:
    if guest.info is None:
        return JSONResponse({"seconds_left": 0, "seconds_at_most": 0}, status_code=401)
    with unit_of_work(database_url(), KNOCKING) as unit:
        left = int((guest.info.idle_ends_at - unit.instant).total_seconds())
        last = int((guest.info.ends_at - unit.instant).total_seconds())
    return JSONResponse({"seconds_left": left, "seconds_at_most": last, "form": guest.form_token})
