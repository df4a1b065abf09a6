"""Reads: the signatures of records as people must see them, and whether they verify."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.orm import Session

from datamodel.access import reads as access_reads
from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.access.sessions import SessionInfo
from datamodel.audit.verify import DigestCheck
from datamodel.kernel.errors import Refused, require
from datamodel.signatures import store
from datamodel.signatures.demand import Act, Demand, Standing, demand
from datamodel.signatures.manifest import MEANINGS, Item, Signed, digest, instant_in_words
from datamodel.signatures.tables import VoidRow
from datamodel.study import reads as study_reads
from datamodel.vault.signing import verifies


@dataclass(frozen=True, slots=True)
class Manifestation:
    """A signature as every readable form of its record shows it (21 CFR 11.50): name, instant with zone, meaning.

    `void_reason` says why it does not count any more; such a signature stays in sight.
    """

    id: UUID
    record_id: UUID
    version: int
    printed_name: str
    role: str
    signed_at: datetime
    zone: str
    meaning: str
    is_void: bool
    void_reason: str
    voided_at: datetime | None
    voided_by: str
    fingerprint: str

    @property
    def meaning_in_words(self) -> str:
        """What the signer said with it."""
        return MEANINGS[self.meaning]

    @property
    def signed_in_words(self) -> str:
        """The instant with its zone."""
        return instant_in_words(self.signed_at, self.zone)

    @property
    def text(self) -> str:
        """All of it in one line, for PDF, CSV and XPT."""
        said = self.valid_text
        if not self.is_void:
            return said
        when = instant_in_words(self.voided_at, self.zone) if self.voided_at else ""
        return f"VOID since {when}: {self.void_reason} (was: {said})"

    @property
    def valid_text(self) -> str:
        """What it says as long as it counts."""
        return (
            f"Electronically signed by {self.printed_name} ({self.role.replace('_', ' ')}) on {self.signed_in_words}. "
            f"Meaning: {self.meaning}. {self.meaning_in_words} Version {self.version}; signature {self.fingerprint}."
        )


def standing(session: Session, actor: Actor, info: SessionInfo | None) -> Standing:
    """Return what is known of the session in which `actor` wants to sign."""
    has_signed = info is not None and store.has_signed(session, info.id, actor.id)
    return Standing(signer=actor.id, owner=info.account_id if info else None, has_signed=has_signed)


def asked(session: Session, actor: Actor, token: str, *, act: Act, now: datetime) -> Demand | Refused:
    """Return which components `act` asks `actor` for in the browser with that token, or why it cannot be done there."""
    return demand(act, standing(session, actor, access_reads.session_of(session, token, now=now)))


def manifestation(
    session: Session, actor: Actor, *, study: str, record_ids: Collection[UUID]
) -> dict[UUID, list[Manifestation]]:
    """Return the signatures of these records by record, oldest first, void ones too; records without one are left out."""
    require(may(actor, "study:records:read", study=study))
    found: dict[UUID, list[Manifestation]] = {}
    for one, gone in store.of_records(session, record_ids) if record_ids else []:
        found.setdefault(one.item.record_id, []).append(_manifestation(one, gone))
    return found


def signatures(
    session: Session, actor: Actor, *, study: str, position: int | None = None
) -> list[tuple[Item, Manifestation]]:
    """Return every signature of the study's forms with what it covers, oldest first, void ones too; of one's own site only.

    With `position`: what was signed, and what was void, when the ledger was as long as that.
    """
    require(may(actor, "study:records:read", study=study))
    membership = actor.membership(study)
    study_id = study_reads.study(session, study).id
    rows = store.of_study(session, study_id, membership.site if membership else None, position=position)
    return [(one.item, _manifestation(one, gone)) for one, gone in rows]


def _manifestation(one: Signed, gone: VoidRow | None) -> Manifestation:
    return Manifestation(
        id=one.id,
        record_id=one.item.record_id,
        version=one.item.version,
        printed_name=one.printed_name,
        role=one.role,
        signed_at=one.signed_at,
        zone=one.zone,
        meaning=one.meaning,
        is_void=gone is not None,
        void_reason=gone.reason if gone else "",
        voided_at=gone.at if gone else None,
        voided_by=gone.actor_name if gone else "",
        fingerprint=one.manifest_sha256.hex()[:16],
    )


def kept(session: Session, actor: Actor, *, study: str, record_id: UUID) -> list[Signed]:
    """Return the signatures of a record with all that is needed to verify them elsewhere."""
    require(may(actor, "study:records:read", study=study))
    return [one for one, _ in store.of_records(session, [record_id])]


def verify_signature(one: Signed, *, item: Item | None = None) -> bool:
    """Answer whether a signature is its signer's over exactly this record, version, meaning and instant.

    With `item`, also whether it is over that record in that version: a signature that was put to another record is not.
    Whether the key was the study's own is what the ledger event of the signature says (`signatures_unaltered`).
    """
    if item is not None and item != one.item:
        return False
    signed_bytes = one.message
    return digest(signed_bytes) == one.manifest_sha256 and verifies(
        "ed25519", key=one.public_key, message=signed_bytes, signature=one.value
    )


def signatures_unaltered(session: Session, event: Row[Any]) -> Iterator[str]:
    """Yield what is wrong with the signature that a ledger event names: gone, altered, or under another key."""
    rows = store.of_event(session, event.id)
    if len(rows) != 1 or str(rows[0].id) != event.change["signature"]:
        yield f"This event names one signature; the database holds {len(rows)} for it."
        return
    one = rows[0]
    if not verify_signature(one):
        yield "The signature of this event does not verify over its own record, version, meaning, signer and instant."
    told = (event.change["manifest_sha256"], event.change["public_key"], event.change["value"])
    if told != (one.manifest_sha256.hex(), one.public_key.hex(), one.value.hex()):
        yield "The signature of this event differs from what the ledger holds of it."


DIGESTS: Final[dict[str, DigestCheck]] = {"signatures.sign": signatures_unaltered}
