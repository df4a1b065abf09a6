"""Invented participants and their course through the study. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from datamodel.participants.facts import Facts, Status
from datamodel.records.content import canonical_values
from datamodel.study.protocol import Event, Protocol
from datamodel.testdata.values import chance, filled

#: What codes of invented participants begin with.
BEGINNING: Final = "TEST-"
#: Of invented participants, so many are still screened, failed screening, or stop on the way.
_SCREENED, _FAILED, _STOPPED = 0.08, 0.05, 0.12
#: Participants came in over this many days before the last one.
_COMING_IN: Final = 120
#: How often something that repeats comes, at most.
_REPEATS: Final = 3
#: Of the newest visits, so many are still being typed.
_UNFINISHED: Final = 0.2

#: A row as `records.revise_batch` takes it.
Row = tuple[str, str, int, int, str, str]


@dataclass(frozen=True, slots=True)
class Invented:
    """A participant, and the last day on which something was entered."""

    facts: Facts
    last: date


def invent(
    protocol: Protocol, *, first: int, count: int, sites: Sequence[str], until: date, seed: int
) -> list[Invented]:
    """Return `count` participants, numbered from `first`, whose visits end by `until`."""
    length = max((event.day + event.days_after for event in protocol.events if event.day is not None), default=0)
    return [_participant(number, length, sites, until=until, seed=seed) for number in range(first, first + count)]


def _participant(number: int, length: int, sites: Sequence[str], *, until: date, seed: int) -> Invented:
    rng = chance(seed, number)
    code, site = f"{BEGINNING}{number:04d}", rng.choice(sites) if sites else ""
    drawn, began = rng.random(), until - timedelta(days=rng.randrange(length + _COMING_IN))
    if drawn < _SCREENED + _FAILED:
        status: Status = "screened" if drawn < _SCREENED else "screen_failed"
        return Invented(Facts(code=code, site=site, status=status, status_on=began), last=began)
    last, ended = until, began + timedelta(days=length)
    status = "enrolled"
    if drawn < _SCREENED + _FAILED + _STOPPED and length:
        last, status = min(until, began + timedelta(days=rng.randrange(length))), "withdrawn"
    elif ended <= until:
        last, status = ended, "completed"
    day = began if status == "enrolled" else last
    facts = Facts(code=code, site=site, status=status, status_on=day, enrolled_on=began, anchor_on=began)
    return Invented(facts, last)


def course(protocol: Protocol, one: Invented, *, until: date, seed: int) -> Iterator[tuple[str, Row]]:
    """Yield (form, row) of everything that was entered of a participant until their last day."""
    seen: dict[str, int] = {}
    arm = chance(seed, one.facts.code, "arm").choice(sorted({event.arm for event in protocol.events}) or [""])
    for event in sorted(protocol.events, key=lambda event: event.ordinal):
        day = _day(event, one, seed=seed)
        if event.arm != arm or day is None or day > one.last:
            continue
        for n in _times(event.is_repeating, seed, one.facts.code, event.name):
            for name in event.forms:
                form = protocol.form(name)
                for k in _times(name in event.repeating_forms, seed, one.facts.code, event.name, name):
                    visit = seen[name] = seen.get(name, -1) + 1
                    who = (seed, one.facts.code)
                    values = filled(
                        form, record_field=protocol.record_field, day=day, until=until, visit=visit, seed=who
                    )
                    if values:
                        status = _status(day, one, seed=(*who, event.name, name, n, k))
                        yield name, (one.facts.code, event.name, n, k, status, canonical_values(values))


def _day(event: Event, one: Invented, *, seed: int) -> date | None:
    """Return when the event took place: in its window; logs on the first day; None when it waits for the enrolment."""
    start = one.facts.anchor_on
    if start is None:
        return one.last if event.day is None or event.day < 0 else None
    if event.day is None:
        return start
    offset = chance(seed, one.facts.code, event.name).randint(-event.days_before, event.days_after)
    return start + timedelta(days=event.day + offset)


def _times(is_repeating: bool, *seed: object) -> range:
    """Return the repeat numbers: 0 for what does not repeat."""
    return range(1, 2 + chance(*seed, "repeats").randrange(_REPEATS)) if is_repeating else range(1)


def _status(day: date, one: Invented, *, seed: tuple[object, ...]) -> str:
    is_new = one.facts.status == "enrolled" and (one.last - day).days <= 7  # noqa: PLR2004 - the last week
    return "in_progress" if is_new and chance(*seed, "status").random() < _UNFINISHED else "complete"
