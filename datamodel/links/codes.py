"""Six digits, and what is stored of them. Pure."""

import hashlib
import hmac
import secrets
from typing import Final

DIGITS: Final = 6
_MILLION: Final = 10**DIGITS


def new_code() -> str:
    """Return six random digits."""
    return f"{secrets.randbelow(_MILLION):0{DIGITS}d}"


def code_of(nonce: str) -> str:
    """Return the six digits that the browser with this nonce shows; nothing has to be kept to show them again."""
    number = int.from_bytes(hmac.new(nonce.encode(), b"metricis link code", hashlib.sha256).digest()[:8], "big")
    return f"{number % _MILLION:0{DIGITS}d}"


def code_hash(token: str, code: str) -> bytes:
    """Return what is stored of six digits: bound to the token, which the database does not hold."""
    return hmac.new(token.encode(), code.encode(), hashlib.sha256).digest()


def is_code(stored: bytes | None, token: str, code: str) -> bool:
    """Return whether these are the digits; blanks and hyphens between them do not count."""
    typed = "".join(one for one in code if one.isdecimal())
    return stored is not None and hmac.compare_digest(stored, code_hash(token, typed))
