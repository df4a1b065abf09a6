"""The verbs: bring the questions to what the source raises now; open, answer, close and reopen by people."""

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Final, Literal
from uuid import UUID

from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.audit import ledger
from datamodel.discrepancies import store
from datamodel.discrepancies.life import Question, State, may_answer, may_close, may_reopen, steps
from datamodel.kernel.errors import Answer, BadInputError, NotFoundError, require
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import UnitOfWork
from datamodel.study import reads as study_reads

_CORRECTED: Final = "The value was corrected at its source."
_RETURNED: Final = "The same value came back from its source."


@dataclass(frozen=True, slots=True)
class Raised:
    """What a batch did, in discrepancies. `event_id` is None when nothing changed."""

    opened: int
    reopened: int
    closed: int
    event_id: UUID | None


def raise_batch(
    unit: UnitOfWork[Actor],
    *,
    study: str,
    form: str,
    records: Collection[str],
    rules: Collection[str],
    questions: Collection[Question],
) -> Raised:
    """Open what is new, close what was corrected, of the questions that `rules` raise about `records` in `form`.

    `questions` are all that these rules find now; running it again with the same ones changes nothing.

    Raises
    ------
    RefusedError
        When the actor may not open or close data questions.
    """
    require(may(unit.actor, "study:discrepancies:open", study=study))
    require(may(unit.actor, "study:discrepancies:close", study=study))
    study_id = study_reads.study(unit.session, study).id
    todo = steps(store.in_scope(unit.session, study_id, form=form, records=records, rules=rules), questions)
    if not (todo.opened or todo.reopened or todo.closed):
        return Raised(0, 0, 0, None)
    event_id = new_id()
    opened = store.insert_open(
        unit.session,
        todo.opened,
        study=study_id,
        participant_ids=store.participant_ids(unit.session, study_id, {one.record for one in todo.opened}),
        at=unit.instant,
        event_id=event_id,
    )
    for one, words in zip(opened, [one.reason for one in todo.opened], strict=True):
        _step(unit, [one], state="open", words=words, event_id=event_id, moves=False)
    _step(unit, [one.id for one in todo.reopened], state="reopened", words=_RETURNED, event_id=event_id)
    _step(
        unit,
        [one.id for one in todo.closed],
        state="closed",
        words=_CORRECTED,
        event_id=event_id,
        is_closed_by_source=True,
    )
    keys = sorted([one.key for one in todo.opened] + [one.key for one in (*todo.reopened, *todo.closed)])
    ledger.record(
        unit,
        "discrepancies.raise_batch",
        study_id=study_id,
        subject=f"form:{form}",
        role=unit.actor.role(study),
        change={
            "opened": len(todo.opened),
            "reopened": len(todo.reopened),
            "closed": len(todo.closed),
            "rows_sha256": hashlib.sha256("\n".join(keys).encode()).hexdigest(),
        },
        event_id=event_id,
    )
    return Raised(len(todo.opened), len(todo.reopened), len(todo.closed), event_id)


@dataclass(frozen=True, slots=True)
class Opened:
    """What opening questions did: how many are new, and how many were there already, whatever became of them."""

    opened: int
    present: int
    event_id: UUID | None


def open_questions(
    unit: UnitOfWork[Actor],
    *,
    study: str,
    questions: Collection[Question],
    as_part_of: Literal["discrepancies:open", "audit:review"] = "discrepancies:open",
) -> Opened:
    """Open data questions that a person raises, such as findings of a validation; a question that is there stays as it is.

    Values of fields that are blinded in the design are not kept. Whoever reviews changes of critical values asks about them
    `as_part_of` that review, by the right to it.

    Raises
    ------
    RefusedError
        When the actor may not open data questions, or not at the site of one of the participants.
    NotFoundError
        When the study has no such participant; nothing was opened.
    """
    permission = f"study:{as_part_of}"
    require(may(unit.actor, permission, study=study))
    study_id = study_reads.study(unit.session, study).id
    participants = store.participant_ids(unit.session, study_id, {one.record for one in questions})
    if unknown := sorted({one.record for one in questions} - participants.keys()):
        raise NotFoundError(f"The study has no participant {unknown[0]}, so no data question was opened.")
    for site in store.sites_of(unit.session, participants.values()):
        require(may(unit.actor, permission, study=study, site=site))
    hidden = _blinded_fields(unit, study_id)
    by_key = {one.key: one for one in questions}
    new = [one for key, one in by_key.items() if key not in store.present(unit.session, study_id, by_key)]
    asked = [replace(one, is_withheld=True) if one.field.partition("___")[0] in hidden else one for one in new]
    if not asked:
        return Opened(0, len(by_key), None)
    event_id = new_id()
    ids = store.insert_open(
        unit.session, asked, study=study_id, participant_ids=participants, at=unit.instant, event_id=event_id
    )
    for one, words in zip(ids, [question.reason for question in asked], strict=True):
        _step(unit, [one], state="open", words=words, event_id=event_id, moves=False)
    ledger.record(
        unit,
        "discrepancies.open_questions",
        study_id=study_id,
        subject=f"participant:{asked[0].record}" if len(participants) == 1 else f"study:{study}",
        role=unit.actor.role(study),
        change={
            "opened": len(asked),
            "rules": sorted({one.rule for one in asked}),
            "rows_sha256": hashlib.sha256("\n".join(sorted(one.key for one in asked)).encode()).hexdigest(),
        },
        event_id=event_id,
    )
    return Opened(len(asked), len(by_key) - len(asked), event_id)


