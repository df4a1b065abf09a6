"""The verbs: write the instances of one form as their source has them now; verify, sign, lock and reopen forms."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.audit import ledger
from datamodel.kernel.errors import Allowed, Answer, BadInputError, NotFoundError, Refused, RefusedError, require
from datamodel.kernel.unit import UnitOfWork
from datamodel.records import marks, store
from datamodel.records.blinded import Parts, kept, parted
from datamodel.records.changes import Changes, changes
from datamodel.records.content import digest_line, rows_digest
from datamodel.records.workflow import Kept, Shown, Step, decide
from datamodel.signatures import actions as signatures
from datamodel.signatures.actions import Proof
from datamodel.signatures.demand import Act
from datamodel.signatures.manifest import Item
from datamodel.study import reads as study_reads


@dataclass(frozen=True, slots=True)
class Revised:
    """What a batch did, in instances. `event_id` is None when nothing changed."""

    new: int
    changed: int
    removed: int
    unchanged: int
    event_id: UUID | None

    @property
    def revisions(self) -> int:
        """How many revisions were written."""
        return self.new + self.changed + self.removed


def revise_batch(
    unit: UnitOfWork[Actor],
    *,
    study: str,
    form: str,
    rows: Sequence[tuple[str, str, int, int, str, str]],
    complete_for: Collection[str] = (),
    source: Literal["redcap", "staff", "participant"] = "redcap",
) -> Revised:
    """Write one new revision for each instance whose content differs from what is kept; others stay untouched.

    `rows` are tuples in the order of `content.Incoming`. For participants in `complete_for` the rows are all there
    are of this form: what is kept beyond them is marked removed. When nothing differs, nothing is written.

    A form that was verified, signed or locked falls back to what its source says; signatures become void, with the fields
    that changed as the reason.

    Raises
    ------
    RefusedError
        When the actor may not write form values, or may not see blinded ones and the form has such fields, or people write to
        a locked form (a source's value is what is true, and ends the lock).
    NotFoundError
        When study or participant is unknown; nothing was written.
    BadInputError
        When one instance came in twice; nothing was written.
    """
    require(may(unit.actor, "study:records:revise", study=study))
    study_id = store.study_id(unit.session, study)
    if study_id is None:
        raise NotFoundError(f"There is no study with the code “{study}”; no values were written.")
    store.lock(unit.session, study_id)
    codes = {row[0] for row in rows} | set(complete_for)
    ids = store.participants(unit.session, study_id, codes)
    _all_known({row[0] for row in rows}, ids, study=study)
    present = store.present(unit.session, form=form, participant_ids=ids.values())
    parts = Parts(list(rows), {})
    if fields := study_reads.blinded_by_form(unit.session, study_id).get(form):
        require(may(unit.actor, "study:blinded:read", study=study))
        beside = kept(unit.session, form=form, participant_ids=ids.values())
        parts = parted(rows, fields=fields, present=present, beside=beside)
    found = changes(present, parts.rows, complete_for=complete_for, blinded=parts.blinded)
    if not found.revisions:
        return _revised(found, None)
    fallen = marks.falling(unit.session, study_id, form=form, found=found)
    if source != "redcap":
        require(_unlocked(fallen))
    event_id = ledger.record(
        unit,
        "records.revise_batch",
        study_id=study_id,
        subject=f"form:{form}",
        role=unit.actor.role(study),
        change=_account(found, source=source),
    )
    store.save(
        unit.session,
        found,
        study=study_id,
        form=form,
        participant_ids=ids,
        source=source,
        at=unit.instant,
        event_id=event_id,
    )
    marks.put_back(unit, fallen, study=study, study_id=study_id, form=form, found=found)
    return _revised(found, event_id)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A form that a step did not touch, and why; `form` is None when there is no such entry for this actor."""

    instance_id: UUID
    refusal: Refused
    form: Kept | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step came to: the forms that took it (as they were before), and those it skipped with their reasons."""

    done: tuple[Kept, ...]
    skipped: tuple[Skipped, ...]


def verify_forms(unit: UnitOfWork[Actor], *, study: str, shown: Sequence[Shown]) -> Outcome:
    """Note that these forms, as shown, were compared with their source and agree.

    Raises
    ------
    RefusedError
        When the actor may not verify, or none of the forms can be verified (each one's reason is in the outcome otherwise).
    """
    require(may(unit.actor, "study:records:verify", study=study))
    study_id = study_reads.study(unit.session, study).id
    ready, skipped = _sorted(unit, study, study_id, step="verify", shown=shown)
    for one, status in ready:
        event_id = _event(unit, "records.verify", study=study, study_id=study_id, one=one, status=status)
        marks.take(unit, one, study_id=study_id, step="verify", status=status, event_id=event_id)
    return Outcome(tuple(one for one, _ in ready), skipped)


def sign_forms(
    unit: UnitOfWork[Actor], *, study: str, shown: Sequence[Shown], meaning: str, proof: Proof, zone: str
) -> Outcome:
    """Sign these forms in the versions that were shown, with one confirmation for all of them.

    Raises
    ------
    RefusedError
        When the actor may not sign, what was typed is wrong, or none of the forms can be signed.
    """
    require(may(unit.actor, "study:records:sign", study=study))
    return _signed(unit, study=study, step="sign", shown=shown, meaning=meaning, proof=proof, zone=zone)


def lock_forms(unit: UnitOfWork[Actor], *, study: str, shown: Sequence[Shown], proof: Proof, zone: str) -> Outcome:
    """Close signed forms to changes by people, with a signature that says so; errors as `sign_forms`."""
    require(may(unit.actor, "study:records:lock", study=study))
    return _signed(unit, study=study, step="lock", shown=shown, meaning="locking", proof=proof, zone=zone)


def reopen_form(unit: UnitOfWork[Actor], *, study: str, shown: Shown) -> None:
    """Reopen a verified, signed or locked form; its signatures and verification become void. The unit carries the reason.

    Raises
    ------
    RefusedError
        When the actor may not, or the form is not in such a state.
    BadInputError
        When the unit has no reason.
    """
    require(may(unit.actor, "study:records:reopen", study=study))
    reason = unit.reason.strip()
    if not reason:
        raise BadInputError("Received no reason; say why the form is reopened. Nothing was changed.")
    study_id = study_reads.study(unit.session, study).id
    [(one, status)], _ = _sorted(unit, study, study_id, step="reopen", shown=[shown])
    event_id = _event(unit, "records.reopen", study=study, study_id=study_id, one=one, status=status)
    signatures.void(unit, study=study, reasons={one.instance_id: f"Reopened: {reason}"}, cause="reopened")
    marks.take(unit, one, study_id=study_id, step="reopen", status=status, event_id=event_id, reason=reason)


def _signed(
    unit: UnitOfWork[Actor],
    *,
    study: str,
    step: Literal["sign", "lock"],
    shown: Sequence[Shown],
    meaning: str,
    proof: Proof,
    zone: str,
) -> Outcome:
    """Confirm before anything is locked, then sign what may be signed and skip the rest."""
    act: Act = step
    confirmed = signatures.confirm(unit, study=study, act=act, proof=proof)
    study_id = study_reads.study(unit.session, study).id
    ready, skipped = _sorted(unit, study, study_id, step=step, shown=shown)
    hashes = {one.instance_id: one for one in shown}
    made = signatures.sign(
        unit,
        study=study,
        meaning=meaning,
        items=[_item(one, hashes[one.instance_id]) for one, _ in ready],
        kept={one.instance_id: (one.revision, one.content_hash) for one, _ in ready},
        confirmed=confirmed,
        zone=zone,
    )
    for (one, status), (_, event_id) in zip(ready, made, strict=True):
        marks.take(unit, one, study_id=study_id, step=step, status=status, event_id=event_id)
    return Outcome(tuple(one for one, _ in ready), skipped)


def _sorted(
    unit: UnitOfWork[Actor], study: str, study_id: UUID, *, step: Step, shown: Sequence[Shown]
) -> tuple[list[tuple[Kept, str]], tuple[Skipped, ...]]:
    """Hold the study's records still, and sort what was shown into forms that may take the step and forms that may not.

    Raises
    ------
    RefusedError
        When no form may take it.
    """
    store.lock(unit.session, study_id)
    kept = marks.load(unit.session, study_id, ids={one.instance_id for one in shown})
    ready: list[tuple[Kept, str]] = []
    skipped: list[Skipped] = []
    for one in {one.instance_id: one for one in shown}.values():
        found = _decided(unit.actor, study, step, one, kept)
        if isinstance(found, Refused):
            skipped.append(Skipped(one.instance_id, found, kept.get(one.instance_id)))
        else:
            ready.append((kept[one.instance_id], found))
    if not ready:
        raise RefusedError(skipped[0].refusal if len(skipped) == 1 else _none_of(skipped, step))
    return ready, tuple(skipped)


def _decided(actor: Actor, study: str, step: Step, shown: Shown, kept: Mapping[UUID, Kept]) -> str | Refused:
    one = kept.get(shown.instance_id)
    if one is None:
        return Refused("no-such-form", "There is no such form among those you work with.")
    answer: Answer = may(actor, f"study:records:{step}", study=study, site=one.site)
    return answer if isinstance(answer, Refused) else decide(one, step, shown=shown, by=actor.id)


def _none_of(skipped: Sequence[Skipped], step: Step) -> Refused:
    if not skipped:
        return Refused("nothing-chosen", "No form was chosen, so nothing was done.", "Choose at least one.")
    reasons = sorted({one.refusal.reason for one in skipped})
    return Refused(
        "none-ready", f"None of the {len(skipped)} forms could take the step “{step}”.", " ".join(reasons[:4])
    )


def _item(one: Kept, shown: Shown) -> Item:
    """Return what is signed: the form, in the version and with the content hash that were on the screen."""
    return Item(
        record_id=one.instance_id,
        version=shown.revision,
        content_hash=shown.content_hash,
        participant_id=one.participant_id,
        participant=one.participant,
        event_name=one.event_name,
        form_name=one.form_name,
        event_repeat=one.event_repeat,
        form_repeat=one.form_repeat,
    )


def _event(unit: UnitOfWork[Actor], action: str, *, study: str, study_id: UUID, one: Kept, status: str) -> UUID:
    return ledger.record(
        unit,
        action,
        study_id=study_id,
        subject=f"participant:{one.participant}",
        role=unit.actor.role(study),
        change={
            "place": marks.place(one),
            "old": {"status": one.status},
            "new": {"status": status, "version": one.revision},
        },
    )


def _unlocked(fallen: Sequence[marks.Fallen]) -> Answer:
    locked = [one for one in fallen if one.status == "locked"]
    if not locked:
        return Allowed()
    return Refused(
        "locked",
        f"{len(locked)} of these forms are locked (first: of {locked[0].participant}), so nothing was written.",
        "Somebody who may reopen forms can open them, with a reason.",
    )


def _all_known(codes: set[str], ids: dict[str, UUID], *, study: str) -> None:
    unknown = sorted(codes - ids.keys())
    if unknown:
        raise NotFoundError(
            f"{len(unknown)} participants of the batch are not in the study {study} (first: {unknown[0]}); "
            "no values were written. Add the participants first."
        )


def _account(found: Changes, *, source: str) -> dict[str, object]:
    """Return what the ledger says of a batch: counts and the digest of its revisions."""
    lines = [digest_line(one.instance_id, one.number, one.content_hash, source) for one in found.revisions]
    return {
        "new": len(found.new),
        "changed": len(found.changed),
        "removed": len(found.removed),
        "unchanged": found.unchanged,
        "rows_sha256": rows_digest(lines),
    }


def _revised(found: Changes, event_id: UUID | None) -> Revised:
    return Revised(len(found.new), len(found.changed), len(found.removed), found.unchanged, event_id)
