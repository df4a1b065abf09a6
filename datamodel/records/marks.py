"""Load forms with what their life depends on; save the steps of it; put marks back when new content comes in."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from datamodel.access.actor import Actor
from datamodel.audit import ledger
from datamodel.kernel.errors import NotFoundError
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import UnitOfWork
from datamodel.records.blinded import JOIN, VALUES, whole
from datamodel.records.changes import Changes
from datamodel.records.tables import StepRow
from datamodel.records.workflow import Kept, Step, change_reason
from datamodel.signatures import actions as signatures
from datamodel.study import reads as study_reads

#: What stands in a reason for a field whose values not everybody may see.
_BLINDED: Final = "a blinded value"


@dataclass(frozen=True, slots=True)
class Fallen:
    """A marked form that new content takes its mark from."""

    instance_id: UUID
    participant_id: UUID
    participant: str
    event_name: str
    status: str
    revision: int


def load(
    session: Session, study: UUID, *, ids: Collection[UUID] | None = None, participants: Collection[str] | None = None
) -> dict[UUID, Kept]:
    """Return forms of a study by entry (of these entries, of these participants), removed ones too."""
    given: dict[str, Any] = {"study": study}
    query = _FORMS
    if ids is not None:
        given["ids"], query = list(ids), query + _OF_IDS
    if participants is not None:
        given["codes"], query = list(participants), query + _OF_PARTICIPANTS
    rows = session.execute(text(query), given)
    return {row.id: _kept(row) for row in rows}


def counts(session: Session, study: UUID, *, ready: Collection[str], past: Collection[str]) -> list[Row[Any]]:
    """Return (code, site, ready, left_out) by participant: begun forms that are not past a step, counted in the database."""
    given = {"study": study, "ready": list(ready), "past": [*past, "not_started"]}
    return list(session.execute(text(_COUNTS), given))


def take(
    unit: UnitOfWork[Actor],
    one: Kept,
    *,
    study_id: UUID,
    step: Step,
    status: str,
    event_id: UUID,
    reason: str = "",
) -> None:
    """Let one form take a step: its status now, and the step for its history."""
    unit.session.execute(
        text("update app.form_instance set status = :status where id = :id"), {"status": status, "id": one.instance_id}
    )
    unit.session.add(
        StepRow(
            id=new_id(),
            instance_id=one.instance_id,
            study_id=study_id,
            participant_id=one.participant_id,
            step=step,
            status_before=one.status,
            status=status,
            revision=one.revision,
            reason=reason,
            actor_name=unit.actor.name,
            at=unit.instant,
            event_id=event_id,
        )
    )
    unit.session.flush()


def place(one: Kept) -> str:
    """Return where a form stands, for the ledger: visit and form, with their repeats."""
    repeats = f"#{one.event_repeat}.{one.form_repeat}" if one.event_repeat or one.form_repeat else ""
    return f"{one.event_name}/{one.form_name}{repeats}"


def falling(session: Session, study: UUID, *, form: str, found: Changes) -> list[Fallen]:
    """Return the marked forms that these changes concern. Costs one look into an index of the marked ones only."""
    concerned = {one.instance_id for one in (*found.changed, *found.removed)}
    if not concerned:
        return []
    rows = session.execute(text(_MARKED), {"study": study, "form": form})
    return [
        Fallen(row.id, row.participant_id, row.code, row.event_name, row.status, row.revision)
        for row in rows
        if str(row.id) in concerned
    ]


def put_back(
    unit: UnitOfWork[Actor], fallen: Sequence[Fallen], *, study: str, study_id: UUID, form: str, found: Changes
) -> None:
    """Make verification and signatures of changed forms void, with the fields that changed as the reason.

    The new versions were written before, in the same transaction; the forms stand at the status these came with.
    """
    if not fallen:
        return
    newer = {one.instance_id: one for one in (*found.changed, *found.removed)}
    labels = _labels(unit.session, study_id, form)
    before = _values(unit.session, fallen)
    reasons: dict[UUID, tuple[str, bool]] = {}
    for one in fallen:
        revision = newer[str(one.instance_id)]
        sealed = orjson.loads(revision.blinded) if revision.blinded else None
        fields = _changed(before[one.instance_id], whole(orjson.loads(revision.values), None, sealed))
        said = change_reason([labels.get(name, name) for name in fields], is_removed=revision.is_removed)
        reasons[one.instance_id] = (said, revision.is_removed)
        event_id = ledger.record(
            unit,
            "records.unmark",
            study_id=study_id,
            subject=f"participant:{one.participant}",
            role=unit.actor.role(study),
            change={
                "place": f"{one.event_name}/{form}",
                "old": {"status": one.status, "version": one.revision},
                "new": {"status": revision.status, "version": revision.number, "reason": said},
            },
        )
        unit.session.add(
            StepRow(
                id=new_id(),
                instance_id=one.instance_id,
                study_id=study_id,
                participant_id=one.participant_id,
                step="change",
                status_before=one.status,
                status=revision.status,
                revision=revision.number,
                reason=said,
                actor_name=unit.actor.name,
                at=unit.instant,
                event_id=event_id,
            )
        )
    for cause, is_removed in (("changed", False), ("removed", True)):
        mine = {one: said for one, (said, gone) in reasons.items() if gone is is_removed}
        signatures.void(unit, study=study, reasons=mine, cause=cause)  # type: ignore[arg-type]
    unit.session.flush()


def steps(session: Session, instance_id: UUID) -> list[Row[Any]]:
    """Return the steps of a form, oldest first."""
    return list(session.execute(text(_STEPS), {"instance": instance_id}))


def _labels(session: Session, study_id: UUID, form: str) -> dict[str, str]:
    """Return how people call the fields of a form; a blinded one is not named."""
    try:
        fields = study_reads.design(session, study_id).protocol.form(form).fields
    except (NotFoundError, KeyError):
        return {}
    found: dict[str, str] = {}
    for field in fields:
        said = _BLINDED if field.is_blinded else field.label or field.name
        found[field.name] = said
        found |= {f"{field.name}___{choice.code}": said for choice in field.choices}
    return found


def _values(session: Session, fallen: Sequence[Fallen]) -> dict[UUID, Mapping[str, str]]:
    rows = session.execute(
        text(
            f"select r.instance_id, {VALUES} as values from app.form_revision r {JOIN} "  # noqa: S608 - constants
            "join unnest(cast(:ids as uuid[]), cast(:numbers as int[])) n (id, number) "
            "on r.instance_id = n.id and r.number = n.number"
        ),
        {"ids": [one.instance_id for one in fallen], "numbers": [one.revision for one in fallen]},
    )
    return {row.instance_id: row.values for row in rows}


def _changed(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    return [name for name in dict.fromkeys([*old, *new]) if old.get(name, "") != new.get(name, "")]


def _kept(row: Row[Any]) -> Kept:
    return Kept(
        instance_id=row.id,
        participant_id=row.participant_id,
        participant=row.code,
        site=row.site,
        event_name=row.event_name,
        form_name=row.form_name,
        event_repeat=row.event_repeat,
        form_repeat=row.form_repeat,
        status=row.status,
        source_status=row.source_status,
        revision=row.revision,
        content_hash=bytes(row.content_hash),
        is_removed=row.is_removed,
        open_queries=row.open_queries,
        updated_at=row.updated_at,
        signers=frozenset(row.signers),
    )


_MARKED: Final = """
    select i.id, i.participant_id, p.code, i.event_name, i.status, i.revision
    from app.form_instance i join app.participant p on p.id = i.participant_id
    where i.study_id = :study and i.form_name = :form and i.status in ('verified', 'signed', 'locked')
