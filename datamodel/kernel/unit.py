"""The unit of work: one transaction that carries actor, instant and reason.

Every transaction tells PostgreSQL the signed scope of its actor, for itself only: row-level security shows and takes what
that scope allows, and a connection that goes back to the pool keeps none of it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from datamodel.kernel.clock import Clock
from datamodel.kernel.database import engine_for
from datamodel.kernel.errors import FaultError, Refused, RefusedError, TransientFault
from datamodel.kernel.ids import new_id
from datamodel.kernel.scope import SETTING, scope_for
from datamodel.kernel.settings import settings


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


_BEGIN = text(f"select set_config('{SETTING}', :scope, true), now()")
_BEGIN_READING = text(f"select set_config('{SETTING}', :scope, true), set_config('transaction_read_only', 'on', true)")
_AWAY = (
    "PostgreSQL did not answer or closed the connection, so this unit of work was rolled back and nothing of "
    "it was written. Check that the database is running, then do it again."
)


@contextmanager
def unit_of_work[A: ActorLike](
    url: str, actor: A, *, reason: str = "", clock: Clock | None = None
) -> Iterator[UnitOfWork[A]]:
    """Open a transaction on the database at `url`, commit at the end, roll back on any error.

    It sees and writes what `actor` may: the rows of its studies and sites (the door's: accounts and sessions).

    Raises
    ------
    TransientFault
        When PostgreSQL cannot be reached or goes away; nothing was written.
    RefusedError
        When PostgreSQL itself refuses to write into a closed study.
    """
    try:
        with Session(engine_for(url), expire_on_commit=False) as session, session.begin():
            now = session.execute(_BEGIN, {"scope": scope_for(url, actor)}).one()[1]
            yield UnitOfWork(session=session, actor=actor, instant=clock() if clock else now, reason=reason)
    except RefusedError as error:
        error.refusal.leave_trace(url, actor)
        raise
    except (DBAPIError, _driver_error()) as error:
        closed = _closed(error)
        if closed is not None:
            raise RefusedError(closed) from error
        if isinstance(error, OperationalError):
            raise TransientFault(_AWAY) from error
        raise


def _driver_error() -> type[Exception]:
    """Return what psycopg raises; asked when something was raised, as whoever only starts need not load psycopg."""
    import psycopg

    return psycopg.Error


def _closed(error: Exception) -> Refused | None:
    """Return the refusal of the database to write into a closed study (`datamodel.migrations.closing`), or None."""
    told = error.orig if isinstance(error, DBAPIError) else error
    diag = getattr(told, "diag", None)
    if diag is None or diag.constraint_name != "while_open":
        return None
    return Refused("study-closed", diag.message_primary or "", "Nothing of this was kept.")


@contextmanager
def reading(url: str, actor: ActorLike) -> Iterator[Session]:
    """Open a session that only reads what `actor` may see; PostgreSQL refuses writes in it.

    Raises
    ------
    TransientFault
        When PostgreSQL cannot be reached.
    """
    try:
        with Session(engine_for(url)) as session, session.begin():
            session.execute(_BEGIN_READING, {"scope": scope_for(url, actor)})
            yield session
    except RefusedError as error:
        error.refusal.leave_trace(url, actor)
        raise
    except OperationalError as error:
        raise TransientFault(
            "The database does not answer, so this cannot be shown now. Nothing was lost; try again in a minute."
        ) from error


@contextmanager
def sealing(url: str) -> Iterator[Session]:
    """Open a transaction as the sealer: it reads the whole ledger and what the ledger vouches for, and writes positions.

    `url` is the application's address; the sealer's own is in the settings (`METRICIS_SEALER_URL`), and nothing stands in
    for it: the application sees only a part of the ledger, which would look like a ledger with holes.

    Raises
    ------
    FaultError
        When the settings do not name the sealer's address.
    TransientFault
        When PostgreSQL cannot be reached or goes away; nothing was written.
    """
    own = settings().sealer_url.get_secret_value()
    if not own:
        raise FaultError(
            f"The ledger in {make_url(url).database} is read and sealed by a role of its own, whose address is not known here. "
            "Set METRICIS_SEALER_URL to what “metricis db url --role sealer” prints."
        )
    try:
        with Session(engine_for(own), expire_on_commit=False) as session, session.begin():
            yield session
    except OperationalError as error:
        raise TransientFault(_AWAY) from error
