"""Authenticated encryption of one value in one place, tokens, and keyed look-up hashes."""

import base64
import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from datamodel.kernel.errors import FaultError
from datamodel.vault.keys import Key

_PREFIX = "enc:v3"
_NONCE = 12


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sealed value belongs; a value moved elsewhere does not open."""

    table: str
    column: str
    row: UUID

    def bound(self) -> bytes:
        """Return the additional data of the encryption."""
        return f"{self.table}|{self.column}|{self.row}".encode()


def _derive(key: Key, purpose: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"metricis " + purpose).derive(key.material)


def seal(key: Key, place: Place, plain: bytes) -> str:
    """Encrypt `plain` for `place`; the result is text `enc:v3:<key id>:<base64>`."""
    nonce = os.urandom(_NONCE)
    sealed = AESGCM(_derive(key, b"seal")).encrypt(nonce, plain, place.bound())
    return f"{_PREFIX}:{key.id}:{base64.b64encode(nonce + sealed).decode()}"


def unseal(key: Key, place: Place, sealed: str) -> bytes:
    """Decrypt what `seal` made for the same place.

    Raises
    ------
    FaultError
        When the text is not sealed, was sealed with another key, or was altered or moved.
    """
    prefix, _, rest = sealed.rpartition(":")
    if prefix != f"{_PREFIX}:{key.id}":
        raise FaultError(
            f"A value in {place.table}.{place.column} was not sealed with the present key {key.id}; "
            "nothing was read. Start with the key it was sealed with."
        )
    raw = base64.b64decode(rest)
    try:
        return AESGCM(_derive(key, b"seal")).decrypt(raw[:_NONCE], raw[_NONCE:], place.bound())
    except InvalidTag as error:
        raise FaultError(
            f"A value in {place.table}.{place.column} does not open: it was altered or moved from another row."
        ) from error


def lookup_hash(key: Key, purpose: str, value: str) -> bytes:
    """Return the keyed hash by which an identifying value is found again (case and outer blanks do not count)."""
    return hmac.new(
        _derive(key, b"lookup " + purpose.encode()), value.strip().casefold().encode(), hashlib.sha256
    ).digest()


def new_token() -> str:
    """Return 256 random bits as text that is safe in an address."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    """Return what is stored of a token."""
    return hashlib.sha256(token.encode()).digest()
