"""The page: the mapping of a study's data to SDTM, and its code lists."""

from collections.abc import Callable
from typing import Any

import panel as pn
import panel_material_ui as pmui
from markupsafe import Markup

from apps.shell.frame import Visit, acts, column, pane
from apps.shell.pages import PAGES, Page
from apps.shell.places import Places, places
from apps.shell.session import reading
from apps.standards import views
from apps.standards.state import StandardsState
from datamodel.kernel.errors import NotFoundError
from datamodel.study import reads as study_reads
from exports.sdtm.spec import has_spec, load_spec


def standards(visit: Visit) -> Any:
    """Return the mapping or the code lists as the address asks for them."""
    heading, path = pane(Markup("<h1>Data standards</h1>")), f"/app/{visit.code}/standards"
    if not has_spec(visit.code):
        return column(heading, pane(views.none(visit.study.title or visit.code), views.style()))
    state = StandardsState.from_query(load_spec(visit.code), _words(visit), visit.query)
    shown = pane(views.shown(state, path=path), views.style())
    widgets = views.filters(state)

    def choose(name: str) -> Callable[[Any], None]:
        def chosen(event: Any) -> None:
            state.param.update(**{name: event.new.strip(), "codelist": ""})
            pn.state.location.search = state.href("")
            shown.object = str(views.shown(state, path=path))

        return chosen

    for name, widget in widgets.items():
        widget.param.watch(acts(visit, choose(name)), "value_input" if name == "text" else "value")
    bar = pmui.FlexBox(*widgets.values(), gap="12px", align_items="flex-end", margin=(0, 0, 16, 0))
    return column(heading, bar, shown)


def _words(visit: Visit) -> Places | None:
    with reading(visit.visitor.actor) as session:
        try:
            return places(study_reads.design(session, visit.study.id).protocol)
        except NotFoundError:
            return None


PAGES.declare(
    Page(
        path="/app/{study}/standards",
        title="Data standards",
        permission="study:overview:read",
        build=standards,
        rail="Configure",
        key="d",
        icon="standards",
        order=70,
    )
)
