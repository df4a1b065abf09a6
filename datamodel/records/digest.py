"""Check that the revisions which a ledger event wrote are still what they were."""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Row
from sqlalchemy.orm import Session

from datamodel.audit.verify import DigestCheck
from datamodel.records import redaction, store
from datamodel.records.content import canonical_values, content_hash, digest_line, rows_digest
from datamodel.signatures import reads as signature_reads


def revisions_unaltered(session: Session, event: Row[Any]) -> Iterator[str]:
    """Yield what is wrong with the revisions that `event` wrote: altered values, or rows lost or added.

    A revision from which a value was removed is attested by the event of the removal, which says what is left.
    """
    lines: list[str] = []
    altered: list[str] = []
    for one in store.revisions_of(session, event.id):
        content = content_hash(one.status, canonical_values(one.values), is_removed=one.is_removed)
        if content != bytes(one.content_hash):
            if content == redaction.left(session, one.instance_id, one.number):
                content = bytes(one.content_hash)
            else:
                altered.append(f"{one.instance_id} revision {one.number}")
        lines.append(digest_line(one.instance_id, one.number, content, one.source))
    if altered:
        yield (
            f"{len(altered)} form revisions written by this event no longer match their own content hash; the first is "
            f"{altered[0]}."
        )
    if rows_digest(lines) != event.change["rows_sha256"]:
        yield f"The {len(lines)} form revisions of this event differ from the digest that the ledger holds."


DIGESTS: Final[dict[str, DigestCheck]] = {"records.revise_batch": revisions_unaltered, **signature_reads.DIGESTS}
