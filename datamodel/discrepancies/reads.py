"""Reads: the list of data questions, one thread, counts for work lists and for the status grid."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.kernel.errors import NotFoundError, require
from datamodel.study import reads as study_reads

#: Stands where a question tells what was received in a blinded field.
_BLINDED: Final = "The value is blinded and not shown to your role; somebody who may see it looks after this question."


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """One question about one value. `site` is a code, empty when unknown; `days_open` counts to its last change."""

    id: UUID
    participant: str
    site: str
    event_name: str
    form_name: str
    event_repeat: int
    form_repeat: int
    field: str
    value: str
    rule: str
    reason: str
    state: str
    opened_at: datetime
    changed_at: datetime
    days_open: int


@dataclass(frozen=True, slots=True)
class Step:
    """One step in its life."""

    state: str
    text: str
    actor_name: str
    at: datetime


def discrepancies(
    session: Session,
    actor: Actor,
    *,
    study: str,
    states: tuple[str, ...] | None = None,
    site: str | None = None,
    participant: str | None = None,
    form_name: str | None = None,
    search: str = "",
    limit: int = 500,
    offset: int = 0,
) -> list[Discrepancy]:
    """Return data questions, newest first. `search` looks in participant, field and reason."""
    require(may(actor, "study:discrepancies:read", study=study, site=site))
    found = study_reads.study(session, study)
    rows = session.execute(
        text(f"{_SELECT} order by d.opened_at desc, d.record, d.id limit :limit offset :offset"),
        {
            "study": found.id,
            "site": _own_site(actor, study) or site,
            "states": list(states) if states is not None else None,
            "participant": participant,
            "form": form_name,
            "search": f"%{search}%",
            "id": None,
            "hidden": sorted(hidden := _hidden(session, actor, study=study, study_id=found.id)),
            "limit": limit,
            "offset": offset,
        },
    )
    return [_discrepancy(row, hidden) for row in rows]


def thread(session: Session, actor: Actor, *, study: str, discrepancy_id: UUID) -> tuple[Discrepancy, list[Step]]:
    """Return a data question and its steps, oldest first; NotFoundError when the actor may not see it or it is not there."""
    require(may(actor, "study:discrepancies:read", study=study))
    found = study_reads.study(session, study)
    row = session.execute(
        text(_SELECT),
        {
            "study": found.id,
            "site": _own_site(actor, study),
            "states": None,
            "participant": None,
            "form": None,
            "search": "%",
            "id": discrepancy_id,
            "hidden": sorted(hidden := _hidden(session, actor, study=study, study_id=found.id)),
        },
    ).one_or_none()
    if row is None:
        raise NotFoundError("There is no such data question in this study that you may see.")
    steps = session.execute(
        text("select state, text, actor_name, at from app.discrepancy_step where discrepancy_id = :id order by at, id"),
        {"id": discrepancy_id},
    )
    is_hidden = _field(row) in hidden
    return _discrepancy(row, hidden), [
        Step(one.state, _BLINDED if is_hidden and _repeats(one.text, row) else one.text, one.actor_name, one.at)
        for one in steps
    ]


def counts(session: Session, actor: Actor, *, study: str) -> dict[str, int]:
    """Return how many data questions are in each state."""
    require(may(actor, "study:discrepancies:read", study=study))
    found = study_reads.study(session, study)
    rows = session.execute(text(_COUNTS), {"study": found.id, "site": _own_site(actor, study)})
    answers = {row.state: row.number for row in rows}
    return {state: answers.get(state, 0) for state in ("open", "answered", "reopened", "closed", "cancelled")}


def queries_by_cell(session: Session, actor: Actor, *, study: str) -> dict[tuple[str, str, str], tuple[int, int]]:
    """Return (open, answered) by (participant, event_name, form_name), for `records.reads.status_grid`."""
    require(may(actor, "study:discrepancies:read", study=study))
    found = study_reads.study(session, study)
    rows = session.execute(text(_BY_CELL), {"study": found.id, "site": _own_site(actor, study)})
    return {(row.record, row.event_name, row.form_name): (row.n_open, row.n_answered) for row in rows}


def _own_site(actor: Actor, study: str) -> str | None:
    membership = actor.membership(study)
    return membership.site if membership else None


def _hidden(session: Session, actor: Actor, *, study: str, study_id: UUID) -> frozenset[str]:
    """Return the fields whose values, old, new or refused, this reader may not see."""
    if may(actor, "study:blinded:read", study=study):
        return frozenset()
    return study_reads.blinded_fields(session, study_id)


def _field(row: Row[Any]) -> str:
    """Return the field of a question; a part of a check box (`name___code`) counts as its field."""
    return str(row.field).partition("___")[0]


def _repeats(words: str, row: Row[Any]) -> bool:
    """Return whether a step tells what was received, as the one that opened the question does."""
    return words == row.reason or bool(row.value and row.value in words)


def _discrepancy(row: Row[Any], hidden: frozenset[str]) -> Discrepancy:
    is_hidden = _field(row) in hidden
    return Discrepancy(
        id=row.id,
        participant=row.record,
        site=row.site,
        event_name=row.event_name,
        form_name=row.form_name,
        event_repeat=row.event_repeat,
        form_repeat=row.form_repeat,
        field=row.field,
        value="" if is_hidden else row.value,
        rule=row.rule,
        reason=_BLINDED if is_hidden else row.reason,
        state=row.state,
        opened_at=row.opened_at,
        changed_at=row.changed_at,
        days_open=row.days_open,
    )


_FROM = """
    from app.discrepancy d left join app.participant p on p.id = d.participant_id left join app.site s on s.id = p.site_id
    where d.study_id = :study and (cast(:site as text) is null or s.code = :site)
"""
_SELECT = f"""
    select d.*, coalesce(s.code, '') as site, extract(day from
        case when d.state in ('closed', 'cancelled') then d.changed_at else now() end - d.opened_at)::int as days_open
    {_FROM}
        and (cast(:states as text[]) is null or d.state = any(:states))
        and (cast(:participant as text) is null or d.record = :participant)
        and (cast(:form as text) is null or d.form_name = :form)
        and (cast(:id as uuid) is null or d.id = :id)
        and (d.record ilike :search or d.field ilike :search
            or (d.reason ilike :search and not split_part(d.field, '___', 1) = any(cast(:hidden as text[]))))
"""  # noqa: S608 - made of our own constants only
_COUNTS = f"select d.state, count(*) as number {_FROM} group by d.state"
_BY_CELL = f"""
    select d.record, d.event_name, d.form_name, count(*) filter (where d.state in ('open', 'reopened')) as n_open,
        count(*) filter (where d.state = 'answered') as n_answered
    {_FROM} and d.state in ('open', 'reopened', 'answered') group by 1, 2, 3
"""
