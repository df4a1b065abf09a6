"""The verb: write the instances of one form as their source has them now."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.audit import ledger
from datamodel.kernel.errors import NotFoundError, require
from datamodel.kernel.unit import UnitOfWork
from datamodel.records import store
from datamodel.records.changes import Changes, changes
from datamodel.records.content import digest_line, rows_digest


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

    Raises
    ------
    RefusedError
        When the actor may not write form values.
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
    found = changes(present, rows, complete_for=complete_for)
    if not found.revisions:
        return _revised(found, None)
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
    return _revised(found, event_id)


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
