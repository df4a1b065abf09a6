"""What the demo asks of a participant, and the links for everybody."""

from typing import Final

from datamodel.access import reads as access
from datamodel.access.actor import Actor
from datamodel.kernel.errors import FaultError
from datamodel.kernel.unit import unit_of_work
from datamodel.participants import caregivers, identity
from datamodel.participants import reads as participants
from datamodel.tasks import reads as tasks
from metricis.demo import capture
from metricis.demo.people import People, links, staff
from metricis.demo.places import STUDY

#: Where the demo's participant and caregiver get mail, all of which ends in the sink.
PARTICIPANT_MAIL: Final = "participant@demo.example"
CAREGIVER_MAIL: Final = "caregiver@demo.example"
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
    able = [one for one in found if one.status in _ASSIGNABLE]
    chosen = next(iter(able), None)
    if chosen is None:
        raise FaultError("The sync brought no participant who is in the trial; look at the sync runs.")
    people = links(url, participant_id=chosen.id, participant_code=chosen.code)
    _give_addresses(url, coordinator, [one.code for one in able[:2]])
    with unit_of_work(url, coordinator, reason="demo") as unit:
        own = access.participant_account(unit.session, chosen.id)
        cards = tasks.queue(unit.session, own, at=unit.instant) if own else []
        if all(card.kind == "consent" for card in cards):
            capture.assign(unit, study=STUDY, participant_id=chosen.id)
    return people


def _give_addresses(url: str, coordinator: Actor, codes: list[str]) -> None:
    """Let the first participant be reached by mail, and let one caregiver act for the first two; done once."""
    with unit_of_work(url, coordinator, reason="demo") as unit:
        if caregivers.of_participant(unit.session, coordinator, study=STUDY, code=codes[0]):
            return
        identity.write(unit, study=STUDY, code=codes[0], values={"mail": PARTICIPANT_MAIL})
        account = None
        for code in codes:
            account = caregivers.add(
                unit, study=STUDY, code=code, relation="child", mail=CAREGIVER_MAIL, account_id=account
            )
