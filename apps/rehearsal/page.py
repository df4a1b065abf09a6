"""The page: the simulated day. Not among the routes unless `declare` is called."""

from typing import Any

import panel_material_ui as pmui
from markupsafe import Markup

from apps.shell import session as sessions
from apps.shell.frame import Visit, acts, column, pane
from apps.shell.pages import PAGES, Page
from apps.shell.session import acting, reading
from datamodel.rehearsal import actions, reads


def rehearsal(visit: Visit) -> Any:
    """Return the number of days, and two buttons."""
    days = pmui.IntInput(label="Days from the real day", value=_now(visit), step=1, width=220)
    move = pmui.Button(label="Move the day", variant="contained")
    back = pmui.Button(label="Back to the real day", variant="outlined")

    def act(wanted: int) -> None:
        with acting(visit.visitor) as unit:
            actions.move_day(unit, study=visit.code, days=wanted)
        days.value = wanted
        visit.notify(_sentence(visit) or "The study goes by the real day.", kind="good")

    move.on_click(acts(visit, lambda _: act(int(days.value))))
    back.on_click(acts(visit, lambda _: act(0)))
    words = Markup(
        "<h1>Simulated day</h1><p>Visits and tasks of this study go by this day. Nobody sees it in production.</p>"
    )
    return column(pane(words), days, pmui.FlexBox(move, back, gap="8px"))


def _now(visit: Visit) -> int:
    assert visit.study is not None  # noqa: S101 - the address names a study
    with reading(visit.visitor.actor) as session:
        return reads.offset_days(session, visit.study.id)


def _sentence(visit: Visit) -> str:
    assert visit.study is not None  # noqa: S101
    with reading(visit.visitor.actor) as session:
        return reads.notice(session, visit.study.id, sessions.clock())


PAGE = Page(
    path="/app/{study}/rehearsal",
    title="Simulated day",
    permission="system:rehearsal:manage",
    build=rehearsal,
    rail="Development",
    icon="visit",
    order=990,
)


def declare() -> None:
    """Put the page among the routes of this process."""
    if PAGE not in PAGES.all():
        PAGES.declare(PAGE)
