"""The page: how good the data are, the runs, and "Run now"."""

from typing import Any

import panel as pn
import panel_material_ui as pmui
from markupsafe import Markup

from apps.connections import views
from apps.connections.state import SyncState
from apps.shell import session as sessions
from apps.shell.frame import Visit, acts, column, pane
from apps.shell.pages import PAGES, Page
from apps.shell.session import acting, reading
from datamodel.connections import actions
from datamodel.kernel.errors import FaultError, RefusedError

#: How often the page looks for news of the runs, in milliseconds.
EVERY = 3_000


def sync(visit: Visit) -> Any:
    """Return health, runs and the button; the page follows the runs by itself."""
    state = SyncState()
    shown = pane(Markup(""), views.style())
    button = pmui.Button(label="Run now", variant="contained", margin=0)

    def look() -> None:
        with reading(visit.visitor.actor) as session:
            state.look(session, visit.visitor.actor, study=visit.code)
        button.label, button.disabled = state.button
        html = str(views.sync(state, zone=visit.zone))
        if shown.object != html:
            shown.object = html

    def run_now(_: Any) -> None:
        with acting(visit.visitor) as unit:
            actions.request_sync(unit, study=visit.code)
        look()

    def follow() -> None:
        try:
            sessions.again(visit.visitor, is_seen=False)
            look()
        except (RefusedError, FaultError):
            button.disabled = True  # the banner says why

    button.on_click(acts(visit, run_now))
    look()
    pn.state.add_periodic_callback(follow, period=EVERY)
    heading = pmui.FlexBox(
        pane(Markup("<h1>Sync runs</h1>"), sizing_mode=None),
        button,
        justify_content="space-between",
        align_items="center",
        margin=(0, 0, 16, 0),
        sizing_mode="stretch_width",
    )
    return column(heading, shown)


PAGES.declare(
    Page(
        path="/app/{study}/sync",
        title="Sync runs",
        permission="study:connections:read",
        build=sync,
        rail="Operations",
        key="s",
        icon="sync",
        order=90,
    )
)
