"""Check that the revisions which a ledger event wrote are still what they were."""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from datamodel.audit.verify import DigestCheck
from datamodel.records import redaction, store
from datamodel.records.blinded import hash_of
from datamodel.records.content import digest_line, rows_digest
from datamodel.signatures import reads as signature_reads


def revisions_unaltered(session: Session, event: Row[Any]) -> Iterator[str]:
    """Yield what is wrong with the revisions that `event` wrote: altered values, or rows lost or added.

    A revision from which a value was removed is attested by the event of the removal, which says what is left.
    """
    lines: list[str] = []
    altered: list[str] = []
    for one in store.revisions_of(session, event.id):
        content = hash_of(one)
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
    for row in session.execute(text(_OPENED)):
        yield (
            str(row.study_id),
            row.position or 0,
            f"A blinded value of the form entry {row.instance_id} stands open in revision {row.number}.",
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
#: Nothing that Metricis does puts a blinded value there.
_OPENED: Final = """
    with blinded as (
        select d.study_id, o->>'name' as form, array_agg(distinct f->>'name') as fields
        from app.design d cross join lateral jsonb_array_elements(cast(d.document as jsonb)->'forms') o
            cross join lateral jsonb_array_elements(o->'fields') f
        where cast(f->>'is_blinded' as boolean) group by d.study_id, o->>'name'
    )
    select i.study_id, r.instance_id, r.number, p.position
    from blinded h join app.form_instance i on i.study_id = h.study_id and i.form_name = h.form
        join app.form_revision r on r.instance_id = i.id left join app.audit_entry p on p.event_id = r.event_id
    where exists (select from json_object_keys(r.values) k where split_part(k, '___', 1) = any(h.fields))
    order by p.position
"""
DIGESTS: Final[dict[str, DigestCheck]] = {"records.revise_batch": revisions_unaltered, **signature_reads.DIGESTS}
