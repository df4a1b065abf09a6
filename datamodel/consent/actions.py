"""The verbs: publish a version; file a signature, a decline or a withdrawal that arrived; note a refusal."""

import hashlib
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

import orjson

from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.audit import ledger
from datamodel.consent import store
from datamodel.consent.gate import SCOPES
from datamodel.consent.store import Who
from datamodel.consent.tables import DeclineRow, SignatureRow, VersionRow, WithdrawalRow
from datamodel.kernel.errors import BadInputError, NotFoundError, Refused, RefusedError, require
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import UnitOfWork
from datamodel.vault.keyring import keyring
from datamodel.vault.seal import Place

#: A phone's clock may be this much off before its instant is not believed.
CLOCK_TOLERANCE: Final = timedelta(minutes=5)


def content_hash(*, version: str, language: str, title: str, sections: list[dict[str, Any]]) -> bytes:
    """Return the SHA-256 of a version's text as it is shown: signing names it, so that it can never differ."""
    shown = {"version": version, "language": language, "title": title, "sections": sections}
    return hashlib.sha256(orjson.dumps(shown, option=orjson.OPT_SORT_KEYS)).digest()


def publish(
    unit: UnitOfWork[Actor],
    *,
    study: str,
    version: str,
    language: str,
    title: str,
    sections: list[dict[str, Any]],
    document: str = store.MAIN,
) -> UUID:
    """Publish a consent version in one language and return its id; the same text again changes nothing.

    Publishing a new version closes the gate for everyone until they sign it.

    Raises
    ------
    RefusedError
        When the actor may not publish consent.
    BadInputError
        When that version is published already in this language with a different text, or has no text.
    """
    require(may(unit.actor, "study:consent:publish", study=study))
    study_id = store.study_id(unit.session, study)
    _check_text(title, sections)
    digest = content_hash(version=version, language=language, title=title, sections=sections)
    for row in store.variants(unit.session, study_id=study_id, label=version, document=document):
        if row.language == language:
            return _same_text(row, digest)
    version_id, event_id = new_id(), new_id()
    store.supersede_others(unit.session, study_id=study_id, document=document, label=version)
    store.add(
        unit.session,
        VersionRow(
            id=version_id,
            study_id=study_id,
            document=document,
            version=version,
            language=language,
            title=title,
            sections=sections,
            content_hash=digest,
            status="published",
            published_at=unit.instant,
            event_id=event_id,
        ),
    )
    ledger.record(
        unit,
        "consent.publish",
        study_id=study_id,
        subject=f"consent:{version}",
        role=unit.actor.role(study),
        change={"new": {"document": document, "language": language, "content_sha256": digest.hex()}},
        event_id=event_id,
    )
    return version_id


def _check_text(title: str, sections: list[dict[str, Any]]) -> None:
    whole = title.strip() and sections
    if not whole or any(set(one) != {"heading", "paragraphs"} or not one["paragraphs"] for one in sections):
        raise BadInputError(
            f"Received a consent text with {len(sections)} sections; a version needs a title and at least one section, "
            "each with a heading and its paragraphs. Nothing was published."
        )


def _same_text(row: VersionRow, digest: bytes) -> UUID:
    if row.content_hash != digest:
        raise BadInputError(
            f"Version {row.version} is published in the language “{row.language}” already with a different text, and a "
            "published version is never changed. Publish the new text under a new version number."
        )
    return row.id


def file_signature(
    unit: UnitOfWork[Actor],
    *,
    participant_id: UUID,
    version_id: UUID,
    shown_sha256: str,
    method: Literal["drawn", "typed"],
    mark: bytes,
    signed_by: Actor,
    signed_at: datetime,
    received_at: datetime,
    receipt: int,
) -> UUID:
    """File a signature that arrived and return its id. `mark` (typed name or strokes) is sealed.

    Raises
    ------
    RefusedError
        When the actor may not file consent, the signer may not sign for this participant, or what was shown is not the
        version's text.
    """
    person, version = _filing(unit, participant_id=participant_id, version_id=version_id, signer=signed_by)
    if version.content_hash.hex() != shown_sha256:
        raise RefusedError(_OTHER_TEXT)
    row_id, event_id = new_id(), new_id()
    effective = _believed(signed_at, not_before=version.published_at, not_after=received_at)
    store.add(
        unit.session,
        SignatureRow(
            id=row_id,
            participant_id=participant_id,
            version_id=version_id,
            signed_by=signed_by.id,
            method=method,
            signed_at=effective,
            received_at=received_at,
            content_hash=version.content_hash,
            mark=keyring(unit.session).seal(
                Place("consent_signature", "mark", row_id, person.study_id, participant_id), mark
            ),
            receipt=receipt,
            event_id=event_id,
        ),
    )
    change = _told(version, signed_by, receipt=receipt, at=effective) | {
        "method": method,
        "content_sha256": shown_sha256,
    }
    _record(unit, "consent.file_signature", person, change=change, event_id=event_id)
    return row_id


