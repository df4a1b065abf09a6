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


def _sorted(parts: list[str], order: Order, *, year: int | None, month: int | None) -> tuple[str, str, str]:
    """Tell year, month and day apart; a year of four digits and a month of letters speak for themselves."""
    rest = [place for place in range(len(parts)) if place not in {year, month}]
    if month is not None and year is None:
        return ("", parts[month], parts[rest[0]]) if len(rest) == 2 and not parts[rest[1]] else ("?", "", "")  # noqa: PLR2004
    if year is None:
        if len(parts) == 3 and order == "ymd" and not parts[0]:  # noqa: PLR2004
            return ("", parts[1], parts[2])
        if len(parts) == 3 and order != "ymd" and not parts[2]:  # noqa: PLR2004
            return ("", parts[1], parts[0]) if order == "dmy" else ("", parts[0], parts[1])
        return ("?", "", "")
    if month is not None:
        return (parts[year], parts[month], parts[rest[0]] if rest else "")
    match len(rest), year:
        case 0, _:
            return (parts[year], "", "")
        case 1, _:
            return (parts[year], parts[rest[0]], "")
        case 2, 0:
            return (parts[year], parts[1], parts[2])
        case _ if order == "mdy":
            return (parts[year], parts[rest[0]], parts[rest[1]])
        case _ if order == "dmy" or not (parts[rest[0]] and parts[rest[1]]):
            # With one part unknown the order still decides which one it is; without an order the day stands first.
            return (parts[year], parts[rest[1]], parts[rest[0]])
        case _:
            return ("?", "", "")


def _built(year: str, month: str, day: str) -> str | None:
    """Put the parts together; None when one of them cannot be."""
    number = str(_MONTHS.get(month[:3], "")) if month.isalpha() else month
    if not all(part == "" or part.isdigit() for part in (year, number, day)) or (month and not number):
        return None
    if number and not 1 <= int(number) <= 12 or day and not 1 <= int(day) <= 31:  # noqa: PLR2004
        return None
    if year and number and day and not _exists(int(year), int(number), int(day)):
        return None
    if not (year or number or day):
        return None
    months, days = f"{int(number):02d}" if number else "-", f"{int(day):02d}" if day else ""
    if not year:
        return f"--{months}-{days}" if number and day else None
    if not number:
        return f"{year}---{days}" if day else year
    return f"{year}-{months}-{days}" if day else f"{year}-{months}"


def _exists(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True
