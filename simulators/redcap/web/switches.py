"""Faults on purpose: what the control surface can make the API do. They last until reset, or for the next N requests."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, field, fields
from typing import Any

HTML_PAGE = "<!DOCTYPE html>\n<html><head><title>REDCap</title></head><body><h1>Something else</h1></body></html>\n"
OUT_OF_MEMORY = (
    "<br />\n<b>Fatal error</b>:  Allowed memory size exhausted<br />\n"
    '{"error":"REDCap ran out of server memory. The request cannot be processed. Please try importing/exporting a '
    'smaller amount of data."}'
)
BANNED_PAGE = "<!DOCTYPE html>\n<html><body><p>Your IP address has been banned from this server.</p></body></html>\n"
_MINUTE = 60.0


@dataclass(slots=True)
class Switches:
    """What is switched on. ``next_requests`` None means until reset; a number means for so many API requests."""

    latency_ms: int = 0
    fail_times: int = 0
    fail_status: int = 500
    html_200: bool = False
    out_of_memory_200: bool = False
    truncate_bytes: int | None = None
    drip_bytes_per_second: int | None = None
    drop_records: list[str] = field(default_factory=list)
    ban_per_minute: int | None = None
    max_body_bytes: int | None = None
    max_input_vars: int | None = None
    no_charset: bool = False
    only_content: str = ""
    next_requests: int | None = None
    det_drop: bool = False
    det_delay_ms: int = 0
    det_times: int = 1

    @classmethod
    def read(cls, wanted: dict[str, Any], old: "Switches") -> "Switches":
        """Switches changed as ``wanted`` says.

        Raises
        ------
        ValueError
            If a name is not a switch, or a value is of the wrong type.
        """
        known = {one.name: getattr(cls(), one.name) for one in fields(cls)}
        wrong = [name for name in wanted if name not in known]
        if wrong:
            raise ValueError(f"{', '.join(wrong)}: no such switch; there are {', '.join(known)}")
        for name, value in wanted.items():
            ordinary = known[name]
            expected = int if ordinary is None else type(ordinary)
            if type(value) is not expected and not (ordinary is None and value is None):
                allowed = expected.__name__ + (" or null" if ordinary is None else "")
                raise ValueError(f"{name} was {value!r}; allowed is {allowed}")
        return cls(**(asdict(old) | wanted))


class Traffic:
    """Requests counted, addresses banned, and the switches in force."""

    def __init__(self) -> None:
        self.switches = Switches()
        self.seen: deque[dict[str, Any]] = deque(maxlen=1000)
        self.counts: dict[str, int] = {}
        self.banned: set[str] = set()
        self._times: dict[str, deque[float]] = {}

    def count(self, content: str, action: str) -> None:
        """Count a request and remember it."""
        name = f"{content}.{action}" if action else content
        self.counts[name] = self.counts.get(name, 0) + 1
        self.seen.append({"at": time.time(), "request": name})

    def is_banned(self, address: str) -> bool:
        """Count one web request of an address; past the limit of a minute it is banned for good, as REDCap does."""
        limit = self.switches.ban_per_minute
        if limit is None:
            return address in self.banned
        times = self._times.setdefault(address, deque())
        now = time.monotonic()
        times.append(now)
        while times and times[0] < now - _MINUTE:
            times.popleft()
        if len(times) > limit:
            self.banned.add(address)
        return address in self.banned

    def take(self, content: str) -> Switches:
        """The switches for one API request, used up by one if they are for the next requests only."""
        now = self.switches
        if now.only_content and now.only_content != content:
            return Switches(ban_per_minute=now.ban_per_minute)
        if now.next_requests is not None:
            now.next_requests -= 1
            if now.next_requests <= 0:
                self.switches = Switches(ban_per_minute=now.ban_per_minute)
        return now

    def fails(self, switches: Switches) -> bool:
        """Whether this request fails, counting down."""
        if switches.fail_times <= 0:
            return False
        switches.fail_times -= 1
        return True

    def reset(self) -> None:
        """Everything off, nobody banned, counts at nought."""
        self.__init__()  # type: ignore[misc]


async def drip(body: AsyncIterator[bytes], per_second: int) -> AsyncIterator[bytes]:
    """A body in tenths of a second."""
    size = max(1, per_second // 10)
    async for piece in body:
        for start in range(0, len(piece), size):
            yield piece[start : start + size]
            await asyncio.sleep(0.1)


async def truncate(body: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes]:
    """The first ``limit`` bytes of a body, which then ends as if it were whole."""
    left = limit
    async for piece in body:
        if piece[:left]:
            yield piece[:left]
        left -= len(piece)
        if left <= 0:
            return
