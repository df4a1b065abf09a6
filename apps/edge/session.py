"""From the browser's cookie to an actor."""

from typing import Annotated, Final
from urllib.parse import unquote
from uuid import UUID

from fastapi import Depends, Request
from fastapi.responses import Response

from apps import cookies
from datamodel.access import reads as access
from datamodel.access.actor import KNOCKING, Actor
from datamodel.kernel.errors import NotFoundError, Refused, RefusedError
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import unit_of_work
from datamodel.participants import caregivers

#: In this header a page tells for whom it was made, and for whom a message is.
WHO: Final = "metricis-who"
SIGNED_OUT: Final = Refused(
    "signed-out",
    "You are not signed in, or were signed out after a while.",
    "Open a sign-in link, or sign in; what is saved on this phone stays there and is sent then.",
)


def database_url() -> str:
    """Return the address of this installation's database."""
    return settings().database_url.get_secret_value()


def token_of(request: Request) -> str:
    """Return the token of the browser's cookie, or an empty text."""
    return cookies.of(request.cookies, cookies.SESSION)


def actor_of(token: str) -> Actor | None:
    """Return who is signed in with that token, and note that the browser was seen."""
    if not token:
        return None
    with unit_of_work(database_url(), KNOCKING) as unit:
        return access.actor_of_session(unit.session, token, now=unit.instant)


def anyone(request: Request) -> Actor | None:
    """Return who is signed in, or None."""
    return actor_of(token_of(request))


def signed_in(request: Request) -> Actor:
    """Return who is signed in, a caregiver as acting for whom they chose; RefusedError (`signed-out`) when nobody is."""
    actor = anyone(request)
    if actor is None:
        raise RefusedError(SIGNED_OUT)
    told = unquote(request.headers.get(WHO, ""))
    if actor.kind == "caregiver":
        return _caring(request, actor, told)
    if told and told != who(actor, actor.name):
        # somebody else signed in on this phone meanwhile: what is theirs waits for them
        raise RefusedError(SIGNED_OUT)
    return actor


def who(actor: Actor, code: str) -> str:
    """Return the name under which a phone keeps what somebody does: for whom, and by whom where that is another."""
    return f"{code} < {actor.name}" if actor.kind == "caregiver" else code


def _caring(request: Request, actor: Actor, told: str) -> Actor:
    """Return a caregiver as acting for whom the page was made for (a message), or for whom was chosen (a page)."""
    with unit_of_work(database_url(), actor) as unit:
        if told:
            people = caregivers.people_of(unit.session, actor, at=unit.instant)
            wanted = next((one.participant_id for one in people if who(actor, one.code) == told), None)
            if wanted is None:
                raise RefusedError(caregivers.NOT_FOR_THEM if told.endswith(f"< {actor.name}") else SIGNED_OUT)
        else:
            wanted = _chosen(request)
        return caregivers.acting(unit.session, actor, wanted, at=unit.instant)


def _chosen(request: Request) -> UUID | None:
    try:
        return UUID(cookies.of(request.cookies, cookies.ACTS_FOR))
    except ValueError:
        return None


def participant(request: Request) -> Actor:
    """Return the signed-in participant; NotFoundError for anyone else, who has no such page."""
    actor = signed_in(request)
    if actor.participant_id is None:
        raise NotFoundError("This page is for participants. Sign in with the link that your study team gave you.")
    return actor


Anyone = Annotated[Actor | None, Depends(anyone)]
SignedIn = Annotated[Actor, Depends(signed_in)]
Participant = Annotated[Actor, Depends(participant)]


def landing(actor: Actor) -> str:
    """Return where somebody goes after signing in."""
    return "/app/" if actor.kind == "staff" else "/me"


def set_cookie(response: Response, token: str) -> None:
    """Give the browser its token: out of reach of scripts, sent to our own pages only."""
    cookies.give(response, cookies.SESSION, token)


def drop_cookie(response: Response) -> None:
    """Take the browser's token away."""
    cookies.take(response, cookies.SESSION)
