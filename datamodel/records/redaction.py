"""Taking a value out that was typed by mistake: a participant's name in a comment, say (ICH E6(R3) 4.2.2).

The value leaves every revision of the form entry that holds it, and the data questions that quote it. What stays is the
content hash that was sealed with the revision, an event with the justification, and a commitment: SHA-256 over a random salt
and the value. The salt is handed to whoever removes the value and kept nowhere, so that nobody finds the value by trying;
with the salt, the value can be shown to be the one that was there. Snapshots taken before hold the value still: they are files,
and are to be removed by hand.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.audit import ledger
from datamodel.kernel.errors import BadInputError, NotFoundError, Refused, RefusedError, require
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import UnitOfWork
from datamodel.records import store
from datamodel.records.blinded import JOIN, hash_of, whole
from datamodel.records.content import canonical_values
from datamodel.records.tables import RedactionRow
from datamodel.signatures.actions import Proof, confirm
from datamodel.study import reads as study_reads

#: What stands where a value was quoted.
REMOVED: Final = "[removed]"
_SALT_BYTES: Final = 32
#: A shorter value is looked for in questions about its own field only: elsewhere it may mean something else.
_TELLING: Final = 4


@dataclass(frozen=True, slots=True, repr=False)
class Redacted:
    """What was removed; `salt` opens the commitment, and is kept nowhere else."""

    event_id: UUID
    revisions: tuple[int, ...]
    questions: int
    #: snapshots as of this position or a later one, and before the removal, hold the value
    held_from: int
    salt: bytes
    commitment: bytes


@dataclass(frozen=True, slots=True)
class Redaction:
    """One removal, as far as it can be told."""

    revision: int
    field: str
    at: datetime
    by: str
    reason: str


def commitment(salt: bytes, value: str) -> bytes:
    """Return the commitment to a value: it tells nothing without the salt."""
    return hashlib.sha256(salt + value.encode()).digest()


def opens(salt: bytes, value: str, sealed: bytes) -> bool:
    """Answer whether this value is the one that was removed."""
    return hmac.compare_digest(commitment(salt, value), sealed)


def redact_confirmed(
    unit: UnitOfWork[Actor], *, study: str, instance_id: UUID, revision: int, field: str, proof: Proof
) -> Redacted:
    """Remove a value as `redact`, when whoever does it just typed sign-in name and password (and code, where one is set up).

    Errors are those of `redact` and `signatures.actions.confirm`; wrong tries are counted and told.
    """
    require(may(unit.actor, "study:records:redact", study=study))
    confirm(unit, study=study, act="redact", proof=proof)
    return redact(unit, study=study, instance_id=instance_id, revision=revision, field=field)


def redact(unit: UnitOfWork[Actor], *, study: str, instance_id: UUID, revision: int, field: str) -> Redacted:
    """Remove the value of a field from a revision, and from all that copied it; the unit's reason is the justification.

    Raises
    ------
    RefusedError
        When the actor may not remove values, or sees too little of this version to tell what is left.
    NotFoundError
        When there is no such form entry or revision, or the field is blank in it.
    BadInputError
        When no justification is given, or it repeats the value.
    """
    require(may(unit.actor, "study:records:redact", study=study))
    study_id = study_reads.study(unit.session, study).id
    store.lock(unit.session, study_id)
    place = _place(unit.session, study_id, instance_id)
    if place is None:
        raise NotFoundError("There is no such form entry in this study; nothing was removed.")
    require(may(unit.actor, "study:records:redact", study=study, site=place.site or None))
    revisions = _revisions(unit.session, instance_id)
    value = next((_value(one, field) for one in revisions if one.number == revision), "")
    if not value:
        raise NotFoundError(
            f"Revision {revision} has no value in the field “{field}”; nothing was removed. It may have been removed before."
        )
    _justified(unit.reason, value)
    holding = [one for one in revisions if _value(one, field) == value]
    if not may(unit.actor, "study:blinded:read", study=study):
        for one in holding:
            if hash_of(one) != (left(unit.session, instance_id, one.number) or bytes(one.content_hash)):
                raise RefusedError(_BLINDED)
    parts = [_without(one, field) for one in holding]
    documents = [document for document, _ in parts]
    hashes = [hash_of(after) for _, after in parts]
    salt = secrets.token_bytes(_SALT_BYTES)
    sealed = commitment(salt, value)
    quoting = _quoting(unit.session, place, field=field, value=value)
    event_id = ledger.record(
        unit,
        "records.redact",
        study_id=study_id,
        subject=f"participant:{place.code}",
        role=unit.actor.role(study),
        change={
            "instance": instance_id,
            "place": f"{place.event_name}/{place.form_name}",
            "field": field,
            "commitment": sealed.hex(),
            "revisions": [
                {"number": one.number, "content_sha256": after.hex()}
                for one, after in zip(holding, hashes, strict=True)
            ],
            "questions": len({one.discrepancy_id for one in quoting}),
            # the rows of these events are attested again, as they are now
            "again": sorted(
                {str(one.step_event) for one in quoting if one.step_id is not None}
                | {str(one.event_id) for one in holding if field in (one.blinded or {})}
            ),
        },
    )
    steps = [one for one in quoting if one.step_id is not None]
    unit.session.execute(
        text(_REDACT),
        {
            "event": event_id,
            "instance": instance_id,
            "field": field,
            "numbers": [one.number for one in holding],
            "documents": documents,
            "steps": [one.step_id for one in steps],
            "texts": [one.text.replace(value, REMOVED) for one in steps],
        },
    )
    unit.session.execute(
        text(_BLOT),
        {"value": value, "removed": REMOVED, "ids": list({one.discrepancy_id for one in quoting}), "event": event_id},
    )
    unit.session.add_all(
        RedactionRow(
            id=new_id(),
            study_id=study_id,
            participant_id=place.participant_id,
            instance_id=instance_id,
            revision=one.number,
            field=field,
            commitment=sealed,
            content_sha256=after,
            at=unit.instant,
            event_id=event_id,
        )
        for one, after in zip(holding, hashes, strict=True)
    )
    unit.session.flush()
    return Redacted(
        event_id=event_id,
        revisions=tuple(one.number for one in holding),
        questions=len({one.discrepancy_id for one in quoting}),
        held_from=_position(unit.session, holding[0].event_id),
        salt=salt,
        commitment=sealed,
    )


def redactions(session: Session, actor: Actor, *, study: str, instance_id: UUID) -> list[Redaction]:
    """Return what was removed from a form entry, oldest first."""
    require(may(actor, "study:records:read", study=study))
    rows = session.execute(
        text(
            "select r.revision, r.field, r.at, e.actor_name, e.reason from app.form_redaction r "
            "join app.audit_event e on e.id = r.event_id where r.instance_id = :instance order by r.at, r.revision"
        ),
        {"instance": instance_id},
    )
    return [Redaction(row.revision, row.field, row.at, row.actor_name, row.reason) for row in rows]


def left(session: Session, instance_id: UUID, number: int) -> bytes | None:
    """Return the hash of what the newest removal left of a revision, as its sealed event says; None without one."""
    rows = session.execute(
        text(
            "select e.body from app.form_redaction r join app.audit_event e on e.id = r.event_id "
            "where r.instance_id = :instance and r.revision = :number and e.action = 'records.redact' order by r.at desc, e.seq desc"
        ),
        {"instance": instance_id, "number": number},
    )
    for row in rows:
        told = orjson.loads(bytes(row.body))
        if told["action"] != "records.redact" or told["change"].get("instance") != str(instance_id):
            continue
        for one in told["change"]["revisions"]:
            if one["number"] == str(number):
                return bytes.fromhex(one["content_sha256"])
    return None


def _value(one: Row[Any], field: str) -> str:
    """Return the value of a field, wherever it stands; empty when it is blank or this actor may not see it."""
    return whole(one.values, one.moved, one.blinded).get(field, "")


@dataclass(frozen=True, slots=True)
class _Left:
    """What is left of a revision."""

    values: dict[str, str]
    moved: dict[str, str] | None
    blinded: dict[str, str] | None
    status: str
    is_removed: bool
    blinded_sha256: bytes | None


def _without(one: Row[Any], field: str) -> tuple[str, _Left]:
    """Return the part of a revision that held a field, as canonical text without it, and all that is left."""
    parts: dict[str, Any] = {name: getattr(one, name) for name in ("values", "moved", "blinded")}
    place = next(name for name, part in parts.items() if part and field in part)
    parts[place] = {name: value for name, value in parts[place].items() if name != field}
    gone = _Left(**parts, status=one.status, is_removed=one.is_removed, blinded_sha256=one.blinded_sha256)
    return canonical_values(parts[place]), gone


def _justified(reason: str, value: str) -> None:
    if len(reason.split()) < 2:  # noqa: PLR2004 - one word explains nothing
        raise BadInputError("Received no justification; say in a sentence why the value must go. Nothing was removed.")
    if value.casefold() in reason.casefold():
        raise BadInputError(
            "The justification repeats the value that is to go, and would keep it in the ledger for good. Nothing was removed; "
            "say why without it."
        )


def _place(session: Session, study_id: UUID, instance_id: UUID) -> Row[Any] | None:
    return session.execute(
        text(
            "select i.id, i.participant_id, p.code, coalesce(s.code, '') as site, i.event_name, i.form_name, i.event_repeat, "
            "i.form_repeat from app.form_instance i join app.participant p on p.id = i.participant_id "
            "left join app.site s on s.id = p.site_id where i.study_id = :study and i.id = :instance"
        ),
        {"study": study_id, "instance": instance_id},
    ).one_or_none()


def _quoting(session: Session, place: Row[Any], *, field: str, value: str) -> Sequence[Row[Any]]:
    """Return the steps of data questions about this form entry that quote the value, or whose question does."""
    return session.execute(
        text(
            "select d.id as discrepancy_id, s.id as step_id, s.event_id as step_event, s.text from app.discrepancy d "
            "left join app.discrepancy_step s on s.discrepancy_id = d.id and position(:value in s.text) > 0 "
            "where d.participant_id = :participant and d.event_name = :event and d.form_name = :form "
            "and d.event_repeat = :event_repeat and d.form_repeat = :form_repeat and (d.field = :field or :is_telling) "
            "and (s.id is not null or position(:value in d.value) > 0 or position(:value in d.reason) > 0)"
        ),
        _at(place) | {"field": field, "value": value, "is_telling": len(value) >= _TELLING},
    ).all()


def _at(place: Row[Any]) -> dict[str, Any]:
    return {
        "participant": place.participant_id,
        "event": place.event_name,
        "form": place.form_name,
        "event_repeat": place.event_repeat,
        "form_repeat": place.form_repeat,
    }


def _revisions(session: Session, instance_id: UUID) -> Sequence[Row[Any]]:
    return session.execute(
        text(_REVISIONS),
        {"instance": instance_id},
    ).all()


def _position(session: Session, event_id: UUID) -> int:
    found: int | None = session.execute(
        text("select position from app.audit_entry where event_id = :event"), {"event": event_id}
    ).scalar_one_or_none()
    return found or 0


_BLINDED: Final = Refused(
    "holds-blinded-values",
    "This version holds or held blinded values in a way that somebody who may not see them cannot tell what would be left. "
    "Nothing was removed.",
    "Somebody who may remove values and see blinded ones has to do it; two people can let a data manager see them.",
)
_REVISIONS: Final = f"""
    select r.number, r."values", r.status, r.is_removed, r.event_id, r.content_hash, r.blinded_sha256, b.moved,
        b."values" as blinded
    from app.form_revision r {JOIN} where r.instance_id = :instance order by r.number
"""  # noqa: S608 - made of constants
_REDACT: Final = (
    "select app.redact(:event, :instance, :field, cast(:numbers as integer[]), cast(:documents as text[]), "
    "cast(:steps as uuid[]), cast(:texts as text[]))"
)
_BLOT: Final = (
    'update app.discrepancy d set "value" = replace(d."value", :value, :removed), event_id = :event, '
    "reason = replace(d.reason, :value, :removed) where d.id = any(:ids)"
)
