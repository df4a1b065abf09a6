"""The verbs: make a battery, file a part of a session that arrived."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import orjson

from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.assessments import store
from datamodel.assessments.library import LIBRARY, settled
from datamodel.assessments.scoring import RULES
from datamodel.assessments.tables import BatteryRow, ScoreRow, SessionRow, TrialRow
from datamodel.audit import ledger
from datamodel.consent import reads as consent
from datamodel.consent.reads import Who
from datamodel.kernel.errors import BadInputError, NotFoundError, Refused, RefusedError, require
from datamodel.kernel.ids import new_id
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import UnitOfWork
from datamodel.study import reads as studies

#: States in which a session takes no more trials.
_CLOSED: Final = ("scored", "void")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a session as the phone sent it: some trials, and with the last part how it ended."""

    session_id: UUID
    assignment_id: UUID | None
    battery_id: UUID
    task: str
    started_at: datetime
    is_simulated: bool
    trials: tuple[dict[str, Any], ...]
    device: dict[str, Any] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    #: None until the last part: `complete`, or `left` when the person went away
    outcome: Literal["complete", "left"] | None = None
    ended_at: datetime | None = None
    trials_expected: int | None = None


def create_battery(
    unit: UnitOfWork[Actor], *, study: str, code: str, title: str, minutes: int, tasks: list[dict[str, Any]]
) -> UUID:
    """Create a battery, or its next version when it changed, and return the version's id.

    `tasks` lists `{"task": code, "parameters": {...}}`; missing parameters take the library's defaults and are written
    down, so that a version says everything.

    Raises
    ------
    RefusedError
        When the actor may not set up batteries.
    BadInputError
        When a task or a parameter is unknown or out of its limits.
    """
    require(may(unit.actor, "study:assessments:configure", study=study))
    study_id = studies.study(unit.session, study).id
    whole = _whole(tasks)
    present = store.newest_battery(unit.session, study_id=study_id, code=code)
    if present and (present.title, present.minutes, present.tasks) == (title, minutes, whole):
        return present.id
    row_id, event_id, version = new_id(), new_id(), (present.version if present else 0) + 1
    store.add(
        unit.session,
        BatteryRow(
            id=row_id,
            study_id=study_id,
            code=code,
            version=version,
            title=title,
            minutes=minutes,
            tasks=whole,
            event_id=event_id,
        ),
    )
    ledger.record(
        unit,
        "assessments.create_battery",
        study_id=study_id,
        subject=f"battery:{code}",
        role=unit.actor.role(study),
        change={"new": {"version": version, "title": title, "minutes": minutes, "tasks": whole}},
        event_id=event_id,
    )
    return row_id


