"""Load and save; the only importer of the tables."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, select, text
from sqlalchemy.orm import Session

from datamodel.kernel.ids import new_id
from datamodel.records.blinded import values_of
from datamodel.trail.tables import CriticalFieldRow, ReviewRow

_EVENTS = """
    select e.id, e.seq, s.position, e.at, e.actor_id, e.actor_name, e.actor_kind, e.role, e.action, e.subject,
        e.reason, e.change
    from app.audit_event e left join app.audit_entry s on s.event_id = e.id
    where e.study_id = :study
        and (cast(:since as timestamptz) is null or e.at >= :since)
        and (cast(:until as timestamptz) is null or e.at < :until)
        and (cast(:who as text) is null or e.actor_name = :who)
        and (cast(:room as text) is null or split_part(e.action, '.', 1) = any(string_to_array(:room, ',')))
        and (cast(:subject as text) is null or e.subject = :subject)
        and (cast(:site as text) is null or e.subject not like 'participant:%' or exists (
            select from app.participant p join app.site t on t.id = p.site_id
            where p.study_id = :study and t.code = :site and e.subject = 'participant:' || p.code))
"""
# A first entry is a change from nothing; `all` asks for those too.
_CHANGES = f"""
    select r.instance_id, r.number, p.code, coalesce(t.code, '') as site, i.event_name, i.form_name, i.event_repeat,
        i.form_repeat, k.field, k.old, k.new, r.recorded_at, r.source, e.actor_id, e.actor_name, e.reason, s.position,
        v.verdict, v.note, v.reviewed_at, a.actor_name as reviewer
    from app.form_revision r
    join app.form_instance i on i.id = r.instance_id
    join app.participant p on p.id = i.participant_id
    left join app.site t on t.id = p.site_id
    join app.audit_event e on e.id = r.event_id
    left join app.audit_entry s on s.event_id = e.id
    left join app.form_revision b on b.instance_id = r.instance_id and b.number = r.number - 1
    left join app.form_blinded rb on rb.instance_id = r.instance_id and rb.number = r.number
    left join app.form_blinded bb on bb.instance_id = b.instance_id and bb.number = b.number
    cross join lateral (
        select coalesce(n.key, o.key) as field, o.value as old, n.value as new
        from json_each_text({values_of("r", "rb")}) n
            full join json_each_text(coalesce({values_of("b", "bb")}, '{{}}')) o on o.key = n.key
        where n.value is distinct from o.value
    ) k
    left join app.change_review v on v.instance_id = r.instance_id and v.revision = r.number and v.field_name = k.field
    left join app.audit_event a on a.id = v.event_id
    where i.study_id = :study and (:all or r.number > 1)
        and (cast(:participant as text) is null or p.code = :participant)
        and (cast(:form as text) is null or i.form_name = :form)
        and (cast(:field as text) is null or k.field = :field)
        and (cast(:event as text) is null or i.event_name = :event)
        and (cast(:who as text) is null or e.actor_name = :who)
        and (cast(:site as text) is null or t.code = :site)
        and (cast(:since as timestamptz) is null or r.recorded_at >= :since)
        and (cast(:until as timestamptz) is null or r.recorded_at < :until)
        and not split_part(k.field, '___', 1) = any(:hidden)
        and (not :critical or (i.form_name || '.' || split_part(k.field, '___', 1)) = any(:marked))
        and (cast(:reviewed as boolean) is null or (v.instance_id is not null) = :reviewed)
"""  # noqa: S608 - made of constants


def events(session: Session, study: UUID, asked: Mapping[str, Any], *, limit: int, offset: int) -> Sequence[Row[Any]]:
    """Return events, newest first."""
    return session.execute(
        text(f"{_EVENTS} order by e.seq desc limit :limit offset :offset"),
        {"study": study, "limit": limit, "offset": offset, **asked},
    ).all()


def count_events(session: Session, study: UUID, asked: Mapping[str, Any]) -> int:
    """Return how many events there are."""
    found: int = session.execute(
        text(f"select count(*) from ({_EVENTS}) e"),  # noqa: S608 - constants
        {"study": study, **asked},
    ).scalar_one()
    return found


def actors(session: Session, study: UUID) -> list[str]:
    """Return the names of those who did something."""
    rows = session.execute(
        text("select distinct actor_name from app.audit_event where study_id = :study order by 1"), {"study": study}
    )
    return [row.actor_name for row in rows]


def changes(session: Session, study: UUID, asked: Mapping[str, Any], *, limit: int, offset: int) -> Sequence[Row[Any]]:
    """Return changes of values, newest first."""
    return session.execute(
        text(
            f"{_CHANGES} order by r.recorded_at desc, p.code, i.event_name, i.form_name, i.event_repeat, "
            "i.form_repeat, r.number desc, k.field limit :limit offset :offset"
        ),
        {"study": study, "limit": limit, "offset": offset, **asked},
    ).all()


def count_changes(session: Session, study: UUID, asked: Mapping[str, Any]) -> int:
    """Return how many changes there are."""
    found: int = session.execute(
        text(f"select count(*) from ({_CHANGES}) c"),  # noqa: S608 - constants
        {"study": study, **asked},
    ).scalar_one()
    return found


def critical(session: Session, study: UUID) -> set[tuple[str, str]]:
    """Return the critical fields as (form, field)."""
    newest = (
        select(CriticalFieldRow.form_name, CriticalFieldRow.field_name, CriticalFieldRow.is_critical)
        .distinct(CriticalFieldRow.form_name, CriticalFieldRow.field_name)
        .where(CriticalFieldRow.study_id == study)
        .order_by(CriticalFieldRow.form_name, CriticalFieldRow.field_name, CriticalFieldRow.set_at.desc())
    )
    return {(row.form_name, row.field_name) for row in session.execute(newest) if row.is_critical}


def mark(
    session: Session, study: UUID, fields: Iterable[tuple[str, str]], *, is_critical: bool, at: datetime, event_id: UUID
) -> None:
    """Say of fields whether they are critical."""
    session.execute(
        insert(CriticalFieldRow),
        [
            {
                "id": new_id(),
                "study_id": study,
                "form_name": form,
                "field_name": field,
                "is_critical": is_critical,
                "set_at": at,
                "event_id": event_id,
            }
            for form, field in fields
        ],
    )


def review(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Note that changes were looked at."""
    session.execute(insert(ReviewRow), [{"id": new_id(), **row} for row in rows])
