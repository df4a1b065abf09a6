"""One participant's record, worked out from truth. No widgets, no server."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from apps.shell.frame import Visit
from apps.shell.places import Places, places
from apps.shell.status import combined
from datamodel.access.rights import may
from datamodel.assessments import reads as assessment_reads
from datamodel.connections import reads as connection_reads
from datamodel.connections.mapping import Mapping, Place
from datamodel.consent import reads as consent_reads
from datamodel.consent.reads import Consent
from datamodel.discrepancies import reads as discrepancy_reads
from datamodel.discrepancies.reads import Discrepancy
from datamodel.kernel.errors import NotFoundError
from datamodel.participants import reads as participant_reads
from datamodel.participants.reads import Participant, StatusChange
from datamodel.records import reads as record_reads
from datamodel.records.reads import Instance
from datamodel.rehearsal import reads as rehearsal
from datamodel.scheduling.states import ENDED, WORDS, Plan, first_day, plan, visit_state
from datamodel.study import reads as study_reads
from datamodel.study.protocol import Event

#: Scores drawn over a person's own sessions: name -> how people say it.
SCORES: Final = {"median_rt": "Median reaction time", "lapses": "Lapses", "accuracy": "Accuracy"}
#: Icon of a visit's state, from the one vocabulary.
VISIT_ICONS: Final = {
    "done": "complete",
    "out_of_window": "outside_window",
    "due": "in_progress",
    "overdue": "overdue",
    "upcoming": "not_started",
    "missed": "not_done",
    "not_applicable": "not_done",
}
_UNSETTLED: Final = ("open", "answered", "reopened")


@dataclass(frozen=True, slots=True)
class FormLine:
    """One form at one visit."""

    label: str
    href: str
    state: str
    entries: int


@dataclass(frozen=True, slots=True)
class VisitLine:
    """One visit: its plan, what became of it, and its forms."""

    label: str
    state: str
    icon: str
    word: str
    plan: Plan
    actual: date | None
    forms: tuple[FormLine, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """One score over a person's own sessions."""

    label: str
    unit: str
    values: tuple[tuple[str, float], ...]


@dataclass(slots=True)
class Record:
    """All that the page of one participant shows; None where the reader may not see a part."""

    person: Participant
    history: list[StatusChange]
    words: Places | None = None
    visits: list[VisitLine] = field(default_factory=list)
    consent: Consent | None = None
    questions: list[Discrepancy] | None = None
    traces: list[Trace] = field(default_factory=list)
    sessions: list[Any] | None = None
    titles: dict[Any, str] = field(default_factory=dict)


def load(session: Session, visit: Visit, *, now: datetime) -> Record:
    """Return the record; NotFoundError when it is not there, or at a site that the reader does not work at."""
    actor, code, subject = visit.visitor.actor, visit.code, visit.named["subject"]
    person = participant_reads.participant(session, actor, study=code, code=subject)
    found = Record(person, participant_reads.status_history(session, actor, study=code, code=subject))
    try:
        found.words = places(study_reads.design(session, visit.study.id).protocol)
    except NotFoundError:
        found.words = None
    if may(actor, "study:discrepancies:read", study=code, site=person.site):
        found.questions = discrepancy_reads.discrepancies(
            session, actor, study=code, participant=subject, states=_UNSETTLED
        )
    if may(actor, "study:consent:read", study=code, site=person.site):
        found.consent = consent_reads.consent(session, person.id, at=now)
    if may(actor, "study:assessments:read", study=code, site=person.site):
        _assessments(session, visit, found)
    if found.words is not None:
        _visits(
            session,
            visit,
            found,
            today=rehearsal.effective(session, visit.study.id, now).astimezone(ZoneInfo(visit.zone)).date(),
        )
    return found


def _visits(session: Session, visit: Visit, found: Record, *, today: date) -> None:
    actor, code, words = visit.visitor.actor, visit.code, found.words
    instances = record_reads.instances(session, actor, study=code, participant=found.person.code)
    mapping = Mapping()
    if may(actor, "study:connections:read", study=code):
        health = connection_reads.sync_health(session, actor, study=code)
        if health.is_connected:
            mapping = connection_reads.connection(session, actor, study=code).mapping
    anchor = mapping.anchor_on or mapping.enrolled_on
    first = first_day(words.protocol, anchor.event) if anchor else 0
    ended = next((one.on for one in reversed(found.history) if one.status in ENDED), None)
    for event in sorted(words.protocol.events, key=lambda one: one.ordinal):
        mine = [one for one in instances if one.event_name == event.name]
        actual = _actual(mine, mapping.visit_date)
        planned = plan(event, found.person.anchor_on, first=first)
        state = visit_state(
            planned, actual=actual, today=today, status=found.person.status, has_data=bool(mine), ended_on=ended
        )
        forms = tuple(_form(words, visit, found, event, form, mine) for form in event.forms)
        found.visits.append(
            VisitLine(
                label=words.event_label(event.name),
                state=state,
                icon=VISIT_ICONS[state],
                word=WORDS[state],
                plan=planned,
                actual=actual,
                forms=forms,
            )
        )


def _form(words: Places, visit: Visit, found: Record, event: Event, form: str, mine: list[Instance]) -> FormLine:
    entries = [one for one in mine if one.form_name == form]
    asked = [one for one in found.questions or () if (one.event_name, one.form_name) == (event.name, form)]
    if any(one.state in {"open", "reopened"} for one in asked):
        state = "query"
    elif asked:
        state = "answered"
    else:
        order = ("not_started", "in_progress", "complete", "verified", "signed", "locked")
        state = min((one.status for one in entries), key=order.index, default="not_started")
    return FormLine(
        label=words.form_label(form),
        href=words.href(visit.code, found.person.code, event.name, form),
        state=state,
        entries=len(entries),
    )


def _actual(mine: list[Instance], place: Place | None) -> date | None:
    """Return the day a visit took place, when the study's mapping says where that stands."""
    for one in mine:
        if place is not None and (not place.form or one.form_name == place.form):
            text = one.values.get(place.field, "")
            try:
                return date.fromisoformat(text[:10])
            except ValueError:
                continue
    return None


def _assessments(session: Session, visit: Visit, found: Record) -> None:
    sessions = assessment_reads.sessions(session, study_id=visit.study.id, participant_id=found.person.id)
    found.sessions = sorted(sessions, key=lambda one: one.started_at)
    found.titles = {one.id: one.title for one in assessment_reads.batteries(session, visit.study.id)}
    scores = [(one, assessment_reads.scores(session, one.id)) for one in found.sessions]
    for name, label in SCORES.items():
        values = [
            (one.started_at.astimezone(ZoneInfo(visit.zone)).date(), held[name].value, held[name].unit)
            for one, held in scores
            if name in held and held[name].value is not None
        ]
        if values:
            unit = {"share": "", "count": ""}.get(values[0][2], values[0][2])
            found.traces.append(Trace(label, unit, tuple((f"{when:%d-%b-%Y}", value) for when, value, _ in values)))


def progress(found: Record) -> str:
    """Return the state of the whole record, from its forms."""
    states = [form.state for line in found.visits for form in line.forms]
    return combined(states, expected=len(states))
