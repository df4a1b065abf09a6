"""Reads: the status grid, one instance, its history."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.kernel.errors import NotFoundError, require
from datamodel.records.blinded import JOIN, VALUES
from datamodel.records.content import is_of
from datamodel.study import reads as study_reads
from datamodel.study.protocol import Protocol

#: Words of the status grid; who shows it gives each its icon and colour.
GridState = Literal["not_started", "in_progress", "complete", "query", "answered", "verified", "signed", "locked"]
#: (participant, event_name, form_name)
Cell = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class GridColumn:
    """One form at one event, in the order of the schedule."""

    event_name: str
    event_label: str
    form_name: str
    form_label: str
    is_repeating: bool


@dataclass(frozen=True, slots=True)
class GridSubject:
    """One row of the grid."""

    participant: str
    site: str
    status: str


@dataclass(frozen=True, slots=True)
class GridCell:
    """What is entered in one form at one event; `instances` counts repeats."""

    state: GridState
    instances: int
    open_queries: int
    answered_queries: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class StatusGrid:
    """Subjects by event-forms. A cell that is not in `cells` is not started."""

    subjects: tuple[GridSubject, ...]
    columns: tuple[GridColumn, ...]
    cells: Mapping[Cell, GridCell]


@dataclass(frozen=True, slots=True)
class Instance:
    """One form of one participant at one event, with the values that count now.

    `withheld` names fields whose blinded values the reader may not see, whether there are any or not.
    """

    id: UUID
    participant: str
    site: str
    event_name: str
    form_name: str
    event_repeat: int
    form_repeat: int
    status: str
    revision: int
    is_removed: bool
    updated_at: datetime
    values: Mapping[str, str]
    withheld: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One value that changed: who, when, from what, to what, and why. Empty text means blank."""

    field: str
    old: str
    new: str
    revision: int
    at: datetime
    by: str
    reason: str
    source: str


def status_grid(
    session: Session,
    actor: Actor,
    *,
    study: str,
    site: str | None = None,
    queries: Mapping[Cell, tuple[int, int]] | None = None,
) -> StatusGrid:
    """Return the status grid of a study (of one site, when given); the actor's own site always limits it.

    `queries` is (open, answered) by cell, as `discrepancies.reads.queries_by_cell` returns it.
    """
    require(may(actor, "study:records:read", study=study))
    found = study_reads.study(session, study)
    protocol = study_reads.design(session, found.id).protocol
    scope = {"study": found.id, "site": _site(actor, study, site)}
    asked = queries or {}
    cells = {}
    for row in session.execute(text(_CELLS), scope):
        key = (row.code, row.event_name, row.form_name)
        n_open, n_answered = asked.get(key, (0, 0))
        cells[key] = GridCell(_state(row.status, n_open, n_answered), row.instances, n_open, n_answered, row.updated_at)
    subjects = [GridSubject(row.code, row.site, row.status) for row in session.execute(text(_SUBJECTS), scope)]
    return StatusGrid(tuple(subjects), grid_columns(protocol), cells)


def grid_columns(protocol: Protocol) -> tuple[GridColumn, ...]:
    """Return the columns of the status grid: each form at each event, in schedule order."""
    labels = {form.name: form.label for form in protocol.forms}
    return tuple(
        GridColumn(event.name, event.label, form, labels[form], form in event.repeating_forms or event.is_repeating)
        for event in sorted(protocol.events, key=lambda one: one.ordinal)
        for form in event.forms
    )


def instances(
    session: Session,
    actor: Actor,
    *,
    study: str,
    participant: str,
    event_name: str | None = None,
    form_name: str | None = None,
) -> list[Instance]:
    """Return a participant's instances (of one event or form, when given), removed ones left out."""
    rows = _instances(session, actor, study=study, participant=participant, event_name=event_name, form_name=form_name)
    return [one for one in rows if not one.is_removed]


def instance(
    session: Session,
    actor: Actor,
    *,
    study: str,
    participant: str,
    event_name: str,
    form_name: str,
    event_repeat: int = 0,
    form_repeat: int = 0,
) -> Instance:
    """Return one instance, also when it was removed at its source; NotFoundError when there never was one."""
    for one in _instances(
        session, actor, study=study, participant=participant, event_name=event_name, form_name=form_name
    ):
        if (one.event_repeat, one.form_repeat) == (event_repeat, form_repeat):
            return one
    raise NotFoundError(f"{participant} has no {form_name} at {event_name or 'this study'} yet.")


def field_history(session: Session, actor: Actor, *, study: str, one: Instance) -> list[FieldChange]:
    """Return every change of every value of an instance, newest first; blinded values only for those who may."""
    require(may(actor, "study:records:read", study=study))
    rows = session.execute(text(_HISTORY), {"instance": one.id}).all()
    hidden = frozenset().union(*_hidden(session, actor, study=study).values())
    history: list[FieldChange] = []
    before: dict[str, str] = {}
    for row in rows:
        names = [name for name in dict.fromkeys([*before, *row.values]) if not is_of(name, hidden)]
        history += [
            FieldChange(
                field=name,
                old=before.get(name, ""),
                new=row.values.get(name, ""),
                revision=row.number,
                at=row.recorded_at,
                by=row.actor_name,
                reason=row.reason,
                source=row.source,
            )
            for name in names
            if before.get(name, "") != row.values.get(name, "")
        ]
        before = row.values
    return history[::-1]