def _blinded_fields(unit: UnitOfWork[Actor], study_id: UUID) -> frozenset[str]:
    return study_reads.blinded_fields(unit.session, study_id)


def answer(unit: UnitOfWork[Actor], *, study: str, discrepancy_id: UUID, words: str) -> None:
    """Answer a data question in words.

    Raises
    ------
    RefusedError
        When the actor may not, or the question is closed.
    BadInputError
        When the answer is empty.
    NotFoundError
        When there is no such question.
    """
    _by_person(unit, study, discrepancy_id, words, permission="answer", state="answered", decide=may_answer)


def close(unit: UnitOfWork[Actor], *, study: str, discrepancy_id: UUID, words: str) -> None:
    """Close a data question with a reason; errors as `answer`."""
    _by_person(unit, study, discrepancy_id, words, permission="close", state="closed", decide=may_close)


def reopen(unit: UnitOfWork[Actor], *, study: str, discrepancy_id: UUID, words: str) -> None:
    """Send an answered or closed data question back with a reason; errors as `answer`."""
    _by_person(unit, study, discrepancy_id, words, permission="open", state="reopened", decide=may_reopen)


def _by_person(
    unit: UnitOfWork[Actor],
    study: str,
    discrepancy_id: UUID,
    words: str,
    *,
    permission: str,
    state: State,
    decide: Callable[[str], Answer],
) -> None:
    """Do one step of a person: allow, load, decide, save, record."""
    require(may(unit.actor, f"study:discrepancies:{permission}", study=study))
    study_id = study_reads.study(unit.session, study).id
    row = store.discrepancy(unit.session, study_id, discrepancy_id)
    if row is None:
        raise NotFoundError("There is no such data question in this study.")
    site = store.site_of(unit.session, row.participant_id)
    require(may(unit.actor, f"study:discrepancies:{permission}", study=study, site=site))
    require(decide(row.state))
    if not words.strip():
        raise BadInputError("Received no text; say in words what you found or did. The data question is unchanged.")
    event_id, before = new_id(), row.state
    _step(unit, [discrepancy_id], state=state, words=words.strip(), event_id=event_id)
    ledger.record(
        unit,
        f"discrepancies.{ {'answered': 'answer', 'closed': 'close', 'reopened': 'reopen'}[state] }",
        study_id=study_id,
        subject=f"participant:{row.record}",
        role=unit.actor.role(study),
        change={
            "place": f"{row.event_name}/{row.form_name}/{row.field}",
            "old": {"state": before},
            # The words are in the step, which the ledger attests: words typed by mistake can be removed there.
            "new": {"state": state},
        },
        event_id=event_id,
    )


def _step(
    unit: UnitOfWork[Actor],
    ids: list[UUID],
    *,
    state: State,
    words: str,
    event_id: UUID,
    is_closed_by_source: bool = False,
    moves: bool = True,
) -> None:
    if moves:
        store.move(
            unit.session,
            ids,
            state=state,
            is_closed_by_source=is_closed_by_source,
            at=unit.instant,
            event_id=event_id,
        )
    store.add_steps(
        unit.session, ids, state=state, words=words, actor_name=unit.actor.name, at=unit.instant, event_id=event_id
    )
