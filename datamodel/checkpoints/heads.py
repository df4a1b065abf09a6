"""The record of the ledger outside the database: who signs, every leaf, every head. Only ever appended, and synced to disk.

`<home>/heads/identity.txt` has the log's public keys. For each tree there are `<name>.leaves`, the hashes of its entries one
after the other (32 bytes each), and `<name>.txt`, its signed checkpoints with an empty line between them. None holds a
value: whoever copies the folder elsewhere learns how much happened when, and nothing else.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal
from uuid import UUID

from datamodel.audit.merkle import HASH_BYTES, Range
from datamodel.checkpoints.note import Identity, Note, read, read_identity
from datamodel.kernel.errors import FaultError

FOLDER: Final = "heads"
IDENTITY: Final = "identity.txt"


class Record:
    """The folder of one installation's trees."""

    def __init__(self, home: Path) -> None:
        self.folder = home / FOLDER
        self._trees: dict[UUID | None, Tree] = {}

    def identity(self) -> Identity | None:
        """Return the pinned identity, or None when none was pinned yet."""
        path = self.folder / IDENTITY
        return read_identity(path.read_text("utf-8")) if path.exists() else None

    def pin(self, identity: Identity) -> None:
        """Write the identity down; keys are only ever added."""
        self.folder.mkdir(parents=True, exist_ok=True)
        _append(self.folder / IDENTITY, "".join(f"{line}\n" for line in identity.lines()).encode(), afresh=True)

    def tree(self, identity: Identity, study: UUID | None) -> "Tree":
        """Return the installation's tree, or a study's."""
        if study not in self._trees:
            self._trees[study] = Tree(self.folder, identity.name_for(study))
        return self._trees[study]

    def studies(self, identity: Identity) -> list[UUID]:
        """Return the studies that have a tree here."""
        start = f"{identity.origin}_"
        return sorted(UUID(path.stem.removeprefix(start)) for path in self.folder.glob(f"{start}*.leaves"))

    @contextmanager
    def alone(self, what: Literal["append", "attest"] = "append") -> Iterator[None]:
        """Let one process at a time append, or attest."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / (".lock" if what == "append" else f".{what}.lock")).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


class Tree:
    """One tree: its leaves and heads as they were written down, and how it goes on."""

    def __init__(self, folder: Path, origin: str) -> None:
        self.origin = origin
        self.leaves_file = folder / f"{origin.replace('/', '_')}.leaves"
        self.heads_file = folder / f"{origin.replace('/', '_')}.txt"
        self.range = Range()
        self._head: Note | None = None
        self._read = 0

    @property
    def size(self) -> int:
        """How many leaves are taken in."""
        return self.range.size

    def leaves(self) -> bytes:
        """Return all hashes that were written down, one after the other."""
        if not self.leaves_file.exists():
            return b""
        raw = self.leaves_file.read_bytes()
        return raw[: len(raw) - len(raw) % HASH_BYTES]

    def heads(self) -> list[str]:
        """Return all checkpoints that were written down, oldest first."""
        if not self.heads_file.exists():
            return []
        parts = self.heads_file.read_text("utf-8").split("\n\n")
        return [f"{text}\n\n{signatures}\n" for text, signatures in zip(parts[::2], parts[1::2], strict=False)]

    def newest(self) -> Note | None:
        """Return the newest checkpoint, or None."""
        if self.heads_file.exists() and self.heads_file.stat().st_size != self._read:
            heads, self._read = self.heads(), self.heads_file.stat().st_size
            self._head = read(heads[-1]) if heads else None
        return self._head

    def catch_up(self) -> None:
        """Take in what another process wrote; drop half a hash that a killed one left."""
        if not self.leaves_file.exists():
            return
        with self.leaves_file.open("r+b") as file:
            length = file.seek(0, os.SEEK_END)
            if length % HASH_BYTES:
                file.truncate(length - length % HASH_BYTES)
            if length // HASH_BYTES < self.size:
                raise FaultError(
                    f"The file {self.leaves_file.name} became shorter while it was in use, so no head was signed. "
                    "Put it back from its copy, and find out who cut it."
                )
            file.seek(self.size * HASH_BYTES)
            fresh = file.read()
        self.range.extend(
            fresh[at : at + HASH_BYTES] for at in range(0, len(fresh) // HASH_BYTES * HASH_BYTES, HASH_BYTES)
        )

    def leaf(self, index: int) -> bytes:
        """Return the hash of the leaf with that index (from 0)."""
        with self.leaves_file.open("rb") as file:
            file.seek(index * HASH_BYTES)
            return file.read(HASH_BYTES)

    def add(self, leaves: list[bytes]) -> None:
        """Write new leaves down, then take them in."""
        _append(self.leaves_file, b"".join(leaves))
        self.range.extend(leaves)

    def publish(self, note: str) -> None:
        """Write a checkpoint down."""
        _append(self.heads_file, f"{note}\n".encode())


def _append(path: Path, content: bytes, *, afresh: bool = False) -> None:
    """Append and bring to the disk; `afresh` replaces the file as a whole."""
    is_new = not path.exists()
    target = path.with_name(f"{path.name}.{os.urandom(4).hex()}") if afresh else path
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if afresh else os.O_APPEND)
    with os.fdopen(os.open(target, flags, 0o600), "ab") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if afresh:
        target.replace(path)
    if afresh or is_new:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
