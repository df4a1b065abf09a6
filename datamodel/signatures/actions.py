"""The verbs: sign, void."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, timedelta
from functools import lru_cache
from typing import Final, Literal
from uuid import UUID

from datamodel.access import reads as access_reads
from datamodel.access.actor import Actor
from datamodel.access.rights import ROLES, may
from datamodel.audit import ledger
from datamodel.credentials import actions as credentials
from datamodel.credentials import proofs
from datamodel.credentials import reads as credential_reads
from datamodel.kernel.errors import Allowed, Refused, RefusedError, require
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import UnitOfWork
from datamodel.notices import actions as notices
from datamodel.notices.actions import Recipient
from datamodel.signatures import reads, store
from datamodel.signatures.demand import SESSION_OVER, Act, demand
from datamodel.signatures.manifest import SALT_BYTES, Item, Signed, as_shown, digest, manifest, meant, message
from datamodel.signatures.tables import VoidRow
from datamodel.study import reads as study_reads
from datamodel.vault.keyring import keyring
from datamodel.vault.signing import Signer, signer_of

#: What may be signed, with the right that it takes.
RIGHTS: Final[Mapping[Act, str]] = {
    "sign": "study:records:sign",
    "counter-sign": "study:records:sign",
    "lock": "study:records:lock",
}
NOT_CONFIRMED: Final = Refused(
    "not-confirmed", "This was not confirmed by whoever signs, so nothing was signed.", "Confirm, then sign again."
)
_ALARM: Final = (
    "Somebody who is signed in as {name} typed a wrong name or password five times when signing in the study {study}. Nothing "
    "was signed, and every session of that account was ended.\n\nAsk {name} whether it was them. If it was not, close the "
    "account under “People and rights”. The audit trail of the study has each try.\n"
)
#: The alarm is worth sending for this long.
_ALARM_FOR: Final = timedelta(days=2)
_ENDED: Final = frozenset({"credentials-misuse", "too-many-tries"})


@dataclass(frozen=True, slots=True)
class Proof:
    """What the signer typed, and the token of the browser it was typed in. Its repr shows none of it."""

    token: str = field(repr=False)
    password: str = field(repr=False)
    sign_in_name: str = field(default="", repr=False)
    code: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Confirmed:
    """That the signer just proved who they are, for one act in one unit of work. Only `confirm` makes it."""

    unit: UUID
    account_id: UUID
    session_id: UUID
    act: Act


def confirm(unit: UnitOfWork[Actor], *, study: str, act: Act, proof: Proof) -> Confirmed:
    """Check what the signer typed, for one act in this unit. Wrong tries are counted and told in the ledger.

    Raises
    ------
    RefusedError
        When the session is over or another person's, or what was typed is wrong; after the fifth time every session ends.
    """
    info = access_reads.session_of(unit.session, proof.token, now=unit.instant)
    needs = demand(act, reads.standing(unit.session, unit.actor, info))
    if info is None or isinstance(needs, Refused):
        raise RefusedError(needs if isinstance(needs, Refused) else SESSION_OVER)
    own = credential_reads.sign_in_name(unit.session, unit.actor.id)
    given = proof.sign_in_name.strip()
    is_named = given.casefold() == own.casefold() if given or needs == "all" else True
    # A wrong name is a wrong try like a wrong password: it is counted where those are, and the answer is the same.
    answer = credentials.confirm(unit, password=proof.password if is_named else "", code=proof.code)
    if isinstance(answer, Refused):
        _tell(unit, study=study, act=act, refusal=answer)
        raise RefusedError(answer)
    return Confirmed(unit.request_id, unit.actor.id, info.id, act)


def sign(
    unit: UnitOfWork[Actor],
    *,
    study: str,
    meaning: str,
    items: Sequence[Item],
    kept: Mapping[UUID, tuple[int, bytes]],
    confirmed: Confirmed,
    zone: str,
) -> list[tuple[Signed, UUID]]:
    """Sign records in the versions shown; return each signature with its ledger event.

    `confirmed` is what `confirm` answered in this same unit.
    `kept` is what the records' own room holds of them at this moment, under its lock: (version, content hash) by record.

    Raises
    ------
    RefusedError
        When the actor may not sign or did not confirm, the meaning is not on the list, or a record is not what was shown.
    """
    require(may(unit.actor, RIGHTS[confirmed.act], study=study))
    require(NOT_CONFIRMED if (confirmed.unit, confirmed.account_id) != (unit.request_id, unit.actor.id) else Allowed())
    require(meant(meaning))
    require(as_shown(items, kept))
    study_id = study_reads.study(unit.session, study).id
    signer, act_id = _signer(unit, study_id), new_id()
    draft = _Draft(unit.actor, study, study_id, meaning, confirmed.session_id, zone, act_id)
    made = [(_signed(unit, draft, item, signer), new_id()) for item in items]
    for one, event_id in made:
        ledger.record(
            unit,
            "signatures.sign",
            study_id=study_id,
            subject=_subject(one.item),
            role=one.role,
            change=_account(one, confirmed.act),
            event_id=event_id,
        )
    store.add(unit.session, made)
    return made


def void(
    unit: UnitOfWork[Actor],
    *,
    study: str,
    reasons: Mapping[UUID, str],
    cause: Literal["changed", "removed", "reopened"],
) -> int:
    """Make the standing signatures of these records void, each with the reason of its record; return how many there were.

    The records' own room calls this in the unit in which it changes or reopens them, and has asked whether that is allowed.
    """
    rows = []
    standing = [one for one, gone in store.of_records(unit.session, reasons.keys()) if gone is None] if reasons else []
    for one in standing:
        reason = reasons[one.item.record_id]
        event_id = ledger.record(
            unit,
            "signatures.void",
            study_id=one.study_id,
            subject=_subject(one.item),
            role=unit.actor.role(study),
            change={
                "signature": one.id,
                "place": _place(one.item),
                "old": {"meaning": one.meaning, "signer": one.printed_name, "version": one.item.version},
                "new": {"cause": cause, "reason": reason},
            },
        )
        rows.append(
            VoidRow(
                signature_id=one.id,
                study_id=one.study_id,
                participant_id=one.item.participant_id,
                cause=cause,
                reason=reason,
                actor_name=unit.actor.name,
                at=unit.instant,
                event_id=event_id,
            )
        )
    store.void(unit.session, rows)
    return len(rows)


@dataclass(frozen=True, slots=True)
class _Draft:
    """What all signatures of one act share."""

    actor: Actor
    study: str
    study_id: UUID
    meaning: str
    session_id: UUID
    zone: str
    act_id: UUID


def _tell(unit: UnitOfWork[Actor], *, study: str, act: Act, refusal: Refused) -> None:
    """Tell the study's ledger of a signing that was refused, in a transaction of its own."""
    study_id = study_reads.study(unit.session, study).id
    action = "signatures.misuse" if refusal.code in _ENDED else "signatures.refuse"
    with proofs.apart(unit, unit.actor) as own:
        ledger.record(
            own,
            action,
            study_id=study_id,
            subject=f"account:{unit.actor.id}",
            role=unit.actor.role(study),
            change={"new": {"act": act, "refusal": refusal.code}},
        )
    if refusal.code == "credentials-misuse":
        _alarm(unit, study=study, study_id=study_id)


