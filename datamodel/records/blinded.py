"""Blinded values apart from the others: PostgreSQL shows them to those who may see blinded data, whatever a query asks for.

What a revision's content hash is over: the open values and those that were open when they came (`moved`), and the hash of the
blinded ones, which a random text among them keeps from telling which they are. A form keeps its random text, so that equal values
make an equal hash.
"""

import secrets
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.orm import Session

from datamodel.records.changes import Key, Present
from datamodel.records.content import NONCE, blinded_hash, canonical_values, content_hash, is_of


def values_of(revision: str, beside: str) -> str:
    """Return the SQL for a revision's values, as far as the transaction may see them, by the names of the joined tables."""
    return (
        f'case when {beside}.instance_id is null then {revision}."values" else cast((cast({revision}."values" as jsonb) '
        f"|| cast({beside}.moved as jsonb) || cast({beside}.\"values\" as jsonb)) - '' as json) end"
    )


#: For queries over revisions `r`: the join, and the values.
JOIN: Final = "left join app.form_blinded b on b.instance_id = r.instance_id and b.number = r.number"
VALUES: Final = values_of("r", "b")
_NONCE_BYTES: Final = 16
Row = tuple[str, str, int, int, str, str]


class Kept(NamedTuple):
    """What is kept beside an instance's newest revision: its random text, and which values were open when they came."""

    nonce: str
    moved: frozenset[str]


class Parts(NamedTuple):
    """Rows with their open values only, and the blinded ones of those that have any, each as canonical text."""

    rows: list[Row]
    blinded: dict[Key, str]


def whole(
    values: Mapping[str, str], moved: Mapping[str, str] | None, blinded: Mapping[str, str] | None
) -> dict[str, str]:
    """Return all values that are there, without the random text."""
    found = {**values, **(moved or {}), **(blinded or {})}
    found.pop(NONCE, None)
    return found


def hash_of(revision: Any) -> bytes:
    """Return the content hash of a revision as it is kept: `values`, `status`, `is_removed`, `moved`, `blinded`, `blinded_sha256`.

    Where the blinded values cannot be seen, their hash stands for them.
    """
    sealed = bytes(revision.blinded_sha256) if revision.blinded_sha256 is not None else None
    if revision.blinded:
        sealed = blinded_hash(canonical_values(revision.blinded))
    values = canonical_values({**revision.values, **(revision.moved or {})})
    return content_hash(revision.status, values, is_removed=revision.is_removed, blinded=sealed)


def kept(session: Session, *, form: str, participant_ids: Collection[UUID]) -> dict[str, Kept]:
    """Return what is kept beside the newest revisions of a form, by instance."""
    rows = session.execute(
        text(
            'select cast(i.id as text) as id, b."values", b.moved from app.form_instance i '
            "join app.form_blinded b on b.instance_id = i.id and b.number = i.revision "
            "where i.form_name = :form and i.participant_id = any(:ids)"
        ),
        {"form": form, "ids": list(participant_ids)},
    )
    return {row.id: Kept(row.values.get(NONCE, ""), frozenset(row.moved)) for row in rows}


def parted(
    rows: Sequence[Row], *, fields: Collection[str], present: Mapping[Key, Present], beside: Mapping[str, Kept]
) -> Parts:
    """Part rows as they came into open and blinded values.

    A row that is as it is kept, but for a field that was blinded since, is parted as it was kept: nothing of it changed.
    """
    found = Parts([], {})
    for row in rows:
        key: Key = row[:4]
        values: dict[str, str] = orjson.loads(row[5])
        sealed = {name: one for name, one in values.items() if is_of(name, fields)}
        old = beside.get(present[key].id) if key in present else None
        moved = old.moved if old is not None else frozenset()
        if moved and old is not None:
            rest = {name: one for name, one in sealed.items() if name not in moved}
            before = canonical_values({name: one for name, one in values.items() if name not in rest})
            blinded = canonical_values({**rest, NONCE: old.nonce}) if old.nonce else ""
            if content_of(row[4], before, blinded) == present[key].content_hash:
                found.rows.append((*row[:5], before))
                if blinded:
                    found.blinded[key] = blinded
                continue
        if sealed:
            nonce = old.nonce if old is not None and old.nonce else secrets.token_hex(_NONCE_BYTES)
            found.blinded[key] = canonical_values({**sealed, NONCE: nonce})
        found.rows.append(
            (*row[:5], canonical_values({name: one for name, one in values.items() if name not in sealed}))
        )
    return found


def content_of(status: str, values: str, blinded: str) -> bytes:
    """Return the content hash of what came in, parted; `blinded` is empty where nothing is."""
    return content_hash(status, values, blinded=blinded_hash(blinded) if blinded else None)
