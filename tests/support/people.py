"""People of a study for tests of rights: `staff = people(url, {"owner": "owner", …})`; `staff["owner"]` is the actor."""

from dataclasses import dataclass
from uuid import UUID

from datamodel.access import actions as access
from datamodel.access import reads as access_reads
from datamodel.access.actor import KNOCKING, Actor
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import unit_of_work
from datamodel.study import actions as study


@dataclass(frozen=True)
class Staff:
    """A database with studies and people in the first of them; `stranger` owns the last."""

    url: str
    installer: Actor
    accounts: dict[str, UUID]

    def __getitem__(self, name: str) -> Actor:
        """Return one of them as the actor that they are now."""
        with unit_of_work(self.url, KNOCKING) as unit:
            return access_reads.actor(unit.session, self.accounts[name])


def people(url: str, roles: dict[str, str], *, studies: tuple[str, ...] = ("demo", "other")) -> Staff:
    """Make studies, and people named after themselves with a role (`role` or `role@site`) in the first one."""
    first = Actor(id=new_id(), kind="machine", name=access_reads.INSTALLER_NAME)
    with unit_of_work(url, first) as unit:
        access.install(unit)
    with unit_of_work(url, first) as unit:
        installer = access_reads.installer_actor(unit.session)
    accounts = {}
    with unit_of_work(url, installer) as unit:
        for code in studies:
            study.create_study(unit, code=code, protocol_id=code.upper(), title=f"The study {code}")
        for name, role in roles.items() | {("stranger", "")}:
            accounts[name] = access.create_account(
                unit, kind="staff", name=f"{name.title()} Person", sign_in_name=f"{name}@site.example"
            )
            if role:
                held, _, site = role.partition("@")
                access.grant(unit, account_id=accounts[name], study=studies[0], role=held, site=site or None)
        access.grant(unit, account_id=accounts["stranger"], study=studies[-1], role="owner")
    return Staff(url=url, installer=installer, accounts=accounts)