def _alarm(unit: UnitOfWork[Actor], *, study: str, study_id: UUID) -> None:
    """Write to those who manage the study's people, at once (21 CFR 11.300(d))."""
    roles = [role for role, held in ROLES.items() if "study:people:manage" in held]
    with proofs.apart(unit) as own:
        for account_id, mail_address in store.who_manages(own.session, study_id, roles):
            notices.write(
                own,
                to=Recipient(account_id=account_id, study_id=study_id),
                kind="misuse",
                address=mail_address,
                subject="Metricis: five wrong tries to sign",
                text=_ALARM.format(name=unit.actor.name, study=study),
                ends_at=own.instant + _ALARM_FOR,
            )


def _signed(unit: UnitOfWork[Actor], draft: _Draft, item: Item, signer: Signer) -> Signed:
    bare = Signed(
        id=new_id(),
        act_id=draft.act_id,
        study_id=draft.study_id,
        item=item,
        meaning=draft.meaning,
        account_id=draft.actor.id,
        printed_name=draft.actor.name,
        role=draft.actor.role(draft.study),
        session_id=draft.session_id,
        signed_at=unit.instant.astimezone(UTC),
        zone=draft.zone,
        salt=os.urandom(SALT_BYTES),
        manifest_sha256=b"",
        public_key=signer.public_keys()["ed25519"],
        value=b"",
    )
    signed_bytes = message(manifest(bare))
    return replace(bare, manifest_sha256=digest(signed_bytes), value=signer.ed25519.sign(signed_bytes))


def _signer(unit: UnitOfWork[Actor], study_id: UUID) -> Signer:
    return _signer_of(keyring(unit.session).present(study_id).derive("electronic signatures"))


@lru_cache(maxsize=64)
def _signer_of(secret: bytes) -> Signer:
    return signer_of(secret)


def _account(one: Signed, act: Act) -> dict[str, object]:
    """Return what the ledger says of a signature: all that makes it recognisable, and no content hash."""
    return {
        "signature": one.id,
        "place": _place(one.item),
        "manifest_sha256": one.manifest_sha256,
        "public_key": one.public_key,
        "value": one.value,
        "new": {
            "act": act,
            "meaning": one.meaning,
            "printed_name": one.printed_name,
            "version": one.item.version,
            "zone": one.zone,
        },
    }


def _place(item: Item) -> str:
    """Return where a record stands: visit and form, with their repeats."""
    repeats = f"#{item.event_repeat}.{item.form_repeat}" if item.event_repeat or item.form_repeat else ""
    return f"{item.event_name}/{item.form_name}{repeats}" if item.form_name else item.kind


def _subject(item: Item) -> str:
    return f"participant:{item.participant}" if item.participant else f"{item.kind}:{item.record_id}"
