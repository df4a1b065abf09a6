"""Proof that one event is in the ledger, for somebody who has nothing but a signed head."""

import base64
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from datamodel.audit.merkle import HASH_BYTES, inclusion_proof, leaf_hash, proves_inclusion
from datamodel.checkpoints.heads import Record
from datamodel.checkpoints.note import read
from datamodel.kernel.errors import FaultError, NotFoundError

FORMAT: Final = "metricis-inclusion-proof/1"


@dataclass(frozen=True, slots=True)
class Proof:
    """An event's bytes, its place in a tree, the hashes up to the root, and the signed head over it."""

    origin: str
    index: int
    size: int
    position: int
    event: bytes
    path: tuple[bytes, ...]
    checkpoint: str
    keys: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """Return the proof as JSON shows it; hashes in base64."""
        return {
            "format": FORMAT,
            "proof": {
                "origin": self.origin,
                "index": self.index,
                "size": self.size,
                "position": self.position,
                "leaf": _text(leaf_hash(self.event)),
                "path": [_text(one) for one in self.path],
            },
            "event": self.event.decode(),
            "checkpoint": self.checkpoint,
            "keys": list(self.keys),
        }


def prove(session: Session, record: Record, *, entry: UUID | int, whole: bool = False) -> Proof:
    """Prove that an event (by its id or position) is in its study's tree, or with `whole` in the installation's.

    Raises
    ------
    NotFoundError
        When there is no such sealed event, or no head over it yet.
    FaultError
        When the ledger does not fit its newest head: it was altered.
    """
    identity = record.identity()
    row = session.execute(
        text(
            "select s.position, s.study_id, s.study_position, e.body from app.audit_entry s "
            "join app.audit_event e on e.id = s.event_id where s.position = :position or s.event_id = :event"
        ),
        {"position": entry if isinstance(entry, int) else None, "event": None if isinstance(entry, int) else entry},
    ).one_or_none()
    if row is None or identity is None:
        raise NotFoundError(f"There is no sealed event {entry} in this ledger, so there is nothing to prove.")
    study = None if whole else row.study_id
    index = (row.position if study is None else row.study_position) - 1
    tree = record.tree(identity, study)
    newest = tree.newest()
    if newest is None or newest.head.size <= index:
        raise NotFoundError(f"No head was signed over event {entry} yet; it takes a second. Ask again.")
    size, raw, body = newest.head.size, tree.leaves(), bytes(row.body)
    leaves = [raw[at : at + HASH_BYTES] for at in range(0, size * HASH_BYTES, HASH_BYTES)]
    path = inclusion_proof(leaves, index)
    if not proves_inclusion(index=index, size=size, leaf=leaf_hash(body), path=path, root=newest.head.root):
        raise FaultError(
            f"Event {entry} is not what the signed head of “{tree.origin}” says: the ledger was altered. "
            "Run “metricis ledger verify”; it says where."
        )
    note = tree.heads()[-1]
    if read(note).head != newest.head:
        raise FaultError("The folder of heads changed meanwhile; ask again.")
    return Proof(tree.origin, index, size, row.position, body, tuple(path), note, tuple(identity.lines()))


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
