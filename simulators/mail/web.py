"""The page that shows what came, and the two servers as one process."""

import html
import re

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from simulators.mail.server import Box, Message, running_sink

_STYLE = """
:root { color-scheme: light dark; } body { margin: 0 auto; max-width: 720px; padding: 16px; font: 16px/1.5 system-ui, sans-serif;
overflow-wrap: anywhere; } article { border: 1px solid #8a9ca1; border-radius: 12px; padding: 16px; margin: 0 0 16px; }
h1 { font-size: 24px; } h2 { font-size: 18px; margin: 0; } pre { white-space: pre-wrap; font: inherit; } dt { font-weight: 600; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 12px; margin: 8px 0; } dd { margin: 0; }
a { display: inline-block; min-height: 24px; }
"""
_LINK = re.compile(r"https?://[^\s<>\"']+")


def create_app(box: Box) -> Starlette:
    """Return the page of a box, newest message on top, and the same as JSON."""

    def page(request: Request) -> Response:
        del request
        return HTMLResponse(_page(list(reversed(box.messages))))

    def listing(request: Request) -> Response:
        wanted = request.query_params.get("to")
        found = box.to(wanted) if wanted else list(box.messages)
        return JSONResponse([{"number": m.number, "to": m.to, "subject": m.subject, "text": m.text} for m in found])

    return Starlette(routes=[Route("/", page), Route("/messages.json", listing)])


def _page(messages: list[Message]) -> str:
    body = (
        "".join(_article(one) for one in messages)
        or "<p>No mail has come yet. Load this page again when one should have.</p>"
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>Mail sink</title>'
        f"<style>{_STYLE}</style></head><body><main><h1>Mail sink</h1>"
        f"<p>Every mail of this installation ends here. <a href='/'>Load again</a></p>{body}</main></body></html>"
    )


def _article(one: Message) -> str:
    lines = _LINK.sub(
        lambda found: f'<a href="{found.group()}">{found.group()}</a>', html.escape(one.text, quote=False)
    )
    return (
        f"<article><h2>{html.escape(one.subject)}</h2><dl><dt>To</dt><dd>{html.escape(', '.join(one.to))}</dd>"
        f"<dt>At</dt><dd>{one.at:%d-%b-%Y %H:%M:%S} UTC</dd></dl><pre>{lines}</pre></article>"
    )


def run(*, smtp_port: int, port: int) -> None:
    """Run both servers on loopback until told to stop."""
    with running_sink(port=smtp_port) as (_, box):
        uvicorn.run(create_app(box), host="127.0.0.1", port=port, log_level="warning", access_log=False)
