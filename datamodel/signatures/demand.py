"""What a signing asks for: the state table of 21 CFR 11.200(a)(1), 4 acts in 6 situations. Pure.

A session is one continuous period of controlled access: it ends when its owner leaves, signs out or is idle, and whoever
comes back begins another one. Two tabs of one browser are the same session.
"""

from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

from datamodel.kernel.errors import Refused

#: `redact` removes a value for good: nothing is signed, and whoever does it proves who they are as for unblinding
Act = Literal["sign", "counter-sign", "lock", "unblind", "redact"]
#: What cannot be taken back asks for everything, always.
FOR_GOOD: Final[frozenset[Act]] = frozenset({"unblind", "redact"})
ACTS: Final[tuple[Act, ...]] = ("sign", "counter-sign", "lock", "unblind")
#: all: sign-in name, password, and code where one is set up; password: the one component that only its owner knows
Demand = Literal["all", "password"]

SESSION_OVER: Final = Refused(
    "session-over",
    "Your session is over, so nothing was signed.",
    "Sign in again; the first signature then asks for your sign-in name and password.",
)
NOT_YOURS: Final = Refused(
    "session-of-another",
    "This browser is signed in as somebody else, so nothing was signed: nobody signs in another person's session.",
    "Sign out, and sign in as yourself.",
)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the server knows of the session that wants to sign.

    `owner` is None when no live session stands behind the page: it was signed out, idled out, replaced or revoked.
    """

    signer: UUID
    owner: UUID | None
    #: whether its owner signed something in this same session
    has_signed: bool


def demand(act: Act, standing: Standing) -> Demand | Refused:
    """Return which components `act` asks for now, or why nothing can be signed.

    Unblinding and removing a value always ask for everything: they cannot be taken back.
    """
    if standing.owner is None:
        return SESSION_OVER
    if standing.owner != standing.signer:
        return NOT_YOURS
    return "password" if standing.has_signed and act not in FOR_GOOD else "all"
