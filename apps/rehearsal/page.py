"""The page: the simulated day, and rehearsal copies. Not among the routes unless `declare` is called."""

from typing import Any

import panel_material_ui as pmui
from markupsafe import Markup

from apps.shell import session as sessions
from apps.shell.frame import Visit, acts, column, pane
from apps.shell.pages import PAGES, Page
from apps.shell.session import acting, reading
from datamodel.rehearsal import actions, reads


def rehearsal(visit: Visit) -> Any:
    """Return the day, and what the study is to rehearsing: a copy whose consent can be bypassed, or one that has copies."""
    return column(*_day(visit), *_copies(visit))


def _day(visit: Visit) -> list[Any]:
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
    return [pane(words), days, pmui.FlexBox(move, back, gap="8px")]


def _copies(visit: Visit) -> list[Any]:
    """Return the switch of a copy's consent; elsewhere which copies there are, or how one is made."""
    source, copies, is_bypassed = _known(visit)
    if source is None:
        return [pane(_OF_A_STUDY.format(study=visit.code) if not copies else _linked(copies))]
    switch = pmui.Switch(label="Open tasks without a signed consent", value=is_bypassed)

    def act(wanted: bool) -> None:
        with acting(visit.visitor) as unit:
            actions.bypass_consent(unit, study=visit.code, is_bypassed=wanted)
        visit.notify("Tasks open without a signed consent." if wanted else "Consent is asked for again.", kind="good")

    switch.param.watch(acts(visit, lambda event: act(bool(event.new))), "value")
    return [pane(_OF_A_COPY.format(copy=visit.code, study=source or "another study")), switch]


def _linked(copies: list[str]) -> Markup:
    links = Markup(", ").join(Markup('<a href="/app/{0}/rehearsal">{0}</a>').format(one) for one in copies)
    return Markup("<h2>Rehearsal copies</h2><p>{}</p>").format(links)


def _known(visit: Visit) -> tuple[str | None, list[str], bool]:
    assert visit.study is not None  # noqa: S101 - the address names a study
    with reading(visit.visitor.actor) as session:
        source = reads.copy_of(session, visit.study.id)
        return (
            source,
            reads.copies_of(session, visit.study.id),
            reads.is_consent_bypassed(session, visit.study.id),
        )


def _now(visit: Visit) -> int:
    assert visit.study is not None  # noqa: S101 - the address names a study
    with reading(visit.visitor.actor) as session:
        return reads.offset_days(session, visit.study.id)


def _sentence(visit: Visit) -> str:
    assert visit.study is not None  # noqa: S101
    with reading(visit.visitor.actor) as session:
        return reads.notice(session, visit.study.id, sessions.clock())


_OF_A_STUDY = Markup(
    "<h2>Rehearsal copies</h2><p>There is none of this study yet. A copy is a study of its own with the same forms and visits, for "
    "invented participants. An operator makes it: <code>metricis testdata copy {study}</code></p>"
)
_OF_A_COPY = Markup(
    "<h2>Rehearsal copy of {study}</h2><p>Every participant and value in it is invented. An operator puts in more with "
    "<code>metricis testdata generate {copy} --participants 20</code>, sets all anchor dates with "
    "<code>metricis testdata anchors {copy} --on 2026-01-05</code>, and takes them out with "
    "<code>metricis testdata clear {copy}</code>.</p>"
)
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
