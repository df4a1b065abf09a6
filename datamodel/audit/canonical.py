"""The canonical form of an event, and its leaf hash. Pure."""

import hashlib
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

_LEAF = b"\x00"


def plain(value: Any) -> Any:
    """Return `value` as the profile allows: objects with ASCII keys, lists, text, true/false/null; numbers as text."""
    match value:
        case None | bool() | str():
            return value
        case int() | float() | Decimal() | UUID():
            return str(value)
        case datetime() | date() | bytes():
            return _as_text(value)
        case dict():
            return {_ascii(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
    raise TypeError(f"A ledger event cannot hold a {type(value).__name__}; use text, numbers, lists and objects.")


def _as_text(value: datetime | date | bytes) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return value.isoformat() if isinstance(value, date) else value.hex()


def _ascii(key: Any) -> str:
    if not isinstance(key, str) or not key.isascii():
        raise TypeError("Keys of a ledger event are ASCII text.")
    return key


def canonical_bytes(event: dict[str, Any]) -> bytes:
    """Return the one byte form of an event that already follows the profile."""
    return orjson.dumps(event, option=orjson.OPT_SORT_KEYS)


def leaf_hash(body: bytes) -> bytes:
    """Return the leaf of an event's bytes (RFC 9162 §2.1.1)."""
    return hashlib.sha256(_LEAF + body).digest()
