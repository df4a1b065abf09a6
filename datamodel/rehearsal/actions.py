"""The verb: move a study's day."""

from typing import Final

from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.audit import ledger
from datamodel.kernel.errors import BadInputError, require
from datamodel.kernel.ids import new_id
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import UnitOfWork
from datamodel.rehearsal import store
from datamodel.rehearsal.surfaces import opened
from datamodel.study import reads as study_reads

#: Further than this no schedule reaches.
LONGEST: Final = 3660


def move_day(unit: UnitOfWork[Actor], *, study: str, days: int) -> None:
    """Move a study's day by `days` from the real one (0: back to it).

    Raises
    ------
    RefusedError
        In production, without development mode, or when the actor is no administrator.
    NotFoundError
        When the study is unknown.
    BadInputError
        When it is moved too far.
    """
    require(opened(settings()))
    require(may(unit.actor, "system:rehearsal:manage"))
    if abs(days) > LONGEST:
        raise BadInputError(f"Received {days} days; the day may be moved by at most {LONGEST}. Nothing was changed.")
    found = study_reads.study(unit.session, study)
    before, event_id = store.row(unit.session, found.id), new_id()
    old = before.offset_days if before else 0
    store.save(unit.session, study_id=found.id, days=days, event_id=event_id)
    ledger.record(
        unit,
        "rehearsal.move_day",
        study_id=found.id,
        subject=f"study:{study}",
        role=unit.actor.role(study),
        change={"old": {"days": old}, "new": {"days": days}},
        event_id=event_id,
    )
