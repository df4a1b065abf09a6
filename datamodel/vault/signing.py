"""Signatures over the ledger's heads: Ed25519 (RFC 8032) and ML-DSA-65 (FIPS 204), both from one secret of their own.

The secret is not the root key: heads must verify for as long as a trial file is kept, and the root key is changed on the way.
Two algorithms, because a head signed today is to be believed in 25 years.
"""

import base64
import binascii
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA65PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from datamodel.kernel.errors import FaultError
from datamodel.kernel.settings import Settings

Algorithm = Literal["ed25519", "ml-dsa-65"]
ALGORITHMS: Final[tuple[Algorithm, ...]] = ("ed25519", "ml-dsa-65")
#: Bytes of a public key, and of a signature.
SIZES: Final[dict[Algorithm, tuple[int, int]]] = {"ed25519": (32, 64), "ml-dsa-65": (1952, 3309)}
SECRET_BYTES: Final = 32
KEY_FILE: Final = "ledger.key"


@dataclass(frozen=True, slots=True, repr=False)
class Signer:
    """The two private keys of the ledger; its repr shows nothing."""

    ed25519: Ed25519PrivateKey
    ml_dsa_65: MLDSA65PrivateKey

    def __repr__(self) -> str:
        """Show nothing."""
        return "Signer()"

    def public_keys(self) -> dict[Algorithm, bytes]:
        """Return the public key of each algorithm, in its raw form."""
        return {
            "ed25519": self.ed25519.public_key().public_bytes_raw(),
            "ml-dsa-65": self.ml_dsa_65.public_key().public_bytes_raw(),
        }

    def sign(self, message: bytes) -> dict[Algorithm, bytes]:
        """Return the signature of each algorithm over `message`."""
        return {"ed25519": self.ed25519.sign(message), "ml-dsa-65": self.ml_dsa_65.sign(message)}


def signer_of(secret: bytes) -> Signer:
    """Return the keys that follow from a secret of 32 bytes (HKDF-SHA-256, one purpose each)."""
    return Signer(
        Ed25519PrivateKey.from_private_bytes(_derived(secret, b"metricis ledger ed25519")),
        MLDSA65PrivateKey.from_seed_bytes(_derived(secret, b"metricis ledger ml-dsa-65")),
    )


def verifies(algorithm: Algorithm, *, key: bytes, message: bytes, signature: bytes) -> bool:
    """Answer whether `signature` is that of the holder of the public `key` over `message`."""
    if (len(key), len(signature)) != SIZES[algorithm]:
        return False
    try:
        if algorithm == "ed25519":
            Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
        else:
            MLDSA65PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def load_signer(settings: Settings, *, may_make: bool = True) -> Signer:
    """Return the ledger's keys: of `METRICIS_LEDGER_KEY`, or outside production of the file `ledger.key` in the home folder.

    A missing file is made, with mode 0600, unless `may_make` is off.

    Raises
    ------
    FaultError
        In production without a key, when the key is malformed, or when it protects something else as well.
    """
    given = settings.ledger_key.get_secret_value()
    if given:
        return signer_of(_read(given, "METRICIS_LEDGER_KEY", settings))
    if settings.is_production:
        raise FaultError(
            "Production signs the ledger's heads with METRICIS_LEDGER_KEY (32 bytes in base64); none is set, so no head was "
            'signed. Make one with: python -c "import os,base64;print(base64.b64encode(os.urandom(32)).decode())"'
        )
    path = settings.home / KEY_FILE
    if not path.exists():
        if not may_make:
            raise FaultError(
                f"The ledger's key {path} is not there, but heads were signed with it before, so no head was signed. "
                "Put the file back from its copy, or begin a new key with “metricis ledger identity --renew”."
            )
        _make(path)
    return signer_of(_read(path.read_text("ascii", "replace"), f"The key in {path}", settings))


def _derived(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=purpose).derive(secret)


def _read(text: str, name: str, settings: Settings) -> bytes:
    try:
        secret = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise FaultError(f"{name} is not base64; it must be {SECRET_BYTES} bytes written in base64.") from None
    if len(secret) != SECRET_BYTES:
        raise FaultError(f"{name} has {len(secret)} bytes; it must have {SECRET_BYTES}, written in base64.")
    others = {"root": settings.root_key.get_secret_value(), "scope": settings.scope_key.get_secret_value()}
    for other, value in others.items():
        if value and value.strip() == text.strip():
            raise FaultError(f"{name} is also the {other} key; the ledger's key signs heads and does nothing else.")
    return secret


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.urandom(4).hex()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(base64.b64encode(os.urandom(SECRET_BYTES)))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(fresh, path)  # whole or not at all, and never over another process's key
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
