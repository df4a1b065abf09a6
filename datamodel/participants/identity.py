"""Names, mail, phone and birth date of participants and of who acts for them: sealed, found by keyed hash, destroyed for good.

These values stand nowhere else. Each is sealed with the participant's own key; that key destroyed, none of them can be read
again, from no copy of the database's present state, while the ledger (which never held them) stays whole.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal, cast, get_args
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.audit import ledger
from datamodel.kernel.clock import system_clock
from datamodel.kernel.errors import BadInputError, Refused, RefusedError, require
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import UnitOfWork
from datamodel.participants.reads import Participant, participant
from datamodel.participants.tables import IdentityRow
from datamodel.study import reads as study_reads
from datamodel.vault.keyring import Keyring, destroy_person_key, keyring
from datamodel.vault.keys import Key
from datamodel.vault.seal import Place, lookup_hash

Field = Literal["name", "mail", "phone", "birth_date"]
FIELDS: Final[tuple[Field, ...]] = get_args(Field)
#: Found by keyed hash; a birth date is not, as equal dates would be seen to be equal.
SEARCHED: Final[tuple[Field, ...]] = ("name", "mail", "phone")
_MAIL: Final = re.compile(r"[^@\s<>,;:\"()\[\]\\]{1,64}@[^@\s<>,;:\"()\[\]\\]{1,189}")
_PHONE: Final = re.compile(r"\+?[0-9][0-9 ()./-]{3,28}[0-9]")
_LONGEST: Final = 200
_OLDEST: Final = date(1880, 1, 1)
_NEEDS_REASON: Final = Refused(
    "reason-needed",
    "To destroy an identity a reason is needed; nothing was changed.",
    "Give the reason, and do it again.",
)


@dataclass(frozen=True, slots=True)
class Match:
    """Who has a value, by pseudonym. `person_id` is the participant's id, or the account of a caregiver."""

    study_id: UUID
    participant_id: UUID
    person_id: UUID


def write(
    unit: UnitOfWork[Actor], *, study: str, code: str, values: Mapping[Field, str], of: UUID | None = None
) -> UUID | None:
    """Write identifying values of a participant, or of the caregiver whose account is `of`; an empty text clears one.

    Return the ledger event's id (which names fields, never values), or None when `values` is empty.

    Raises
    ------
    RefusedError
        Without `study:identity:write`.
    NotFoundError
        When there is no such participant for this actor.
    BadInputError
        When a value cannot be what its field says; nothing was written.
    SecretError
        When this identity was destroyed.
    """
    require(may(unit.actor, "study:identity:write", study=study))
    found = participant(unit.session, unit.actor, study=study, code=code)
    clean = {field: checked(field, value) for field, value in values.items()}
    if not clean:
        return None
    event_id, study_id = new_id(), study_reads.study(unit.session, study).id
    ring = keyring(unit.session)
    for field, value in clean.items():
        _put(unit.session, ring, study_id, found.id, of or found.id, field, value, event_id)
    change = {"new": {"set": sorted(f for f in clean if clean[f]), "cleared": sorted(f for f in clean if not clean[f])}}
    _record(
        unit,
        "participants.write_identity",
        study=study,
        study_id=study_id,
        code=code,
        of=of,
        change=change,
        event_id=event_id,
    )
    return event_id


def read(
    unit: UnitOfWork[Actor], *, study: str, code: str, fields: Sequence[Field] = FIELDS, of: UUID | None = None
) -> dict[Field, str]:
    """Return identifying values for a person who is to see them; that they were shown is in the ledger.

    Raises
    ------
    RefusedError
        Without `study:identity:read`.
    NotFoundError
        When there is no such participant for this actor.
    """
    require(may(unit.actor, "study:identity:read", study=study))
    found = participant(unit.session, unit.actor, study=study, code=code)
    values = _opened(unit.session, found.id, of or found.id, fields)
    if values:
        _record(
            unit,
            "participants.read_identity",
            study=study,
            study_id=study_reads.study(unit.session, study).id,
            code=code,
            of=of,
            change={"new": {"shown": sorted(values)}},
        )
    return values


