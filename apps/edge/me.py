"""The participant's pages over HTTP; what they show is decided in `apps.participant.views`."""

from pathlib import Path
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response

import apps.participant
from apps import cookies
from apps.edge.api import note_refusal
from apps.edge.pages import Pages
from apps.edge.session import Participant, database_url, token_of
from apps.participant import views
from datamodel.access.actor import Actor
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import unit_of_work
from datamodel.links import devices

_WORKER = Path(apps.participant.__file__).resolve().parent / "static" / "sw.js"
#: How a development installation may have jsPsych do the task by itself.
_SIMULATIONS = ("visual", "data-only")


def router(pages: Pages) -> APIRouter:
    """Return the participant's pages."""
    routes = APIRouter(prefix="/me")

    def phone(request: Request, actor: Actor, template: str, view: Any, **values: Any) -> Response:
        form = cookies.form_token(token_of(request))
        acting = view.t("home.acting", code=view.person.code) if actor.kind == "caregiver" else ""
        return pages.render(template, view.t, view=view, person=view.person, form=form, acting=acting, **values)

    @routes.get("")
    def home(request: Request, actor: Participant) -> Response:
        secret = cookies.of(request.cookies, cookies.DEVICE)
        with unit_of_work(database_url(), actor) as unit:
            view = views.home(unit.session, actor, at=unit.instant)
            has_pin = devices.owner(unit.session, secret, now=unit.instant) == actor.id
        return phone(request, actor, "home.html", view, here="tasks", has_pin=has_pin)

    @routes.get("/consent")
    def consent(request: Request, actor: Participant) -> Response:
        with unit_of_work(database_url(), actor) as unit:
            view = views.consent(unit.session, actor, at=unit.instant)
        return phone(request, actor, "consent.html", view, here="consent")

    @routes.get("/task/{assignment}")
    def task(assignment: UUID, request: Request, actor: Participant) -> Response:
        asked = request.query_params.get("simulate", "")
        simulate = asked if asked in _SIMULATIONS and not settings().is_production else ""
        with unit_of_work(database_url(), actor) as unit:
            view = views.task(unit.session, actor, assignment, at=unit.instant, simulate=simulate)
        if view.blocked is not None:
            note_refusal(actor, view.blocked, asked_for="open a task")
        status = 403 if view.blocked is not None else 200
        return phone(request, actor, "task.html", view, here="tasks", status=status)

    @routes.get("/sw.js")
    def worker() -> Response:
        script = _WORKER.read_text(encoding="utf-8").replace("{{version}}", pages.assets.version)
        headers = {"cache-control": "no-cache", "service-worker-allowed": "/me"}
        return Response(script, media_type="text/javascript", headers=headers)

    return routes
