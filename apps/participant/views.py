"""What each page shows, from the store: frozen values that a template lays out."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from apps.participant import words
from apps.participant.words import Words
from datamodel.access.actor import Actor
from datamodel.consent import reads as consents
from datamodel.consent.reads import Consent, Version, Who
from datamodel.intake import reads as intake
from datamodel.kernel.errors import NotFoundError, Refused
from datamodel.tasks import reads as tasks
from datamodel.tasks.queue import Task

_NOON: Final = 12
_EVENING: Final = 18
#: trials between two messages: the store grows while the task runs
_PER_MESSAGE: Final = 10


@dataclass(frozen=True, slots=True)
class Card:
    """One card of the task list."""

    task: Task
    title: str
    state: str
    state_word: str
    due: str
    reason: str
    address: str
    action: str
    receipt: int | None


@dataclass(frozen=True, slots=True)
class Home:
    """The task list."""

    t: Words
    person: Who
    greeting: str
    progress: str
    cards: list[Card]
    scripts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ConsentPage:
    """The consent: to read and decide, or the copy of what was decided."""

    t: Words
    person: Who
    consent: Consent
    version: Version | None
    unavailable: str
    waiting: int | None
    moment: str
    scripts: dict[str, Any]

    @property
    def is_copy(self) -> bool:
        """Whether the decision stands and only the copy is shown."""
        return self.waiting is not None or self.consent.state in {"signed", "not_needed"}


@dataclass(frozen=True, slots=True)
class TaskPage:
    """A task to do, or why it is not open."""

    t: Words
    person: Who
    title: str
    minutes: int
    blocked: Refused | None
    reason: str
    is_done: bool
    receipt: int | None
    parameters: dict[str, int]
    scripts: dict[str, Any]


def home(session: Session, actor: Actor, *, at: datetime) -> Home:
    """Return the task list of a participant."""
    person = tasks.own(session, actor)
    t = words.of(person.language)
    queue = tasks.queue(session, actor, at=at)
    found = consents.consent(session, person.id, at=at)
    cards = [_card(t, one, found) for one in queue]
    done = sum(card.state == "done" for card in cards)
    hour = at.astimezone(ZoneInfo(person.time_zone)).hour
    greeting = "home.morning" if hour < _NOON else "home.afternoon" if hour < _EVENING else "home.evening"
    return Home(
        t=t,
        person=person,
        greeting=t(greeting),
        progress=t("home.progress", done=done, total=len(cards)) if cards else "",
        cards=cards,
        scripts=_scripts(t, person, actor),
    )


def consent(session: Session, actor: Actor, *, at: datetime) -> ConsentPage:
    """Return the consent page of a participant; with a sentence instead of a text when there is none to show."""
    person = tasks.own(session, actor)
    t = words.of(person.language)
    found = consents.consent(session, person.id, at=at)
    waiting = intake.unsettled(session, participant_id=person.id, kind="consent")
    version, unavailable = None, ""
    try:
        if found.state == "not_needed":
            unavailable = t("consent.not_here")
        else:
            version = consents.version_in_force(session, person.study_id, language=t.language, at=at)
    except NotFoundError as error:
        unavailable = str(error)
    scripts = _scripts(t, person, actor)
    if version is not None:
        scripts |= {"version": str(version.id), "content_sha256": version.content_sha256}
    return ConsentPage(
        t=t,
        person=person,
        consent=found,
        version=version,
        unavailable=unavailable,
        waiting=waiting[-1].receipt if waiting else None,
        moment=t.moment(found.signed_at, person.time_zone) if found.signed_at else "",
        scripts=scripts,
    )


def task(session: Session, actor: Actor, assignment_id: UUID, *, at: datetime, simulate: str) -> TaskPage:
    """Return the page of one of the participant's tasks; NotFoundError when it is not theirs."""
    person = tasks.own(session, actor)
    t = words.of(person.language)
    found = tasks.assignment(session, actor, assignment_id)
    card = next(one for one in tasks.queue(session, actor, at=at) if one.id == assignment_id)
    first = found.battery.tasks[0]
    scripts = _scripts(t, person, actor) | {
        "assignment": str(found.id),
        "task": first["task"],
        "parameters": first["parameters"],
        "per_message": _PER_MESSAGE,
        "simulate": simulate,
        "run": t.group("run"),
    }
    return TaskPage(
        t=t,
        person=person,
        title=t.name(card.task, found.battery.title),
        minutes=found.battery.minutes,
        blocked=card.blocked,
        reason=t.refusal(card.blocked) if card.blocked is not None else "",
        is_done=card.state in {"done", "sent"},
        receipt=card.receipt,
        parameters=first["parameters"],
        scripts=scripts,
    )


def _card(t: Words, one: Task, consent: Consent) -> Card:
    if one.kind == "consent":
        return _consent_card(t, one, consent)
    state = "overdue" if one.is_overdue else one.state
    return Card(
        task=one,
        title=t.name(one.task, one.title),
        state=state,
        state_word=_word(t, state, one.receipt),
        due=f"{t.due(one.days_left)} · {t.day(one.due_on)}" if one.due_on and one.days_left is not None else "",
        reason=t.refusal(one.blocked) if one.blocked is not None else "",
        address=f"/me/task/{one.id}",
        action=t("card.again") if one.state == "started" else t("card.start"),
        receipt=one.receipt,
    )


def _consent_card(t: Words, one: Task, consent: Consent) -> Card:
    decided = consent.state in {"declined", "withdrawn"} and one.state == "done"
    return Card(
        task=one,
        title=t("home.consent_version"),
        state="not_done" if decided else one.state,
        state_word=t(f"state.{consent.state}") if decided else _word(t, one.state, one.receipt),
        due="",
        reason="",
        address="/me/consent",
        action=t("card.read") if one.state == "to_do" else t("card.open"),
        receipt=one.receipt,
    )


def _word(t: Words, state: str, receipt: int | None) -> str:
    if state == "sent":
        return t("state.sent", receipt=receipt) if receipt else t("state.sent_plain")
    return t(f"state.{state}")


def _scripts(t: Words, person: Who, actor: Actor) -> dict[str, Any]:
    """Return what every script of a participant's page gets."""
    who = f"{person.code} < {actor.name}" if actor.kind == "caregiver" else person.code
    return {"who": who, "language": t.language, "texts": t.group("script")}
