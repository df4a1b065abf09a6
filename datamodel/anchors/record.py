"""Stamps and co-signatures, kept beside the heads: one file each, with what they are checked against."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from datamodel.anchors.cosignature import Witness, read_witness, witnessed_at
from datamodel.audit.verify import Problem
from datamodel.checkpoints.heads import Record
from datamodel.checkpoints.note import Head, read
from datamodel.kernel.errors import BadInputError, NotFoundError
from datamodel.vault import timestamps

FOLDER: Final = "anchors"
ROOTS: Final = "roots.pem"
WITNESSES: Final = "witnesses.txt"
Kind = Literal["file", "stamp", "witness"]
#: kinds that must stand behind a head before it is called anchored
ENOUGH: Final = 2


@dataclass(frozen=True, slots=True)
class Anchor:
    """One kind of anchor behind a head of so many entries; `by` is the authority's or witness's name."""

    kind: Kind
    size: int
    by: str
    at: datetime | None


class Anchors:
    """What stands behind the heads of the installation's tree."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self.folder = record.folder / FOLDER

    def newest(self) -> tuple[Head, str]:
        """Return the newest head and its note; NotFoundError when nothing was signed yet."""
        heads = self._heads()
        if not heads:
            raise NotFoundError(
                "No head of the ledger was signed yet, so there is nothing to anchor. Start the sealer."
            )
        note = heads[-1]
        return read(note).head, note

    def keep_stamp(self, answer: bytes, *, head: Head, note: str, roots: bytes) -> Anchor:
        """Check an authority's answer over a head's note and keep it.

        Raises
        ------
        BadInputError
            When it is not a valid time stamp over that note.
        """
        at = timestamps.stamped_at(answer, message=note.encode(), roots=roots)
        self._write(ROOTS, self._with(ROOTS, roots))
        self._write(f"{head.size}.tsr", answer)
        return Anchor("stamp", head.size, "time-stamp authority", at)

    def keep_witness(self, text: str, *, key: str = "") -> Anchor:
        """Check a co-signed head and keep it; `key` is the witness's verifier key when it is a new one.

        Raises
        ------
        BadInputError
            When the head is not one of this log's, or no known witness signed it.
        """
        note = read(text)
        if note.head not in {read(one).head for one in self._heads()}:
            raise BadInputError(
                f"The head over {note.head.size} entries is not one that this installation signed; nothing was kept."
            )
        added = [read_witness(key)] if key else []
        for witness in [*self._witnesses(), *added]:
            if at := witnessed_at(note, witness):
                self._write(WITNESSES, "".join(f"{one.line()}\n" for one in {*self._witnesses(), witness}).encode())
                self._write(f"{note.head.size}-{witness.id.hex()}.note", text.encode())
                return Anchor("witness", note.head.size, witness.name, at)
        raise BadInputError("No known witness signed this head. Give the witness's key with --key the first time.")

    def standing(self) -> list[Anchor]:
        """Return what stands behind heads, newest head first; the file of heads always counts."""
        found = [Anchor("file", self.newest()[0].size, "the folder of heads", None)]
        for size, answer in self._stamps():
            note = self._note_of(size)
            if note is not None:
                at = timestamps.stamped_at(answer, message=note.encode(), roots=(self.folder / ROOTS).read_bytes())
                found.append(Anchor("stamp", size, "time-stamp authority", at))
        for text in self._cosigned():
            note_of = read(text)
            for witness in self._witnesses():
                seen = witnessed_at(note_of, witness)
                found += [Anchor("witness", note_of.head.size, witness.name, seen)] if seen else []
        return sorted(found, key=lambda one: -one.size)

    def is_anchored(self) -> bool:
        """Return whether at least two kinds stand behind heads of this log."""
        return len({one.kind for one in self.standing()}) >= ENOUGH

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong: a stamp or co-signature over a head that the record does not have, or that fails."""
        for size, answer in self._stamps():
            note = self._note_of(size)
            try:
                if note is None:
                    yield Problem("", size, "stamp", f"A time stamp is over a head of {size} entries that is gone.")
                else:
                    timestamps.stamped_at(answer, message=note.encode(), roots=(self.folder / ROOTS).read_bytes())
            except BadInputError as error:
                yield Problem("", size, "stamp", f"The head of {size} entries is not what was stamped: {error}")
        heads = {read(one).head for one in self._heads()}
        for text in self._cosigned():
            head = read(text).head
            if head not in heads:
                yield Problem("", head.size, "witness", f"A witness saw another head over {head.size} entries.")

    def _heads(self) -> list[str]:
        identity = self._record.identity()
        return self._record.tree(identity, None).heads() if identity else []

    def _note_of(self, size: int) -> str | None:
        return next((one for one in self._heads() if read(one).head.size == size), None)

    def _stamps(self) -> Iterator[tuple[int, bytes]]:
        for path in sorted(self.folder.glob("*.tsr"), key=lambda one: int(one.stem)):
            yield int(path.stem), path.read_bytes()

    def _cosigned(self) -> list[str]:
        return [path.read_text("utf-8") for path in sorted(self.folder.glob("*.note"))]

    def _witnesses(self) -> list[Witness]:
        path = self.folder / WITNESSES
        return [read_witness(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []

    def _with(self, name: str, more: bytes) -> bytes:
        path = self.folder / name
        kept = path.read_bytes() if path.exists() else b""
        return kept if more.strip() in kept else kept + more.rstrip() + b"\n"

    def _write(self, name: str, content: bytes) -> None:
        """Write a file whole or not at all."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.folder / name
        aside = path.with_name(f".{name}.{os.urandom(4).hex()}")
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