def _whole(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if not tasks:
        raise BadInputError("Received a battery without tasks; it needs at least one. Nothing was created.")
    return [
        {
            "task": one["task"],
            "parameters": settled(one["task"], one.get("parameters", {})),
            "version": LIBRARY[one["task"]].version,
        }
        for one in tasks
    ]


def file_session(
    unit: UnitOfWork[Actor], *, participant_id: UUID, sent_by: Actor, part: Part, received_at: datetime, receipt: int
) -> str:
    """File one part of a session and return the session's state; the part that makes it whole has it scored.

    Parts may come twice and in any order: a trial that is there already is not written again.

    Raises
    ------
    RefusedError
        When the consent gate was closed at the capture, the session belongs to another participant, a trial came before
        with other content, or simulated results reach a production installation.
    NotFoundError
        When the study has no such battery or participant.
    """
    person = consent.who(unit.session, participant_id)
    require(may(unit.actor, "study:assessments:file", study=person.study))
    captured_at = min(part.started_at, received_at)
    _require_capture(unit, person, sent_by, part, at=captured_at)
    event_id = new_id()
    row = _session(unit, person, sent_by, part, captured_at=captured_at, receipt=receipt, event_id=event_id)
    known = store.trials(unit.session, row.id)
    fresh = _fresh(part, known, is_closed=row.state in _CLOSED)
    store.add(
        unit.session,
        *(TrialRow(session_id=row.id, trial_index=one["trial_index"], data=one, event_id=event_id) for one in fresh),
    )
    _advance(row, part, receipt=receipt, event_id=event_id)
    _score(unit, row, known | {one["trial_index"]: one for one in fresh}, event_id=event_id)
    unit.session.flush()
    _record(unit, person, row, sent_by, fresh, receipt=receipt)
    return row.state


def _require_capture(unit: UnitOfWork[Actor], person: Who, sent_by: Actor, part: Part, *, at: datetime) -> None:
    require(may(sent_by, "self:assessments:submit", study=person.study))
    if sent_by.participant_id != person.id:
        raise RefusedError(_NOT_OWN)
    if part.is_simulated and settings().is_production:
        raise RefusedError(SIMULATED_IN_PRODUCTION)
    require(consent.gate(unit.session, person.id, at=at, scope="assessments"))


def _session(
    unit: UnitOfWork[Actor],
    person: Who,
    sent_by: Actor,
    part: Part,
    *,
    captured_at: datetime,
    receipt: int,
    event_id: UUID,
) -> SessionRow:
    row = store.locked_session(unit.session, part.session_id)
    if row is not None:
        if row.participant_id != person.id or row.battery_id != part.battery_id:
            raise RefusedError(_NOT_OWN)
        return row
    battery = store.battery(unit.session, part.battery_id)
    if battery is None or battery.study_id != person.study_id:
        raise NotFoundError("This study has no such battery version; nothing was filed.")
    if part.task not in {one["task"] for one in battery.tasks}:
        raise BadInputError(f"Received results of the task “{part.task}”, which is not in the battery {battery.code}.")
    row = SessionRow(
        id=part.session_id,
        study_id=person.study_id,
        participant_id=person.id,
        battery_id=battery.id,
        assignment_id=part.assignment_id,
        acted_by=sent_by.id,
        consent_version_id=consent.signed_version(unit.session, person.id, at=captured_at),
        state="started",
        task=part.task,
        started_at=captured_at,
        device=part.device,
        flags=[],
        is_simulated=part.is_simulated,
        receipt=receipt,
        event_id=event_id,
    )
    store.add(unit.session, row)
    return row


def _fresh(part: Part, known: dict[int, dict[str, Any]], *, is_closed: bool) -> list[dict[str, Any]]:
    differing = [one["trial_index"] for one in part.trials if known.get(one["trial_index"], one) != one]
    fresh = [one for one in part.trials if one["trial_index"] not in known]
    if differing or (is_closed and fresh):
        raise RefusedError(_OTHER_TRIALS)
    return fresh


def _advance(row: SessionRow, part: Part, *, receipt: int, event_id: UUID) -> None:
    row.receipt, row.event_id = receipt, event_id
    row.device = row.device | part.device
    row.flags = sorted({*row.flags, *part.flags})
    row.is_simulated = row.is_simulated or part.is_simulated
    if part.outcome == "complete":
        row.ended_at, row.trials_expected = part.ended_at, part.trials_expected
    elif part.outcome == "left" and row.state not in ("complete", *_CLOSED):
        row.ended_at = part.ended_at
    if row.state not in _CLOSED:
        row.state = "partial"


def _score(unit: UnitOfWork[Actor], row: SessionRow, trials: dict[int, dict[str, Any]], *, event_id: UUID) -> None:
    """Score a session once, when everything that the phone counted has arrived."""
    if row.state in _CLOSED or row.trials_expected is None or len(trials) < row.trials_expected:
        return
    rule = LIBRARY[row.task].rule
    store.add(
        unit.session,
        *(
            ScoreRow(session_id=row.id, name=one.name, rule=rule, value=one.value, unit=one.unit, event_id=event_id)
            for one in RULES[rule](trials[index] for index in sorted(trials))
        ),
    )
    row.state = "scored"


def _record(
    unit: UnitOfWork[Actor],
    person: Who,
    row: SessionRow,
    sent_by: Actor,
    fresh: list[dict[str, Any]],
    *,
    receipt: int,
) -> None:
    ledger.record(
        unit,
        "assessments.file_session",
        study_id=person.study_id,
        subject=f"participant:{person.code}",
        role=unit.actor.role(person.study),
        change={
            "new": {
                "session": row.id,
                "task": row.task,
                "state": row.state,
                "by": sent_by.name,
                "by_kind": sent_by.kind,
                "receipt": receipt,
                "trials": len(fresh),
                "rows_sha256": rows_digest(fresh),
                "is_simulated": row.is_simulated,
            }
        },
        event_id=row.event_id,
    )


def rows_digest(trials: list[dict[str, Any]]) -> str:
    """Return the SHA-256 over trials in the order of their index, as the ledger event names it."""
    ordered = sorted(trials, key=lambda one: int(one["trial_index"]))
    return hashlib.sha256(orjson.dumps(ordered, option=orjson.OPT_SORT_KEYS)).hexdigest()


SIMULATED_IN_PRODUCTION: Final = Refused(
    "simulated-in-production",
    "These results are marked as simulated, and this installation holds real participants.",
    "Do the task yourself; simulation is for development installations.",
)
_NOT_OWN: Final = Refused(
    "not-own", "This session belongs to another participant, so it was not accepted.", "Sign in as yourself."
)
_OTHER_TRIALS: Final = Refused(
    "other-trials",
    "Results for trials of this session had arrived before with other content; the first ones were kept.",
    "Start the task again if the study team asks for it.",
)
