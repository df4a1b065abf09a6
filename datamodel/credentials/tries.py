"""How often somebody may try: counted in the database, before a secret is looked at, alike for every name. Pure rules.

A stranger who tries a name's password uses up that name's tries for the password door only. Passkey, link and a
confirmation inside a session have tries of their own, so nobody is kept from work by somebody else's guessing.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from datamodel.kernel.errors import Allowed, Answer, Refused

#: NIST SP 800-63B and OWASP ASVS 6.3.1 ask for a limit; these are ours.
WINDOW: Final = timedelta(minutes=10)
MOST_FOR_A_NAME: Final = 10
MOST_FOR_A_SOURCE: Final = 100
#: Requests that anybody may make, from one source within the window: a whole hospital may stand behind one address.
MOST_REQUESTS: Final = {"ask-link": 100, "ask-passkey": 300}
#: So many wrong ones are free; each one after doubles the wait, from two seconds on.
FREE: Final = 5
#: So many wrong confirmations inside a session end it.
MOST_CONFIRMATIONS: Final = 5


@dataclass(frozen=True, slots=True)
class Knock:
    """Who is named, where from, at which door: `password`, `code`, `passkey` or `confirm`."""

    kind: str
    name: str
    source: str = ""

    @property
    def name_hash(self) -> bytes:
        """Digest of door and name: counts are kept without the name."""
        return hashlib.sha256(f"{self.kind}|{self.name.strip().lower()}".encode()).digest()

    @property
    def source_hash(self) -> bytes:
        """Digest of where the try came from; empty for tries inside a session, which count for their account alone."""
        return hashlib.sha256(f"source|{self.source}".encode()).digest() if self.source else b""


def for_account(kind: str, account_id: UUID, *, source: str = "") -> Knock:
    """Return the knock of somebody whose account is known already."""
    return Knock(kind=kind, name=f"account:{account_id}", source=source)


def may_try(wrong: Sequence[datetime], *, from_source: int, now: datetime) -> Answer:
    """Answer whether another try may be made after these wrong ones for a name, newest first, and so many from a source."""
    if from_source >= MOST_FOR_A_SOURCE:
        return _refused("from this network", WINDOW)
    if len(wrong) >= MOST_FOR_A_NAME:
        return _refused("with this name", wrong[MOST_FOR_A_NAME - 1] + WINDOW - now)
    if len(wrong) >= FREE:
        wait = timedelta(seconds=2 ** (len(wrong) - FREE + 1))
        if now < wrong[0] + wait:
            return _refused("with this name", wrong[0] + wait - now)
    return Allowed()


def _refused(what: str, wait: timedelta) -> Refused:
    seconds = max(1, round(wait.total_seconds()))
    words = f"{seconds} seconds" if seconds < 120 else f"{-(-seconds // 60)} minutes"  # noqa: PLR2004 - two minutes
    return Refused(
        "too-many-tries",
        f"There were too many tries to sign in {what}, so this one was not looked at.",
        f"Wait {words}, sign in with a passkey, or ask your administrator for a sign-in link.",
    )
