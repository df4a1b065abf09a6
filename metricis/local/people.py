"""Accounts, as an operator on this machine makes them."""

from uuid import UUID

from datamodel.access import actions, reads
from datamodel.access.actor import KNOCKING, Actor
from datamodel.credentials import actions as credentials
from datamodel.kernel.errors import BadInputError, NotFoundError
from datamodel.kernel.ids import new_id
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import UnitOfWork, unit_of_work
from datamodel.links import actions as links
from datamodel.rehearsal import actions as rehearsals
from metricis.local.installation import database_url


def installer(url: str) -> Actor:
    """Return the machine account that acts for whoever runs commands on this machine, made on first use."""
    with unit_of_work(url, KNOCKING) as unit:
        try:
            return reads.installer_actor(unit.session)
        except NotFoundError:
            first = Actor(id=new_id(), kind="machine", name=reads.INSTALLER_NAME)
    with unit_of_work(url, first, reason="first start of this installation") as unit:
        actions.install(unit)
    with unit_of_work(url, KNOCKING) as unit:
        return reads.installer_actor(unit.session)


def link_address(unit: UnitOfWork[Actor], account_id: UUID, *, minutes: int) -> str:
    """Return the address of a new one-time sign-in link. The token stands behind `#`, which browsers never send."""
    return f"{settings().base_url}/link#{links.show(unit, account_id=account_id, minutes=minutes)}"


def staff_link(sign_in_name: str, *, minutes: int) -> str:
    """Return a one-time sign-in link for a member of staff.

    Raises
    ------
    NotFoundError
        When nobody has that sign-in name.
    """
    url = database_url()
    with unit_of_work(url, installer(url), reason="sign-in link asked for on the command line") as unit:
        account = reads.staff_account(unit.session, sign_in_name)
        if account is None:
            raise NotFoundError("Nobody has this sign-in name. Check its spelling.")
        return link_address(unit, account.id, minutes=minutes)


def invitation(sign_in_name: str, *, name: str = "", is_administrator: bool = False) -> str:
    """Return the address of a link with which a member of staff sets a password; the account is made when there is none.

    Raises
    ------
    BadInputError
        When an account has to be made and no printed name is given.
    """
    url = database_url()
    with unit_of_work(url, installer(url), reason="invitation asked for on the command line") as unit:
        account = reads.staff_account(unit.session, sign_in_name)
        if account is None and not name.strip():
            raise BadInputError(
                "Nobody has this sign-in name, so nothing was made. Give --name to make an account, or check it."
            )
        account_id = (
            account.id
            if account
            else actions.create_account(
                unit, kind="staff", name=name.strip(), sign_in_name=sign_in_name, is_administrator=is_administrator
            )
        )
        return f"{settings().base_url}/welcome#{credentials.invite(unit, account_id=account_id)}"


def move_day(study: str, days: int) -> str:
    """Move a study's simulated day and say what it is now; refused in production and without development mode."""
    url = database_url()
    with unit_of_work(url, installer(url), reason="asked for on the command line") as unit:
        rehearsals.move_day(unit, study=study, days=days)
    return (
        f"The study {study} goes by the real day."
        if not days
        else f"The study {study} goes by a day {days:+d} days away."
    )