"""
# Data questions are a room above this one; only how many are not closed yet is read here, by place.
_FORMS: Final = """
    select i.id, i.participant_id, p.code, coalesce(s.code, '') as site, i.event_name, i.form_name, i.event_repeat,
        i.form_repeat, i.status, r.status as source_status, i.revision, i.content_hash, i.is_removed, i.updated_at,
        coalesce(q.open_queries, 0) as open_queries,
        array(select g.account_id from app.signature g left join app.signature_void v on v.signature_id = g.id
              where g.record_id = i.id and v.signature_id is null) as signers
    from app.form_instance i join app.participant p on p.id = i.participant_id
        join app.form_revision r on r.instance_id = i.id and r.number = i.revision
        left join app.site s on s.id = p.site_id
        left join (
            select d.participant_id, d.event_name, d.form_name, d.event_repeat, d.form_repeat, count(*) as open_queries
            from app.discrepancy d where d.study_id = :study and d.state in ('open', 'reopened', 'answered')
            group by d.participant_id, d.event_name, d.form_name, d.event_repeat, d.form_repeat
        ) q on (q.participant_id, q.event_name, q.form_name, q.event_repeat, q.form_repeat)
             = (i.participant_id, i.event_name, i.form_name, i.event_repeat, i.form_repeat)
    where i.study_id = :study
"""
_OF_IDS: Final = " and i.id = any(:ids)"
_OF_PARTICIPANTS: Final = " and p.code = any(:codes)"
# Every entry is read, so nothing but what the count needs: neither versions nor signatures.
_COUNTS: Final = """
    select p.code, coalesce(s.code, '') as site,
        count(*) filter (where i.status = any(:ready) and q.instance is null) as ready,
        count(*) filter (where not (i.status = any(:ready)) or q.instance is not null) as left_out
    from app.form_instance i join app.participant p on p.id = i.participant_id
        left join app.site s on s.id = p.site_id
        left join (
            select distinct d.participant_id, d.event_name, d.form_name, d.event_repeat, d.form_repeat, true as instance
            from app.discrepancy d where d.study_id = :study and d.state in ('open', 'reopened', 'answered')
        ) q on (q.participant_id, q.event_name, q.form_name, q.event_repeat, q.form_repeat)
             = (i.participant_id, i.event_name, i.form_name, i.event_repeat, i.form_repeat)
    where i.study_id = :study and not i.is_removed and not (i.status = any(:past))
    group by p.code, s.code order by p.code
"""
_STEPS: Final = """
    select step, status_before, status, revision, reason, actor_name, at from app.form_step
    where instance_id = :instance order by at, id
"""
