"""What every route of the portal begins with: the form, the browser's cookies, who is signed in, whom a caregiver acts for."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, Final, Protocol
from urllib.parse import parse_qs

from fastapi import Depends, Request
from fastapi.responses import RedirectResponse, Response

from apps import cookies
from apps.participant import words
from apps.participant.words import Words
from datamodel.access import actions as access
from datamodel.access import reads as access_reads
from datamodel.access.actor import KNOCKING, Actor
from datamodel.access.sessions import device_words
from datamodel.kernel.errors import Refused, RefusedError
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import unit_of_work

_LONGEST: Final = 4_000
_KIND: Final = "application/x-www-form-urlencoded"
_NO_FORM: Final = Refused("not-a-form", "Received something that is no form of ours; nothing was done.")
OLD_PAGE: Final = Refused(
    "old-page",
    "This page was opened before you signed in or out, so nothing was done.",
    "Load it again and send it from there.",
)
SIGNED_OUT: Final = Refused(
    "signed-out",
    "You are not signed in, or were signed out after a while.",
    "Sign in again; what is saved on this phone stays there and is sent then.",
)


class Rendering(Protocol):
    """What makes a page out of a template (`apps.edge.pages.Pages`)."""

    def render(
        self,
        template: str,
        language: Words,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **values: Any,
    ) -> Response:
        """Return a page in one language."""


def database_url() -> str:
    """Return the address of this installation's database."""
    return settings().database_url.get_secret_value()


def spoken(request: Request) -> Words:
    """Return the words for what the browser asks for first."""
    return words.of(request.headers.get("accept-language", "").lower()[:2])


def device_of(request: Request) -> str:
    """Return browser and system in words."""
    return device_words(request.headers.get("user-agent", ""))


def cookie(request: Request, name: str) -> str:
    """Return a cookie's value, or an empty text."""
    return cookies.of(request.cookies, name)


async def fields(request: Request) -> dict[str, str]:
    """Return the fields of a form; RefusedError when it is none, or too long."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _KIND:
        raise RefusedError(_NO_FORM)
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST:
            raise RefusedError(_NO_FORM)
    try:
        parsed = parse_qs(body.decode("utf-8", "strict"), keep_blank_values=True, max_num_fields=10)
    except ValueError:
        raise RefusedError(_NO_FORM) from None
    if any("\x00" in value for values in parsed.values() for value in values):
        raise RefusedError(_NO_FORM)
    return {name: values[0] for name, values in parsed.items()}


Fields = Annotated[dict[str, str], Depends(fields)]


def actor_of(token: str) -> Actor | None:
    """Return who is signed in with that token, and note that the browser was seen."""
    if not token:
        return None
    with unit_of_work(database_url(), KNOCKING) as unit:
        return access_reads.actor_of_session(unit.session, token, now=unit.instant)


def person(request: Request) -> Actor:
    """Return the signed-in participant or caregiver; RefusedError (`signed-out`) when nobody of them is."""
    actor = actor_of(cookie(request, cookies.SESSION))
    if actor is None or actor.kind not in {"participant", "caregiver"}:
        raise RefusedError(SIGNED_OUT)
    return actor


Person = Annotated[Actor, Depends(person)]


def require_form(request: Request, given: Mapping[str, str]) -> None:
    """Raise RefusedError unless a form carries the token of this signed-in browser."""
    if not cookies.is_form_token(cookie(request, cookies.SESSION), given.get("form", "")):
        raise RefusedError(OLD_PAGE)


def go(address: str) -> Response:
    """Send a browser on with GET."""
    return RedirectResponse(address, status_code=303)


def welcome_in(request: Request, answer: Response, token: str) -> Response:
    """Give the browser its new session and end the one it had before."""
    before = cookie(request, cookies.SESSION)
    if before:
        with unit_of_work(database_url(), KNOCKING, reason="signed in anew") as unit:
            access.sign_out(unit, before)
    cookies.give(answer, cookies.SESSION, token)
    cookies.take(answer, cookies.ASKED)
    return answer


@contextmanager
def taking(seconds: float) -> Iterator[None]:
    """Let a block take at least so long, so that its time tells nothing of what it found."""
    ends = time.monotonic() + seconds
    try:
        yield
    finally:
        time.sleep(max(0.0, ends - time.monotonic()))
