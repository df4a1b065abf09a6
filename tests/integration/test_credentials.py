"""How staff prove who they are: every rule of `datamodel/credentials`, on a real database and a scripted clock."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from datamodel.access import actions as access
from datamodel.access import reads as access_reads
from datamodel.access.actor import KNOCKING, Actor
from datamodel.credentials import actions
from datamodel.kernel.errors import Allowed, RefusedError
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import unit_of_work

PASSWORD = "correct horse battery"
START = datetime(2026, 3, 2, 8, tzinfo=UTC)


class World:
    """A database, a clock that stands where it is put, and one member of staff."""

    def __init__(self, url: str) -> None:
        self.url, self.now = url, START
        first = Actor(id=new_id(), kind="machine", name=access_reads.INSTALLER_NAME)
        with self.unit(first) as unit:
            access.install(unit)
        with self.unit(KNOCKING) as unit:
            self.admin = access_reads.installer_actor(unit.session)
        with self.unit(self.admin) as unit:
            self.ada = access.create_account(
                unit, kind="staff", name="Ada Berger", sign_in_name="ada@site.example", password=PASSWORD
            )

    def unit(self, actor: Actor = KNOCKING):
        """Open a unit of work at the clock's instant."""
        return unit_of_work(self.url, actor, clock=lambda: self.now)

    def later(self, **time: float) -> None:
        """Move the clock on."""
        self.now += timedelta(**time)

    def actor(self) -> Actor:
        """Return the member of staff."""
        with self.unit() as unit:
            return access_reads.actor(unit.session, self.ada)

    def sign_in(self, password: str = PASSWORD, *, name: str = "ada@site.example", source: str = "192.0.2.1"):
        """Sign in by name and password."""
        with self.unit() as unit:
            return actions.sign_in(unit, name=name, password=password, source=source, device="Firefox on Linux")

    def confirm(self, password: str = PASSWORD, code: str = ""):
        """Confirm as the member of staff."""
        with self.unit(self.actor()) as unit:
            return actions.confirm(unit, password=password, code=code)

    def is_signed_in(self, token: str) -> bool:
        """Return whether a token still opens something."""
        with self.unit() as unit:
            return access_reads.actor_of_session(unit.session, token, now=unit.instant) is not None

    def events(self) -> list[str]:
        """Return what the ledger was told, in order."""
        with psycopg.connect(self.url) as connection:
            return [row[0] for row in connection.execute("select action from app.audit_event order by seq")]

    def refused(self, **given: str) -> str:
        """Return the code of the refusal of a sign-in."""
        with pytest.raises(RefusedError) as caught:
            self.sign_in(**given)
        return caught.value.refusal.code


@pytest.fixture
def world(database_url, home):
    return World(database_url)


# -- confirmation --------------------------------------------------------------------------------------------------


def test_one_s_own_password_confirms_and_another_does_not(world):
    assert world.confirm() == Allowed()
    refused = world.confirm("not my password")
    assert refused.code == "not-confirmed"
    assert "not my password" not in refused.sentence
    assert world.events()[-1] == "credentials.refuse"


def test_five_wrong_confirmations_end_every_session_and_are_told_as_misuse(world):
    token = world.sign_in().token
    codes = [world.confirm(f"wrong number {n}").code for n in range(5)]
    assert codes == ["not-confirmed"] * 4 + ["credentials-misuse"]
    assert not world.is_signed_in(token)
    assert world.events()[-2:] == ["credentials.misuse", "access.revoke_sessions"]
    assert world.confirm().code == "too-many-tries", "the right password is not looked at any more"


def test_wrong_confirmations_stay_counted_when_what_asked_for_them_fails(world):
    def fails() -> None:
        with world.unit(world.actor()) as unit:
            actions.confirm(unit, password="a wrong one")
            raise RuntimeError

    for _ in range(4):
        pytest.raises(RuntimeError, fails)
    assert world.confirm("wrong again").code == "credentials-misuse"


def test_a_right_confirmation_forgives_the_wrong_ones_before(world):
    for _ in range(3):
        assert not world.confirm("wrong")
        world.later(seconds=1)
    assert world.confirm()
    world.later(seconds=1)
    assert [world.confirm("wrong").code for _ in range(4)] == ["not-confirmed"] * 4
