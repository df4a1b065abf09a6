"""Reads: which studies there are, and their design."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from datamodel.access.actor import Actor
from datamodel.kernel.errors import NotFoundError
from datamodel.study import store
from datamodel.study.protocol import Protocol
from datamodel.study.tables import DesignRow, StudyRow


@dataclass(frozen=True, slots=True)
class Study:
    """A study as others see it."""

    id: UUID
    code: str
    protocol_id: str
    title: str
    status: str
    integration_mode: str
    consent_mode: str
    time_zone: str
    planned_enrolment: int | None


@dataclass(frozen=True, slots=True)
class Site:
    """A site of a study."""

    id: UUID
    code: str
    name: str
    time_zone: str


@dataclass(frozen=True, slots=True)
class Design:
    """One version of a study's design."""

    version: int
    status: str
    protocol: Protocol
    fingerprint: str
    published_at: datetime


def study(session: Session, code: str) -> Study:
    """Return the study with that code; NotFoundError when there is none."""
    row = store.study(session, code)
    if row is None:
        raise NotFoundError(f"There is no study with the code “{code}”. Check the code; it is written in lower case.")
    return _study(row)


def studies_of(session: Session, actor: Actor) -> list[Study]:
    """Return the studies that `actor` is a member of."""
    return [_study(row) for row in store.studies(session, [one.study for one in actor.memberships])]


def sites(session: Session, study_id: UUID) -> list[Site]:
    """Return a study's sites, by code."""
    return [
        Site(id=row.id, code=row.code, name=row.name, time_zone=row.time_zone) for row in store.sites(session, study_id)
    ]


def design(session: Session, study_id: UUID, version: int | None = None) -> Design:
    """Return a version of the design, or the published one; NotFoundError when there is none."""
    row = store.published(session, study_id) if version is None else store.design(session, study_id, version)
    if row is None:
        raise NotFoundError(
            "This study has no published design yet; it appears with the first sync."
            if version is None
            else f"This study's design has no version {version}."
        )
    return _design(row)


def blinded_fields(session: Session, study_id: UUID) -> frozenset[str]:
    """Return the names of fields that hold blinded data in any version of the design: values of an earlier one are kept too."""
    return frozenset().union(*blinded_by_form(session, study_id).values())


def blinded_by_form(session: Session, study_id: UUID) -> Mapping[str, frozenset[str]]:
    """Return the same by form: forms without such a field are left out."""
    newest = store.newest(session, study_id)
    if newest is None:
        return {}
    if newest not in _BLINDED:
        if len(_BLINDED) >= _REMEMBERED:
            _BLINDED.clear()
        found: dict[str, set[str]] = {}
        for document in store.documents(session, study_id):
            for form in Protocol.from_document(document).forms:
                found.setdefault(form.name, set()).update(field.name for field in form.fields if field.is_blinded)
        _BLINDED[newest] = {form: frozenset(fields) for form, fields in found.items() if fields}
    return _BLINDED[newest]


#: newest version of a study's design -> form -> fields; a version never changes
_BLINDED: Final[dict[UUID, Mapping[str, frozenset[str]]]] = {}
_REMEMBERED: Final = 256


def _study(row: StudyRow) -> Study:
    return Study(
        id=row.id,
        code=row.code,
        protocol_id=row.protocol_id,
        title=row.title,
        status=row.status,
        integration_mode=row.integration_mode,
        consent_mode=row.consent_mode,
        time_zone=row.time_zone,
        planned_enrolment=row.planned_enrolment,
    )


def _design(row: DesignRow) -> Design:
    return Design(
        version=row.version,
        status=row.status,
        protocol=Protocol.from_document(row.document),
        fingerprint=row.fingerprint,
        published_at=row.published_at,
    )


@dataclass(frozen=True, slots=True)
class PinnedStandards:
    """Which files of a standard a study goes by: date of the terminology, version of the rules, SHA-256 of each; "" for none."""

    terminology: str
    terminology_sha256: str
    rules: str
    rules_sha256: str
    at: datetime


def standards(session: Session, study_id: UUID) -> PinnedStandards | None:
    """Return which standards the study is pinned to, None when it was never said."""
    row = store.standards(session, study_id)
    if row is None:
        return None
    return PinnedStandards(row.terminology, row.terminology_sha256, row.rules, row.rules_sha256, row.at)
