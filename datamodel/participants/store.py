"""Load and save participants, in bulk within the caller's transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from datamodel.kernel.ids import new_id
from datamodel.participants.facts import Facts
from datamodel.participants.tables import AllocationRow, CaregiverRow, ParticipantRow, StatusChangeRow

_LOCK_SPACE = 0x70617274  # "part" in ASCII


def lock(session: Session, study: UUID) -> None:
    """Let one transaction at a time write this study's participants."""
    session.execute(
        text("select pg_advisory_xact_lock(:space, hashtext(:study))"), {"space": _LOCK_SPACE, "study": str(study)}
    )


def present(session: Session, study: UUID) -> dict[str, Facts]:
    """Return what is kept of all participants of a study, by code."""
    rows = session.execute(
        text(
            "select p.code, coalesce(s.code, '') as site, p.status, p.enrolled_on, p.anchor_on, "
            "coalesce(a.arm_code, '') as arm_code, coalesce(a.arm_label, '') as arm_label "
            "from app.participant p left join app.site s on s.id = p.site_id "
            "left join app.participant_arm a on a.participant_id = p.id where p.study_id = :study"
        ),
        {"study": study},
    )
    return {
        row.code: Facts(
            code=row.code,
            site=row.site,
            status=row.status,
            enrolled_on=row.enrolled_on,
            anchor_on=row.anchor_on,
            arm_code=row.arm_code,
            arm_label=row.arm_label,
        )
        for row in rows
    }


def ids(session: Session, study: UUID) -> dict[str, UUID]:
    """Return the ids of a study's participants by code."""
    rows = session.execute(text("select code, id from app.participant where study_id = :study"), {"study": study})
    return {row.code: row.id for row in rows}


def insert_new(session: Session, new: Sequence[Facts], *, study: UUID, sites: dict[str, UUID], event_id: UUID) -> None:
    """Insert participants."""
    if new:
        session.execute(
            insert(ParticipantRow),
            [{"id": new_id(), "study_id": study, "language": "en", **_columns(one, sites, event_id)} for one in new],
        )


def update_changed(
    session: Session, changed: Sequence[Facts], *, study: UUID, sites: dict[str, UUID], event_id: UUID
) -> None:
    """Update participants that differ."""
    if changed:
        session.execute(
            text(
                "update app.participant set site_id = :site_id, status = :status, enrolled_on = :enrolled_on, "
                "anchor_on = :anchor_on, event_id = :event_id where study_id = :study and code = :code"
            ),
            [{"study": study, **_columns(one, sites, event_id)} for one in changed],
        )


def add_status(
    session: Session, changed: Sequence[Facts], *, ids_by_code: dict[str, UUID], at: datetime, event_id: UUID
) -> None:
    """Append a status to those whose status is another."""
    if changed:
        session.execute(
            insert(StatusChangeRow),
            [
                {
                    "id": new_id(),
                    "participant_id": ids_by_code[one.code],
                    "status": one.status,
                    "on": one.status_on,
                    "at": at,
                    "event_id": event_id,
                }
                for one in changed
            ],
        )


def allocate(session: Session, changed: Sequence[Facts], *, ids_by_code: dict[str, UUID], event_id: UUID) -> None:
    """Set the arm of those whose arm is another."""
    if changed:
        statement = upsert(AllocationRow)
        session.execute(
            statement.on_conflict_do_update(
                index_elements=["participant_id"],
                set_={
                    "arm_code": statement.excluded.arm_code,
                    "arm_label": statement.excluded.arm_label,
                    "event_id": statement.excluded.event_id,
                },
            ),
            [
                {
                    "participant_id": ids_by_code[one.code],
                    "arm_code": one.arm_code,
                    "arm_label": one.arm_label,
                    "event_id": event_id,
                }
                for one in changed
            ],
        )


def _columns(one: Facts, sites: dict[str, UUID], event_id: UUID) -> dict[str, Any]:
    return {
        "code": one.code,
        "site_id": sites.get(one.site),
        "status": one.status,
        "enrolled_on": one.enrolled_on,
        "anchor_on": one.anchor_on,
        "event_id": event_id,
    }


def add(session: Session, row: CaregiverRow) -> None:
    """Insert one row."""
    session.add(row)
    session.flush()
