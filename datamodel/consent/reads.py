"""Reads: what to show, where a participant's consent stands, and the gate's answer."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from datamodel.consent import gate as rules
from datamodel.consent import store
from datamodel.consent.gate import Standing
from datamodel.consent.store import Who
from datamodel.consent.tables import VersionRow
from datamodel.kernel.errors import Allowed, Answer, NotFoundError
from datamodel.rehearsal import reads as rehearsals

__all__ = ["Consent", "Version", "Who", "consent", "consents", "gate", "signed_version", "version_in_force", "who"]


@dataclass(frozen=True, slots=True)
class Version:
    """A consent version in one language, as it is shown."""

    id: UUID
    version: str
    language: str
    title: str
    sections: list[dict[str, Any]]
    content_sha256: str
    published_at: datetime


@dataclass(frozen=True, slots=True)
class Consent:
    """Where a participant's consent stands. `method`, `receipt` and `signed_at` are of the last signature, if any."""

    participant_id: UUID
    state: rules.State
    version: str | None
    signed_at: datetime | None = None
    method: str | None = None
    receipt: int | None = None
    withdrawn_at: datetime | None = None


def who(session: Session, participant_id: UUID) -> Who:
    """Return a participant with language, study, site and time zone; NotFoundError when there is none."""
    return store.who(session, participant_id)


def version_in_force(session: Session, study_id: UUID, *, language: str, at: datetime) -> Version:
    """Return the version in force in that language.

    Raises
    ------
    NotFoundError
        When nothing is published, or not in that language: the page says so and is never blank.
    """
    label = Standing(mode="digital", published=store.published(session, study_id)).in_force(at)
    if label is None:
        raise NotFoundError("This study has no published consent yet. The study team must publish one first.")
    rows = {row.language: row for row in store.variants(session, study_id=study_id, label=label)}
    if language not in rows:
        raise NotFoundError(
            f"The consent, version {label}, is not available in your language ({language}) yet; it is in "
            f"{', '.join(rows)}. Ask your study team."
        )
    return _version(rows[language])


def version(session: Session, version_id: UUID) -> Version:
    """Return one version in one language; NotFoundError when there is none."""
    row = store.version(session, version_id)
    if row is None:
        raise NotFoundError("There is no such consent version.")
    return _version(row)


def gate(session: Session, participant_id: UUID, *, at: datetime, scope: str = rules.PARTICIPATION) -> Answer:
    """Answer whether a participant may be asked for data of `scope` at `at`, and why not.

    An invented participant of a rehearsal copy whose consent is bypassed may, outside production in development mode.
    """
    person = store.who(session, participant_id)
    if rehearsals.is_bypassed(is_stored=person.is_consent_bypassed):
        return Allowed()
    standing = store.standings(session, person.study_id, participant_id)[participant_id]
    return rules.gate(standing, at=at, scope=scope)


def signed_version(session: Session, participant_id: UUID, *, at: datetime) -> UUID | None:
    """Return the signed version in force at `at` (None when the consent is not given in Metricis)."""
    return rules.signed_version(_standing(session, participant_id), at=at)


def consent(session: Session, participant_id: UUID, *, at: datetime) -> Consent:
    """Return where one participant's consent stands at `at`."""
    found = store.newest_signature(session, participant_id)
    standing = _standing(session, participant_id)
    return Consent(
        participant_id=participant_id,
        state=rules.state(standing, at=at),
        version=standing.version_of(found.version_id) if found else None,
        signed_at=found.signed_at if found else None,
        method=found.method if found else None,
        receipt=found.receipt if found else None,
        withdrawn_at=store.withdrawn_at(session, participant_id),
    )


def consents(session: Session, study_id: UUID, *, at: datetime) -> dict[UUID, Consent]:
    """Return where the consent of every participant of a study stands at `at`, in a handful of queries."""
    newest = {row.participant_id: (row, label) for row, label, _ in store.signatures(session, study_id)}
    return {
        participant_id: _brief(participant_id, standing, newest.get(participant_id), at=at)
        for participant_id, standing in store.standings(session, study_id).items()
    }


def _brief(participant_id: UUID, standing: Standing, signed: tuple[Any, str] | None, *, at: datetime) -> Consent:
    row, label = signed or (None, None)
    return Consent(
        participant_id=participant_id,
        state=rules.state(standing, at=at),
        version=label,
        signed_at=row.signed_at if row else None,
        method=row.method if row else None,
        receipt=row.receipt if row else None,
        withdrawn_at=max((one.at for one in standing.withdrawn), default=None),
    )


def _standing(session: Session, participant_id: UUID) -> Standing:
    person = store.who(session, participant_id)
    return store.standings(session, person.study_id, participant_id)[participant_id]


def _version(row: VersionRow) -> Version:
    return Version(
        id=row.id,
        version=row.version,
        language=row.language,
        title=row.title,
        sections=row.sections,
        content_sha256=row.content_hash.hex(),
        published_at=row.published_at,
    )
