"""Pages and files: templates, assets with versions in their addresses, and the answers that are "no"."""

import gzip
import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import Scope

import apps.portal
from apps import cookies
from apps.edge.session import SIGNED_OUT
from apps.participant import words
from apps.participant.words import Words
from datamodel.kernel.errors import FaultError, MetricisError, Refused, RefusedError, outcome
from datamodel.kernel.settings import settings
from datamodel.participants.caregivers import CHOOSE, NOBODY, NOT_FOR_THEM
from datamodel.rehearsal import surfaces

_EDGE: Final = Path(__file__).resolve().parent
_PARTICIPANT: Final = Path(words.__file__).resolve().parent
_PORTAL: Final = Path(apps.portal.__file__).resolve().parent
#: first part of the address -> folder
_FOLDERS: Final = {
    "": _EDGE / "static",
    "me/": _PARTICIPANT / "static",
    "portal/": _PORTAL / "static",
    "vendor/": _EDGE / "vendor",
}
_WORTH_ZIPPING: Final = 1000
_LIBRARIES_MISSING: Final = "The browser libraries are not in place, so this page cannot work. Run `uv sync` once with the npm registry in reach."


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is served."""

    content: bytes
    zipped: bytes | None
    kind: str
    tag: str


class Assets:
    """Every file that pages load, read once and compressed once."""

    def __init__(self) -> None:
        self._files = {
            f"{prefix}{path.relative_to(folder).as_posix()}": _asset(path)
            for prefix, folder in _FOLDERS.items()
            if folder.is_dir()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        self.version = hashlib.sha256("".join(one.tag for one in self._files.values()).encode()).hexdigest()[:12]

    def address(self, name: str) -> str:
        """Return a file's address with its version, so that browsers may keep it for ever.

        Raises
        ------
        FaultError
            When there is no such file.
        """
        if name not in self._files:
            raise FaultError(_LIBRARIES_MISSING if name.startswith("vendor/") else f"There is no file {name}.")
        return f"/assets/{name}?v={self._files[name].tag}"

    def answer(self, name: str, request: Request) -> Response | None:
        """Return a file as an answer (304 when the browser has it), or None when there is none."""
        one = self._files.get(name)
        if one is None:
            return None
        is_versioned = request.query_params.get("v") == one.tag
        headers = {
            "etag": f'"{one.tag}"',
            "cache-control": "public, max-age=31536000, immutable" if is_versioned else "public, no-cache",
            "vary": "accept-encoding",
        }
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=304, headers=headers)
        if one.zipped is not None and "gzip" in request.headers.get("accept-encoding", ""):
            return Response(one.zipped, media_type=one.kind, headers=headers | {"content-encoding": "gzip"})
        return Response(one.content, media_type=one.kind, headers=headers)


def _asset(path: Path) -> Asset:
    content = path.read_bytes()
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    is_text = kind.startswith("text/") or kind.endswith(("javascript", "json", "svg+xml"))
    zipped = gzip.compress(content, mtime=0) if is_text and len(content) > _WORTH_ZIPPING else None
    return Asset(content=content, zipped=zipped, kind=kind, tag=hashlib.sha256(content).hexdigest()[:12])


def _rehearsal(person: Any) -> str:
    """Return what a participant's page says in a rehearsal copy, in development mode or when the day is simulated."""
    words = ["Development mode: nothing here is a real study."] if surfaces.opened(settings()) else []
    if person.is_copy:
        words.append("Rehearsal copy: nobody takes part in it.")
    if person.offset_days and surfaces.is_simulation_honoured(settings()):
        words.append(f"Simulated day ({person.offset_days:+d} days).")
    return " ".join(words)


class Pages:
    """The templates, with what every page needs."""

    def __init__(self, assets: Assets) -> None:
        self.assets = assets
        self._templates = Environment(
            loader=FileSystemLoader([_EDGE / "templates", _PARTICIPANT / "templates", _PORTAL / "templates"]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals["rehearsal"] = _rehearsal

    def render(
        self,
        template: str,
        language: Words,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **context: Any,
    ) -> HTMLResponse:
        """Return a page in one language."""
        html = self._templates.get_template(template).render(
            t=language, asset=self.assets.address, is_development=not settings().is_production, **context
        )
        return HTMLResponse(html, status_code=status, headers=headers)

    def error(self, language: Words, *, status: int, title: str, sentence: str, reference: str = "") -> HTMLResponse:
        """Return the one error page."""
        return self.render("error.html", language, status=status, title=title, sentence=sentence, reference=reference)


def language_of(scope: Scope) -> Words:
    """Return the words for a browser that is not signed in, by what it asks for first."""
    asked = dict(scope["headers"]).get(b"accept-language", b"").decode("latin-1").lower()
    return words.of(asked[:2])


def wants_json(scope: Scope) -> bool:
    """Return whether a program, not a person, waits for the answer."""
    return str(scope["path"]).startswith("/api/")


#: refusals that have a status of their own
_STATUS: Final = {
    "signed-out": 401,
    "old-page": 403,
    "key-reused": 409,
    "consent-other-version": 409,
    "too-many-tries": 429,
}


def status_of(error: MetricisError) -> int:
    """Return the HTTP status for an error of ours."""
    if isinstance(error, RefusedError) and error.refusal.code in _STATUS:
        return _STATUS[error.refusal.code]
    return outcome(error)[1]


def refusal_of(error: MetricisError) -> Refused:
    """Return any error of ours as code, reason and next step."""
    return error.refusal if isinstance(error, RefusedError) else Refused(_code(error), str(error))


def _code(error: MetricisError) -> str:
    return type(error).__name__.removesuffix("Error").removesuffix("Fault").lower() or "fault"


def answer(
    pages: Pages, scope: Scope, refusal: Refused, *, status: int, reference: str = "", allow: str = ""
) -> Response:
    """Return a "no": JSON for programs, the error page (or the way to sign in) for people."""
    headers = {"allow": allow} if allow else {}
    if wants_json(scope):
        body = {"code": refusal.code, "sentence": refusal.sentence, "reason": refusal.reason, "next": refusal.next_step}
        return JSONResponse(body | ({"reference": reference} if reference else {}), status_code=status, headers=headers)
    if refusal.code == SIGNED_OUT.code:
        has_device = bool(cookies.of(cookie_parser(Headers(scope=scope).get("cookie", "")), cookies.DEVICE))
        return RedirectResponse(f"{'/pin' if has_device else '/sign-in'}?why=signed-out", status_code=303)
    if refusal.code in {CHOOSE.code, NOBODY.code, NOT_FOR_THEM.code} and scope["method"] == "GET":
        return RedirectResponse("/me/for", status_code=303)
    language = language_of(scope)
    title = language("error.fault") if reference else language("error.title")
    return pages.error(language, status=status, title=title, sentence=language.refusal(refusal), reference=reference)
