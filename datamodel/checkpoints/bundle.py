"""The ledger as a folder of plain files, for a verifier that has neither this program nor this database.

`docs/manual/ledger.md` describes the files. Events are written byte for byte as they were hashed, one a line: their canonical
form has no line break.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from datamodel.checkpoints import store
from datamodel.checkpoints.heads import Record
from datamodel.checkpoints.note import Identity
from datamodel.kernel.errors import BadInputError, NotFoundError

FORMAT: Final = "metricis-ledger-bundle/1"
EVENTS, CHECKPOINTS, HEADS, KEYS, ABOUT = "events.jsonl", "checkpoints.txt", "heads.txt", "keys.txt", "bundle.json"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that was written; `sha256` is that of `bundle.json`, which names every other file's."""

    folder: Path
    entries: int
    checkpoints: int
    sha256: str


def write(session: Session, record: Record, *, folder: Path, study: str = "") -> Bundle:
    """Write the whole ledger, or that of the study with this code, into a new folder.

    Raises
    ------
    BadInputError
        When the folder is there and not empty.
    NotFoundError
        When there is no such study, or no head was ever signed.
    """
    identity = record.identity()
    if identity is None:
        raise NotFoundError(
            f"No head was signed yet ({record.folder} has no identity), so a bundle could not be verified."
        )
    study_id = next((one for one, code in store.study_codes(session).items() if code == study), None)
    if study and study_id is None:
        raise NotFoundError(f"There is no study with the code “{study}”; nothing was written.")
    if folder.exists() and any(folder.iterdir()):
        raise BadInputError(f"The folder {folder} is not empty; nothing was written. Name a new one.")
    folder.mkdir(parents=True, exist_ok=True)
    # Heads before events: every head of the bundle is over events that it has.
    trees = [study_id] if study else [None, *record.studies(identity)]
    (folder / KEYS).write_text("".join(f"{line}\n" for line in identity.lines()), "utf-8")
    (folder / HEADS).write_text(_notes(one for study in trees for one in record.tree(identity, study).heads()), "utf-8")
    kept = [one.note for one in store.checkpoints(session) if not study or one.study_id == study_id]
    (folder / CHECKPOINTS).write_text(_notes(kept), "utf-8")
    newest = record.tree(identity, study_id).newest()
    # What no head is over yet could not be verified.
    entries = _events(session, folder / EVENTS, study_id, newest.head.size if newest else 0)
    about = _about(folder, identity, study_id=study_id, study=study, entries=entries, checkpoints=len(kept))
    return Bundle(folder, entries, len(kept), about)


def _notes(notes: Any) -> str:
    return "".join(f"{note}\n" for note in notes)


def _events(session: Session, path: Path, study_id: UUID | None, size: int) -> int:
    entries = 0
    with path.open("wb") as file:
        for body in _bodies(session, study_id, size):
            file.write(body + b"\n")
            entries += 1
    return entries


def _bodies(session: Session, study_id: UUID | None, size: int) -> Iterator[bytes]:
    """Yield the bytes of the first `size` events of a tree, in its order."""
    rows = session.execute(
        text(
            "select e.body from app.audit_entry s join app.audit_event e on e.id = s.event_id "
            "where case when cast(:study as uuid) is null then s.position <= :size "
            "else s.study_id = :study and s.study_position <= :size end order by s.position"
        ).execution_options(yield_per=2000),
        {"study": study_id, "size": size},
    )
    for row in rows:
        yield bytes(row.body)


def _about(
    folder: Path, identity: Identity, *, study_id: UUID | None, study: str, entries: int, checkpoints: int
) -> str:
    """Write `bundle.json`; return its SHA-256."""
    about = {
        "format": FORMAT,
        "origin": identity.name_for(study_id),
        "study": study,
        "entries": entries,
        "checkpoints": checkpoints,
        "files": {name: _digest(folder / name) for name in (EVENTS, CHECKPOINTS, HEADS, KEYS)},
    }
    (folder / ABOUT).write_text(json.dumps(about, indent=2, sort_keys=True) + "\n", "utf-8")
    return _digest(folder / ABOUT)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
