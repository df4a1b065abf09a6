"""Changing keys while everything runs: what is sealed with which key, and one step after the other.

Each step is a transaction of its own, and what is left to do is read from the database, so a rotation that was killed goes on
with the next call. While it runs two keys open; from the moment a study's key is changed, the new one alone seals.
"""
# ruff: noqa: S608 - the SQL is made of names of our own tables and columns

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from datamodel.vault.keyring import Keyring, key_place, lock
from datamodel.vault.seal import Place, SealedColumn, enclose, parse, sealed_columns


@dataclass(frozen=True, slots=True)
class Held:
    """How many values of a column are sealed with one key. `version` is `v3`, older ones, or empty for plain text."""

    table: str
    column: str
    key_id: str
    version: str
    number: int


@dataclass(frozen=True, slots=True)
class DataKey:
    """A key of the database. `root_id` is the root key it is wrapped with; `state` is present, retired or destroyed."""

    key_id: str
    study_id: UUID | None
    purpose: str
    root_id: str
    made_at: datetime
    retired_at: datetime | None
    state: str


def held(session: Session) -> list[Held]:
    """Count sealed values by column and key, as the owner of the database."""
    found = []
    for one in sealed_columns():
        rows = session.execute(
            text(
                f"select coalesce(substring(left(t.{one.column}, 7) from '^enc:(v[0-9]):'), '') as version, "
                f"case when left(t.{one.column}, 7) = 'enc:v3:' then split_part(left(t.{one.column}, 48), ':', 3) else '' end "
                f"as key_id, count(*) as number from app.{one.table} t where t.{one.column} is not null group by 1, 2"
            )
        )
        found += [Held(one.table, one.column, row.key_id, row.version, row.number) for row in rows]
    return found


def data_keys(session: Session) -> list[DataKey]:
    """Return the keys of studies and of what belongs to no study; keys of participants are values of a column."""
    rows = session.execute(
        text(
            "select key_id, study_id, purpose, split_part(wrapped, ':', 3) as root_id, made_at, retired_at, destroyed_at "
            "from app.data_key where person_id is null order by made_at, key_id"
        )
    )
    return [
        DataKey(row.key_id, row.study_id, row.purpose, row.root_id or "", row.made_at, row.retired_at, _state(row))
        for row in rows
    ]


def unfinished(session: Session) -> datetime | None:
    """Return when a rotation began that has not ended, or None."""
    began: datetime | None = session.execute(
        text("select min(retired_at) from app.data_key where person_id is null and destroyed_at is null")
    ).scalar_one()
    return began


def studies_due(session: Session, before: datetime) -> list[UUID | None]:
    """Return the studies (None: what belongs to no study) whose present sealing key was made before that instant."""
    rows = session.execute(
        text(
            "select study_id from app.data_key where purpose = 'seal' and retired_at is null and made_at < :before "
            "order by study_id nulls first"
        ),
        {"before": before},
    )
    return [row.study_id for row in rows]


def change_key(ring: Keyring, study: UUID | None, *, before: datetime, at: datetime) -> tuple[str, str] | None:
    """Give a study a new sealing key; return the ids of the old and the new one, or None when somebody just did."""
    lock(ring.session, study, is_shared=False)
    old = ring.session.execute(
        text(
            "update app.data_key set retired_at = :at where study_id is not distinct from cast(:study as uuid) "
            "and purpose = 'seal' and person_id is null and retired_at is null and made_at < :before returning key_id"
        ),
        {"study": study, "at": at, "before": before},
    ).one_or_none()
    return (old.key_id, ring.add(study=study, purpose="seal").key_id) if old else None


def rewrap(ring: Keyring) -> int:
    """Wrap every data key that an earlier root key wraps with the present one; return how many."""
    rows = ring.session.execute(
        text(
            "select id, key_id, study_id, person_id, purpose, wrapped, destroyed_at from app.data_key "
            "where person_id is null and wrapped is not null and split_part(wrapped, ':', 3) <> :root for update"
        ),
        {"root": ring.roots.present.id},
    ).all()
    for row in rows:
        key, root = ring.opened(row), ring.root(ring.roots.present)
        wrapped = enclose(root, key_place(row.id, row.study_id), key.material)
        ring.session.execute(
            text("update app.data_key set wrapped = :wrapped where id = :id"), {"wrapped": wrapped.text, "id": row.id}
        )
    return len(rows)


def rewrite(ring: Keyring, column: SealedColumn, *, limit: int) -> int:
    """Seal up to `limit` values of a column anew that a retired key, or an earlier build, sealed; return how many.

    Rows that another transaction has locked are left for the next call.
    """
    rows = ring.session.execute(text(_due(column, limit)), _retired(ring)).all()
    fresh = [_again(ring, column, row) for row in rows]
    if fresh:
        ring.session.execute(
            text(
                f"update app.{column.table} t set {column.column} = n.value "
                "from unnest(cast(:ids as uuid[]), cast(:fresh as text[])) as n (id, value) where t.id = n.id"
            ),
            {"ids": [row.id for row in rows], "fresh": fresh},
        )
    return len(fresh)


def left(ring: Keyring) -> int:
    """Return how many values a retired key or an earlier build still sealed, locked ones included."""
    given = _retired(ring)
    return sum(
        ring.session.execute(
            text(f"select count(*) from app.{one.table} t where {_condition(one)}"), given
        ).scalar_one()
        for one in sealed_columns()
    )


def destroy_retired(ring: Keyring, *, at: datetime, retired_before: datetime) -> list[str]:
    """Destroy the retired keys that nothing is sealed with any more; return their ids."""
    rows = ring.session.execute(
        text(
            "select key_id, study_id from app.data_key where person_id is null and retired_at < :before "
            "and destroyed_at is null for update"
        ),
        {"before": retired_before},
    ).all()
    used = {one.key_id for one in held(ring.session)}
    gone = [row.key_id for row in rows if row.key_id not in used]
    ring.session.execute(
        text("update app.data_key set wrapped = null, destroyed_at = :at where key_id = any(:gone)"),
        {"at": at, "gone": gone},
    )
    return gone


def _again(ring: Keyring, column: SealedColumn, row: Any) -> str:
    place = Place(column.table, column.column, row.id, row.study, row.person)
    plain = ring.unseal(place, parse(row.found))
    return ring.seal(place, plain).text


def _retired(ring: Keyring) -> dict[str, Sequence[str]]:
    rows = ring.session.execute(
        text(
            "select key_id from app.data_key where person_id is null and retired_at is not null and destroyed_at is null"
        )
    )
    return {"retired": [row.key_id for row in rows]}


#: Characters of a sealed value that hold its version and key.
_HEAD: Final = 48


def _condition(one: SealedColumn) -> str:
    head = f"left(t.{one.column}, {_HEAD})"
    by_key = f"(left({head}, 7) = 'enc:v3:' and split_part({head}, ':', 3) = any(cast(:retired as text[])))"
    return f"({by_key} or left({head}, 7) <> 'enc:v3:')" if one.takes_old else by_key


def _due(one: SealedColumn, limit: int) -> str:
    return (
        f"select t.id, t.{one.column} as found, {one.study} as study, {one.person} as person from app.{one.table} t "
        f"where {_condition(one)} order by t.id limit {limit:d} for no key update of t skip locked"
    )


def _state(row: Any) -> str:
    if row.destroyed_at is not None:
        return "destroyed"
    return "retired" if row.retired_at is not None else "present"
