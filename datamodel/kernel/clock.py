"""The one clock. Code that needs the time is given a clock; nothing else calls ``datetime.now``."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """Return the present instant in UTC."""
    return datetime.now(UTC)


def fixed_clock(instant: datetime) -> Clock:
    """Return a clock that stands still at `instant` (which must carry a time zone)."""
    if instant.tzinfo is None:
        raise ValueError(f"A clock needs an instant with a time zone; received {instant.isoformat()} without one.")
    return lambda: instant
