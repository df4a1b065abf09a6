"""How the overview, the studies and the search results look."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

from apps.overview.state import VISIT_STATES, Overview
from apps.shell import charts
from apps.shell.charts import Bar, Line, Segment
from apps.shell.frame import Visit, pane
from apps.shell.session import clock as now
from apps.shell.status import STATES
from apps.shell.words import address, clock, day, markup
from datamodel.access.rights import may


@lru_cache(maxsize=1)
def style() -> str:
    """Return the room's own rules."""
    return (Path(__file__).resolve().parent / "overview.css").read_text("utf-8")


def overview(found: Overview, visit: Visit) -> Any:
    """Return the page of a study."""
    base, actor, instant = f"/app/{visit.code}", visit.visitor.actor, now()
    questions = found.questions or {}
    html = markup(
        "overview/overview.html",
        found=found,
        study=visit.study,
        base=base,
        zone=visit.zone,
        now=instant,
        can_grid=bool(may(actor, "study:records:read", study=visit.code)),
        can_sync=bool(may(actor, "study:connections:read", study=visit.code)),
        open=questions.get("open", 0) + questions.get("reopened", 0),
        as_of=clock(found.health.last_good_at, visit.zone, now=instant) if found.health else "–",
        sparks=_sparks(found),
        enrolment=_enrolment(found, visit),
        sites=_sites(found, base),
        visits=_visits(found, base),
        legend=[
            (code, STATES[code].family) for code in VISIT_STATES if any(v.counts.get(code) for v in found.visits or ())
        ],
    )
    return pane(html, style())


def studies(cards: list[dict[str, Any]]) -> Any:
    """Return the page of one's studies."""
    return pane(markup("overview/studies.html", cards=cards), style())


def search(asked: str, groups: list[tuple[str, list[tuple[str, str, str]]]]) -> Any:
    """Return the page of search results."""
    total = sum(len(hits) for _, hits in groups)
    return pane(markup("overview/search.html", asked=asked, groups=groups, total=total), style())


def _sparks(found: Overview) -> dict[str, Markup]:
    return {
        "enrolled": charts.spark(found.growth),
        "questions": charts.spark(found.opened),
        "runs": charts.spark([run.rows_changed for run in reversed(found.runs)]),
    }


def _enrolment(found: Overview, visit: Visit) -> Markup | None:
    days = found.by_day
    if not days:
        return None
    drawing = charts.enrolment(days, planned=visit.study.planned_enrolment)
    rows = [(day(when), count, total) for (when, count), total in zip(days, found.growth, strict=True)]
    return charts.figure(drawing, name=f"{visit.code}-enrolment", head=("Day", "Enrolled", "Total"), rows=rows)


def _sites(found: Overview, base: str) -> Markup | None:
    """Return enrolment by site; None where there is nothing to compare."""
    if len(found.sites) < 2:  # noqa: PLR2004 - one site is the chart above
        return None
    lines = [
        Line(
            label=site or "No site",
            href=address(f"{base}/participants", status="ever", site=site) if site else "",
            days=tuple(days),
        )
        for site, days in found.sites
    ]
    rows = [
        (line.label, sum(count for _, count in line.days), day(line.days[0][0]), day(line.days[-1][0]))
        for line in lines
    ]
    head = ("Site", "Enrolled", "First", "Latest")
    return charts.figure(charts.multiples(lines), name="enrolment-by-site", head=head, rows=rows, is_svg=False)


def _visits(found: Overview, base: str) -> Markup | None:
    if not found.visits:
        return None
    bars = [
        Bar(
            label=visit.label,
            href=address(f"{base}/participants", visit=visit.slug),
            segments=tuple(
                Segment(code, visit.counts.get(code, 0), address(f"{base}/participants", visit=visit.slug, state=code))
                for code in VISIT_STATES
            ),
        )
        for visit in found.visits
    ]
    head = ("Visit", *(STATES[code].word for code in VISIT_STATES))
    rows = [(visit.label, *(visit.counts.get(code, 0) for code in VISIT_STATES)) for visit in found.visits]
    return charts.figure(charts.stacked(bars), name="visits", head=head, rows=rows, is_svg=False)
