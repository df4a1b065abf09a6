"""Dates and times as sites write them, whole or in part, to ISO 8601 as SDTM holds them. Pure; text in, text out."""

import re
from datetime import date
from typing import Final, Literal

Order = Literal["ymd", "dmy", "mdy"]

#: What sites write for a part that nobody knows.
UNKNOWN: Final = frozenset(
    {"NK", "UN", "UK", "UNK", "UNKN", "UNKNOWN", "ND", "NA", "XX", "XXX", "XXXX", "??", "????", "--", "-", "NULL"}
)
_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"), start=1
    )
}
_TIME: Final = re.compile(
    r"^(?P<hour>\d{1,2})(?::?(?P<minute>\d{2}|[A-Z?-]{2}))?(?::?(?P<second>\d{2}|[A-Z?-]{2})(?:\.\d+)?)?\s*(?P<half>AM|PM)?"
    r"(?P<zone>Z|[+-]\d{2}:\d{2})?$"
)
_WITH_TIME: Final = re.compile(r"^(.*\d)(?:T|\s+(?=\d{1,2}:))(\S.*)$")
_RUN: Final = re.compile(r"^(\d{1,2}|UN|NK|UK|XX)([A-Z]{3})(\d{4})$")
_YEAR_DIGITS: Final = 4
_NOON: Final = 12


def iso_date(text: str, order: Order = "ymd") -> str | None:
    """Return a date, with its time if one is written beside it, as far as it is known; None for a text that is no date.

    `order` says how dates made of numbers alone are meant when the year does not stand first: `dmy` 26/12/2013, `mdy` 12/26/2013.
    With `ymd` such dates are not read, since nobody can tell a day from a month.
    """
    clean = text.strip().upper()
    if found := _WITH_TIME.match(clean):
        clean, clock = found.groups()
        return with_time(iso_date(clean, order), iso_time(clock))
    parts = _parts(clean)
    named = [place for place, part in enumerate(parts) if part[:3] in _MONTHS and part.isalpha()]
    if not parts or len(parts) > 3 or len(named) > 1:  # noqa: PLR2004 # year, month and day
        return None
    years = [place for place, part in enumerate(parts) if part.isdigit() and len(part) == _YEAR_DIGITS]
    if len(years) > 1:
        return None
    return _built(*_sorted(parts, order, year=years[0] if years else None, month=named[0] if named else None))


def iso_time(text: str) -> str | None:
    """Return a time as far as it is known, `9:05 pm` as `21:05`, `11:UN` as `11`; None for a text that is no time."""
    found = _TIME.match(text.strip().upper())
    if not found:
        return None
    hour = int(found["hour"])
    if found["half"]:
        if not 1 <= hour <= _NOON:
            return None
        hour = hour % _NOON + (_NOON if found["half"] == "PM" else 0)
    parts = [f"{hour:02d}"]
    for name in ("minute", "second"):
        given = found[name]
        if not given or not given.isdigit():
            break
        parts.append(given)
    if hour > 23 or any(int(one) > 59 for one in parts[1:]):  # noqa: PLR2004 # a day has 24 hours
        return None
    return ":".join(parts) + (found["zone"] or "")


def with_time(day: str | None, clock: str | None) -> str | None:
    """Join a date and a time; the time is dropped unless the date is known to the day."""
    whole = day is not None and len(day) == len("2014-01-02") and not day.startswith("-")
    return f"{day}T{clock}" if whole and clock else day


def _parts(clean: str) -> list[str]:
    """Split a date into its parts; an unknown part is an empty text."""
    if found := _RUN.match(clean):
        raw = list(found.groups())
    elif re.fullmatch(r"\d{8}", clean):
        raw = [clean[:4], clean[4:6], clean[6:]]
    else:
        # Hyphens stand between parts, and two or three of them for parts that are not known (2003---15).
        opened = re.sub(r"^--(?=\d)", "UN-", clean)
        opened = re.sub(r"(?<=\d)---(?=\d)", "-UN-", opened)
        raw = [part for part in re.split(r"[\s/.,-]+", opened) if part]
    return ["" if part in UNKNOWN else part for part in raw]


_NO_DATE: Final = ("?", "", "")


def _sorted(parts: list[str], order: Order, *, year: int | None, month: int | None) -> tuple[str, str, str]:
    """Tell year, month and day apart; a year of four digits and a month of letters speak for themselves."""
    rest = [place for place in range(len(parts)) if place not in {year, month}]
    if year is None:
        return _without_year(parts, order, month=month, rest=rest)
    if month is not None:
        return (parts[year], parts[month], parts[rest[0]] if rest else "")
    if len(rest) < 2:  # noqa: PLR2004 # month and day
        return (parts[year], parts[rest[0]] if rest else "", "")
    first, second = parts[rest[0]], parts[rest[1]]
    if year == 0 or order == "mdy":
        return (parts[year], first, second)
    # Without an order, of two numbers nobody can tell which is the day; where one is not known, the day stands first.
    return _NO_DATE if order == "ymd" and first and second else (parts[year], second, first)


def _without_year(parts: list[str], order: Order, *, month: int | None, rest: list[int]) -> tuple[str, str, str]:
    """Tell month and day apart where the part for the year says that nobody knows it."""
    if len(parts) != 3:  # noqa: PLR2004 # year, month and day
        return _NO_DATE
    if month is not None:
        return _NO_DATE if parts[rest[1]] else ("", parts[month], parts[rest[0]])
    if order == "ymd":
        return _NO_DATE if parts[0] else ("", parts[1], parts[2])
    day, number = (parts[0], parts[1]) if order == "dmy" else (parts[1], parts[0])
    return _NO_DATE if parts[2] else ("", number, day)


def _built(year: str, month: str, day: str) -> str | None:
    """Put the parts together; None when one of them cannot be."""
    number = str(_MONTHS.get(month[:3], "?")) if month.isalpha() else month
    if not _is_possible(year, number, day):
        return None
    months, days = f"{int(number):02d}" if number else "", f"{int(day):02d}" if day else ""
    if not year:
        return f"--{months}-{days}" if months and days else None
    if not months:
        return f"{year}---{days}" if days else year
    return f"{year}-{months}-{days}" if days else f"{year}-{months}"


def _is_possible(year: str, month: str, day: str) -> bool:
    """Say whether the known parts are numbers, and the month and the day exist."""
    if not all(part == "" or part.isdigit() for part in (year, month, day)):
        return False
    if (month and not 1 <= int(month) <= 12) or (day and not 1 <= int(day) <= 31):  # noqa: PLR2004
        return False
    return not (year and month and day) or _exists(int(year), int(month), int(day))


def _exists(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True
