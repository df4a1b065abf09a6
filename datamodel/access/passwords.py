"""Passwords as they are kept: argon2id (RFC 9106). Pure but for the hashing library."""

import unicodedata
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from datamodel.kernel.errors import BadInputError

SHORTEST: Final = 12
LONGEST: Final = 128
#: OWASP's first choice for argon2id: 19 MiB, two passes, one lane; some 20 to 40 ms here.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
#: Checked when the account does not exist, so that both answers take the same time: the hash of 32 random bytes that nobody
#: kept, with the parameters above (a test compares them).
NOBODY: Final = "$argon2id$v=19$m=19456,t=2,p=1$IzbYZk8xn9+Yd1+U6l7wqg$yQZ/v4kcrKIGhYseu/Fkg7z1HPbr3aIukCNx7Q0VNns"


def normal(password: str) -> str:
    """Return `password` as every keyboard writes it (Unicode NFKC, as NIST SP 800-63B asks before hashing)."""
    return unicodedata.normalize("NFKC", password)


def hash_password(password: str) -> str:
    """Return the argon2id hash of `password`.

    Raises
    ------
    BadInputError
        When it is shorter than 12 or longer than 128 characters.
    """
    written = normal(password)
    if not SHORTEST <= len(written) <= LONGEST:
        raise BadInputError(
            f"The password has {len(written)} characters; it needs at least {SHORTEST} and at most {LONGEST}. "
            "Nothing was changed. Choose another one: several words in a row are easy to remember."
        )
    return _HASHER.hash(written)


def is_password(stored: str | None, password: str) -> bool:
    """Return whether `password` is the one that was stored; takes the same time when nothing was."""
    try:
        # What is too long was never accepted; cutting it keeps the work the same for every answer.
        matches = _HASHER.verify(stored or NOBODY, normal(password)[: LONGEST + 1])
    except VerificationError:
        return False
    return matches and stored is not None


def is_outdated(stored: str) -> bool:
    """Return whether a stored hash was made with other parameters than those of today."""
    return _HASHER.check_needs_rehash(stored)
