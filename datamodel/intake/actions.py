"""The verbs: accept what arrives, open it, say how it ended."""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.audit import ledger
from datamodel.intake import store
from datamodel.intake.tables import EnvelopeRow
from datamodel.kernel.errors import BadInputError, NotFoundError, Refused, RefusedError, require
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import UnitOfWork
from datamodel.vault.keyring import keyring
from datamodel.vault.seal import Place

#: kind of envelope -> what its sender must be allowed to do
PERMISSION: Final[dict[str, str]] = {
    "consent": "self:consent:sign",
    "jspsych": "self:assessments:submit",
    "redcap_trigger": "study:connections:sync",
}
#: Browsers make UUIDs; other senders may use any short printable text.
_KEY: Final = re.compile(r"[A-Za-z0-9:._-]{8,128}")
KEY_RULE: Final = "8 to 128 letters, digits, dots, colons, - or _ (a random UUID is best)"
_KEY_REUSED: Final = Refused(
    "key-reused",
    "This idempotency key was already used for a different message, which was kept; nothing new was stored.",
    "Send the new message with a key of its own.",
)

State = Literal["pending", "processed", "refused", "failed"]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the sender is told. `is_repeat` when the same message had arrived before."""

    number: int
    state: str
    is_repeat: bool


@dataclass(frozen=True, slots=True, repr=False)
class Opened:
    """An envelope with its body, as the flow that drains it sees it. Its repr never shows the body."""

    id: UUID
    receipt: int
    study: str
    kind: str
    sender_id: UUID
    participant_id: UUID | None
    received_at: datetime
    tries: int
    body: bytes

    def __repr__(self) -> str:
        """Name the receipt and the kind only."""
        return f"Opened({self.kind}, receipt {self.receipt})"


def accept(
    unit: UnitOfWork[Actor],
    *,
    study: str,
    kind: Literal["consent", "jspsych", "redcap_trigger"],
    key: str,
    body: bytes,
) -> Receipt:
    """Store what arrived, sealed, and return its receipt; the same key and body give the first receipt again.

    Raises
    ------
    RefusedError
        When the sender may not send this kind, or used the key for a different body (`key-reused`).
    BadInputError
        When the key is malformed.
    NotFoundError
        When the study is unknown.
    """
    require(may(unit.actor, PERMISSION[kind], study=study))
    if not _KEY.fullmatch(key):
        raise BadInputError(
            f"Received an idempotency key of {len(key)} characters; allowed are {KEY_RULE}. Nothing was stored."
        )
    study_id = store.study_id(unit.session, study)
    if study_id is None:
        raise NotFoundError(f"There is no study with the code “{study}”.")
    digest, row_id, event_id = hashlib.sha256(body).digest(), new_id(), new_id()
    row = store.add_once(
        unit.session,
        {
            "id": row_id,
            "study_id": study_id,
            "kind": kind,
            "idempotency_key": key,
            "sender_id": unit.actor.id,
            "participant_id": unit.actor.participant_id,
            "body": keyring(unit.session).seal(
                _place(row_id, study_id, kind=kind, participant=unit.actor.participant_id), body
            ),
            "body_sha256": digest,
            "received_at": unit.instant,
            "event_id": event_id,
        },
    )
    if row is None:
        return _repeat(unit, study_id=study_id, kind=kind, key=key, digest=digest)
    ledger.record(
        unit,
        "intake.accept",
        study_id=study_id,
        subject=f"receipt:{row.receipt}",
        role=unit.actor.role(study),
        change={"new": {"kind": kind, "receipt": row.receipt, "bytes": len(body), "body_sha256": digest.hex()}},
        event_id=event_id,
    )
    return Receipt(number=row.receipt, state="pending", is_repeat=False)


def _repeat(unit: UnitOfWork[Actor], *, study_id: UUID, kind: str, key: str, digest: bytes) -> Receipt:
    row = store.by_key(unit.session, study_id=study_id, kind=kind, key=key)
    if row is None or row.sender_id != unit.actor.id or row.body_sha256 != digest:
        raise RefusedError(_KEY_REUSED)
    return Receipt(number=row.receipt, state=row.state, is_repeat=True)


def open_envelope(unit: UnitOfWork[Actor], envelope_id: UUID) -> Opened | None:
    """Lock and open one unsettled envelope; None when another drain has it or it is settled.

    Opening changes nothing, so it is no event of its own; `settle` is.
    """
    row = store.claim(unit.session, envelope_id)
    if row is None:
        return None
    study = store.study_code(unit.session, row.study_id)
    require(may(unit.actor, _filing(row.kind), study=study))
    return Opened(
        id=row.id,
        receipt=row.receipt,
        study=study,
        kind=row.kind,
        sender_id=row.sender_id,
        participant_id=row.participant_id,
        received_at=row.received_at,
        tries=row.tries,
        body=keyring(unit.session).unseal(
            _place(row.id, row.study_id, kind=row.kind, participant=row.participant_id), row.body
        ),
    )


def settle(unit: UnitOfWork[Actor], *, envelope_id: UUID, state: State, outcome: str = "") -> int:
    """Write how an envelope ended: processed, refused (with the reason) or failed (tried again later); return its receipt.

    What waits in a study that was closed meanwhile is refused: else it would wait for ever.

    Raises
    ------
    RefusedError
        When the actor may not file this kind.
    NotFoundError
        When the envelope is settled already, or another drain has it.
    """
    row = store.claim(unit.session, envelope_id)
    if row is None:
        raise NotFoundError("This envelope was settled already or is being drained; nothing was changed.")
    study = store.study_code(unit.session, row.study_id)
    answer = may(unit.actor, _filing(row.kind), study=study)
    if not (isinstance(answer, Refused) and answer.code == "study-closed" and state == "refused"):
        require(answer)
    store.settle(unit.session, row.id, state=state, outcome=outcome, at=unit.instant)
    ledger.record(
        unit,
        "intake.settle",
        study_id=row.study_id,
        subject=f"receipt:{row.receipt}",
        role=unit.actor.role(study),
        change=_settled(row, state=state, outcome=outcome),
    )
    return row.receipt


def _settled(row: EnvelopeRow, *, state: State, outcome: str) -> dict[str, dict[str, object]]:
    return {
        "old": {"state": row.state},
        "new": {"state": state, "kind": row.kind, "receipt": row.receipt, "outcome": outcome},
    }


def _filing(kind: str) -> str:
    return {
        "consent": "study:consent:file",
        "jspsych": "study:assessments:file",
        "redcap_trigger": "study:connections:sync",
    }[kind]


def _place(row_id: UUID, study_id: UUID, *, kind: str, participant: UUID | None) -> Place:
    """Return where a body belongs; a consent holds a name, so it goes when the participant's identity goes."""
    return Place("envelope", "body", row_id, study_id, participant if kind == "consent" else None)
