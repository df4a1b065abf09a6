"""What the overview tells, worked out from truth. No widgets, no server."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from apps.shell.frame import Visit
from apps.shell.places import places, with_questions
from apps.shell.session import clock
from apps.shell.status import combined
from apps.shell.words import plural
from datamodel.access.rights import may
from datamodel.audit import reads as audit_reads
from datamodel.audit.reads import Happening
from datamodel.connections import reads as connection_reads
from datamodel.connections.reads import Run, SyncHealth
from datamodel.discrepancies import reads as discrepancy_reads
from datamodel.kernel.errors import NotFoundError
from datamodel.participants import reads as participant_reads
from datamodel.participants.reads import Participant
from datamodel.records import reads as record_reads
from datamodel.records.reads import StatusGrid
from datamodel.scheduling import reads as schedule_reads
from datamodel.scheduling.week import Week
from datamodel.study import reads as study_reads
from datamodel.study.reads import Study

#: Order in which a visit's bar is built.
VISIT_STATES: Final = ("complete", "in_progress", "answered", "query", "not_started")
_UNSETTLED: Final = ("open", "reopened")


@dataclass(frozen=True, slots=True)
class VisitCounts:
    """How many participants have one visit in each state."""

    label: str
    slug: str
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class News:
    """One plain sentence about what changed."""

    icon: str
    sentence: str
    at: datetime


@dataclass(slots=True)
class Overview:
    """Everything on the page; None where the reader may not see a part."""

    people: list[Participant] = field(default_factory=list)
    visits: list[VisitCounts] | None = None
    week: Week | None = None
    questions: dict[str, int] | None = None
    opened: list[int] = field(default_factory=list)
    health: SyncHealth | None = None
    runs: list[Run] = field(default_factory=list)
    news: list[News] = field(default_factory=list)

    @property
    def enrolled(self) -> list[Participant]:
        """Return everyone who was ever enrolled."""
        return [one for one in self.people if one.enrolled_on]

    @property
    def by_day(self) -> list[tuple[date, int]]:
        """Return (day, participants enrolled on it), oldest first."""
        return sorted(Counter(one.enrolled_on for one in self.people if one.enrolled_on).items())

    @property
    def growth(self) -> list[int]:
        """Return the number ever enrolled after each day of enrolment."""
        total, line = 0, []
        for _, count in self.by_day:
            total += count
            line.append(total)
        return line

    @property
    def sites(self) -> list[tuple[str, list[tuple[date, int]]]]:
        """Return (site, [(day, enrolled on it)]), the site with most first; a site is empty where none is known."""
        found: dict[str, Counter[date]] = {}
        for one in self.people:
            if one.enrolled_on:
                found.setdefault(one.site, Counter())[one.enrolled_on] += 1
        largest = sorted(found, key=lambda site: (-found[site].total(), site))
        return [(site, sorted(found[site].items())) for site in largest]


def load(session: Session, visit: Visit) -> Overview:
    """Return the overview as this reader may see it."""
    actor, code = visit.visitor.actor, visit.code
    found = Overview(people=participant_reads.participants(session, actor, study=code))
    if may(actor, "study:records:read", study=code):
        _visits(session, visit, found)
    if may(actor, "study:discrepancies:read", study=code):
        found.questions = discrepancy_reads.counts(session, actor, study=code)
        rows = discrepancy_reads.discrepancies(session, actor, study=code, states=_UNSETTLED, limit=5000)
        found.opened = by_week([row.opened_at for row in rows])
    found.health = connection_reads.sync_health(session, actor, study=code)
    if may(actor, "study:connections:read", study=code):
        found.runs = connection_reads.runs(session, actor, study=code, limit=12)
    found.news = news(session, visit, {one.code for one in found.people}, found.runs)
    return found


def _visits(session: Session, visit: Visit, found: Overview) -> None:
    actor, code = visit.visitor.actor, visit.code
    try:
        protocol = study_reads.design(session, visit.study.id).protocol
    except NotFoundError:
        return
    asked = {}
    if may(actor, "study:discrepancies:read", study=code):
        asked = discrepancy_reads.queries_by_cell(session, actor, study=code)
    grid = record_reads.status_grid(session, actor, study=code, queries=asked)
    grid = with_questions(grid, asked)
    words = places(protocol)
    counts = by_visit(grid)
    found.visits = [
        VisitCounts(words.event_label(name), words.event_slugs[name], each) for name, each in counts.items()
    ]
    found.week = schedule_reads.this_week(session, actor, study=code, grid=grid, now=clock())


def by_visit(grid: StatusGrid) -> dict[str, dict[str, int]]:
    """Return, for each event, how many participants have it in each state."""
    expected = Counter(one.event_name for one in grid.columns)
    shown = {(one.event_name, one.form_name) for one in grid.columns}
    states: dict[tuple[str, str], list[str]] = {}
    for (code, event, form), cell in grid.cells.items():
        if (event, form) in shown:
            states.setdefault((event, code), []).append(cell.state)
    return {
        event: dict(
            Counter(combined(states.get((event, one.participant), []), expected=number) for one in grid.subjects)
        )
        for event, number in expected.items()
    }


def by_week(instants: Iterable[datetime]) -> list[int]:
    """Return how many fall in each week from the first to the last."""
    found = sorted(instants)
    if not found:
        return []
    weeks = Counter((one - found[0]) // timedelta(days=7) for one in found)
    return [weeks.get(number, 0) for number in range(max(weeks) + 1)]


# -- what changed, in sentences ------------------------------------------------------------------------------------

_TOLD: Final = (
    "participants.ensure",
    "records.revise_batch",
    "discrepancies.raise_batch",
    "discrepancies.answer",
    "discrepancies.close",
    "discrepancies.reopen",
    "consent.sign",
    "consent.withdraw",
    "connections.request_sync",
    "study.publish_design",
)


def news(session: Session, visit: Visit, people: set[str], runs: list[Run], *, limit: int = 8) -> list[News]:
    """Return what changed, newest first. Whoever sees one site reads of its own participants only."""
    happenings = audit_reads.happenings(session, study_id=visit.study.id, actions=_TOLD, limit=400)
    membership = visit.visitor.actor.membership(visit.code)
    if membership is not None and membership.site is not None:
        happenings = [one for one in happenings if one.subject.removeprefix("participant:") in people]
    told = [
        *_by_minute(visit.study, happenings, origin=", from the sync" if runs else ""),
        *(_run_news(run) for run in runs if run.state == "failed"),
    ]
    return sorted(told, key=lambda one: one.at, reverse=True)[:limit]


def _by_minute(study: Study, happenings: list[Happening], *, origin: str) -> list[News]:
    """Return one sentence for each act, and one for all the batches of a sync that came in the same hour."""
    told: list[News] = []
    batches: dict[tuple[str, datetime], list[Happening]] = {}
    for one in happenings:
        if one.action.endswith("_batch") or one.action == "participants.ensure":
            key = (one.action, one.at.replace(minute=0, second=0, microsecond=0))
            batches.setdefault(key, []).append(one)
        elif sentence := act_sentence(one):
            told.append(News(_ICONS.get(one.action, "succeeded"), sentence, one.at))
    for (action, _), found in batches.items():
        if sentence := batch_sentence(action, found, origin=origin):
            told.append(News(_ICONS.get(action, "succeeded"), sentence, found[0].at))
    return told


_ICONS: Final = {
    "participants.ensure": "enrolled",
    "records.revise_batch": "complete",
    "discrepancies.raise_batch": "query",
    "discrepancies.answer": "answered",
    "discrepancies.close": "closed",
    "discrepancies.reopen": "reopened",
    "consent.sign": "signed",
    "consent.withdraw": "withdrawn",
    "connections.request_sync": "running",
}


def act_sentence(one: Happening) -> str:
    """Return what one person did, in a sentence; empty when there is nothing to tell."""
    subject = one.subject.partition(":")[2]
    words = {
        "discrepancies.answer": f"{one.actor_name} answered a data question about {subject}.",
        "discrepancies.close": f"{one.actor_name} closed a data question about {subject}.",
        "discrepancies.reopen": f"{one.actor_name} sent a data question about {subject} back.",
        "consent.sign": f"{subject} signed the consent.",
        "consent.withdraw": f"{subject} withdrew consent.",
        "connections.request_sync": f"{one.actor_name} asked for a sync.",
        "study.publish_design": "The study's design was published in a new version.",
    }
    return words.get(one.action, "")


def batch_sentence(action: str, batches: list[Happening], *, origin: str = ", from the sync") -> str:
    """Return what batches brought, in a sentence that says where it came from; empty when they brought nothing."""

    def total(name: str) -> int:
        found = [batch.change.get(name, 0) for batch in batches]
        return sum(int(value) for value in found if isinstance(value, int) or str(value).isdigit())

    if action == "participants.ensure":
        new, changed = total("new"), total("changed")
        parts = [plural(new, "new participant")] * bool(new) + [f"{plural(changed, 'participant')} changed"] * bool(
            changed
        )
    elif action == "records.revise_batch":
        new, changed, removed = total("new"), total("changed"), total("removed")
        parts = (
            [plural(new, "new form entry", "new form entries")] * bool(new)
            + [f"{plural(changed, 'form entry', 'form entries')} changed"] * bool(changed)
            + [f"{plural(removed, 'form entry', 'form entries')} removed"] * bool(removed)
        )
    else:
        opened, reopened, closed = total("opened"), total("reopened"), total("closed")
        parts = (
            [f"{plural(opened, 'data question')} opened"] * bool(opened)
            + [f"{reopened:,} came back"] * bool(reopened)
            + [f"{closed:,} closed, since the value was corrected"] * bool(closed)
        )
    return f"{', '.join(parts)}{origin}." if parts else ""


def _run_news(run: Run) -> News:
    return News("failed", f"A sync failed. {run.sentence}", run.ended_at or run.started_at)
