"""Reads of a form's life: what it went through, who signed it, and which forms wait for a step."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.kernel.errors import Refused, require
from datamodel.records import marks
from datamodel.records.workflow import MARKED, STATUSES, Kept, Step, after, decide
from datamodel.signatures import reads as signature_reads
from datamodel.signatures.reads import Manifestation
from datamodel.study import reads as study_reads


@dataclass(frozen=True, slots=True)
class Taken:
    """One step that a form took."""

    step: str
    status_before: str
    status: str
    version: int
    reason: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Life:
    """A form now, every step it took, and every signature it had, void ones too."""

    form: Kept
    steps: tuple[Taken, ...]
    signatures: tuple[Manifestation, ...]

    @property
    def needs_verification_again(self) -> bool:
        """Whether it was verified once, and that fell when its content changed or it was reopened."""
        return self.form.status not in MARKED and any(one.step == "verify" for one in self.steps)

    @property
    def fell(self) -> Taken | None:
        """The step that took verification or signature away, when nothing was put on again since."""
        last = self.steps[-1] if self.steps else None
        return last if last is not None and last.step in {"change", "reopen"} else None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A form on a list of forms to verify, sign or lock; `refusal` says why it would be skipped."""

    form: Kept
    refusal: Refused | None


def life(session: Session, actor: Actor, *, study: str, instance_id: UUID) -> Life | None:
    """Return the life of a form, or None when there is no such entry for this actor."""
    require(may(actor, "study:records:read", study=study))
    study_id = study_reads.study(session, study).id
    form = marks.load(session, study_id, ids=[instance_id]).get(instance_id)
    if form is None or not may(actor, "study:records:read", study=study, site=form.site):
        return None
    signed = signature_reads.manifestation(session, actor, study=study, record_ids=[instance_id])
    steps = tuple(
        Taken(row.step, row.status_before, row.status, row.revision, row.reason, row.actor_name, row.at)
        for row in marks.steps(session, instance_id)
    )
    return Life(form, steps, tuple(signed.get(instance_id, ())))


@dataclass(frozen=True, slots=True)
class Count:
    """How many forms of a participant may take a step, and how many begun ones would be skipped."""

    participant: str
    ready: int
    left_out: int


def counts(session: Session, actor: Actor, *, study: str, step: Step) -> list[Count]:
    """Return what `waiting` would list, counted by participant, by code; participants without any are left out."""
    require(may(actor, f"study:records:{step}", study=study))
    study_id = study_reads.study(session, study).id
    ready = [status for status in STATUSES if not isinstance(after(status, step, source=status), Refused)]
    found = marks.counts(session, study_id, ready=[one for one in ready if one not in _PAST[step]], past=_PAST[step])
    return [
        Count(row.code, row.ready, row.left_out)
        for row in found
        if may(actor, f"study:records:{step}", study=study, site=row.site)
    ]


def waiting(
    session: Session, actor: Actor, *, study: str, step: Step, participants: Collection[str] | None = None
) -> list[Waiting]:
    """Return the forms (of these participants) that wait for a step of `actor`, and those begun that would be skipped.

    Forms that took the step already, and those never started, are left out.
    """
    require(may(actor, f"study:records:{step}", study=study))
    study_id = study_reads.study(session, study).id
    found = []
    for one in marks.load(session, study_id, participants=participants).values():
        if one.is_removed or one.status in _PAST[step] or one.status == "not_started":
            continue
        if not may(actor, f"study:records:{step}", study=study, site=one.site):
            continue
        answer = decide(one, step, by=actor.id)
        found.append(Waiting(one, answer if isinstance(answer, Refused) else None))
    return found


_PAST: Final[dict[Step, frozenset[str]]] = {
    "verify": MARKED,
    "sign": frozenset({"signed", "locked"}),
    "lock": frozenset({"locked"}),
    "reopen": frozenset({"not_started", "in_progress", "complete"}),
    "change": frozenset(),
}
