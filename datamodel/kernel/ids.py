"""Identifiers."""

import os
import time
from typing import Final
from uuid import UUID

#: hex digit -> the one with the RFC's variant in its two high bits
_VARIANT: Final = {digit: f"{0x8 | (int(digit, 16) & 0x3):x}" for digit in "0123456789abcdef"}


def new_id() -> UUID:
    """Return a UUID of version 7 (RFC 9562 §5.7): 48 bits of Unix milliseconds, then random bits.

    Rows made later sort later, which keeps indexes small and inserts local.
    """
    raw = bytearray((time.time_ns() // 1_000_000).to_bytes(6, "big") + os.urandom(10))
    raw[6] = 0x70 | (raw[6] & 0x0F)
    raw[8] = 0x80 | (raw[8] & 0x3F)
    return UUID(bytes=bytes(raw))


def new_ids(count: int) -> list[str]:
    """Return `count` identifiers as `new_id` makes them, as text, from one question for randomness."""
    stamp = (time.time_ns() // 1_000_000).to_bytes(6, "big").hex()
    head, noise = f"{stamp[:8]}-{stamp[8:]}-7", os.urandom(10 * count).hex()
    return [
        f"{head}{noise[at : at + 3]}-{_VARIANT[noise[at + 3]]}{noise[at + 4 : at + 7]}-{noise[at + 7 : at + 19]}"
        for at in range(0, 20 * count, 20)
    ]
