"""Load and save studies, sites and designs."""

from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from datamodel.kernel.errors import Refused, RefusedError
from datamodel.study.tables import DesignRow, SiteRow, StandardsRow, StudyRow

#: PostgreSQL, appendix A: a lock was not given within `lock_timeout`.
_LOCK_NOT_AVAILABLE: Final = "55P03"


def add(session: Session, row: StudyRow | SiteRow | DesignRow | StandardsRow) -> None:
    """Insert one row."""
    session.add(row)
    session.flush()


def study(session: Session, code: str, *, is_locked: bool = False) -> StudyRow | None:
    """Return the study with that code, or None; `is_locked` holds it until the transaction ends."""
    query = select(StudyRow).where(StudyRow.code == code)
    return session.scalars(query.with_for_update() if is_locked else query).one_or_none()


def stop_writing(session: Session, *, seconds: int) -> None:
    """Wait until nobody writes study data, and let nobody begin to before this transaction ends.

    Raises
    ------
    RefusedError
        When somebody still writes after that many seconds; the transaction is over then.
    """
    try:
        session.execute(text("select set_config('lock_timeout', :limit, true)"), {"limit": f"{seconds}s"})
        session.execute(text("select app.stop_writing()"))
        session.execute(text("select set_config('lock_timeout', '0', true)"))
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", "") != _LOCK_NOT_AVAILABLE:
            raise
        raise RefusedError(
            Refused(
                "study-busy",
                f"Something has been writing for more than {seconds} seconds (a sync, most likely), so the study was not closed.",
                "Wait until it has ended, then do it again.",
            )
        ) from error


def studies(session: Session, codes: list[str]) -> list[StudyRow]:
    """Return the studies with those codes, by code."""
    return list(session.scalars(select(StudyRow).where(StudyRow.code.in_(codes)).order_by(StudyRow.code)))


def sites(session: Session, study_id: UUID) -> list[SiteRow]:
    """Return a study's sites, by code."""
    return list(session.scalars(select(SiteRow).where(SiteRow.study_id == study_id).order_by(SiteRow.code)))


def published(session: Session, study_id: UUID) -> DesignRow | None:
    """Return the published design, or None."""
    return session.scalars(
        select(DesignRow).where(DesignRow.study_id == study_id, DesignRow.status == "published")
    ).one_or_none()


def design(session: Session, study_id: UUID, version: int) -> DesignRow | None:
    """Return one version of the design, or None."""
    return session.scalars(
        select(DesignRow).where(DesignRow.study_id == study_id, DesignRow.version == version)
    ).one_or_none()


def newest(session: Session, study_id: UUID) -> UUID | None:
    """Return the id of a study's newest design version, or None."""
    query = select(DesignRow.id).where(DesignRow.study_id == study_id).order_by(DesignRow.version.desc()).limit(1)
    return session.scalars(query).one_or_none()


def documents(session: Session, study_id: UUID) -> list[dict[str, Any]]:
    """Return every version of a study's design."""
    return list(session.scalars(select(DesignRow.document).where(DesignRow.study_id == study_id)))


def blind(session: Session, study_id: UUID, fields: Collection[str], *, event_id: UUID) -> None:
    """Put what is there of these fields among the blinded values; the event that publishes the design is in the ledger already."""
    session.execute(
        text("select app.blind_fields(:event, :study, cast(:fields as text[]))"),
        {"event": event_id, "study": study_id, "fields": sorted(fields)},
    )


def next_version(session: Session, study_id: UUID) -> int:
    """Return the number that the next design version gets."""
    newest: int | None = session.execute(
        select(func.max(DesignRow.version)).where(DesignRow.study_id == study_id)
    ).scalar_one()
    return (newest or 0) + 1


def supersede(session: Session, design_id: UUID) -> None:
    """Mark a design as no longer the published one."""
    session.execute(update(DesignRow).where(DesignRow.id == design_id).values(status="superseded"))


def standards(session: Session, study_id: UUID) -> StandardsRow | None:
    """Return which standards the study goes by now, or None when it was never said."""
    query = select(StandardsRow).where(StandardsRow.study_id == study_id)
    return session.scalars(query.order_by(StandardsRow.at.desc(), StandardsRow.id.desc()).limit(1)).one_or_none()
