"""The unit of work: one transaction that carries actor, instant and reason."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from datamodel.kernel.clock import Clock
from datamodel.kernel.database import engine_for
from datamodel.kernel.errors import TransientFault
from datamodel.kernel.ids import new_id


class ActorLike(Protocol):
    """What a unit of work needs to know of who acts (the whole is `datamodel.access.actor.Actor`)."""

    @property
    def id(self) -> UUID:
        """Identifier of the account."""

    @property
    def kind(self) -> str:
        """`staff`, `participant`, `caregiver` or `machine`."""

    @property
    def name(self) -> str:
        """Printed name (staff) or pseudonym (participants)."""


@dataclass(slots=True)
class UnitOfWork[A: ActorLike]:
    """One transaction. Actions take it first; nothing below whoever opened it commits.

    `instant` is the database's time at the start of the transaction (or the injected clock's, in tests).
    `events` lists the ledger events appended so far.
    """

    session: Session
    actor: A
    instant: datetime
    reason: str = ""
    request_id: UUID = field(default_factory=new_id)
    events: list[UUID] = field(default_factory=list)


@contextmanager
def unit_of_work[A: ActorLike](
    url: str, actor: A, *, reason: str = "", clock: Clock | None = None
) -> Iterator[UnitOfWork[A]]:
    """Open a transaction on the database at `url`, commit at the end, roll back on any error.

    Raises
    ------
    TransientFault
        When PostgreSQL cannot be reached or goes away; nothing was written.
    """
    try:
        with Session(engine_for(url), expire_on_commit=False) as session, session.begin():
            instant = clock() if clock else session.execute(text("select now()")).scalar_one()
            yield UnitOfWork(session=session, actor=actor, instant=instant, reason=reason)
    except OperationalError as error:
        raise TransientFault(
            "PostgreSQL did not answer or closed the connection, so this unit of work was rolled back and nothing of "
            "it was written. Check that the database is running, then do it again."
        ) from error
