"""Check that the revisions which a ledger event wrote are still what they were."""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Row, text
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


def forms_as_written(session: Session) -> Iterator[tuple[str, int, str]]:
    """Yield study id, position and detail of each form that does not stand where its newest revision and its steps say."""
    for row in session.execute(text(_ASTRAY)):
        yield (
            str(row.study_id),
            row.position or 0,
            f"The form entry {row.id} does not stand where its newest revision and its last step left it.",
        )


_ASTRAY: Final = """
    select i.id, i.study_id, p.position
    from app.form_instance i
        left join app.form_revision r on r.instance_id = i.id and r.number = i.revision
        left join (
            select distinct on (s.instance_id) s.instance_id, s.revision, s.status
            from app.form_step s join app.audit_event e on e.id = s.event_id order by s.instance_id, e.seq desc
        ) s on s.instance_id = i.id and s.revision = i.revision
        left join app.audit_entry p on p.event_id = r.event_id
    where r.instance_id is null or r.content_hash <> i.content_hash or r.is_removed <> i.is_removed
        or r.recorded_at <> i.updated_at or i.status <> coalesce(s.status, r.status)
        or exists (select from app.form_revision n where n.instance_id = i.id and n.number = i.revision + 1)
    order by p.position
"""
DIGESTS: Final[dict[str, DigestCheck]] = {"records.revise_batch": revisions_unaltered, **signature_reads.DIGESTS}
