"""The list of data questions and the one that is open. No widgets, no server."""

import base64
import hashlib
from functools import cached_property
from typing import Any, Final

import param

from apps.shell.places import Places
from apps.shell.words import address, page_number
from datamodel.discrepancies.reads import Discrepancy

ANY: Final = "any"
#: choice -> states that it leaves
CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "open": ("open", "reopened"),
    "answered": ("answered",),
    "unsettled": ("open", "reopened", "answered"),
    "closed": ("closed", "cancelled"),
    "all": ("open", "reopened", "answered", "closed", "cancelled"),
}
LABELS: Final = {
    "open": "Open",
    "answered": "Answered",
    "unsettled": "Open or answered",
    "closed": "Closed",
    "all": "All",
}
SIZE: Final = 50


def reference(one: Discrepancy) -> str:
    """Return the short reference by which people and addresses name a question."""
    return base64.b32encode(hashlib.sha256(one.id.bytes).digest())[:6].decode()


class QuestionsState(param.Parameterized):
    """Which questions are listed, and which one is open. Every choice has its place in the address."""

    state = param.Selector(default="open", objects=list(CHOICES))
    site = param.String(default="")
    text = param.String(default="", doc="Part of the subject's code, of a label, or of the reason.")
    page = param.Integer(default=1, bounds=(1, None))
    chosen = param.String(default="", doc="Reference of the open question.")

    def __init__(self, every: list[Discrepancy], words: Places | None, **choices: Any) -> None:
        self.every, self.words = every, words
        super().__init__(**choices)

    @classmethod
    def from_query(cls, every: list[Discrepancy], words: Places | None, query: dict[str, str]) -> "QuestionsState":
        """Return the state that an address describes."""
        state = query.get("state", "open")
        return cls(
            every,
            words,
            state=state if state in CHOICES else "open",
            site=query.get("site", ""),
            text=query.get("text", "")[:80],
            page=page_number(query),
            chosen=query.get("question", "")[:12],
        )

    def href(self, path: str, **change: Any) -> str:
        """Return the address of this state, with some of it changed."""
        said = {
            "state": self.state if self.state != "open" else "",
            "site": self.site,
            "text": self.text,
            "page": self.number if self.number > 1 else "",
            "question": self.chosen,
        }
        return address(path, **(said | change))

    @cached_property
    def sites(self) -> list[str]:
        """Return the sites in scope."""
        return sorted({one.site for one in self.every if one.site})

    @property
    def listed(self) -> list[Discrepancy]:
        """Return the questions that the choices leave, oldest first."""
        asked = self.text.strip().lower()
        found = [
            one
            for one in self.every
            if one.state in CHOICES[self.state]
            and (not self.site or one.site == self.site)
            and (not asked or asked in self._haystack(one))
        ]
        return sorted(found, key=lambda one: (one.opened_at, one.participant, str(one.id)))

    @property
    def pages(self) -> int:
        """Return how many pages the list fills."""
        return max(1, -(-len(self.listed) // SIZE))

    @property
    def number(self) -> int:
        """Return the page that is shown: the one asked for, or the last."""
        return min(self.page, self.pages)

    @property
    def shown(self) -> list[Discrepancy]:
        """Return the questions of this page."""
        return self.listed[(self.number - 1) * SIZE : self.number * SIZE]

    @property
    def one(self) -> Discrepancy | None:
        """Return the open question, whether the list shows it or not."""
        return next((one for one in self.every if self.chosen and reference(one) == self.chosen), None)

    def neighbours(self) -> tuple[Discrepancy | None, Discrepancy | None]:
        """Return the questions before and after the open one, as listed."""
        listed = self.listed
        at = next((n for n, one in enumerate(listed) if reference(one) == self.chosen), None)
        if at is None:
            return None, (listed[0] if listed else None)
        return (listed[at - 1] if at else None), (listed[at + 1] if at + 1 < len(listed) else None)

    def place(self, one: Discrepancy) -> tuple[str, str, str]:
        """Return visit, form and field by their labels."""
        if self.words is None:
            return "", "", ""
        form = self.words.form_label(one.form_name) if one.form_name else ""
        field = self.words.field_label(one.form_name, one.field) if one.field else ""
        return self.words.event_label(one.event_name), form, field

    def _haystack(self, one: Discrepancy) -> str:
        return " ".join((one.participant, one.reason, *self.place(one))).lower()
