"""The cookies of every door: their names, who may read them, and the token that our own forms carry."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from datamodel.kernel.settings import settings

#: A signed-in browser's token.
SESSION: Final = "metricis_session"
#: A sign-in whose second factor is awaited.
HALF: Final = "metricis_half"
#: A browser that is on its way in: what is asked of it can be answered by it alone.
HOLDER: Final = "metricis_holder"

#: The browser in which a participant asked for a link.
ASKED: Final = "metricis_asked"
#: A device on which a participant set a PIN.
DEVICE: Final = "metricis_device"
#: For whom a caregiver acts in this browser.
ACTS_FOR: Final = "metricis_acts_for"


def is_secure() -> bool:
    """Return whether people reach this installation by https."""
    return settings().base_url.startswith("https://")


def named(base: str) -> str:
    """Return a cookie's full name: with https it begins `__Host-`, so no other host and no plain page can set it."""
    return f"__Host-{base}" if is_secure() else base


def of(cookies: Mapping[str, str], base: str) -> str:
    """Return a cookie's value, or an empty text."""
    return cookies.get(named(base), "")


def give(response: Response, base: str, value: str) -> None:
    """Give the browser a cookie until it is closed: out of reach of scripts, sent to our own pages only."""
    response.set_cookie(named(base), value, httponly=True, samesite="lax", secure=is_secure(), path="/")


def keep(response: Response, base: str, value: str, *, seconds: int) -> None:
    """Give the browser a cookie for that long, also when it is closed meanwhile; else as `give`."""
    response.set_cookie(
        named(base), value, max_age=seconds, httponly=True, samesite="lax", secure=is_secure(), path="/"
    )


def take(response: Response, base: str) -> None:
    """Take a cookie away."""
    response.delete_cookie(named(base), path="/", httponly=True, samesite="lax", secure=is_secure())


def header(base: str, value: str) -> bytes:
    """Return the value of a Set-Cookie header, for answers that are made without a response object."""
    plain = Response()
    give(plain, base, value)
    return plain.headers["set-cookie"].encode("latin-1")


def form_token(holder: str) -> str:
    """Return what a form of ours carries for the browser with this cookie; nobody without the cookie can make it."""
    return hmac.new(holder.encode(), b"metricis form", hashlib.sha256).hexdigest()


def is_form_token(holder: str, token: str) -> bool:
    """Return whether a form's token is the one for this browser."""
    return bool(holder) and hmac.compare_digest(form_token(holder).encode(), token.encode())
