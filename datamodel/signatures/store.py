"""Load and save signatures."""

from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, select, text
from sqlalchemy.orm import Session

from datamodel.signatures.manifest import Item, Signed
from datamodel.signatures.tables import SignatureRow, VoidRow


def add(session: Session, signed: Iterable[tuple[Signed, UUID]]) -> None:
    """Write signatures, each with its event."""
    session.add_all([_row(one, event_id) for one, event_id in signed])
    session.flush()


def void(session: Session, rows: Iterable[VoidRow]) -> None:
    """Write why signatures do not count any more."""
    session.add_all(rows)
    session.flush()


def has_signed(session: Session, session_id: UUID, account_id: UUID) -> bool:
    """Return whether the account signed something in this signed-in browser."""
    found = session.execute(
        select(SignatureRow.id)
        .where(SignatureRow.session_id == session_id, SignatureRow.account_id == account_id)
        .limit(1)
    )
    return found.scalar_one_or_none() is not None


def who_manages(session: Session, study: UUID, roles: Collection[str]) -> list[Row[Any]]:
    """Return (account, mail address) of those with one of these roles in a study whose sign-in name is a mail address."""
    return list(
        session.execute(
            text(
                "select distinct a.id, a.sign_in_name from app.account a join app.membership m on m.account_id = a.id "
                "where m.study_id = :study and m.role = any(:roles) and m.ended_at is null and a.is_active "
                "and a.sign_in_name like '%@%' order by a.id"
            ),
            {"study": study, "roles": list(roles)},
        )
    )


def of_records(session: Session, record_ids: Collection[UUID]) -> list[tuple[Signed, VoidRow | None]]:
    """Return every signature of these records, oldest first, with what made it void."""
    rows = session.execute(
        select(SignatureRow, VoidRow)
        .outerjoin(VoidRow, VoidRow.signature_id == SignatureRow.id)
        .where(SignatureRow.record_id.in_(record_ids))
        .order_by(SignatureRow.signed_at, SignatureRow.id)
    )
    return [(signed(row), void_row) for row, void_row in rows]


def of_study(
    session: Session, study: UUID, site: str | None, *, position: int | None = None
) -> list[tuple[Signed, VoidRow | None]]:
    """Return every signature over a form of the study (of participants of one site), oldest first, with what made it void.

    With `position`: as the ledger was up to there, whatever was committed or sealed later.
    """
    signed_then, void_then = (
        text(
            "(cast(:position as bigint) is null or exists (select from app.audit_entry n "
            f"where n.event_id = app.{table}.event_id and n.position <= :position))"
        ).bindparams(position=position)
        for table in ("signature", "signature_void")
    )
    of_site = text(
        "(cast(:site as text) is null or exists (select from app.participant p join app.site s on s.id = p.site_id "
        "where p.study_id = app.signature.study_id and p.code = app.signature.participant and s.code = :site))"
    ).bindparams(site=site)
    rows = session.execute(
        select(SignatureRow, VoidRow)
        .outerjoin(VoidRow, and_(VoidRow.signature_id == SignatureRow.id, void_then))
        .where(SignatureRow.study_id == study, of_site, signed_then)
        .order_by(SignatureRow.signed_at, SignatureRow.id)
    )
    return [(signed(row), void_row) for row, void_row in rows]


def of_event(session: Session, event_id: UUID) -> list[Signed]:
    """Return the signatures that a ledger event names."""
    return [signed(row) for row in session.scalars(select(SignatureRow).where(SignatureRow.event_id == event_id))]


def records_of(session: Session, study: UUID, participant: str) -> list[Row[Any]]:
    """Return the records of a participant that were ever signed."""
    return list(
        session.execute(
            text("select distinct record_id from app.signature where study_id = :study and participant = :code"),
            {"study": study, "code": participant},
        )
    )


def signed(row: SignatureRow) -> Signed:
    """Return a row as a signature."""
    return Signed(
        id=row.id,
        act_id=row.act_id,
        study_id=row.study_id,
        item=Item(
            record_id=row.record_id,
            version=row.version,
            content_hash=bytes(row.content_hash),
            kind=row.kind,  # type: ignore[arg-type]
            participant_id=row.participant_id,
            participant=row.participant,
            event_name=row.event_name,
            form_name=row.form_name,
            event_repeat=row.event_repeat,
            form_repeat=row.form_repeat,
        ),
        meaning=row.meaning,
        account_id=row.account_id,
        printed_name=row.printed_name,
        role=row.role,
        session_id=row.session_id,
        signed_at=row.signed_at,
        zone=row.zone,
        salt=bytes(row.salt),
        manifest_sha256=bytes(row.manifest_sha256),
        public_key=bytes(row.public_key),
        value=bytes(row.value),
    )


def _row(one: Signed, event_id: UUID) -> SignatureRow:
    item = one.item
    return SignatureRow(
        id=one.id,
        act_id=one.act_id,
        study_id=one.study_id,
        participant_id=item.participant_id,
        kind=item.kind,
        record_id=item.record_id,
        version=item.version,
        content_hash=item.content_hash,
        participant=item.participant,
        event_name=item.event_name,
        form_name=item.form_name,
        event_repeat=item.event_repeat,
        form_repeat=item.form_repeat,
        meaning=one.meaning,
        account_id=one.account_id,
        printed_name=one.printed_name,
        role=one.role,
        session_id=one.session_id,
        signed_at=one.signed_at,
        zone=one.zone,
        salt=one.salt,
        manifest_sha256=one.manifest_sha256,
        public_key=one.public_key,
        value=one.value,
        event_id=event_id,
    )
