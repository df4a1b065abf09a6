"""The interface for programs: consent events, task results, receipts, REDCap's trigger, health."""

import base64
import binascii
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from sqlalchemy import text

from apps.edge.bodies import BodyError, key_of, limited, parsed
from apps.edge.guard import SECRET
from apps.edge.session import Participant, SignedIn, database_url
from datamodel.access import reads as access
from datamodel.access.actor import KNOCKING, Actor
from datamodel.assessments.actions import SIMULATED_IN_PRODUCTION
from datamodel.consent import actions as consent_actions
from datamodel.consent import reads as consent
from datamodel.intake import actions as inbox
from datamodel.intake import reads as intake
from datamodel.intake import triggers
from datamodel.intake.actions import Receipt
from datamodel.kernel.errors import Refused, RefusedError, TransientFault, require
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import UnitOfWork, unit_of_work
from datamodel.tasks import reads as tasks
from validators.capture.assessment import Assessment, check_assessment
from validators.capture.consent import ConsentEvent, check_consent

#: A drawn signature has at most 20,000 points.
_CONSENT_BYTES = 600_000
_RESULT_BYTES = 1_500_000
_TRIGGER_BYTES = 64_000
_BAD_SECRET = Refused(
    "wrong-secret",
    "The trigger's secret or its study is not right, so nothing was stored.",
    "Copy the whole trigger address from the study's connection page into the REDCap project.",
)
_OTHER_VERSION = Refused(
    "consent-other-version",
    "This is not the consent version that is in force now, so the decision was not taken.",
    "Open the consent page again, read the present version and decide.",
)


ROUTES: Final = APIRouter(prefix="/api")


@ROUTES.get("/health")
def health() -> JSONResponse:
    """Say that the process runs and the database answers, and what time it is."""
    try:
        with unit_of_work(database_url(), KNOCKING) as unit:
            now = unit.session.execute(text("select clock_timestamp()")).scalar_one()
    except TransientFault:
        return JSONResponse({"status": "no database"}, status_code=503)
    return JSONResponse({"status": "ok", "now": now.isoformat(timespec="milliseconds")})


@ROUTES.post("/consent")
def take_consent(
    request: Request,
    actor: Participant,
    body: Annotated[bytes, Depends(limited(_CONSENT_BYTES, "application/json"))],
) -> JSONResponse:
    """Store a consent decision and answer with its receipt."""
    event = _accepted(check_consent(parsed(body)))
    with unit_of_work(database_url(), actor, reason="sent from the phone") as unit:
        receipt = _accept(unit, kind="consent", key=key_of(request), body=body)
        if not receipt.is_repeat:
            _require_version(unit, event)
    return _received(receipt)


@ROUTES.post("/assessments")
def take_results(
    request: Request,
    actor: Participant,
    body: Annotated[bytes, Depends(limited(_RESULT_BYTES, "application/json"))],
) -> JSONResponse:
    """Store task results and answer with their receipt; refused at once when the consent gate was closed."""
    results = _accepted(check_assessment(parsed(body)))
    try:
        with unit_of_work(database_url(), actor, reason="sent from the phone") as unit:
            receipt = _accept(unit, kind="jspsych", key=key_of(request), body=body)
            if not receipt.is_repeat:
                _require_open(unit, results)
    except RefusedError as error:
        note_refusal(actor, error.refusal, asked_for="send task results")
        raise
    return _received(receipt)


@ROUTES.get("/receipts/{number}")
def receipt_state(number: int, actor: SignedIn) -> JSONResponse:
    """Say what became of a receipt of one's own."""
    with unit_of_work(database_url(), actor) as unit:
        found = intake.receipt(unit.session, number, sender=actor)
    return JSONResponse({"receipt": found.receipt, "state": found.state, "sentence": found.outcome})


@ROUTES.post("/redcap/{study}")
def take_trigger(
    study: str,
    request: Request,
    body: Annotated[bytes, Depends(limited(_TRIGGER_BYTES, "application/x-www-form-urlencoded"))],
) -> JSONResponse:
    """Store the hint that REDCap saved something; saves of one place within seconds are one hint."""
    if not triggers.is_secret(settings(), study, _secret(request)):
        raise RefusedError(_BAD_SECRET)
    with unit_of_work(database_url(), KNOCKING) as unit:
        actor = access.service_actor(unit.session)
    if actor.membership(study) is None:
        raise RefusedError(_BAD_SECRET)
    form = dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=60))
    with unit_of_work(database_url(), actor, reason="REDCap's data entry trigger") as unit:
        key, hint = triggers.hint(form, at=unit.instant)
        receipt = inbox.accept(unit, study=study, kind="redcap_trigger", key=key, body=hint)
    return _received(receipt)


def note_refusal(actor: Actor, refusal: Refused, *, asked_for: str) -> None:
    """Put a refusal at the consent gate into the ledger, with the sentence that is answered."""
    if refusal.code.startswith("consent-") and actor.participant_id is not None:
        with unit_of_work(database_url(), actor, reason=asked_for) as unit:
            consent_actions.note_refusal(
                unit, participant_id=actor.participant_id, asked_for=asked_for, refusal=refusal
            )


def _accepted(report: Any) -> Any:
    if not report.is_accepted:
        raise BodyError(422, f"{report.sentence} Nothing was stored. Correct this and send the message again.")
    return report.accepted


def _accept(unit: UnitOfWork[Actor], *, kind: Any, key: str, body: bytes) -> Receipt:
    person = tasks.own(unit.session, unit.actor)
    return inbox.accept(unit, study=person.study, kind=kind, key=key, body=body)


def _require_version(unit: UnitOfWork[Actor], event: ConsentEvent) -> None:
    """Refuse a decision about a version that is not in force: the person must read the present one."""
    if event.decision == "withdrawn" or event.version is None:
        return
    person = tasks.own(unit.session, unit.actor)
    shown = consent.version(unit.session, event.version)
    present = consent.version_in_force(unit.session, person.study_id, language=shown.language, at=unit.instant)
    if (present.id, present.content_sha256) != (event.version, event.content_sha256):
        raise RefusedError(_OTHER_VERSION)


def _require_open(unit: UnitOfWork[Actor], results: Assessment) -> None:
    """Refuse what the drain would refuse anyway, so that the person reads why at once."""
    assignment = tasks.assignment(unit.session, unit.actor, results.assignment)
    if results.is_simulated and settings().is_production:
        raise RefusedError(SIMULATED_IN_PRODUCTION)
    if intake.unsettled(unit.session, participant_id=assignment.participant_id, kind="consent"):
        return  # a decision arrived and is not filed yet: the drain files it first and then asks the gate
    captured_at: datetime = min(results.started_at, unit.instant)
    require(consent.gate(unit.session, assignment.participant_id, at=captured_at, scope="assessments"))


def _received(receipt: Receipt) -> JSONResponse:
    body = {"receipt": receipt.number, "state": receipt.state, "is_repeat": receipt.is_repeat}
    return JSONResponse(body, status_code=200 if receipt.is_repeat else 202)


def _secret(request: Request) -> str:
    """Return the secret that a trigger shows: taken out of its address by the guard, or as the password of Basic."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return str(request.scope.get(SECRET, ""))
