"""The verbs: say which fields are critical, and that changes of them were looked at."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, NamedTuple
from uuid import UUID

from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.audit import ledger
from datamodel.discrepancies.actions import open_questions
from datamodel.discrepancies.life import Question
from datamodel.kernel.errors import BadInputError, NotFoundError, Refused, RefusedError, require
from datamodel.kernel.unit import UnitOfWork
from datamodel.study import reads as studies
from datamodel.trail import reads, store
from datamodel.trail.reads import ChangeFilter, ValueChange


class Looked(NamedTuple):
    """A change by its instance, revision and field."""

    instance: UUID
    revision: int
    field: str


def mark_critical(unit: UnitOfWork[Actor], *, study: str, fields: Collection[tuple[str, str]]) -> int:
    """Make `fields`, as (form, field), the study's critical fields; return how many marks changed.

    Raises
    ------
    RefusedError
        When the actor may not write the study's design.
    NotFoundError
        When the design has no such field; nothing was written.
    """
    require(may(unit.actor, "study:design:manage", study=study))
    about = studies.study(unit.session, study)
    protocol = studies.design(unit.session, about.id).protocol
    known = {(form.name, one.name) for form in protocol.forms for one in form.fields}
    if unknown := sorted(set(fields) - known):
        raise NotFoundError(
            f"The design has no field {unknown[0][1]} in the form {unknown[0][0]}; no mark was changed. "
            "Names are those of the codebook."
        )
    present = store.critical(unit.session, about.id)
    added, ended = sorted(set(fields) - present), sorted(present - set(fields))
    if not added and not ended:
        return 0
    event_id = ledger.record(
        unit,
        "trail.mark_critical",
        study_id=about.id,
        subject=f"study:{study}",
        role=unit.actor.role(study),
        change={"added": [".".join(one) for one in added], "ended": [".".join(one) for one in ended]},
    )
    for some, is_critical in ((added, True), (ended, False)):
        if some:
            store.mark(unit.session, about.id, some, is_critical=is_critical, at=unit.instant, event_id=event_id)
    return len(added) + len(ended)


def review(
    unit: UnitOfWork[Actor],
    *,
    study: str,
    looked_at: Sequence[Looked],
    verdict: Literal["accepted", "questioned"],
    note: str = "",
) -> int:
    """Say that changes of critical values were looked at; return how many.

    Of each questioned change a data question is opened at its field, in the words of the note.

    Raises
    ------
    RefusedError
        When the actor may not review, or made one of the changes itself.
    NotFoundError
        When one of them is not a change that waits for review; nothing was written.
    BadInputError
        When a change is questioned without a note.
    """
    require(may(unit.actor, "study:audit:review", study=study))
    if verdict == "questioned" and not note.strip():
        raise BadInputError("A questioned change needs a note that says what is doubtful; nothing was written.")
    about = studies.study(unit.session, study)
    asked = ChangeFilter(critical=True, reviewed=False)
    waiting = {
        Looked(one.instance, one.revision, one.field): one
        for one in reads.changes(unit.session, unit.actor, study=study, asked=asked).rows
    }
    found = [_waiting(waiting, one, unit.actor) for one in dict.fromkeys(looked_at)]
    event_id = ledger.record(
        unit,
        "trail.review",
        study_id=about.id,
        subject=f"study:{study}",
        role=unit.actor.role(study),
        change={
            "verdict": verdict,
            "looked_at": [
                {"participant": one.participant, "form": one.form_name, "field": one.field, "revision": one.revision}
                for one in found
            ],
        },
    )
    store.review(
        unit.session,
        [
            {
                "study_id": about.id,
                "instance_id": one.instance,
                "revision": one.revision,
                "field_name": one.field,
                "verdict": verdict,
                "note": note.strip(),
                "reviewed_by": unit.actor.id,
                "reviewed_at": unit.instant,
                "event_id": event_id,
            }
            for one in found
        ],
    )
    if verdict == "questioned":
        asked_about = [_question(one, note.strip()) for one in found]
        open_questions(unit, study=study, questions=asked_about, as_part_of="audit:review")
    return len(found)


def _question(one: ValueChange, note: str) -> Question:
    """Return the data question about a change; its rule names the revision, so that each change has a question of its own."""
    return Question(
        record=one.participant,
        event_name=one.event_name,
        form_name=one.form_name,
        event_repeat=one.event_repeat,
        form_repeat=one.form_repeat,
        field=one.field,
        value=one.new or "",
        rule=f"review of revision {one.revision}",
        reason=note,
    )


def note_export(unit: UnitOfWork[Actor], *, study: str, what: str, rows: int, content: bytes) -> str:
    """Tell the ledger that a part of the trail was taken away as a file; return the file's SHA-256.

    Raises
    ------
    RefusedError
        When the actor may not read the audit trail.
    """
    require(may(unit.actor, "study:audit:read", study=study))
    about = studies.study(unit.session, study)
    digest = hashlib.sha256(content).hexdigest()
    ledger.record(
        unit,
        "trail.export",
        study_id=about.id,
        subject=f"study:{study}",
        role=unit.actor.role(study),
        change={"new": {"what": what, "rows": rows, "sha256": digest}},
    )
    return digest


def note_extract(
    unit: UnitOfWork[Actor], *, study: str, snapshot: int, what: Mapping[str, Any], name: str, sha256: str
) -> None:
    """Tell the ledger that data of a snapshot were taken away: what was chosen, and the hash of the archive.

    Raises
    ------
    RefusedError
        When the actor may not export data.
    """
    require(may(unit.actor, "study:data:export", study=study))
    ledger.record(
        unit,
        "trail.extract",
        study_id=studies.study(unit.session, study).id,
        subject=f"snapshot:{snapshot}",
        role=unit.actor.role(study),
        change={"new": {**what, "file": name, "sha256": sha256}},
    )


def _waiting(waiting: dict[Looked, ValueChange], one: Looked, actor: Actor) -> ValueChange:
    found = waiting.get(one)
    if found is None:
        raise NotFoundError(
            "One of the changes does not wait for review: it was reviewed meanwhile, or its field is not critical. "
            "Nothing was written; load the queue again."
        )
    if found.who == actor.name:
        raise RefusedError(
            Refused(
                "own-change",
                "Whoever made a change does not review it, so nothing was written.",
                "Ask a colleague who may review.",
            )
        )
    return found
