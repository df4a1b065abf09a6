"""What an instance holds, in the one form that is hashed. Pure."""

import hashlib
from collections.abc import Collection, Mapping
from typing import Final, Literal, NamedTuple
from uuid import UUID

import orjson

Status = Literal["not_started", "in_progress", "complete", "verified", "signed", "locked"]
NOTHING: Final = "{}"
#: Where a random text stands among blinded values: with it, their hash tells nobody which they are.
NONCE: Final = ""


class Incoming(NamedTuple):
    """An instance as its source has it now; `values` is `canonical_values`' text.

    A plain tuple in the same order will do: bulk callers make them from frames.
    """

    participant: str
    event_name: str
    event_repeat: int
    form_repeat: int
    status: str
    values: str


def canonical_values(values: Mapping[str, str]) -> str:
    """Return values as JSON text with sorted keys, blanks left out: equal values, equal text."""
    return orjson.dumps({name: text for name, text in values.items() if text}, option=orjson.OPT_SORT_KEYS).decode()


def content_hash(status: str, values: str, *, is_removed: bool = False, blinded: bytes | None = None) -> bytes:
    """Return the SHA-256 over status, removal, canonical values, and the hash of the blinded ones where there are any."""
    end = "" if blinded is None else f"|{blinded.hex()}"
    return hashlib.sha256(f"{status}|{int(is_removed)}|{values}{end}".encode()).digest()


def blinded_hash(blinded: str) -> bytes:
    """Return the SHA-256 over the canonical text of blinded values, the random text among them."""
    return hashlib.sha256(blinded.encode()).digest()


def is_of(name: str, fields: Collection[str]) -> bool:
    """Say whether a value belongs to one of these fields; a checkbox has one value a choice, `field___code`."""
    return name.partition("___")[0] in fields


def rows_digest(lines: list[str]) -> str:
    """Return the digest that a ledger event carries of the revisions it wrote (see `digest_line`)."""
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def digest_line(instance_id: UUID | str, number: int, content: bytes, source: str) -> str:
    """Return one revision's line in the digest."""
    return f"{instance_id}|{number}|{content.hex()}|{source}"