def address(
    session: Session,
    actor: Actor,
    *,
    study: str,
    participant_id: UUID,
    field: Literal["mail", "phone"],
    of: UUID | None = None,
) -> str | None:
    """Return where a message goes, or None; for whoever sends it (the sending is what the ledger holds)."""
    require(may(actor, "study:identity:read", study=study))
    return _opened(session, participant_id, of or participant_id, (field,)).get(field)


def search(unit: UnitOfWork[Actor], *, study: str, field: Field, value: str) -> list[Participant]:
    """Return the participants of a study who, or whose caregivers, have exactly this value; the ledger holds that it was asked.

    Raises
    ------
    RefusedError
        Without `study:identity:read`.
    BadInputError
        When the field is not searched by.
    """
    require(may(unit.actor, "study:identity:read", study=study))
    found = study_reads.study(unit.session, study)
    people = {one.participant_id for one in matches(unit.session, field=field, value=value) if one.study_id == found.id}
    rows = unit.session.execute(
        text("select code from app.participant where id = any(:ids) order by code"), {"ids": list(people)}
    )
    seen = [participant(unit.session, unit.actor, study=study, code=row.code) for row in rows]
    change = {"new": {"field": field, "found": len(seen)}}
    ledger.record(
        unit,
        "participants.search_identity",
        study_id=found.id,
        subject=f"study:{study}",
        role=unit.actor.role(study),
        change=change,
    )
    return seen


def matches(session: Session, *, field: Field, value: str) -> list[Match]:
    """Return who has this value in any study, for sign-in code that tells nobody: identifiers only.

    Whoever answers a request for a link asks this at the door, where no study data is seen.
    """
    if field not in SEARCHED:
        raise BadInputError(f"Nobody is searched by {field}; allowed are {', '.join(SEARCHED)}.")
    key = keyring(session).lookup_key()
    if key is None or not value.strip():
        return []
    rows = session.execute(
        text("select study_id, participant_id, person_id from app.identity_matches(:field, :hash) order by 2, 3"),
        {"field": field, "hash": _hash(key, field, value)},
    )
    return [Match(row.study_id, row.participant_id, row.person_id) for row in rows]


def destroy(unit: UnitOfWork[Actor], *, study: str, code: str) -> None:
    """Destroy a participant's key: name, addresses, birth date and signed names can never be read again. Needs a reason.

    The study's data stay, under the pseudonym, and the ledger stays whole. Copies of the database made before hold the key
    until they are deleted: see the manual on backups.

    Raises
    ------
    RefusedError
        Without `study:identity:destroy`, without a reason, when it was done already, or while a consent waits to be filed.
    """
    require(may(unit.actor, "study:identity:destroy", study=study))
    if not unit.reason.strip():
        raise RefusedError(_NEEDS_REASON)
    found = participant(unit.session, unit.actor, study=study, code=code)
    study_id = study_reads.study(unit.session, study).id
    waiting = unit.session.execute(text(_WAITING), {"id": found.id}).scalar_one()
    if waiting:
        raise RefusedError(
            Refused(
                "consent-waiting",
                f"{waiting} consents of participant {code} have arrived and are not filed yet, so nothing was destroyed.",
                "Wait until they are filed, then do it again.",
            )
        )
    event_id = new_id()
    if not destroy_person_key(unit.session, study=study_id, person=found.id, at=unit.instant):
        raise RefusedError(
            Refused(
                "identity-destroyed", f"The identity of participant {code} was destroyed before; nothing was changed."
            )
        )
    unit.session.execute(text(_FORGET), {"id": found.id, "event": event_id})
    _record(
        unit,
        "participants.destroy_identity",
        study=study,
        study_id=study_id,
        code=code,
        of=None,
        change={},
        event_id=event_id,
    )


