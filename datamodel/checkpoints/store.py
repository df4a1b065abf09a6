"""What the sealer and the verifier read and write in the database."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session


class Entry(NamedTuple):
    """One sealed event, as far as trees need it."""

    position: int
    study_id: UUID | None
    study_position: int | None
    leaf: bytes


class Kept(NamedTuple):
    """A checkpoint as the database keeps it."""

    origin: str
    size: int
    study_id: UUID | None
    position: int
    root: bytes
    note: str


def entries_after(session: Session, position: int, *, limit: int) -> list[Entry]:
    """Return the first `limit` entries that were sealed after `position`, in order."""
    rows = session.execute(
        text(
            "select position, study_id, study_position, leaf from app.audit_entry where position > :position "
            "order by position limit :limit"
        ),
        {"position": position, "limit": limit},
    )
    return [Entry(row.position, row.study_id, row.study_position, bytes(row.leaf)) for row in rows]


def has_checkpoints(session: Session) -> bool:
    """Whether a head was ever signed here."""
    found: bool = session.execute(text("select exists (select from app.checkpoint)")).scalar_one()
    return found


def note(session: Session, *, origin: str, size: int) -> str | None:
    """Return the checkpoint of a tree at that size, or None."""
    found: str | None = session.execute(
        text("select note from app.checkpoint where origin = :origin and size = :size"),
        {"origin": origin, "size": size},
    ).scalar_one_or_none()
    return found


def keep(session: Session, checkpoints: Sequence[Kept]) -> None:
    """Keep new checkpoints; one that is there already stays as it is."""
    session.execute(
        text(
            "insert into app.checkpoint (origin, size, study_id, position, root, note) "
            "values (:origin, :size, :study_id, :position, :root, :note) on conflict (origin, size) do nothing"
        ),
        [one._asdict() for one in checkpoints],
    )


def checkpoints(session: Session) -> Iterator[Kept]:
    """Yield every checkpoint, by tree and size."""
    rows = session.execute(
        text(
            "select origin, size, study_id, position, root, note from app.checkpoint order by origin, size"
        ).execution_options(yield_per=500)
    )
    for row in rows:
        yield Kept(row.origin, row.size, row.study_id, row.position, bytes(row.root), row.note)


def study_codes(session: Session) -> dict[UUID, str]:
    """Return the codes of studies by id."""
    rows: Any = session.execute(text("select id, code from app.study"))
    return {row.id: row.code for row in rows}
