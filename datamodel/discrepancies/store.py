"""Load and save discrepancies and their steps."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select, text, update
from sqlalchemy.orm import Session

from datamodel.discrepancies.life import Kept, Question
from datamodel.discrepancies.tables import DiscrepancyRow, StepRow
from datamodel.kernel.ids import new_id


def in_scope(
    session: Session, study: UUID, *, form: str, records: Collection[str], rules: Collection[str]
) -> list[Kept]:
    """Return what is kept of a form's questions about these records by these rules."""
    rows = session.execute(
        select(DiscrepancyRow.id, DiscrepancyRow.key, DiscrepancyRow.state, DiscrepancyRow.is_closed_by_source).where(
            DiscrepancyRow.study_id == study,
            DiscrepancyRow.form_name == form,
            DiscrepancyRow.record.in_(list(records)),
            DiscrepancyRow.rule.in_(list(rules)),
        )
    )
    return [Kept(*row) for row in rows]


def insert_open(
    session: Session,
    opened: Sequence[Question],
    *,
    study: UUID,
    participant_ids: dict[str, UUID],
    at: datetime,
    event_id: UUID,
) -> list[UUID]:
    """Insert open discrepancies and return their ids."""
    rows = [
        {
            "id": new_id(),
            "study_id": study,
            "key": one.key,
            "participant_id": participant_ids.get(one.record),
            "record": one.record,
            "event_name": one.event_name,
            "form_name": one.form_name,
            "event_repeat": one.event_repeat,
            "form_repeat": one.form_repeat,
            "field": one.field,
            "value": one.shown,
            "rule": one.rule,
            "reason": one.reason,
            "state": "open",
            "is_closed_by_source": False,
            "opened_at": at,
            "changed_at": at,
            "event_id": event_id,
        }
        for one in opened
    ]
    if rows:
        session.execute(insert(DiscrepancyRow), rows)
    return [row["id"] for row in rows]  # type: ignore[misc]


def move(
    session: Session, ids: Collection[UUID], *, state: str, is_closed_by_source: bool, at: datetime, event_id: UUID
) -> None:
    """Bring discrepancies to another state."""
    if ids:
        session.execute(
            update(DiscrepancyRow)
            .where(DiscrepancyRow.id.in_(list(ids)))
            .values(state=state, is_closed_by_source=is_closed_by_source, changed_at=at, event_id=event_id)
        )


def add_steps(
    session: Session, ids: Collection[UUID], *, state: str, words: str, actor_name: str, at: datetime, event_id: UUID
) -> None:
    """Append one step to each of these discrepancies."""
    if ids:
        session.execute(
            insert(StepRow),
            [
                {
                    "id": new_id(),
                    "discrepancy_id": one,
                    "state": state,
                    "text": words,
                    "actor_name": actor_name,
                    "at": at,
                    "event_id": event_id,
                }
                for one in ids
            ],
        )


def discrepancy(session: Session, study: UUID, discrepancy_id: UUID) -> DiscrepancyRow | None:
    """Return one discrepancy, kept from others until the end of the transaction."""
    return session.scalars(
        select(DiscrepancyRow)
        .where(DiscrepancyRow.id == discrepancy_id, DiscrepancyRow.study_id == study)
        .with_for_update()
    ).one_or_none()


def participant_ids(session: Session, study: UUID, records: Collection[str]) -> dict[str, UUID]:
    """Return the ids of the participants that these records belong to."""
    rows = session.execute(
        text("select code, id from app.participant where study_id = :study and code = any(:codes)"),
        {"study": study, "codes": list(records)},
    )
    return {row.code: row.id for row in rows}


def present(session: Session, study: UUID, keys: Collection[str]) -> set[str]:
    """Return which of these keys are there, in whatever state."""
    found = select(DiscrepancyRow.key).where(DiscrepancyRow.study_id == study, DiscrepancyRow.key.in_(list(keys)))
    return set(session.scalars(found))


def sites_of(session: Session, participants: Collection[UUID]) -> list[str | None]:
    """Return the sites' codes of participants, each once; None stands for no site."""
    rows = session.execute(
        text(
            "select distinct s.code from app.participant p left join app.site s on s.id = p.site_id where p.id = any(:ids)"
        ),
        {"ids": list(participants)},
    )
    return [row.code for row in rows]


def site_of(session: Session, participant_id: UUID | None) -> str | None:
    """Return the site's code of a participant, or None."""
    found: str | None = session.execute(
        text("select s.code from app.participant p join app.site s on s.id = p.site_id where p.id = :id"),
        {"id": participant_id},
    ).scalar_one_or_none()
    return found