def checked(field: Field, value: str) -> str:
    """Return a value as it is kept, or an empty text.

    Raises
    ------
    BadInputError
        When it cannot be what the field says. The sentence never repeats the value.
    """
    if field not in FIELDS:
        raise BadInputError(f"There is no identifying field “{field[:20]}”; allowed are {', '.join(FIELDS)}.")
    kept = " ".join(unicodedata.normalize("NFC", value).split())
    if not kept:
        return ""
    rule = {
        "name": (len(kept) <= _LONGEST and kept.isprintable(), f"at most {_LONGEST} printable characters"),
        "mail": (bool(_MAIL.fullmatch(kept)) and kept.isprintable(), "an address such as name@example.org"),
        "phone": (bool(_PHONE.fullmatch(kept)), "5 to 30 digits, with + in front for another country"),
        "birth_date": (_is_birth_date(kept), "a day such as 1961-04-30, not in the future"),
    }[field]
    if not rule[0]:
        raise BadInputError(
            f"The {field.replace('_', ' ')} received is not one; allowed is {rule[1]}. Nothing was written."
        )
    return kept


def _is_birth_date(value: str) -> bool:
    try:
        day = date.fromisoformat(value)
    except ValueError:
        return False
    return _OLDEST <= day <= system_clock().date() + timedelta(days=1) and value == day.isoformat()


def _hash(key: Key, field: Field, value: str) -> bytes:
    plain = unicodedata.normalize("NFKC", value)
    plain = re.sub(r"[^0-9]", "", plain).lstrip("0") if field == "phone" else " ".join(plain.split())
    return lookup_hash(key, f"identity {field}", plain)


def _put(
    session: Session,
    ring: Keyring,
    study_id: UUID,
    participant_id: UUID,
    person_id: UUID,
    field: Field,
    value: str,
    event_id: UUID,
) -> None:
    row = session.scalars(
        select(IdentityRow)
        .where(
            IdentityRow.participant_id == participant_id, IdentityRow.person_id == person_id, IdentityRow.field == field
        )
        .with_for_update()
    ).one_or_none()
    if row is None:
        row = IdentityRow(
            id=new_id(), study_id=study_id, participant_id=participant_id, person_id=person_id, field=field
        )
    place = Place("participant_identity", "value", row.id, study_id, participant_id)
    row.value = ring.seal(place, value.encode()) if value else None
    row.lookup = _hash(ring.lookup_key_made(), field, value) if value and field in SEARCHED else None
    row.event_id = event_id
    session.add(row)
    session.flush()


def _opened(session: Session, participant_id: UUID, person_id: UUID, fields: Sequence[Field]) -> dict[Field, str]:
    ring = keyring(session)
    rows = session.scalars(
        select(IdentityRow).where(
            IdentityRow.participant_id == participant_id,
            IdentityRow.person_id == person_id,
            IdentityRow.field.in_(fields),
            IdentityRow.value.is_not(None),
        )
    )
    found: dict[Field, str] = {}
    for row in rows:
        place = Place("participant_identity", "value", row.id, row.study_id, row.participant_id)
        if row.value is not None:
            found[cast("Field", row.field)] = ring.unseal(place, row.value).decode()
    return found


def _record(
    unit: UnitOfWork[Actor],
    action: str,
    *,
    study: str,
    study_id: UUID,
    code: str,
    of: UUID | None,
    change: Mapping[str, object],
    event_id: UUID | None = None,
) -> None:
    ledger.record(
        unit,
        action,
        study_id=study_id,
        subject=f"participant:{code}",
        role=unit.actor.role(study),
        change={**change, **({"of": f"account:{of}"} if of else {})},
        event_id=event_id,
    )


_WAITING: Final = "select count(*) from app.envelope where participant_id = :id and kind = 'consent' and state in ('pending', 'failed')"
_FORGET: Final = (
    "update app.participant_identity set value = null, lookup = null, event_id = :event where participant_id = :id"
)
