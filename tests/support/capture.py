"""A study with a consent, a battery and participants, for tests of what phones send."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text

from datamodel.access import actions as access
from datamodel.access import reads as access_reads
from datamodel.access.actor import KNOCKING, Actor
from datamodel.audit import ledger
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import unit_of_work
from datamodel.links import actions as links
from datamodel.participants import actions as participants
from datamodel.participants.facts import Facts
from datamodel.study import actions as study
from metricis.demo import capture

STUDY = "demo"
PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Person:
    """A participant with an account and a task."""

    code: str
    id: UUID
    account: UUID
    assignment: UUID


@dataclass(frozen=True)
class Scene:
    """A study as it is when a participant first opens the link."""

    url: str
    installer: Actor
    owner: Actor
    people: dict[str, Person]

    def link(self, code: str) -> str:
        """Return the token of a fresh sign-in link."""
        with unit_of_work(self.url, self.installer) as unit:
            return links.show(unit, account_id=self.people[code].account)

    def actor(self, code: str) -> Actor:
        """Return a participant's actor."""
        with unit_of_work(self.url, KNOCKING) as unit:
            return access_reads.actor(unit.session, self.people[code].account)

    def service(self) -> Actor:
        """Return the machine account of the flows."""
        with unit_of_work(self.url, KNOCKING) as unit:
            return access_reads.service_actor(unit.session)


def build(url: str, *, codes: tuple[str, ...] = ("701-1015", "701-1023"), consent_mode: str = "digital") -> Scene:
    """Make a study with one participant for each code; the second one reads French."""
    first = Actor(id=new_id(), kind="machine", name=access_reads.INSTALLER_NAME)
    with unit_of_work(url, first) as unit:
        access.install(unit)
    with unit_of_work(url, first) as unit:
        installer = access_reads.installer_actor(unit.session)
    with unit_of_work(url, installer) as unit:
        study.create_study(unit, code=STUDY, protocol_id="DEMO-1", title="A demo study", consent_mode=consent_mode)
        owner_id = access.create_account(
            unit, kind="staff", name="Olive Ownby", sign_in_name="owner@demo.example", password=PASSWORD
        )
        access.grant(unit, account_id=owner_id, study=STUDY, role="owner")
    with unit_of_work(url, installer) as unit:
        owner = access_reads.actor(unit.session, owner_id)
    with unit_of_work(url, owner) as unit:
        capture.publish_consent(unit, study=STUDY)
        capture.make_battery(unit, study=STUDY)
        participants.ensure(unit, study=STUDY, facts=[Facts(code=code) for code in codes])
    return Scene(url=url, installer=installer, owner=owner, people=_people(url, installer, owner, codes))


def _people(url: str, installer: Actor, owner: Actor, codes: tuple[str, ...]) -> dict[str, Person]:
    people = {}
    for number, code in enumerate(codes):
        with unit_of_work(url, owner) as unit:
            found = unit.session.execute(
                text("update app.participant set language = :language where code = :code returning id"),
                {"code": code, "language": "fr" if number == 1 else "en"},
            ).scalar_one()
            ledger.record(unit, "test.set_language", subject=f"participant:{code}")
        with unit_of_work(url, installer) as unit:
            account = access.create_account(unit, kind="participant", name=code, participant_id=found)
            access.grant(unit, account_id=account, study=STUDY, role="participant")
        with unit_of_work(url, owner) as unit:
            assignment = capture.assign(unit, study=STUDY, participant_id=found)
        people[code] = Person(code=code, id=found, account=account, assignment=assignment)
    return people
