"""Every address that answers over HTTP, with what it needs; in production an address that is not listed here does not exist.

Panel pages are declared where they are made (`apps.shell.pages`). A route that stands here without being served, or is served
without standing here, fails a test. The refusal itself is made by the route: this list is what it is held against.
"""

from dataclasses import dataclass
from re import Pattern
from typing import Final, Literal

from starlette.routing import compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from datamodel.kernel.settings import settings

#: anyone: nobody need be signed in; door: part of signing in, each step checks its own secret; staff, participant: signed in as
#: one (a caregiver counts as the participant's side); person: signed in as either; secret: a machine that shows one
Who = Literal["anyone", "door", "staff", "participant", "person", "secret"]
#: none: shows nothing of a study; hidden: shows study data, never a blinded value
Blinding = Literal["none", "hidden"]


@dataclass(frozen=True, slots=True)
class Needs:
    """What an address needs: who, with which permission of the table, in which study, and whether blinded values are near."""

    who: Who
    methods: frozenset[str]
    permission: str = ""
    #: none; own: of whoever is signed in; address: named in the address
    study: Literal["none", "own", "address"] = "none"
    blinding: Blinding = "none"


def _get(who: Who, permission: str = "", **more: object) -> Needs:
    return Needs(who, frozenset({"GET", "HEAD"}), permission, **more)  # type: ignore[arg-type]


def _post(who: Who, permission: str = "", **more: object) -> Needs:
    return Needs(who, frozenset({"POST"}), permission, **more)  # type: ignore[arg-type]


def _both(who: Who, permission: str = "", **more: object) -> Needs:
    return Needs(who, frozenset({"GET", "HEAD", "POST"}), permission, **more)  # type: ignore[arg-type]


_OWN: Final = {"study": "own", "blinding": "hidden"}

ROUTES: Final[dict[str, Needs]] = {
    # files
    "/assets/{name:path}": _get("anyone"),
    "/shell/{name}": _get("anyone"),
    "/entrance/{name}": _get("anyone"),
    # programs
    "/api/health": _get("anyone"),
    "/api/consent": _post("participant", "self:consent:sign", **_OWN),
    "/api/assessments": _post("participant", "self:assessments:submit", **_OWN),
    "/api/receipts/{number}": _get("person"),
    "/api/redcap/{study}": _post("secret", study="address"),
    # staff come in
    "/": _get("anyone"),
    "/sign-in": _both("door"),
    "/sign-in/code": _both("door"),
    "/sign-in/passkey/options": _post("door"),
    "/sign-in/passkey": _post("door"),
    "/sign-in/institution": _get("door"),
    "/sign-in/institution/back": _get("door"),
    "/welcome": _both("door"),
    "/sign-out": _post("anyone"),
    "/{where}/set-up": _get("door"),
    "/{where}/set-up/authenticator": _post("door"),
    "/{where}/set-up/authenticator/confirm": _post("door"),
    "/{where}/set-up/passkeys/options": _post("door"),
    "/{where}/set-up/passkeys": _post("door"),
    # one's own account
    "/account": _get("staff"),
    "/account/password": _post("staff"),
    "/account/sessions/others/end": _post("staff"),
    "/account/sessions/{session_id}/end": _post("staff"),
    "/account/passkeys/{passkey_id}/remove": _post("staff"),
    "/account/authenticator/remove": _post("staff"),
    "/account/recovery-codes": _both("staff"),
    "/account/institution": _post("staff"),
    "/account/institution/{identity_id}/remove": _post("staff"),
    "/confirm": _both("staff"),
    "/confirm/passkey/options": _post("staff"),
    "/confirm/passkey": _post("staff"),
    "/session": _both("anyone"),
    # participants come in
    "/link": _both("door"),
    "/link/ask": _both("door"),
    "/link/sent": _get("door"),
    "/pin": _both("door"),
    "/pin/forget": _post("door"),
    "/pin/new": _both("participant"),
    # the phone
    "/me": _get("participant", "self:tasks:read", **_OWN),
    "/me/consent": _get("participant", "self:tasks:read", **_OWN),
    "/me/task/{assignment}": _get("participant", "self:tasks:read", **_OWN),
    "/me/for": _both("participant"),
    "/me/sw.js": _get("anyone"),
}
#: Panel's own scripts and style sheets; the same for everybody.
FILES: Final = ("/static/", "/components/")
#: Where a request for an address that does not exist is sent, so that closed and missing ones answer alike.
_NOWHERE: Final = "/-"


def _compiled() -> list[tuple[Pattern[str], Needs]]:
    return [(compile_path(path)[0], needs) for path, needs in ROUTES.items()]


_COMPILED: Final = _compiled()


class Declared:
    """In production, sends requests for addresses that are not declared to where nothing is."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, to its address or to none."""
        if scope["type"] == "http" and settings().is_production and not _known(scope):
            away = "/api" + _NOWHERE if scope["path"].startswith("/api/") else _NOWHERE
            scope = {**scope, "path": away, "raw_path": away.encode()}
        await self.app(scope, receive, send)


def _known(scope: Scope) -> bool:
    """Return whether the address is declared at all; another method of a declared address is told which it takes."""
    path = scope["path"]
    if path.startswith(FILES) or (path + "/").startswith("/app/"):
        return True
    return any(pattern.fullmatch(path) for pattern, _ in _COMPILED)
