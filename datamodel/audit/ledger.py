"""Append, seal, and tell the position."""

from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select, text
from sqlalchemy.orm import Session

from datamodel.audit.canonical import canonical_bytes, leaf_hash, plain
from datamodel.audit.tables import EntryRow, EventRow
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import ActorLike, UnitOfWork

#: Key of the advisory lock under which positions are given ("seal" in ASCII).
_SEAL_LOCK = 0x7365616C


def record[A: ActorLike](
    unit: UnitOfWork[A],
    action: str,
    *,
    study_id: UUID | None = None,
    subject: str = "",
    role: str = "",
    change: dict[str, Any] | None = None,
    event_id: UUID | None = None,
) -> UUID:
    """Append one event to the ledger in the unit's transaction and return its id.

    `action` is `room.verb`; `subject` is `kind:pseudonym`; `change` holds pseudonyms and study data only, never a
    secret or an identifying value. Give `event_id` when rows written before the event must refer to it.
    """
    event = {
        "id": event_id or new_id(),
        "at": unit.instant,
        "study_id": study_id,
        "actor_id": unit.actor.id,
        "actor_kind": unit.actor.kind,
        "actor_name": unit.actor.name,
        "role": role,
        "action": action,
        "subject": subject,
        "reason": unit.reason,
        "request_id": unit.request_id,
    }
    profile = plain(change or {})
    body = canonical_bytes(plain(event) | {"change": profile})
    unit.session.add(EventRow(**event, change=profile, body=body))
    unit.session.flush()
    unit.events.append(event["id"])  # type: ignore[arg-type]
    return event["id"]  # type: ignore[return-value]


def seal(session: Session) -> int:
    """Give every event that is certain to be final its position; return the newest position (0 when none).

    Takes the rows below the oldest running transaction in the order (transaction, sequence): no row can appear below that
    horizon later, so positions have no gaps and never move. Commit afterwards.
    """
    session.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _SEAL_LOCK})
    position: int = session.execute(select(func.coalesce(func.max(EntryRow.position), 0))).scalar_one()
    rows = session.execute(
        text(
            "select e.id, e.body from app.audit_event e left join app.audit_entry s on s.event_id = e.id "
            "where s.event_id is null and e.xid < pg_snapshot_xmin(pg_current_snapshot()) order by e.xid, e.seq"
        )
    ).all()
    if rows:
        session.execute(
            insert(EntryRow),
            [
                {"position": position + number, "event_id": row.id, "leaf": leaf_hash(bytes(row.body))}
                for number, row in enumerate(rows, start=1)
            ],
        )
    return position + len(rows)


def position(session: Session) -> int:
    """Return the newest sealed position (0 when nothing was sealed)."""
    newest: int = session.execute(select(func.coalesce(func.max(EntryRow.position), 0))).scalar_one()
    return newest
