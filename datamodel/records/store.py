"""Load and save instances and revisions, in bulk (COPY) within the caller's transaction."""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from itertools import batched
from typing import Any, Final
from uuid import UUID

import psycopg
from sqlalchemy import text
from sqlalchemy.orm import Session

from datamodel.records.changes import Changes, Key, Present, Revision

#: Key of the transaction lock under which a study's records are written ("recs" in ASCII).
_WRITE_LOCK: Final = 0x72656373
_ROWS_PER_WRITE: Final = 2000


def study_id(session: Session, code: str) -> UUID | None:
    """Return the id of the study with that code, or None."""
    found: UUID | None = session.execute(
        text("select id from app.study where code = :code"), {"code": code}
    ).scalar_one_or_none()
    return found


def lock(session: Session, study: UUID) -> None:
    """Let one transaction at a time write this study's records."""
    session.execute(
        text("select pg_advisory_xact_lock(:space, hashtext(:study))"), {"space": _WRITE_LOCK, "study": str(study)}
    )


def participants(session: Session, study: UUID, codes: Collection[str]) -> dict[str, UUID]:
    """Return the ids of participants by code."""
    rows = session.execute(
        text("select code, id from app.participant where study_id = :study and code = any(:codes)"),
        {"study": study, "codes": list(codes)},
    )
    return {row.code: row.id for row in rows}


def present(session: Session, *, form: str, participant_ids: Collection[UUID]) -> dict[Key, Present]:
    """Return what is kept of a form for these participants."""
    rows = session.execute(
        text(
            "select p.code, i.event_name, i.event_repeat, i.form_repeat, cast(i.id as text), i.revision, i.content_hash, i.is_removed "
            "from app.form_instance i join app.participant p on p.id = i.participant_id "
            "where i.form_name = :form and i.participant_id = any(:ids)"
        ),
        {"form": form, "ids": list(participant_ids)},
    )
    return {(row[0], row[1], row[2], row[3]): Present(row[4], row[5], bytes(row[6]), row[7]) for row in rows}


def save(
    session: Session,
    found: Changes,
    *,
    study: UUID,
    form: str,
    participant_ids: dict[str, UUID],
    source: str,
    at: datetime,
    event_id: UUID,
) -> None:
    """Write instances and revisions; the event is in the ledger already, in the same transaction."""
    connection: psycopg.Connection[Any] = session.connection().connection.driver_connection  # type: ignore[assignment]
    instant = at.isoformat()
    owners = {code: f"{study}\t{one}" for code, one in participant_ids.items()}
    with connection.cursor() as cursor:
        if found.new:
            _copy(
                cursor,
                "app.form_instance (id, study_id, participant_id, event_name, form_name, event_repeat, form_repeat, "
                "revision, status, content_hash, is_removed, updated_at)",
                (_instance(one, owners[one.key[0]], form=form, at=instant) for one in found.new),
            )
        if found.changed or found.removed:
            _point(cursor, found.changed + found.removed, at=at)
        tail = f"{source}\t{instant}\t{event_id}\n"
        _copy(
            cursor,
            "app.form_revision (instance_id, number, values, status, is_removed, content_hash, source, recorded_at, "
            "event_id)",
            (_revision(one, tail) for one in found.revisions),
        )


def _copy(cursor: psycopg.Cursor[Any], target: str, lines: Iterable[str]) -> None:
    with cursor.copy(f"copy {target} from stdin") as copy:
        for block in batched(lines, _ROWS_PER_WRITE):
            copy.write("".join(block))


def _point(cursor: psycopg.Cursor[Any], revisions: list[Revision], *, at: datetime) -> None:
    """Point instances at their newest revision."""
    cursor.execute(
        "create temp table if not exists pointed (id uuid, revision int, status text, content_hash bytea, "
        "is_removed boolean) on commit drop"
    )
    cursor.execute("truncate pointed")
    _copy(
        cursor,
        "pointed",
        (
            f"{one.instance_id}\t{one.number}\t{one.status}\t\\\\x{one.content_hash.hex()}\t{_flag(one)}\n"
            for one in revisions
        ),
    )
    cursor.execute(
        "update app.form_instance i set revision = p.revision, status = p.status, content_hash = p.content_hash, "
        "is_removed = p.is_removed, updated_at = %s from pointed p where i.id = p.id",
        [at],
    )


def _instance(one: Revision, owner: str, *, form: str, at: str) -> str:
    _, event_name, event_repeat, form_repeat = one.key
    return (
        f"{one.instance_id}\t{owner}\t{_escaped(event_name)}\t{form}\t{event_repeat}\t{form_repeat}\t{one.number}\t"
        f"{one.status}\t\\\\x{one.content_hash.hex()}\t{_flag(one)}\t{at}\n"
    )


def _revision(one: Revision, tail: str) -> str:
    values = one.values.replace("\\", "\\\\")
    return (
        f"{one.instance_id}\t{one.number}\t{values}\t{one.status}\t{_flag(one)}\t\\\\x{one.content_hash.hex()}\t{tail}"
    )


def _flag(one: Revision) -> str:
    return "t" if one.is_removed else "f"


def _escaped(value: str) -> str:
    """Return text as COPY's text format wants it."""
    return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def revisions_of(session: Session, event_id: UUID) -> Iterator[Any]:
    """Yield the revisions that a ledger event wrote, a few thousand at a time."""
    yield from session.execute(
        text(
            "select instance_id, number, values, status, is_removed, content_hash, source from app.form_revision "
            "where event_id = :event"
        ).execution_options(yield_per=2000),
        {"event": event_id},
    )
