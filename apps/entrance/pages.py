"""Pages of the entrance: templates, words in two languages, files."""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import segno
import yaml
from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from apps.entrance.doors import Guest, hold
from apps.participant import words
from apps.participant.words import Words
from datamodel.kernel.settings import settings

_HERE: Final = Path(__file__).resolve().parent
KINDS: Final = {".js": "text/javascript", ".css": "text/css"}
_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@lru_cache(maxsize=4)
def words_of(language: str) -> Words:
    """Return the entrance's words in a language, English when we do not have it."""
    known = language if language in words.LANGUAGES else "en"
    return Words(known, yaml.safe_load((_HERE / "strings" / f"{known}.yaml").read_text(encoding="utf-8")))


def spoken(request: Request) -> Words:
    """Return the words for what the browser asks for first."""
    return words_of(request.headers.get("accept-language", "").lower()[:2])


@lru_cache(maxsize=32)
def file(name: str) -> tuple[bytes, str] | None:
    """Return one of the entrance's files and its digest, or None."""
    path = _HERE / "static" / name
    if Path(name).name != name or path.suffix not in KINDS or not path.is_file():
        return None
    content = path.read_bytes()
    return content, hashlib.sha256(content).hexdigest()[:12]


def address_of(name: str) -> str:
    """Return a file's address, which changes with its content."""
    found = file(name)
    return f"/entrance/{name}?v={found[1] if found else ''}"


def render(
    request: Request, guest: Guest, template: str, *, status: int = 200, form_token: str = "", **values: Any
) -> Response:
    """Return a page; its forms carry the token of this browser (or `form_token`, when the answer gives it another)."""
    html = _TEMPLATES.get_template(template).render(
        t=spoken(request),
        asset=address_of,
        form=form_token or guest.form_token,
        guest=guest,
        is_development=not settings().is_production,
        host=urlsplit(settings().base_url).netloc,
        **values,
    )
    return hold(HTMLResponse(html, status_code=status), guest)


def qr(address: str) -> Markup:
    """Return a QR code as a drawing in the page: nothing is fetched and nothing is kept."""
    drawing = segno.make(address, error="m").svg_inline(
        scale=5, border=4, dark="#000000", light="#ffffff", svgclass="qr", lineclass=None, omitsize=False
    )
    return Markup(drawing)  # noqa: S704 - drawn by us from numbers
