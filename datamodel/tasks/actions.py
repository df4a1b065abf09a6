"""The verb: assign a battery."""

from datetime import date
from uuid import UUID

from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.assessments import reads as assessments
from datamodel.audit import ledger
from datamodel.consent import reads as consent
from datamodel.kernel.errors import BadInputError, NotFoundError, require
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import UnitOfWork
from datamodel.tasks import store
from datamodel.tasks.tables import AssignmentRow


def assign(
    unit: UnitOfWork[Actor], *, study: str, participant_id: UUID, battery: str, opens_on: date, due_on: date
) -> UUID:
    """Assign the newest version of a battery to a participant and return the assignment; the same again changes nothing.

    Raises
    ------
    RefusedError
        When the actor may not assign batteries in this study (at the participant's site).
    NotFoundError
        When the study has no such participant or battery.
    BadInputError
        When it would be due before it opens.
    """
    person = consent.who(unit.session, participant_id)
    require(may(unit.actor, "study:assessments:configure", study=study, site=person.site))
    if person.study != study:
        raise NotFoundError(f"The study “{study}” has no such participant.")
    if due_on < opens_on:
        raise BadInputError(
            f"Received a due day ({due_on:%d-%b-%Y}) before the day it opens ({opens_on:%d-%b-%Y}); nothing was assigned."
        )
    found = assessments.newest_battery(unit.session, study_id=person.study_id, code=battery)
    present = store.same(unit.session, participant_id=person.id, battery_id=found.id, opens_on=opens_on)
    if present is not None:
        return present.id
    row_id, event_id = new_id(), new_id()
    store.add(
        unit.session,
        AssignmentRow(
            id=row_id,
            study_id=person.study_id,
            participant_id=person.id,
            battery_id=found.id,
            opens_on=opens_on,
            due_on=due_on,
            event_id=event_id,
        ),
    )
    ledger.record(
        unit,
        "tasks.assign",
        study_id=person.study_id,
        subject=f"participant:{person.code}",
        role=unit.actor.role(study),
        change={"new": {"battery": battery, "battery_version": found.version, "opens_on": opens_on, "due_on": due_on}},
        event_id=event_id,
    )
    return row_id
