"""The pages: one's studies, a study's overview, search."""

from typing import Any

from sqlalchemy.orm import Session

from apps.overview import views
from apps.overview.state import load
from apps.shell.frame import Visit
from apps.shell.pages import PAGES, Page
from apps.shell.places import places
from apps.shell.session import reading
from apps.shell.status import STATES
from apps.shell.words import address, plural
from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.discrepancies import reads as discrepancy_reads
from datamodel.kernel.errors import NotFoundError
from datamodel.participants import reads as participant_reads
from datamodel.study import reads as study_reads

#: Hits shown of each kind.
_MOST = 20
Hit = tuple[str, str, str]


def studies(visit: Visit) -> Any:
    """Return the studies of the reader, with what waits in each."""
    actor = visit.visitor.actor
    with reading(actor) as session:
        found = study_reads.studies_of(session, actor)
        cards = [{"study": study, "counts": _counts(session, actor, study.code)} for study in found]
    return views.studies(cards)


def _counts(session: Session, actor: Actor, study: str) -> list[tuple[str, int]]:
    counts = []
    if may(actor, "study:overview:read", study=study):
        people = participant_reads.status_counts(session, actor, study=study)
        counts.append(("participants", sum(people.values())))
    if may(actor, "study:discrepancies:read", study=study):
        asked = discrepancy_reads.counts(session, actor, study=study)
        counts.append(("open questions", asked["open"] + asked["reopened"]))
    return counts


def overview(visit: Visit) -> Any:
    """Return a study at one glance."""
    with reading(visit.visitor.actor) as session:
        found = load(session, visit)
    return views.overview(found, visit)


def search(visit: Visit) -> Any:
    """Return what fits the words asked for: subjects, visits and forms, data questions; only of the reader's scope."""
    asked = visit.query.get("q", "").strip()[:80]
    groups: list[tuple[str, list[Hit]]] = []
    if asked:
        with reading(visit.visitor.actor) as session:
            groups = [
                ("Participants", _people(session, visit, asked)),
                ("Visits and forms", _forms(session, visit, asked)),
                ("Data questions", _questions(session, visit, asked)),
            ]
    return views.search(asked, groups)


def _people(session: Session, visit: Visit, asked: str) -> list[Hit]:
    people = participant_reads.participants(session, visit.visitor.actor, study=visit.code)
    home = f"/app/{visit.code}/participants"
    return [
        (one.code, f"Site {one.site or '–'}, {STATES[one.status].word.lower()}", f"{home}/{one.code}")
        for one in people
        if asked.lower() in one.code.lower()
    ][:_MOST]


def _forms(session: Session, visit: Visit, asked: str) -> list[Hit]:
    if not may(visit.visitor.actor, "study:records:read", study=visit.code):
        return []
    try:
        protocol = study_reads.design(session, visit.study.id).protocol
    except NotFoundError:
        return []
    words, home = places(protocol), f"/app/{visit.code}/participants"
    visits = [
        (
            words.event_label(event.name),
            plural(len(event.forms), "form"),
            address(home, visit=words.event_slugs[event.name]),
        )
        for event in protocol.events
        if asked.lower() in words.event_label(event.name).lower()
    ]
    forms = [
        (form.label, f"at {words.event_label(event.name)}", address(home, visit=words.event_slugs[event.name]))
        for form in protocol.forms
        if asked.lower() in form.label.lower()
        for event in protocol.events
        if form.name in event.forms
    ]
    return [*visits, *forms][:_MOST]


def _questions(session: Session, visit: Visit, asked: str) -> list[Hit]:
    actor, code = visit.visitor.actor, visit.code
    if not may(actor, "study:discrepancies:read", study=code):
        return []
    rows = discrepancy_reads.discrepancies(session, actor, study=code, search=asked, limit=_MOST)
    list_of = f"/app/{code}/questions"
    return [
        (
            one.participant,
            f"{STATES[one.state].word}: {one.reason}",
            address(list_of, state="all", text=one.participant),
        )
        for one in rows
    ]


PAGES.declare(Page(path="/app/studies", title="Your studies", permission="", build=studies))
PAGES.declare(
    Page(
        path="/app/{study}/overview",
        title="Overview",
        permission="study:overview:read",
        build=overview,
        rail="Study",
        key="o",
        icon="overview",
        order=10,
    )
)
PAGES.declare(Page(path="/app/{study}/search", title="Search", permission="study:participants:read", build=search))
