"""The pages: the grid of all participants, and one participant's record."""

from collections.abc import Callable
from typing import Any

import panel as pn
import panel_material_ui as pmui

from apps.participants import record, views
from apps.participants.reached import section
from apps.participants.reveal import ArmPart
from apps.participants.state import ANY, GridState
from apps.shell.frame import Visit, acts, column, pane
from apps.shell.pages import PAGES, Page
from apps.shell.places import places, with_questions
from apps.shell.session import clock, reading
from apps.shell.words import markup
from datamodel.access.rights import may
from datamodel.discrepancies import reads as discrepancy_reads
from datamodel.kernel.errors import NotFoundError
from datamodel.participants import reads as participant_reads
from datamodel.records import reads as record_reads
from datamodel.scheduling import reads as schedule_reads
from datamodel.study import reads as study_reads


def load_grid(visit: Visit) -> GridState | None:
    """Return the grid as the address asks for it; None when the study has no design yet."""
    actor, code = visit.visitor.actor, visit.code
    with reading(visit.visitor.actor) as session:
        try:
            protocol = study_reads.design(session, visit.study.id).protocol
        except NotFoundError:
            return None
        asked = {}
        if may(actor, "study:discrepancies:read", study=code):
            asked = discrepancy_reads.queries_by_cell(session, actor, study=code)
        found = record_reads.status_grid(session, actor, study=code, queries=asked)
        found = with_questions(found, asked)
        people = participant_reads.participants(session, actor, study=code)
        week = schedule_reads.this_week(session, actor, study=code, grid=found, now=clock())
    enrolled = frozenset(one.code for one in people if one.enrolled_on)
    waited_for = {"week": week.due, "overdue": week.overdue}
    return GridState.from_query(found, places(protocol), visit.query, enrolled=enrolled, waited_for=waited_for)


def grid(visit: Visit) -> Any:
    """Return the grid with its filters; every choice is kept in the address."""
    state = load_grid(visit)
    heading = pane(markup("participants/heading.html", is_empty=state is None))
    if state is None:
        return heading
    path = f"/app/{visit.code}/participants"
    shown = views.grid_pane(state, path=path)
    widgets = views.filters(state)

    def choose(name: str) -> Callable[[Any], None]:
        def chosen(event: Any) -> None:
            value = "" if event.new == ANY else event.new
            state.param.update(**{name: value, "page": 1})
            pn.state.location.search = _search(state)
            widgets["cell"].label = views.cell_label(state)
            shown.object = str(views.grid(state, path=path))

        return chosen

    for name, widget in widgets.items():
        watched = "value_input" if name == "text" else "value"
        widget.param.watch(acts(visit, choose(name)), watched)
    bar = pmui.FlexBox(
        *widgets.values(), gap="12px", align_items="center", margin=(0, 0, 16, 0), sizing_mode="stretch_width"
    )
    return column(heading, bar, shown)


def _search(state: GridState) -> str:
    address = state.href("")
    return address or ""


def one_record(visit: Visit) -> Any:
    """Return one participant's record."""
    subject = visit.named["subject"]
    visit.crumbs = [("Participants", f"/app/{visit.code}/participants"), (subject, "")]
    with reading(visit.visitor.actor) as session:
        found = record.load(session, visit, now=clock())
    visit.title = f"{subject}, record"
    shown, reached = views.record(found, visit), section(visit, subject=subject, site=found.person.site)
    arm = ArmPart(visit, found.person)
    return column(*[one for one in (arm.mark, arm.section, shown, reached) if one is not None])


PAGES.declare(
    Page(
        path="/app/{study}/participants",
        title="Participants",
        permission="study:records:read",
        build=grid,
        rail="Study",
        key="p",
        icon="participants",
        order=20,
    )
)
PAGES.declare(
    Page(
        path="/app/{study}/participants/{subject}",
        title="Record",
        permission="study:records:read",
        build=one_record,
    )
)
