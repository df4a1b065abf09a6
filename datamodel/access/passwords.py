"""Passwords: argon2id (RFC 9106), and a length rule. Pure but for the hashing library."""

from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from datamodel.kernel.errors import BadInputError

SHORTEST: Final = 12
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
#: Checked when the account does not exist, so that both answers take the same time.
_NOBODY = _HASHER.hash("nobody has this password")


def hash_password(password: str) -> str:
    """Return the argon2id hash of `password` (OWASP's 19 MiB, 2 passes)."""
    if len(password) < SHORTEST:
        raise BadInputError(
            f"The password has {len(password)} characters; it needs at least {SHORTEST}. Choose a longer one."
        )
    return _HASHER.hash(password)


def is_password(stored: str | None, password: str) -> bool:
    """Return whether `password` is the one that was stored; takes the same time when nothing was."""
    try:
        matches = _HASHER.verify(stored or _NOBODY, password)
    except VerificationError:
        return False
    return matches and stored is not None