def participants_with_records(session: Session, actor: Actor, *, study: str) -> set[str]:
    """Return the codes of participants that have at least one instance which was not removed."""
    require(may(actor, "study:records:read", study=study))
    rows = session.execute(text(_WITH_RECORDS), {"study": study_reads.study(session, study).id})
    return {row.code for row in rows}


def _instances(
    session: Session, actor: Actor, *, study: str, participant: str, event_name: str | None, form_name: str | None
) -> list[Instance]:
    require(may(actor, "study:records:read", study=study))
    found = study_reads.study(session, study)
    site = session.execute(text(_SITE_OF), {"study": found.id, "code": participant}).scalar_one_or_none()
    if site is None:
        raise NotFoundError(f"There is no participant {participant} in this study.")
    require(may(actor, "study:records:read", study=study, site=site))
    protocol = study_reads.design(session, found.id).protocol
    hidden = _hidden(session, actor, study=study)
    rows = session.execute(
        text(_INSTANCES), {"study": found.id, "code": participant, "event": event_name, "form": form_name}
    )
    order = {(column.event_name, column.form_name): n for n, column in enumerate(grid_columns(protocol))}
    answers = [_instance(row, hidden=hidden) for row in rows]
    return sorted(
        answers,
        key=lambda one: (order.get((one.event_name, one.form_name), len(order)), one.event_repeat, one.form_repeat),
    )


def _hidden(session: Session, actor: Actor, *, study: str) -> Mapping[str, frozenset[str]]:
    """Return the fields whose values this reader may not see, in any revision, by form."""
    if may(actor, "study:blinded:read", study=study):
        return {}
    return study_reads.blinded_by_form(session, study_reads.study(session, study).id)


def _instance(row: Row[Any], *, hidden: Mapping[str, frozenset[str]]) -> Instance:
    every = frozenset().union(*hidden.values())
    return Instance(
        id=row.id,
        participant=row.code,
        site=row.site,
        event_name=row.event_name,
        form_name=row.form_name,
        event_repeat=row.event_repeat,
        form_repeat=row.form_repeat,
        status=row.status,
        revision=row.revision,
        is_removed=row.is_removed,
        updated_at=row.updated_at,
        values={name: value for name, value in row.values.items() if not is_of(name, every)},
        withheld=tuple(sorted(hidden.get(row.form_name, ()))),
    )


def _state(status: str, n_open: int, n_answered: int) -> GridState:
    if n_open:
        return "query"
    return "answered" if n_answered else status  # type: ignore[return-value]


def _site(actor: Actor, study: str, site: str | None) -> str | None:
    """Return the site to which the reader is limited, by membership or by choice."""
    membership = actor.membership(study)
    own = membership.site if membership else None
    if own is not None and site is not None:
        require(may(actor, "study:records:read", study=study, site=site))
    return own or site


_SUBJECTS = """
    select p.code, coalesce(s.code, '') as site, p.status
    from app.participant p left join app.site s on s.id = p.site_id
    where p.study_id = :study and (cast(:site as text) is null or s.code = :site)
    order by s.code, p.code
"""
# The least advanced instance gives a repeating form its word.
_CELLS = """
    select p.code, i.event_name, i.form_name, count(*) as instances, max(i.updated_at) as updated_at,
        (array['not_started', 'in_progress', 'complete', 'verified', 'signed', 'locked'])[min(
            case i.status when 'not_started' then 1 when 'in_progress' then 2 when 'complete' then 3
                when 'verified' then 4 when 'signed' then 5 else 6 end)] as status
    from app.form_instance i join app.participant p on p.id = i.participant_id
        left join app.site s on s.id = p.site_id
    where i.study_id = :study and not i.is_removed and (cast(:site as text) is null or s.code = :site)
    group by p.code, i.event_name, i.form_name
"""
_SITE_OF = """
    select coalesce(s.code, '') from app.participant p left join app.site s on s.id = p.site_id
    where p.study_id = :study and p.code = :code
"""
_INSTANCES = f"""
    select i.id, p.code, coalesce(s.code, '') as site, i.event_name, i.form_name, i.event_repeat, i.form_repeat,
        i.status, i.revision, i.is_removed, i.updated_at, {VALUES} as values
    from app.form_instance i join app.participant p on p.id = i.participant_id
        join app.form_revision r on r.instance_id = i.id and r.number = i.revision {JOIN}
        left join app.site s on s.id = p.site_id
    where p.study_id = :study and p.code = :code
        and (cast(:event as text) is null or i.event_name = :event)
        and (cast(:form as text) is null or i.form_name = :form)
"""  # noqa: S608 - made of constants
_WITH_RECORDS = """
    select p.code from app.participant p where p.study_id = :study
        and exists (select 1 from app.form_instance i where i.participant_id = p.id and not i.is_removed)
"""
_HISTORY = f"""
    select r.number, {VALUES} as values, r.source, r.recorded_at, e.actor_name, e.reason
    from app.form_revision r join app.audit_event e on e.id = r.event_id {JOIN}
    where r.instance_id = :instance order by r.number
"""  # noqa: S608 - made of constants
