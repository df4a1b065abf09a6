"""A database with one member of staff and a clock that stands where it is put, for tests of signing in."""

from datetime import UTC, datetime, timedelta

import psycopg
import pyotp
import pytest

from datamodel.access import actions as access
from datamodel.access import reads as access_reads
from datamodel.access.actor import KNOCKING, Actor
from datamodel.credentials import actions, factors
from datamodel.kernel.errors import RefusedError
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import unit_of_work

PASSWORD = "correct horse battery"
START = datetime(2026, 3, 2, 8, tzinfo=UTC)


class World:
    """A database, a clock that stands where it is put, and one member of staff."""

    def __init__(self, url: str, owner_url: str) -> None:
        self.url, self.owner_url, self.now = url, owner_url, START
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
        with psycopg.connect(self.owner_url) as connection:
            return [row[0] for row in connection.execute("select action from app.audit_event order by seq")]

    def refused(self, **given: str) -> str:
        """Return the code of the refusal of a sign-in."""
        with pytest.raises(RefusedError) as caught:
            self.sign_in(**given)
        return caught.value.refusal.code

    def use_authenticator(self) -> pyotp.TOTP:
        """Set up an authenticator for the member of staff and return it."""
        with self.unit(self.actor()) as unit:
            setup = factors.begin_totp(unit, account_id=self.ada)
        generator = pyotp.TOTP(setup.secret)
        with self.unit(self.actor()) as unit:
            self.recovery = factors.finish_totp(unit, account_id=self.ada, code=self.code(generator))
        self.later(seconds=30)
        return generator

    def code(self, generator: pyotp.TOTP, steps: int = 0) -> str:
        """Return the code that an authenticator shows now, or some steps from now."""
        return generator.generate_otp(int(self.now.timestamp()) // 30 + steps)

    def second(self, half: str, code: str):
        """Complete a half sign-in with a code."""
        with self.unit() as unit:
            return actions.second_factor(unit, half, code=code, source="192.0.2.1", device="Firefox on Linux")

    def no_second(self, half: str, code: str) -> str:
        """Return the code of the refusal of a second factor."""
        with pytest.raises(RefusedError) as caught:
            self.second(half, code)
        return caught.value.refusal.code
