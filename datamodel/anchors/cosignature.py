"""A witness's word on a head: C2SP cosignature/v1 (Ed25519 with an instant) on a signed note. Pure."""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from datamodel.checkpoints.note import Note
from datamodel.kernel.errors import BadInputError
from datamodel.vault.signing import verifies

#: type byte of cosignature/v1 in keys and key ids
_TYPE: Final = b"\x04"
_KEY_BYTES: Final = 32
_INSTANT_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Witness:
    """Who co-signs: a name and an Ed25519 key."""

    name: str
    key: bytes

    @property
    def id(self) -> bytes:
        """The four bytes that stand for the key in a signature line."""
        return hashlib.sha256(self.name.encode() + b"\n" + _TYPE + self.key).digest()[:4]

    def line(self) -> str:
        """Return the witness as a C2SP verifier key."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_TYPE + self.key).decode()}"


def read_witness(line: str) -> Witness:
    """Return the witness that a verifier key names.

    Raises
    ------
    BadInputError
        When the line is not the key of a witness.
    """
    name, known, encoded = (*line.strip().split("+", 2), "", "")[:3]
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    found = Witness(name, raw[1:])
    if not name or raw[:1] != _TYPE or len(found.key) != _KEY_BYTES or found.id.hex() != known:
        raise BadInputError(
            "This is not the key of a witness: a C2SP verifier key of type 0x04 is needed, as name+id+key in base64."
        )
    return found


def witnessed_at(note: Note, witness: Witness) -> datetime | None:
    """Return when a witness co-signed a head; None when it did not, or its signature does not verify."""
    for name, one, signature in note.signatures:
        if name != witness.name or one != witness.id or len(signature) <= _INSTANT_BYTES:
            continue
        seconds = int.from_bytes(signature[:_INSTANT_BYTES])
        message = f"cosignature/v1\ntime {seconds}\n{note.head.text()}".encode()
        if verifies("ed25519", key=witness.key, message=message, signature=signature[_INSTANT_BYTES:]):
            return datetime.fromtimestamp(seconds, UTC)
    return None
