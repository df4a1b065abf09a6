"""Load and save instances and revisions, in bulk within the caller's transaction."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from itertools import batched
from typing import Any, Final
from uuid import UUID

import psycopg
from sqlalchemy import text
from sqlalchemy.orm import Session

from datamodel.kernel import arrays
from datamodel.records.changes import Changes, Key, Present, Revision
from datamodel.records.content import blinded_hash

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
    # In a pipeline, rows are packed while PostgreSQL writes those before; what fails is raised at its end.
    with connection.pipeline(), connection.cursor() as cursor:
        for rows in batched(found.new, _ROWS_PER_WRITE):
            cursor.execute(_INSTANCES, [study, form, at, *_instances(rows, participant_ids)])
        for rows in batched(found.changed + found.removed, _ROWS_PER_WRITE):
            cursor.execute(_POINT, [at, *_states(rows)])
        for rows in batched(found.revisions, _ROWS_PER_WRITE):
            values = arrays.texts([one.values for one in rows])
            sealed = arrays.hashes([blinded_hash(one.blinded) if one.blinded else b"" for one in rows])
            cursor.execute(_REVISIONS, [source, at, event_id, *_states(rows), values, sealed])
        for rows in batched([one for one in found.revisions if one.blinded], _ROWS_PER_WRITE):
            cursor.execute(_BLINDED, [study, event_id, *_blinded(rows, participant_ids)])


#: Arrays in binary form cost what COPY costs, and COPY is closed where row-level security holds.
_INSTANCES: Final = """
    insert into app.form_instance (id, study_id, participant_id, event_name, form_name, event_repeat, form_repeat,
                                   revision, status, content_hash, is_removed, updated_at)
    select n.id::uuid, given.study, n.participant, n.event_name, given.form, n.event_repeat, n.form_repeat,
           n.revision, n.status, n.content_hash, n.is_removed, given.at
    from (select %s::uuid as study, %s::text as form, %s::timestamptz as at) given,
         unnest(%b::uuid[], %b::text[], %b::int4[], %b::int4[], %b::text[], %b::int4[], %b::text[], %b::bytea[], %b::bool[])
           as n (participant, event_name, event_repeat, form_repeat, id, revision, status, content_hash, is_removed)
"""
_STATE: Final = "unnest(%b::text[], %b::int4[], %b::text[], %b::bytea[], %b::bool[]"
_POINT: Final = f"""
    update app.form_instance i set revision = n.revision, status = n.status, content_hash = n.content_hash,
                                   is_removed = n.is_removed, updated_at = %s
    from {_STATE}) as n (id, revision, status, content_hash, is_removed) where i.id = n.id::uuid
"""  # noqa: S608 - made of constants
_REVISIONS: Final = f"""
    insert into app.form_revision (instance_id, number, values, status, is_removed, content_hash, source, recorded_at,
                                   event_id, blinded_sha256)
    select n.id::uuid, n.number, n.values::json, n.status, n.is_removed, n.content_hash, given.source, given.at, given.event,
           nullif(n.blinded, '')
    from (select %s::text as source, %s::timestamptz as at, %s::uuid as event) given,
         {_STATE}, %b::text[], %b::bytea[]) as n (id, number, status, content_hash, is_removed, values, blinded)
"""  # noqa: S608 - made of constants
_BLINDED: Final = """
    insert into app.form_blinded (instance_id, number, study_id, participant_id, values, moved, event_id)
    select n.id::uuid, n.number, given.study, n.participant, n.values::json, '{}', given.event
    from (select %s::uuid as study, %s::uuid as event) given,
         unnest(%b::uuid[], %b::text[], %b::int4[], %b::text[]) as n (participant, id, number, values)
"""


def _states(rows: Sequence[Revision]) -> list[arrays.Packed]:
    """Return where instances stand, column by column."""
    return [
        arrays.texts([str(one.instance_id) for one in rows]),
        arrays.numbers([one.number for one in rows]),
        arrays.texts([one.status for one in rows]),
        arrays.hashes([one.content_hash for one in rows]),
        arrays.flags([one.is_removed for one in rows]),
    ]


def _instances(rows: Sequence[Revision], participant_ids: dict[str, UUID]) -> list[arrays.Packed]:
    """Return new instances, column by column."""
    return [
        arrays.ids([participant_ids[one.key[0]] for one in rows]),
        arrays.texts([one.key[1] for one in rows]),
        arrays.numbers([one.key[2] for one in rows]),
        arrays.numbers([one.key[3] for one in rows]),
        *_states(rows),
    ]


def _blinded(rows: Sequence[Revision], participant_ids: dict[str, UUID]) -> list[arrays.Packed]:
    """Return blinded values, column by column."""
    return [
        arrays.ids([participant_ids[one.key[0]] for one in rows]),
        arrays.texts([str(one.instance_id) for one in rows]),
        arrays.numbers([one.number for one in rows]),
        arrays.texts([one.blinded for one in rows]),
    ]


def revisions_of(session: Session, event_id: UUID) -> Iterator[Any]:
    """Yield the revisions that a ledger event wrote, a few thousand at a time."""
    yield from session.execute(
        text(
            "select r.instance_id, r.number, r.values, r.status, r.is_removed, r.content_hash, r.source, r.blinded_sha256, b.moved, "
            "b.values as blinded from app.form_revision r "
            "left join app.form_blinded b on b.instance_id = r.instance_id and b.number = r.number where r.event_id = :event"
        ).execution_options(yield_per=2000),
        {"event": event_id},
    )
