"""What a signature covers, in the one form that is hashed. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from datamodel.audit.canonical import canonical_bytes, plain
from datamodel.kernel.errors import Allowed, Answer, Refused

Meaning = Literal["author", "review", "approval", "responsibility", "locking"]
Kind = Literal["form", "design", "consent"]
#: meaning -> what the signer says with it (21 CFR 11.50(a)(3))
MEANINGS: Final[dict[str, str]] = {
    "author": "I wrote this record.",
    "review": "I have reviewed this record.",
    "approval": "I approve this record.",
    "responsibility": "I am responsible for this record; it is accurate and complete.",
    "locking": "I close this record to further changes.",
}
#: What stands before the manifest in the bytes that are signed: nothing else that this key signs begins so.
_PURPOSE: Final = b"metricis electronic signature v1\n"
SALT_BYTES: Final = 16
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Item:
    """One record as it was on the signer's screen: which, in which version, with which content (SHA-256)."""

    record_id: UUID
    version: int
    content_hash: bytes
    kind: Kind = "form"
    participant_id: UUID | None = None
    #: pseudonym
    participant: str = ""
    event_name: str = ""
    form_name: str = ""
    event_repeat: int = 0
    form_repeat: int = 0


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature as it is kept. `value` is Ed25519 over `message` under `public_key`."""

    id: UUID
    act_id: UUID
    study_id: UUID
    item: Item
    meaning: str
    account_id: UUID
    printed_name: str
    role: str
    session_id: UUID
    #: with its zone: the instant, and the zone in which the signer saw it
    signed_at: datetime
    zone: str
    salt: bytes
    manifest_sha256: bytes
    public_key: bytes
    value: bytes

    @property
    def message(self) -> bytes:
        """Return the bytes that were signed, made again from the signature's own parts."""
        return message(manifest(self))


def manifest(one: Signed) -> dict[str, str]:
    """Return what a signature covers: record, place, meaning, signer and instant."""
    item = one.item
    return {
        "signature": str(one.id),
        "study": str(one.study_id),
        "kind": item.kind,
        "record": str(item.record_id),
        "version": str(item.version),
        "content_sha256": item.content_hash.hex(),
        "participant": item.participant,
        "event": item.event_name,
        "event_repeat": str(item.event_repeat),
        "form": item.form_name,
        "form_repeat": str(item.form_repeat),
        "meaning": one.meaning,
        "signer": str(one.account_id),
        "printed_name": one.printed_name,
        "role": one.role,
        "signed_at": plain(one.signed_at),
        "zone": one.zone,
        "salt": one.salt.hex(),
    }


def message(covered: Mapping[str, str]) -> bytes:
    """Return the bytes that are signed for a manifest."""
    return _PURPOSE + canonical_bytes(dict(covered))


def digest(signed_bytes: bytes) -> bytes:
    """Return the SHA-256 that signature and ledger event both hold."""
    return hashlib.sha256(signed_bytes).digest()


def as_shown(items: Sequence[Item], kept: Mapping[UUID, tuple[int, bytes]]) -> Answer:
    """Answer whether every record is still what was on the screen; `kept` is (version, content hash) by record now."""
    for item in items:
        if kept.get(item.record_id) != (item.version, item.content_hash):
            named = item.participant or item.kind
            return Refused(
                "changed-since-shown",
                f"The record of {named} changed after it was shown to you, so nothing was signed.",
                "Load the page again, look at the record as it is now, and sign that.",
            )
    return Allowed()


def meant(meaning: str) -> Answer:
    """Answer whether `meaning` is on the closed list."""
    if meaning in MEANINGS:
        return Allowed()
    return Refused(
        "no-such-meaning",
        f"A signature means one of: {', '.join(MEANINGS)}. Nothing was signed.",
        "Choose one of them.",
    )


def instant_in_words(at: datetime, zone: str) -> str:
    """Return an instant as 05-Mar-2026 09:10:07 (Europe/Paris, UTC+01:00)."""
    local = at.astimezone(ZoneInfo(zone))
    offset = f"{local:%z}"
    return (
        f"{local.day:02d}-{_MONTHS[local.month - 1]}-{local.year:04d} {local:%H:%M:%S} "
        f"({zone}, UTC{offset[:3]}:{offset[3:5]})"
    )
