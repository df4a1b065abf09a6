"""Plain steps: open each envelope, check it, file it, say how it ended."""

import logging
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy.exc import SQLAlchemyError

from datamodel.access import reads as access
from datamodel.access.actor import KNOCKING, Actor
from datamodel.assessments import actions as assessments
from datamodel.assessments.actions import Part
from datamodel.connections import actions as connections
from datamodel.consent import actions as consent
from datamodel.intake import actions as inbox
from datamodel.intake import reads as intake
from datamodel.intake.actions import Opened, State
from datamodel.kernel.errors import (
    BadInputError,
    FaultError,
    NotFoundError,
    Refused,
    RefusedError,
    TransientFault,
)
from datamodel.kernel.unit import UnitOfWork, reading, unit_of_work
from datamodel.participants import caregivers
from datamodel.tasks import reads as tasks
from validators.capture.assessment import Assessment, check_assessment
from validators.capture.consent import ConsentEvent, check_consent

logger = logging.getLogger("metricis.intake")
KINDS: Final = ("consent", "jspsych", "redcap_trigger")


@dataclass(slots=True)
class DrainSummary:
    """What a drain did: how many envelopes ended how, and the receipts that need a look."""

    processed: int = 0
    refused: int = 0
    failed: int = 0
    trouble: list[tuple[int, str]] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Envelopes that were opened."""
        return self.processed + self.refused + self.failed


def drain(url: str, *, study: str | None = None) -> DrainSummary:
    """Open everything that is due, in the order of receipts, and file it.

    Raises
    ------
    TransientFault
        When PostgreSQL goes away; what was filed stays filed, the rest stays pending.
    """
    summary = DrainSummary()
    actor = service(url)
    if actor is None:
        return summary
    with reading(url, actor) as session:
        due = intake.due(session, kinds=KINDS, study=study)
    for envelope_id in due:
        _one(url, actor, envelope_id, summary)
    return summary


def service(url: str) -> Actor | None:
    """Return the machine account of the flows; None before there is a study to work in."""
    with reading(url, KNOCKING) as door:
        try:
            return access.service_actor(door)
        except NotFoundError:
            return None


def has_pending(url: str) -> bool:
    """Return whether anything waits to be opened now."""
    actor = service(url)
    if actor is None:
        return False
    with reading(url, actor) as session:
        return intake.has_pending(session)


def _one(url: str, actor: Actor, envelope_id: UUID, summary: DrainSummary) -> None:
    """File one envelope; a refusal or a fault undoes the filing and is written beside the envelope."""
    try:
        with unit_of_work(url, actor, reason="drained from the inbox") as unit:
            opened = inbox.open_envelope(unit, envelope_id)
            if opened is None:
                return
            outcome = _FILERS[opened.kind](unit, opened)
            inbox.settle(unit, envelope_id=envelope_id, state="processed", outcome=outcome)
        summary.processed += 1
    except TransientFault:
        raise
    except (RefusedError, BadInputError, NotFoundError) as error:
        summary.refused += _ended(url, actor, envelope_id, "refused", str(error), summary)
    except FaultError as error:
        summary.failed += _ended(url, actor, envelope_id, "failed", str(error), summary)
    except SQLAlchemyError as error:
        # The database's own words may hold values, so only their kind is kept.
        sentence = f"The database refused to store this ({type(error).__name__}); it is kept and tried again."
        summary.failed += _ended(url, actor, envelope_id, "failed", sentence, summary)


def _ended(url: str, actor: Actor, envelope_id: UUID, state: State, sentence: str, summary: DrainSummary) -> int:
    try:
        with unit_of_work(url, actor, reason="drained from the inbox") as unit:
            receipt = inbox.settle(unit, envelope_id=envelope_id, state=state, outcome=sentence)
    except NotFoundError:  # another drain has it, or had it
        return 0
    summary.trouble.append((receipt, sentence))
    logger.warning("Receipt %s was %s: %s", receipt, state, sentence)
    return 1


def _file_consent(unit: UnitOfWork[Actor], opened: Opened) -> str:
    report = check_consent(_parsed(opened))
    if report.accepted is None:
        raise BadInputError(report.sentence)
    event = report.accepted
    participant_id = _participant(opened)
    sender = _sender(unit, opened, participant_id)
    if event.decision == "withdrawn":
        consent.withdraw(
            unit, participant_id=participant_id, withdrawn_by=sender, at=event.decided_at, scope=event.scope
        )
        return "The consent was withdrawn."
    if event.version is None:
        raise BadInputError("The message names no consent version.")
    if event.decision == "declined":
        consent.file_decline(
            unit,
            participant_id=participant_id,
            version_id=event.version,
            declined_by=sender,
            at=event.decided_at,
            received_at=opened.received_at,
            receipt=opened.receipt,
        )
        return "The decline was filed."
    _sign(unit, opened, event, version_id=event.version, sender=sender, participant_id=participant_id)
    return "The signature was filed."


def _sign(
    unit: UnitOfWork[Actor],
    opened: Opened,
    event: ConsentEvent,
    *,
    version_id: UUID,
    sender: Actor,
    participant_id: UUID,
) -> None:
    mark = {"typed_name": event.typed_name} if event.method == "typed" else {"strokes": event.strokes}
    consent.file_signature(
        unit,
        participant_id=participant_id,
        version_id=version_id,
        shown_sha256=event.content_sha256 or "",
        method=event.method or "typed",
        mark=orjson.dumps(mark),
        signed_by=sender,
        signed_at=event.decided_at,
        received_at=opened.received_at,
        receipt=opened.receipt,
    )


def _file_assessment(unit: UnitOfWork[Actor], opened: Opened) -> str:
    report = check_assessment(_parsed(opened))
    if report.accepted is None:
        raise BadInputError(report.sentence)
    participant_id = _participant(opened)
    _wait_for_consent(unit, opened, participant_id)
    sender = _sender(unit, opened, participant_id)
    assignment = tasks.assignment(unit.session, sender, report.accepted.assignment)
    state = assessments.file_session(
        unit,
        participant_id=participant_id,
        sent_by=sender,
        part=part_of(report.accepted, battery_id=assignment.battery.id, flags=report.flags),
        received_at=opened.received_at,
        receipt=opened.receipt,
    )
    return f"{len(report.accepted.trials)} trials were filed; the session is {state}."


def part_of(found: Assessment, *, battery_id: UUID, flags: tuple[str, ...]) -> Part:
    """Return what arrived as the assessments room takes it."""
    device: dict[str, Any] = dict(found.device)
    if found.interactions:
        device["interactions"] = [one.model_dump() for one in found.interactions]
    return Part(
        session_id=found.session,
        assignment_id=found.assignment,
        battery_id=battery_id,
        task=found.task,
        started_at=found.started_at,
        is_simulated=found.is_simulated,
        trials=tuple(found.trials),
        device=device,
        flags=flags,
        outcome=found.outcome,
        ended_at=found.ended_at,
        trials_expected=found.trials_expected,
    )


def _wait_for_consent(unit: UnitOfWork[Actor], opened: Opened, participant_id: UUID) -> None:
    """Leave results for later while a consent that arrived before them is not filed yet."""
    waiting = intake.unsettled(unit.session, participant_id=participant_id, kind="consent")
    earlier = [one.receipt for one in waiting if one.receipt < opened.receipt]
    if earlier:
        raise FaultError(
            f"The consent with receipt {earlier[0]} arrived before and is not filed yet; these results wait for it."
        )


def _ask_for_sync(unit: UnitOfWork[Actor], opened: Opened) -> str:
    try:
        connections.request_sync(unit, study=opened.study)
    except RefusedError as error:
        if error.refusal.code == "sync-requested":
            return error.refusal.sentence
        if error.refusal.code == "sync-running":
            # That run may have read this place before it was saved, so another one is asked for when it has ended.
            raise FaultError("A sync is running; another one is asked for when it has ended.") from error
        raise
    return "A sync was asked for."


def _sender(unit: UnitOfWork[Actor], opened: Opened, participant_id: UUID) -> Actor:
    """Return who sent it; a caregiver as acting for this participant, which must have held when it arrived."""
    sender = access.actor(unit.session, opened.sender_id)
    return caregivers.acting(unit.session, sender, participant_id, at=opened.received_at)


def _participant(opened: Opened) -> UUID:
    if opened.participant_id is None:
        raise RefusedError(
            Refused("not-a-participant", "The sender is not a participant, so nothing was filed.", "Sign in as one.")
        )
    return opened.participant_id


def _parsed(opened: Opened) -> Any:
    try:
        return orjson.loads(opened.body)
    except orjson.JSONDecodeError as error:
        raise BadInputError("The message is not JSON; nothing was filed.") from error


_FILERS: Final = {"consent": _file_consent, "jspsych": _file_assessment, "redcap_trigger": _ask_for_sync}
