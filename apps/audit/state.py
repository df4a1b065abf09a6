"""Which part of the trail is shown. No widgets, no server."""

from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any, Final
from zoneinfo import ZoneInfo

import param

from apps.shell.places import Places
from apps.shell.words import address, page_number, slug
from datamodel.trail.reads import KINDS, ChangeFilter, EventFilter

SIZE: Final = 50
#: choice -> its words
SHOWS: Final = {"events": "Events", "changes": "Values"}
_KEYS: Final = ("since", "until", "who", "kind", "subject", "form", "field")


class TrailState(param.Parameterized):
    """Which events or changes are listed. Every choice has its place in the address."""

    show = param.Selector(default="events", objects=list(SHOWS))
    since = param.CalendarDate(default=None, allow_None=True)
    until = param.CalendarDate(default=None, allow_None=True, doc="Last day that is shown.")
    who = param.String(default="")
    kind = param.Selector(default="", objects=["", *KINDS])
    subject = param.String(default="", doc="A participant's code.")
    form = param.String(default="", doc="The form's words in addresses.")
    field = param.String(default="", doc="The field's label in words of addresses.")
    first = param.Boolean(default=False, doc="Whether first entries are shown among the changes.")
    page = param.Integer(default=1, bounds=(1, None))

    def __init__(self, words: Places | None, zone: str, **choices: Any) -> None:
        self.words, self.zone = words, zone
        super().__init__(**choices)

    @classmethod
    def from_query(cls, query: dict[str, str], words: Places | None, zone: str) -> "TrailState":
        """Return the state that an address describes; what cannot be read is left out."""
        show, kind = query.get("show", ""), query.get("kind", "")
        return cls(
            words,
            zone,
            show=show if show in SHOWS else "events",
            since=_day(query.get("since", "")),
            until=_day(query.get("until", "")),
            who=query.get("who", "")[:120],
            kind=kind if kind in KINDS else "",
            subject=query.get("subject", "")[:60],
            form=query.get("form", "")[:120],
            field=query.get("field", "")[:160],
            first=query.get("first") == "yes",
            page=page_number(query),
        )

    def href(self, path: str, **change: Any) -> str:
        """Return the address of this state, with some of it changed."""
        said = {key: getattr(self, key) for key in _KEYS}
        said |= {
            "show": self.show if self.show != "events" else "",
            "first": "yes" if self.first else "",
            "page": self.page if self.page > 1 else "",
        }
        return address(path, **{key: value or "" for key, value in (said | change).items()})

    @property
    def offset(self) -> int:
        """Return how many rows come before this page."""
        return (self.page - 1) * SIZE

    @property
    def event_filter(self) -> EventFilter:
        """Return what is asked of events."""
        return EventFilter(
            since=self._start(self.since),
            until=self._start(self.until, days=1),
            who=self.who or None,
            kind=self.kind or None,
            subject=f"participant:{self.subject}" if self.subject else None,
        )

    @property
    def change_filter(self) -> ChangeFilter:
        """Return what is asked of changes; a form or field that the design does not have is asked for as it stands."""
        return ChangeFilter(
            since=self._start(self.since),
            until=self._start(self.until, days=1),
            who=self.who or None,
            participant=self.subject or None,
            form=self.form_name or self.form or None,
            field=self.field_name or self.field or None,
            first=self.first,
        )

    @cached_property
    def forms(self) -> dict[str, str]:
        """Return the forms: words in addresses -> label."""
        if self.words is None:
            return {}
        return {self.words.form_slugs[one.name]: one.label for one in self.words.protocol.forms}

    @property
    def form_name(self) -> str:
        """Return the form's own name, or an empty text."""
        known = {words: name for name, words in self.words.form_slugs.items()} if self.words else {}
        return known.get(self.form, "")

    @property
    def field_name(self) -> str:
        """Return the field's own name, or an empty text."""
        if self.words is None or not self.field:
            return ""
        fields = (
            one
            for form in self.words.protocol.forms
            if not self.form_name or form.name == self.form_name
            for one in form.fields
        )
        return next((one.name for one in fields if slug(one.label) == self.field), "")

    def _start(self, day: date | None, *, days: int = 0) -> datetime | None:
        """Return the beginning of a day in the study's zone, as an instant."""
        if day is None:
            return None
        return datetime.combine(day + timedelta(days=days), time(), ZoneInfo(self.zone)).astimezone(UTC)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
