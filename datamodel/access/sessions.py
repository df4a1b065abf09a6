"""How long a signed-in browser lasts, and what its owner is told of it. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

#: A signed-in browser is signed out after this long whatever it does.
LONGEST: Final = timedelta(hours=12)
#: Not seen for this long, it is signed out: staff, and everybody else.
IDLE_STAFF: Final = timedelta(minutes=15)
IDLE: Final = timedelta(minutes=30)
#: What is sensitive needs a confirmation that is newer than this.
FRESH: Final = timedelta(minutes=5)

_BROWSERS: Final = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS", "Mac"),
    ("CrOS", "Chromebook"),
    ("Linux", "Linux"),
)


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """One signed-in browser of an account. Its token is not among what is known of it."""

    id: UUID
    account_id: UUID
    kind: str
    how: str
    device: str
    created_at: datetime
    seen_at: datetime
    ends_at: datetime
    confirmed_at: datetime | None

    @property
    def idle_ends_at(self) -> datetime:
        """When it ends if nobody is seen any more, and at the latest."""
        return min(self.seen_at + idle_of(self.kind), self.ends_at)

    def is_fresh(self, now: datetime) -> bool:
        """Return whether its owner proved who they are within five minutes."""
        return self.confirmed_at is not None and timedelta(0) <= now - self.confirmed_at < FRESH


def idle_of(kind: str) -> timedelta:
    """Return how long a browser of that side may be idle."""
    return IDLE_STAFF if kind == "staff" else IDLE


def device_words(user_agent: str) -> str:
    """Return browser and system in words, as far as the browser tells; it is shown to its owner and decides nothing."""
    browser = next((words for mark, words in _BROWSERS if mark in user_agent), "")
    system = next((words for mark, words in _SYSTEMS if mark in user_agent), "")
    return " on ".join(part for part in (browser, system) if part) or "Unknown browser"
