"""Who is here: from the browser's cookie to an actor, at the door and again before every act."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

import panel as pn
from bokeh.server.auth import AuthPolicy
from sqlalchemy.orm import Session

from apps import cookies
from datamodel.access import reads as access_reads
from datamodel.access.actor import KNOCKING, Actor
from datamodel.kernel import unit
from datamodel.kernel.clock import system_clock
from datamodel.kernel.errors import Refused, RefusedError
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import UnitOfWork

SIGN_IN: Final = "/sign-in"
SIGNED_OUT: Final = Refused(
    "signed-out",
    "You have been signed out, so nothing was done.",
    "Sign in again; this page's address brings you back here.",
)


@dataclass(frozen=True, slots=True)
class Visitor:
    """A signed-in browser: who it was when it came in, and the token to ask again."""

    actor: Actor
    token: str = field(repr=False)


def database_url() -> str:
    """Return the address of this installation's database."""
    return settings().database_url.get_secret_value()


@contextmanager
def reading(actor: Actor | None = None) -> Iterator[Session]:
    """Open a session that only reads what `actor` may see, by default the visitor whose page is being made.

    Raises
    ------
    TransientFault
        When PostgreSQL cannot be reached.
    """
    with unit.reading(database_url(), actor or current().actor) as session:
        yield session


def visitor_of(token: str, *, is_seen: bool = True) -> Visitor | None:
    """Return who holds `token`, or None; `is_seen` notes that a person, not a timer, came by."""
    if not token:
        return None
    with unit.unit_of_work(database_url(), KNOCKING) as door:
        actor = access_reads.actor_of_session(door.session, token, now=datetime.now(UTC))
        if not is_seen:
            door.session.rollback()
    return Visitor(actor=actor, token=token) if actor and actor.kind == "staff" else None


def auth_policy() -> AuthPolicy:
    """Return the policy that Panel asks for pages and websockets."""
    return AuthPolicy(_authenticate, login_url=_login_url)


def current() -> Visitor:
    """Return the visitor whose page is being made."""
    return pn.state.curdoc.session_context.request.user


def again(visitor: Visitor, *, is_seen: bool = True) -> Visitor:
    """Ask again whether the browser is still signed in, with the rights of this moment.

    Raises
    ------
    RefusedError
        When its session has ended or was revoked.
    """
    found = visitor_of(visitor.token, is_seen=is_seen)
    if found is None or found.actor.id != visitor.actor.id:
        raise RefusedError(SIGNED_OUT)
    return found


@contextmanager
def acting(visitor: Visitor, *, reason: str = "") -> Iterator[UnitOfWork[Actor]]:
    """Open a unit of work for the visitor, after asking again who it is."""
    now = again(visitor)
    with unit.unit_of_work(database_url(), now.actor, reason=reason) as work:
        yield work


def clock() -> datetime:
    """Return the present instant."""
    return system_clock()


def _authenticate(request: Any) -> Visitor | None:
    morsel = request.cookies.get(cookies.named(cookies.SESSION))
    return visitor_of(getattr(morsel, "value", morsel) or "") if morsel else None


def _login_url(request: Any) -> str:
    query = f"?{request.query}" if request.query else ""
    return f"{SIGN_IN}?next={quote(request.path + query, safe='')}"


Authenticator = Callable[[Any], Visitor | None]
