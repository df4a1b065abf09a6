"""Load and save consent versions, signatures, declines and withdrawals."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from datamodel.consent.gate import Ended, Published, Signed, Standing
from datamodel.consent.tables import DeclineRow, SignatureRow, VersionRow, WithdrawalRow
from datamodel.kernel.errors import NotFoundError

MAIN = "main"


@dataclass(frozen=True, slots=True)
class Who:
    """A participant with what the capture rooms need to know of them."""

    id: UUID
    code: str
    language: str
    study_id: UUID
    study: str
    study_title: str
    consent_mode: str
    time_zone: str
    site: str | None
    #: by how many days the study's day is moved; does nothing in production
    offset_days: int = 0
    #: that the study is a rehearsal copy
    is_copy: bool = False
    #: that consent is bypassed in it, as stored; does nothing in production
    is_consent_bypassed: bool = False


def who(session: Session, participant_id: UUID) -> Who:
    """Return a participant; NotFoundError when there is none."""
    row = session.execute(
        text(
            "select p.id, p.code, p.language, s.id as study_id, s.code as study, s.title as study_title, "
            "s.consent_mode, coalesce(t.time_zone, s.time_zone) as time_zone, t.code as site, "
            "coalesce(h.offset_days, 0) as offset_days, c.study_id is not null as is_copy, "
            "coalesce(c.is_consent_bypassed, false) as is_consent_bypassed "
            "from app.participant p join app.study s on s.id = p.study_id "
            "left join app.site t on t.id = p.site_id left join app.rehearsal h on h.study_id = s.id "
            "left join app.rehearsal_copy c on c.study_id = s.id where p.id = :id"
        ),
        {"id": participant_id},
    ).one_or_none()
    if row is None:
        raise NotFoundError("There is no such participant.")
    return Who(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public way to a row's mapping


def add(session: Session, row: VersionRow | SignatureRow | DeclineRow | WithdrawalRow) -> None:
    """Insert one row."""
    session.add(row)
    session.flush()


def version(session: Session, version_id: UUID) -> VersionRow | None:
    """Return one version in one language."""
    return session.get(VersionRow, version_id)


def variants(session: Session, *, study_id: UUID, label: str, document: str = MAIN) -> list[VersionRow]:
    """Return all languages of one version."""
    return list(
        session.scalars(
            select(VersionRow)
            .where(VersionRow.study_id == study_id, VersionRow.document == document, VersionRow.version == label)
            .order_by(VersionRow.language)
        )
    )


def supersede_others(session: Session, *, study_id: UUID, document: str, label: str) -> None:
    """Mark every other version of a document as superseded."""
    session.execute(
        update(VersionRow)
        .where(VersionRow.study_id == study_id, VersionRow.document == document, VersionRow.version != label)
        .values(status="superseded")
    )


def published(session: Session, study_id: UUID, document: str = MAIN) -> tuple[Published, ...]:
    """Return every version of a study's document, in every language."""
    rows = session.execute(
        select(VersionRow.id, VersionRow.version, VersionRow.published_at).where(
            VersionRow.study_id == study_id, VersionRow.document == document
        )
    )
    return tuple(Published(id=row.id, version=row.version, published_at=row.published_at) for row in rows)


def standings(session: Session, study_id: UUID, participant_id: UUID | None = None) -> dict[UUID, Standing]:
    """Return what the gate looks at, for one participant or for all of a study, in five queries."""
    mode: str = session.execute(
        text("select consent_mode from app.study where id = :id"), {"id": study_id}
    ).scalar_one()
    people = session.scalars(
        text(
            "select id from app.participant where study_id = :study and (cast(:one as uuid) is null or id = :one)"
        ).bindparams(study=study_id, one=participant_id)
    ).all()
    versions = published(session, study_id)
    signed = _grouped(
        session.execute(
            select(SignatureRow.participant_id, SignatureRow.version_id, SignatureRow.signed_at).where(
                SignatureRow.participant_id.in_(people)
            )
        )
    )
    declined = _grouped(
        session.execute(
            select(DeclineRow.participant_id, DeclineRow.version_id, DeclineRow.at).where(
                DeclineRow.participant_id.in_(people)
            )
        )
    )
    ended = _grouped(
        session.execute(
            select(WithdrawalRow.participant_id, WithdrawalRow.scope, WithdrawalRow.at).where(
                WithdrawalRow.participant_id.in_(people)
            )
        )
    )
    return {
        one: Standing(
            mode=mode,
            published=versions,
            signed=tuple(Signed(*row) for row in signed.get(one, ())),
            declined=tuple(Signed(*row) for row in declined.get(one, ())),
            withdrawn=tuple(Ended(*row) for row in ended.get(one, ())),
        )
        for one in people
    }


def _grouped(rows: Iterable[Any]) -> dict[UUID, list[tuple[Any, datetime]]]:
    found: dict[UUID, list[tuple[Any, datetime]]] = {}
    for participant_id, what, at in rows:
        found.setdefault(participant_id, []).append((what, at))
    return found


def newest_signature(session: Session, participant_id: UUID) -> SignatureRow | None:
    """Return a participant's last signature."""
    return session.scalars(
        select(SignatureRow)
        .where(SignatureRow.participant_id == participant_id)
        .order_by(SignatureRow.signed_at.desc())
        .limit(1)
    ).one_or_none()


def signatures(session: Session, study_id: UUID) -> list[tuple[SignatureRow, str, str]]:
    """Return every signature of a study with its version and language, oldest first."""
    rows = session.execute(
        select(SignatureRow, VersionRow.version, VersionRow.language)
        .join(VersionRow, VersionRow.id == SignatureRow.version_id)
        .where(VersionRow.study_id == study_id)
        .order_by(SignatureRow.signed_at, SignatureRow.id)
    )
    return [(row[0], row[1], row[2]) for row in rows]


def withdrawn_at(session: Session, participant_id: UUID) -> datetime | None:
    """Return when a participant last withdrew from taking part."""
    return session.scalars(
        select(WithdrawalRow.at)
        .where(WithdrawalRow.participant_id == participant_id)
        .order_by(WithdrawalRow.at.desc())
        .limit(1)
    ).one_or_none()


def study_id(session: Session, code: str) -> UUID:
    """Return the id of the study with that code; NotFoundError when there is none."""
    found: UUID | None = session.execute(
        text("select id from app.study where code = :code"), {"code": code}
    ).scalar_one_or_none()
    if found is None:
        raise NotFoundError(f"There is no study with the code “{code}”. Check the code; it is written in lower case.")
    return found
