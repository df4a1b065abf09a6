"""How dates, numbers and counts are written, and markup that escapes by itself."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

_APPS: Final = Path(__file__).resolve().parent.parent
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
#: digits of the largest page number that is taken for one
_LONGEST_PAGE: Final = 6
_ISO_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


def day(value: date | None) -> str:
    """Return a day as 05-Mar-2026, or a dash."""
    return f"{value.day:02d}-{_MONTHS[value.month - 1]}-{value.year:04d}" if value else "–"


def instant(value: datetime | None, zone: str) -> str:
    """Return an instant in the study's zone as 05-Mar-2026 09:10, or a dash."""
    if value is None:
        return "–"
    local = value.astimezone(ZoneInfo(zone))
    return f"{day(local.date())} {local:%H:%M}"


def clock(value: datetime | None, zone: str, *, now: datetime) -> str:
    """Return 09:10 for today, 05-Mar-2026 09:10 for another day."""
    if value is None:
        return "–"
    local = value.astimezone(ZoneInfo(zone))
    return f"{local:%H:%M}" if local.date() == now.astimezone(ZoneInfo(zone)).date() else instant(value, zone)


def number(value: float | None) -> str:
    """Return a count with thin separators (1,234), a measure with at most two decimals, or a dash."""
    if value is None:
        return "–"
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def plural(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun: 1 question, 1,204 questions."""
    return f"{count:,} {one if count == 1 else (many or one + 's')}"


def span(value: timedelta) -> str:
    """Return a length of time in its largest whole unit: 3 days, 2 hours, 5 minutes, 12 seconds."""
    seconds = max(0, int(value.total_seconds()))
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            return plural(seconds // size, unit)
    return plural(seconds, "second")


def ago(value: datetime | None, *, now: datetime) -> str:
    """Return how long ago an instant was."""
    return "never" if value is None else f"{span(now - value)} ago"


def slug(label: str) -> str:
    """Return a label as it stands in an address: Week 2 (Day 14) → week-2-day-14."""
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "unnamed"


def shown(text: str) -> str:
    """Return a value as people read it: an ISO day becomes 05-Mar-2026, the rest stays."""
    return day(date.fromisoformat(text)) if _ISO_DAY.fullmatch(text) else text


def address(path: str, **query: object) -> str:
    """Return `path` with the parts of `query` that say something."""
    told = {key: str(value) for key, value in query.items() if value not in ("", None, False)}
    return f"{path}?{urlencode(told)}" if told else path


def page_number(query: Mapping[str, str]) -> int:
    """Return the page of a list that an address asks for; 1 when it asks for none that can be."""
    asked = query.get("page", "")
    return max(1, int(asked)) if asked.isascii() and asked.isdigit() and len(asked) <= _LONGEST_PAGE else 1


@lru_cache(maxsize=1)
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_APPS), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.globals.update(
        day=day, instant=instant, number=number, plural=plural, span=span, ago=ago, shown=shown, address=address
    )
    return made


def template(name: str) -> Template:
    """Return a room's template itself."""
    return _environment().get_template(name)


def markup(name: str, /, **values: Any) -> Markup:
    """Return a room's template (`participants/grid.html`) filled in; every value is escaped."""
    return Markup(_environment().get_template(name).render(**values))  # noqa: S704 - made by an escaping template


def share(**names: Any) -> None:
    """Let every template call these names."""
    _environment().globals.update(names)