def file_decline(
    unit: UnitOfWork[Actor],
    *,
    participant_id: UUID,
    version_id: UUID,
    declined_by: Actor,
    at: datetime,
    received_at: datetime,
    receipt: int,
) -> UUID:
    """File a "no" that arrived and return its id.

    Raises
    ------
    RefusedError
        When the actor may not file consent, or the person may not answer for this participant.
    """
    person, version = _filing(unit, participant_id=participant_id, version_id=version_id, signer=declined_by)
    row_id, event_id = new_id(), new_id()
    effective = _believed(at, not_before=version.published_at, not_after=received_at)
    store.add(
        unit.session,
        DeclineRow(
            id=row_id,
            participant_id=participant_id,
            version_id=version_id,
            declined_by=declined_by.id,
            at=effective,
            received_at=received_at,
            receipt=receipt,
            event_id=event_id,
        ),
    )
    change = _told(version, declined_by, receipt=receipt, at=effective)
    _record(unit, "consent.file_decline", person, change=change, event_id=event_id)
    return row_id


def withdraw(
    unit: UnitOfWork[Actor],
    *,
    participant_id: UUID,
    withdrawn_by: Actor,
    at: datetime,
    scope: str = "participation",
) -> UUID:
    """File a withdrawal: from `at` on nothing of `scope` may be asked; what was filed before stays.

    Raises
    ------
    RefusedError
        When the actor may not file consent, or the person may not withdraw for this participant.
    BadInputError
        When the scope is unknown.
    """
    person = store.who(unit.session, participant_id)
    require(may(unit.actor, "study:consent:file", study=person.study))
    _require_own(withdrawn_by, person)
    if scope not in SCOPES:
        raise BadInputError(f"Received the scope “{scope}”; allowed are {', '.join(SCOPES)}. Nothing was withdrawn.")
    row_id, event_id = new_id(), new_id()
    # A withdrawal counts at the latest when it arrives: it never waits for a phone's clock.
    effective = min(at, unit.instant)
    store.add(
        unit.session,
        WithdrawalRow(id=row_id, participant_id=participant_id, scope=scope, at=effective, event_id=event_id),
    )
    change = {"scope": scope, "at": effective, "withdrawn_by": withdrawn_by.name}
    _record(unit, "consent.withdraw", person, change=change, event_id=event_id)
    return row_id


def note_refusal(unit: UnitOfWork[Actor], *, participant_id: UUID, asked_for: str, refusal: Refused) -> None:
    """Put into the ledger that the gate refused something, with the sentence the participant read."""
    person = store.who(unit.session, participant_id)
    _require_own(unit.actor, person)
    _record(
        unit,
        "consent.refuse",
        person,
        change={"asked_for": asked_for, "code": refusal.code, "sentence": refusal.sentence},
        event_id=new_id(),
    )


def _filing(
    unit: UnitOfWork[Actor], *, participant_id: UUID, version_id: UUID, signer: Actor
) -> tuple[Who, VersionRow]:
    person = store.who(unit.session, participant_id)
    require(may(unit.actor, "study:consent:file", study=person.study))
    _require_own(signer, person)
    version = store.version(unit.session, version_id)
    if version is None or version.study_id != person.study_id:
        raise NotFoundError("This study has no such consent version; nothing was filed. Open the consent page again.")
    return person, version


def _require_own(signer: Actor, person: Who) -> None:
    require(may(signer, "self:consent:sign", study=person.study))
    if signer.participant_id != person.id:
        raise RefusedError(
            Refused("not-own", "This belongs to another participant, so it was not accepted.", "Sign in as yourself.")
        )


def _believed(claimed: datetime, *, not_before: datetime, not_after: datetime) -> datetime:
    """Return the instant that counts: the phone's, kept between publication and arrival.

    Raises
    ------
    RefusedError
        When the phone says it was signed before the version was there.
    """
    if claimed < not_before - CLOCK_TOLERANCE:
        raise RefusedError(
            Refused(
                "signed-before-published",
                "The phone's clock says that this was decided before the consent version was published.",
                "Set the phone's clock, open the consent again and decide again.",
            )
        )
    return min(max(claimed, not_before), not_after)


def _told(version: VersionRow, by: Actor, *, receipt: int, at: datetime) -> dict[str, Any]:
    return {
        "version": version.version,
        "language": version.language,
        "by": by.name,
        "by_kind": by.kind,
        "at": at,
        "receipt": receipt,
    }


def _record(unit: UnitOfWork[Actor], action: str, person: Who, *, change: dict[str, Any], event_id: UUID) -> None:
    ledger.record(
        unit,
        action,
        study_id=person.study_id,
        subject=f"participant:{person.code}",
        role=unit.actor.role(person.study),
        change={"new": change},
        event_id=event_id,
    )


_OTHER_TEXT: Final = Refused(
    "other-text",
    "What was signed is not the text of this consent version, so the signature was not filed.",
    "Open the consent again, read it and sign it.",
)
