"""Pages for a person: the projects, their records, and one value of one record to change, so that a sync can be watched.

They are self-contained, work without JavaScript, and save as a user would: with a log entry and a Data Entry Trigger.
"""

import asyncio
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, select_autoescape
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from simulators.redcap.api.call import Server
from simulators.redcap.formats import ApiError
from simulators.redcap.model import Project
from simulators.redcap.records.selection import natural
from simulators.redcap.web.control import allowed
from simulators.redcap.web.switches import Traffic
from simulators.redcap.web.trigger import fire, save_form, stored_cells

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=select_autoescape(), trim_blocks=True
)
_REFUSED = "This page may be opened from the machine that the simulator runs on."


def _page(name: str, status: int = 200, **values: Any) -> Response:
    return HTMLResponse(_TEMPLATES.get_template(name).render(**values), status)


def _projects(server: Server) -> list[dict[str, Any]]:
    shown = []
    with server.store.reading() as db:
        counts = dict(db.execute("SELECT project_id, count(*) FROM record GROUP BY project_id"))
    for key in server.store.project_ids():
        project = server.store.project(key)
        shown.append({"id": key, "title": project.doc["info"].get("project_title", ""), "records": counts.get(key, 0)})
    return shown


def _records(server: Server, project_id: int) -> list[str]:
    with server.store.reading() as db:
        found = db.execute("SELECT record FROM record WHERE project_id = ?", (project_id,))
        return sorted((row[0] for row in found), key=natural)


def _forms_of(server: Server, project: Project, record: str) -> list[dict[str, Any]]:
    """Stored forms of a record: event, form, instance, and its fields with choices and values."""
    shown = []
    order = {key: place for place, key in enumerate(project.events_by_id)}
    rows = sorted(stored_cells(server, project.id, record), key=lambda row: (order.get(row[0], -1), row[1], row[2]))
    for event_id, instrument, instance, cells in rows:
        event = project.events_by_id.get(event_id)
        if event is None:
            continue
        for form in [instrument] if instrument else project.forms:
            fields = [
                {
                    "name": column.name,
                    "label": column.label,
                    "value": cells[column.name],
                    "choices": column.choices,
                    "long": column.field is not None and column.field.kind == "notes",
                }
                for column in project.columns
                if column.form == form and column.name in cells and column.kind in {"value", "choice"}
            ]
            if fields:
                shown.append(
                    {"event": event, "form": form, "label": project.forms[form], "instance": instance, "fields": fields}
                )
    return shown


def page_routes(server: Server, traffic: Traffic) -> list[Route]:
    """``/``, ``/project/{id}`` and ``/project/{id}/record`` (GET shows, POST saves one value)."""
    waiting: set[asyncio.Task[None]] = set()

    async def home(request: Request) -> Response:
        if not allowed(request, server):
            return _page("refused.html", 403, reason=_REFUSED)
        return _page("home.html", projects=await run_in_threadpool(_projects, server), api=f"{server.public_url}/api/")

    async def project_page(request: Request) -> Response:
        key = request.path_params["project_id"]
        if not allowed(request, server) or key not in server.store.project_ids():
            return _page("refused.html", 403, reason=f"{_REFUSED} There may be no project {key}.")
        records = await run_in_threadpool(_records, server, key)
        return _page("project.html", project=server.store.project(key), records=records)

    async def record_page(request: Request) -> Response:
        key, record = request.path_params["project_id"], request.query_params.get("record", "")
        if not allowed(request, server) or key not in server.store.project_ids():
            return _page("refused.html", 403, reason=f"{_REFUSED} There may be no project {key}.")
        project = server.store.project(key)
        forms = await run_in_threadpool(_forms_of, server, project, record)
        saved = request.query_params.get("saved", "")
        return _page("record.html", project=project, record=record, forms=forms, saved=saved)

    async def save_value(request: Request) -> Response:
        key = request.path_params["project_id"]
        if not allowed(request, server) or not _same_site(request):
            return _page("refused.html", 403, reason=_REFUSED)
        async with request.form() as form:
            sent = {name: str(value) for name, value in form.items()}
        try:
            trigger = await run_in_threadpool(_save, server, key, sent)
        except ApiError as error:
            return _page("refused.html", 400, reason=f"Nothing was saved. {error.message}")
        task = asyncio.create_task(fire(trigger, traffic.switches))
        waiting.add(task)
        task.add_done_callback(waiting.discard)
        back = request.url.include_query_params(record=sent["record"], saved=sent["field"])
        return RedirectResponse(f"{back.path}?{back.query}", 303)

    return [
        Route("/", home, methods=["GET"]),
        Route("/project/{project_id:int}", project_page, methods=["GET"]),
        Route("/project/{project_id:int}/record", record_page, methods=["GET"]),
        Route("/project/{project_id:int}/record", save_value, methods=["POST"]),
    ]


def _same_site(request: Request) -> bool:
    """Whether a form was sent from our own page, not from somebody else's site in the same browser."""
    origin = request.headers.get("origin")
    return origin is None or origin.partition("://")[2] == request.headers.get("host", "")


def _save(server: Server, project_id: int, sent: dict[str, str]) -> Any:
    project = server.store.project(project_id)
    form, event = sent["instrument"], sent["event"]
    found = project.events.get(event)
    status = "0"
    for event_id, instrument, instance, cells in stored_cells(server, project_id, sent["record"]):
        here = found is not None and event_id == found.id and str(instance) == sent["instance"]
        if here and instrument == (form if project.repeats_in(form, event_id) else ""):
            status = cells.get(f"{form}_complete", "0")
    wanted = {name: sent[name] for name in ("record", "instrument", "event", "instance")}
    values = {sent["field"]: sent["value"].replace("\r\n", "\n")}  # browsers send CRLF
    return save_form(server, wanted | {"project_id": project_id, "values": values, "status": status})
