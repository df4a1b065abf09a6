"""Append, seal, and tell the position."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from datamodel.audit.canonical import canonical_bytes, plain
from datamodel.audit.tables import EntryRow, EventRow
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import ActorLike, UnitOfWork
from datamodel.vault.keys import SecretError
from datamodel.vault.stamps import event_stamp

#: Key of the advisory lock under which positions are given ("seal" in ASCII).
_SEAL_LOCK = 0x7365616C


#: What a notebook tells of itself, which may be without the root key: that something was read, or refused.
UNSTAMPED: Final = frozenset({"marts.open_snapshot", "marts.open_moment", "access.refused"})
_KEYLESS: Final = (
    "This process was given no root key, so nobody could tell later that this program wrote the entry of the ledger; nothing was "
    "done. Give METRICIS_ROOT_KEY, METRICIS_ROOT_KEY_FILE or METRICIS_ROOT_KEY_COMMAND, as to the other processes."
)


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
    stamp = event_stamp(unit.session, body)
    if stamp is None and action not in UNSTAMPED:
        raise SecretError("missing", _KEYLESS)
    unit.session.add(EventRow(**event, change=profile, body=body, stamp=stamp))
    unit.session.flush()
    unit.events.append(event["id"])  # type: ignore[arg-type]
    return event["id"]  # type: ignore[return-value]


def seal(session: Session) -> int:
    """Give every event that is certain to be final its position; return the newest position (0 when none).

    Takes the rows below the oldest running transaction in the order (transaction, sequence): no row can appear below that
    horizon later, so positions have no gaps and never move. Whoever may not read the ledger may still ask for it.
    Commit afterwards.
    """
    newest: int = session.execute(text("select app.seal_events()")).scalar_one()
    return newest


def lag(session: Session) -> float:
    """Return for how many seconds the oldest event without position has waited (0 when none waits)."""
    seconds: float = session.execute(text("select app.seal_lag()")).scalar_one()
    return seconds


def moment(session: Session) -> tuple[int, datetime]:
    """Return the newest sealed position and an instant at which it was the newest: nothing is sealed meanwhile."""
    session.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _SEAL_LOCK})
    row = session.execute(
        text("select coalesce(max(position), 0) as position, clock_timestamp() as at from app.audit_entry")
    ).one()
    return row.position, row.at


def position_at(session: Session, instant: datetime) -> int:
    """Return the newest position that was sealed at `instant` (0 when nothing was)."""
    session.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _SEAL_LOCK})
    found: int = session.execute(
        select(func.coalesce(func.max(EntryRow.position), 0)).where(EntryRow.sealed_at <= instant)
    ).scalar_one()
    return found


def position(session: Session) -> int:
    """Return the newest sealed position (0 when nothing was sealed)."""
    newest: int = session.execute(select(func.coalesce(func.max(EntryRow.position), 0))).scalar_one()
    return newest
