"""A checkpoint as text, its signatures, and the identity that they are checked against. Pure.

The text is a C2SP tlog-checkpoint: name of the tree, number of entries, root in base64. Signature lines follow an empty
line, each with the name and base64 of key id and signature (C2SP signed-note). Ed25519 has the type byte 0x01; ML-DSA-65
has none assigned, so it has 0xff and a name of its own, as the format asks.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Final

from datamodel.audit.merkle import HASH_BYTES
from datamodel.kernel.errors import BadInputError
from datamodel.vault.signing import ALGORITHMS, SIZES, Algorithm, Signer, verifies

#: What stands for the algorithm in key ids and verifier keys.
TYPES: Final[dict[Algorithm, bytes]] = {"ed25519": b"\x01", "ml-dsa-65": b"\xffmetricis ml-dsa-65"}
_ID_BYTES: Final = 4
_SIGNATURE: Final = "— "


@dataclass(frozen=True, slots=True)
class Head:
    """How many entries a tree has, under which root; `origin` is the tree's name."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """Return the text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A head with its signatures: (name, key id, signature)."""

    head: Head
    signatures: tuple[tuple[str, bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who signs: the log's name, and every public key it ever had, the newest last."""

    origin: str
    keys: tuple[tuple[Algorithm, bytes], ...]

    def name_for(self, study: object | None) -> str:
        """Return the name of the installation's tree, or of a study's."""
        return self.origin if study is None else f"{self.origin}/{study}"

    def knows(self, signer: Signer) -> bool:
        """Whether these are keys of this log."""
        return set(signer.public_keys().items()) <= set(self.keys)

    def lines(self) -> list[str]:
        """Return the public keys as C2SP verifier keys: name, key id, type and key."""
        return [
            f"{self.origin}+{key_id(self.origin, kind, key).hex()}+{base64.b64encode(TYPES[kind] + key).decode()}"
            for kind, key in self.keys
        ]


def key_id(origin: str, kind: Algorithm, key: bytes) -> bytes:
    """Return the four bytes by which a signature line names its key."""
    return hashlib.sha256(origin.encode() + b"\n" + TYPES[kind] + key).digest()[:_ID_BYTES]


def signed(head: Head, signer: Signer) -> str:
    """Return the head with a signature of each algorithm, as one text."""
    text = head.text()
    keys, signatures = signer.public_keys(), signer.sign(text.encode())
    lines = [
        f"{_SIGNATURE}{head.origin} "
        f"{base64.b64encode(key_id(head.origin, kind, keys[kind]) + signatures[kind]).decode()}\n"
        for kind in ALGORITHMS
    ]
    return f"{text}\n{''.join(lines)}"


def read(text: str) -> Note:
    """Return what a signed checkpoint says; nothing is verified yet.

    Raises
    ------
    BadInputError
        When the text is not a signed checkpoint.
    """
    body, _, tail = text.rpartition("\n\n")
    lines = body.split("\n")
    if len(lines) != 3 or not tail.endswith("\n") or not lines[0]:  # noqa: PLR2004 - name, size and root
        raise BadInputError("This is not a signed checkpoint: it has not name, size, root and signatures.")
    size = lines[1]
    if not (size.isascii() and size.isdigit()) or (size != "0" and size.startswith("0")):
        raise BadInputError("The size of a checkpoint is a plain number.")
    head = Head(lines[0], int(size), _bytes(lines[2]))
    if len(head.root) != HASH_BYTES:
        raise BadInputError("The root of a checkpoint is a SHA-256 hash in base64.")
    return Note(head, tuple(_signature(line) for line in tail.removesuffix("\n").split("\n")))


def read_identity(text: str) -> Identity:
    """Return the identity that `Identity.lines` wrote, one verifier key a line.

    Raises
    ------
    BadInputError
        When a line is not a verifier key, or the lines name different logs.
    """
    origins, keys = set(), []
    for line in text.splitlines():
        origin, known, encoded = (*line.split("+", 2), "", "")[:3]
        raw = _bytes(encoded)
        kind = next((one for one in ALGORITHMS if raw.startswith(TYPES[one])), None)
        key = raw.removeprefix(TYPES[kind]) if kind else b""
        if not origin or kind is None or len(key) != SIZES[kind][0] or key_id(origin, kind, key).hex() != known:
            raise BadInputError("The ledger's identity holds a line that is not one of its public keys.")
        origins.add(origin)
        keys.append((kind, key))
    if len(origins) != 1:
        raise BadInputError("The ledger's identity must name one log, with its public keys.")
    return Identity(origins.pop(), tuple(keys))


def wrong(note: Note, identity: Identity) -> str:
    """Return why a checkpoint is not this log's: an empty text when each algorithm has a signature that verifies."""
    origin, message = note.head.origin, note.head.text().encode()
    if origin != identity.origin and not origin.startswith(f"{identity.origin}/"):
        return f"it names the log “{origin}”, not “{identity.origin}”"
    known = {key_id(origin, kind, key): (kind, key) for kind, key in identity.keys}
    seen = set()
    for name, one, signature in note.signatures:
        if name != origin or one not in known:
            continue  # a witness's, or a stranger's: it neither helps nor hurts
        kind, key = known[one]
        if not verifies(kind, key=key, message=message, signature=signature):
            return f"its {kind} signature does not verify"
        seen.add(kind)
    missing = [kind for kind in ALGORITHMS if kind not in seen]
    return f"it has no signature of this log's by {' and '.join(missing)}" if missing else ""


def _signature(line: str) -> tuple[str, bytes, bytes]:
    name, _, encoded = line.removeprefix(_SIGNATURE).partition(" ")
    raw = _bytes(encoded)
    if not line.startswith(_SIGNATURE) or not name or len(raw) <= _ID_BYTES:
        raise BadInputError("A signature line of this checkpoint is malformed.")
    return name, raw[:_ID_BYTES], raw[_ID_BYTES:]


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadInputError("A checkpoint or a key holds something that is not base64.") from None
