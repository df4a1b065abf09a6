"""People with mail addresses, and what is in the outbox, for tests of links."""

import json
import re
from uuid import UUID

from sqlalchemy import text

from datamodel.access import actions as access
from datamodel.access import reads as access_reads
from datamodel.access.actor import KNOCKING, Actor
from datamodel.kernel.unit import unit_of_work
from datamodel.notices import actions as notices
from datamodel.notices import reads as notice_reads
from datamodel.notices.actions import Mail
from datamodel.participants import identity
from tests.support.capture import STUDY, Scene

ADDRESS = "eleonora.rigby@mail.example"


def coordinator(scene: Scene) -> Actor:
    """Return a coordinator of the study, made on first use."""
    with unit_of_work(scene.url, KNOCKING) as unit:
        found = access_reads.staff_account(unit.session, "coordinator@demo.example")
    if found is not None:
        return found
    with unit_of_work(scene.url, scene.installer) as unit:
        account = access.create_account(unit, kind="staff", name="Cora Coord", sign_in_name="coordinator@demo.example")
        access.grant(unit, account_id=account, study=STUDY, role="coordinator")
    with unit_of_work(scene.url, KNOCKING) as unit:
        return access_reads.actor(unit.session, account)


def give_address(scene: Scene, code: str, address: str = ADDRESS, *, of: UUID | None = None) -> None:
    """Write a participant's (or a caregiver's) mail address."""
    with unit_of_work(scene.url, coordinator(scene)) as unit:
        identity.write(unit, study=STUDY, code=code, values={"mail": address}, of=of)


def outbox(scene: Scene) -> list[Mail]:
    """Open every waiting mail, oldest first; nothing is settled."""
    service = scene.service()
    with unit_of_work(scene.url, service) as unit:
        return [notices.take(unit, one) for one in notice_reads.due(unit.session, now=unit.instant)]


def tokens(mail: Mail) -> list[str]:
    """Return the tokens of the links in a mail."""
    return re.findall(r"/link#([\w-]+)", mail.text)


def dump(url: str) -> str:
    """Return everything that the tables hold, as one text, read by the owner."""
    from datamodel.kernel.database import engine_for

    with engine_for(url).connect() as connection:
        names = connection.execute(
            text("select c.relname from pg_class c where c.relnamespace = 'app'::regnamespace and c.relkind = 'r'")
        ).scalars()
        rows = [connection.execute(text(f'select to_jsonb(t) from app."{name}" t')).scalars().all() for name in names]
    return json.dumps(rows)
