"""The verbs: write a notice, say what became of it."""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.audit import ledger
from datamodel.kernel.errors import NotFoundError, require
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import UnitOfWork
from datamodel.notices import store
from datamodel.notices.tables import NoticeRow
from datamodel.vault.keyring import keyring
from datamodel.vault.seal import Place

#: Tries before a notice is given up: over an hour.
MOST: Final = 7
_FIRST_PAUSE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whose mail it is: an account in a study, and the participant whose key seals it (none for staff)."""

    account_id: UUID
    study_id: UUID
    participant_id: UUID | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Mail:
    """A notice as the mail server gets it. Its repr never shows it."""

    id: UUID
    kind: str
    address: str = field(repr=False)
    subject: str = field(repr=False)
    text: str = field(repr=False)

    def __repr__(self) -> str:
        """Name the kind."""
        return f"Mail({self.kind} {self.id})"


def write(
    unit: UnitOfWork[Actor],
    *,
    to: Recipient,
    kind: str,
    address: str,
    subject: str,
    text: str,
    ends_at: datetime | None = None,
) -> UUID:
    """Put a mail into the outbox; it goes when this transaction has committed. Nothing of it can be read in the database.

    Who may write it is asked by the action that it is a part of.
    """
    row_id, event_id, ring = new_id(), new_id(), keyring(unit.session)
    content = json.dumps({"subject": subject, "text": text}).encode()
    store.add(
        unit.session,
        NoticeRow(
            id=row_id,
            account_id=to.account_id,
            study_id=to.study_id,
            participant_id=to.participant_id,
            kind=kind,
            address=ring.seal(_place("address", row_id, to.study_id, to.participant_id), address.encode()),
            content=ring.seal(_place("content", row_id, to.study_id, to.participant_id), content),
            state="waiting",
            tries=0,
            due_at=unit.instant,
            ends_at=ends_at,
            created_at=unit.instant,
            outcome="",
            event_id=event_id,
        ),
    )
    change = {"new": {"kind": kind, "notice": str(row_id)}}
    ledger.record(unit, "notices.write", subject=f"account:{to.account_id}", change=change, event_id=event_id)
    return row_id


def take(unit: UnitOfWork[Actor], notice_id: UUID) -> Mail | None:
    """Hold and open one waiting mail; None when another worker has it or it has gone. One that is too old is settled here.

    Raises
    ------
    RefusedError
        When the actor delivers no mail.
    """
    row = store.claim(unit.session, notice_id)
    if row is None or row.address is None or row.content is None:
        return None
    _require_delivery(unit, row)
    if row.ends_at is not None and row.ends_at <= unit.instant:
        settle(unit, notice_id, state="late", outcome="It was too old to be sent.")
        return None
    ring = keyring(unit.session)
    address = ring.unseal(_place("address", row.id, row.study_id, row.participant_id), row.address).decode()
    content = json.loads(ring.unseal(_place("content", row.id, row.study_id, row.participant_id), row.content))
    return Mail(id=row.id, kind=row.kind, address=address, subject=content["subject"], text=content["text"])


def settle(unit: UnitOfWork[Actor], notice_id: UUID, *, state: str, outcome: str = "") -> None:
    """Write what became of a mail (`sent`, `failed`, `late`), and remove address and text.

    Raises
    ------
    RefusedError
        When the actor delivers no mail.
    NotFoundError
        When it has gone already, or another worker has it.
    """
    row = _claimed(unit, notice_id)
    _require_delivery(unit, row)
    ended = {"address": None, "content": None, "done_at": unit.instant, "tries": row.tries + 1}
    store.put(unit.session, row.id, state=state, outcome=outcome, **ended)
    change = {"new": {"kind": row.kind, "notice": str(row.id), "state": state, "outcome": outcome}}
    ledger.record(unit, "notices.settle", subject=f"account:{row.account_id}", change=change)


def put_off(unit: UnitOfWork[Actor], notice_id: UUID, *, outcome: str) -> None:
    """Have a mail tried again later, after 1, 2, 4 ... minutes; after `MOST` tries it has failed."""
    row = _claimed(unit, notice_id)
    _require_delivery(unit, row)
    if row.tries + 1 >= MOST:
        settle(unit, notice_id, state="failed", outcome=outcome)
        return
    due_at = unit.instant + _FIRST_PAUSE * 2**row.tries
    store.put(unit.session, row.id, tries=row.tries + 1, due_at=due_at, outcome=outcome)
    change = {"new": {"kind": row.kind, "notice": str(row.id), "tries": row.tries + 1, "outcome": outcome}}
    ledger.record(unit, "notices.put_off", subject=f"account:{row.account_id}", change=change)


def _claimed(unit: UnitOfWork[Actor], notice_id: UUID) -> NoticeRow:
    row = store.claim(unit.session, notice_id)
    if row is None:
        raise NotFoundError("This mail has gone already, or another worker has it; nothing was changed.")
    return row


def _require_delivery(unit: UnitOfWork[Actor], row: NoticeRow) -> None:
    """Refuse whoever may not read where a participant of that study is reached."""
    require(may(unit.actor, "study:identity:read", study=store.study_code(unit.session, row.study_id)))


def _place(column: str, row_id: UUID, study_id: UUID, participant_id: UUID | None) -> Place:
    return Place("notice", column, row_id, study_id, participant_id)
