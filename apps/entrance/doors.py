"""What every route here begins with: who comes, from which browser, with a form of ours or not."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final
from urllib.parse import parse_qs, urlsplit

from fastapi import Depends, Request
from fastapi.responses import RedirectResponse, Response

from apps import cookies
from datamodel.access import reads as access_reads
from datamodel.access.actor import KNOCKING, Actor
from datamodel.access.sessions import SessionInfo, device_words
from datamodel.credentials.actions import NOT_FRESH
from datamodel.kernel.errors import NotFoundError, Refused, RefusedError
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import unit_of_work
from datamodel.vault.seal import new_token

_LONGEST: Final = 30_000
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
CROSS_SITE: Final = Refused(
    "cross-site",
    "This was not sent from a page of this site, so it was not accepted.",
    "Open the page again and send it from there.",
)
OLD_PAGE: Final = Refused(
    "old-page",
    "This page was opened before you signed in or out, so nothing was done.",
    "Load it again and send it from there.",
)
SIGNED_OUT: Final = Refused(
    "signed-out", "You are not signed in, or were signed out after a while, so nothing was done.", "Sign in again."
)


@dataclass(frozen=True, slots=True)
class Guest:
    """Whoever holds this browser: its cookies, and who is signed in with them."""

    token: str = field(repr=False)
    half: str = field(repr=False)
    holder: str = field(repr=False)
    #: the cookie is new and goes out with the answer
    is_new: bool
    device: str
    source: str
    actor: Actor | None = None
    info: SessionInfo | None = None

    @property
    def form_token(self) -> str:
        """What this browser's forms carry."""
        return cookies.form_token(self.token or self.holder)


def database_url() -> str:
    """Return the address of this installation's database."""
    return settings().database_url.get_secret_value()


def guest_of(request: Request) -> Guest:
    """Return who comes; looking does not count as being seen."""
    token, holder = cookies.of(request.cookies, cookies.SESSION), cookies.of(request.cookies, cookies.HOLDER)
    actor = info = None
    if token:
        with unit_of_work(database_url(), KNOCKING) as unit:
            info = access_reads.session_of(unit.session, token, now=unit.instant)
            actor = access_reads.actor(unit.session, info.account_id) if info else None
    return Guest(
        token=token if info else "",
        half=cookies.of(request.cookies, cookies.HALF),
        holder=holder or new_token(),
        is_new=not holder,
        device=device_words(request.headers.get("user-agent", "")),
        source=request.client.host if request.client else "",
        actor=actor,
        info=info,
    )


Comer = Annotated[Guest, Depends(guest_of)]


def present(guest: Comer) -> Guest:
    """Return who is signed in, and note that somebody is there; RefusedError when nobody is."""
    if guest.actor is None:
        raise RefusedError(SIGNED_OUT)
    with unit_of_work(database_url(), KNOCKING) as unit:
        access_reads.stay(unit.session, guest.token, now=unit.instant)
    return guest


Present = Annotated[Guest, Depends(present)]


def inside(guest: Present) -> Guest:
    """Return which member of staff is signed in; NotFoundError for anyone else, who has no such page."""
    if guest.actor is None or guest.actor.kind != "staff":
        raise NotFoundError("This page is for staff.")
    return guest


Inside = Annotated[Guest, Depends(inside)]


def own_origin(headers: Mapping[str, str]) -> bool:
    """Return whether a changing request says, in every way that browsers have, that it comes from a page of ours."""
    if headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return False
    origin, base = headers.get("origin", ""), urlsplit(settings().base_url)
    if origin == f"{base.scheme}://{base.netloc}":
        return True
    host = headers.get("host", "")
    is_loopback = urlsplit(f"//{host}").hostname in _LOOPBACK
    return not settings().is_production and is_loopback and origin == f"http://{host}"


async def _body(request: Request) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > _LONGEST:
            raise RefusedError(Refused("too-long", f"Received more than {_LONGEST:,} bytes; nothing was done."))
        chunks.append(chunk)
    return b"".join(chunks)


async def form(request: Request, guest: Comer) -> dict[str, str]:
    """Return the fields of a form of ours.

    Raises
    ------
    RefusedError
        When it comes from elsewhere, is no form, or lacks this browser's token.
    """
    if not own_origin(request.headers):
        raise RefusedError(CROSS_SITE)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    raw = await _body(request)
    if kind == "application/json":
        fields = _object(raw)
    elif kind == "application/x-www-form-urlencoded":
        fields = _pairs(raw)
    else:
        raise RefusedError(Refused("not-a-form", "Received something that is no form of ours; nothing was done."))
    if not all(_is_text(value) for value in fields.values()):
        raise RefusedError(
            Refused("not-text", "Received characters that are no text; nothing was done.", "Type it again.")
        )
    if not cookies.is_form_token(guest.token or guest.holder, fields.get("form", "")):
        raise RefusedError(OLD_PAGE)
    return fields


Form = Annotated[dict[str, str], Depends(form)]


def _is_text(value: str) -> bool:
    """Return whether it can be stored and hashed: no NUL, no half of a character."""
    return "\x00" not in value and not any("\ud800" <= one <= "\udfff" for one in value)


def _pairs(raw: bytes) -> dict[str, str]:
    try:
        found = parse_qs(raw.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=30)
    except ValueError:
        return {}
    return {name: values[0] for name, values in found.items()}


def _object(raw: bytes) -> dict[str, str]:
    try:
        found: Any = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return (
        {str(name): value for name, value in found.items() if isinstance(value, str)} if isinstance(found, dict) else {}
    )


def fresh(guest: Guest) -> None:
    """Raise RefusedError (`not-fresh`) unless the person confirmed within the last five minutes."""
    with unit_of_work(database_url(), KNOCKING) as unit:
        now = unit.instant
    if guest.info is None or not guest.info.is_fresh(now):
        raise RefusedError(NOT_FRESH)


def landing(actor: Actor) -> str:
    """Return where somebody goes after signing in."""
    return "/app/" if actor.kind == "staff" else "/me"


def go(address: str) -> Response:
    """Send a browser on with GET."""
    return RedirectResponse(address, status_code=303)


def hold(response: Response, guest: Guest) -> Response:
    """Let a new browser keep the cookie that its forms are bound to."""
    if guest.is_new:
        cookies.give(response, cookies.HOLDER, guest.holder)
    return response
