"""What the demo asks of a participant, and the links for everybody."""

from typing import Final

from datamodel.access import reads as access
from datamodel.kernel.errors import FaultError
from datamodel.kernel.unit import unit_of_work
from datamodel.participants import reads as participants
from datamodel.tasks import reads as tasks
from metricis.demo import capture
from metricis.demo.people import People, links, staff
from metricis.demo.places import STUDY

_ASSIGNABLE: Final = ("enrolled", "completed")


def publish(url: str) -> None:
    """Publish the consent and make the battery, unless they are there."""
    with unit_of_work(url, staff(url, "investigator"), reason="demo") as unit:
        capture.publish_consent(unit, study=STUDY)
    with unit_of_work(url, staff(url, "coordinator"), reason="demo") as unit:
        capture.make_battery(unit, study=STUDY)


def invite(url: str) -> People:
    """Ask the first participant to do the battery, unless asked already, and make one-time links for everybody."""
    coordinator = staff(url, "coordinator")
    with unit_of_work(url, coordinator) as unit:
        found = participants.participants(unit.session, coordinator, study=STUDY)
    chosen = next((one for one in found if one.status in _ASSIGNABLE), None)
    if chosen is None:
        raise FaultError("The sync brought no participant who is in the trial; look at the sync runs.")
    people = links(url, participant_id=chosen.id, participant_code=chosen.code)
    with unit_of_work(url, coordinator, reason="demo") as unit:
        own = access.participant_account(unit.session, chosen.id)
        cards = tasks.queue(unit.session, own, at=unit.instant) if own else []
        if all(card.kind == "consent" for card in cards):
            capture.assign(unit, study=STUDY, participant_id=chosen.id)
    return people
