"""The grid's choices and what they leave; the record's facts. No widgets, no server."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import param

from apps.shell.places import Places
from apps.shell.status import combined
from apps.shell.words import address, page_number
from datamodel.records.reads import GridCell, GridColumn, GridSubject, StatusGrid

#: Rows on one page of the grid.
SIZES: Final = (25, 50, 100)
ANY: Final = "any"
#: Choice of status: everyone who was ever enrolled, whatever became of it.
EVER: Final = "ever"
#: Choices of what a participant is waited for: word for the filter.
DUE: Final = {"week": "Visit due this week", "overdue": "Visit overdue"}
#: Cell states that call for somebody.
PROBLEMS: Final = frozenset({"query", "answered", "overdue", "outside_window"})


@dataclass(frozen=True, slots=True)
class EventGroup:
    """An event with its forms, as the head of the grid has them."""

    label: str
    columns: tuple[GridColumn, ...]


class GridState(param.Parameterized):
    """Which rows and columns are shown. Every choice has its place in the address."""

    site = param.String(default="", doc="Code of a site; empty for all.")
    status = param.String(default="", doc="Status of the participant; empty for all.")
    cell = param.String(default="", doc="State that at least one form must have; empty for any.")
    visit = param.String(default="", doc="The one event shown, as in addresses; empty for all.")
    due = param.String(default="", doc="week: a visit due this week; overdue: one overdue; empty for all.")
    text = param.String(default="", doc="Part of the subject's code.")
    problems = param.Boolean(default=False, doc="Only subjects with a question or something overdue.")
    page = param.Integer(default=1, bounds=(1, None))
    size = param.Integer(default=SIZES[0])

    def __init__(
        self,
        grid: StatusGrid,
        places: Places,
        *,
        enrolled: frozenset[str] = frozenset(),
        waited_for: Mapping[str, frozenset[str]] | None = None,
        **choices: Any,
    ) -> None:
        self.grid, self.places, self.enrolled = grid, places, enrolled
        #: choice of `due` -> codes of participants it leaves
        self.waited_for = waited_for or {}
        super().__init__(**choices)

    @classmethod
    def from_query(
        cls,
        grid: StatusGrid,
        places: Places,
        query: dict[str, str],
        *,
        enrolled: frozenset[str] = frozenset(),
        waited_for: Mapping[str, frozenset[str]] | None = None,
    ) -> "GridState":
        """Return the state that an address describes; what it does not know is left out."""
        size = query.get("rows", "")
        return cls(
            grid,
            places,
            enrolled=enrolled,
            waited_for=waited_for,
            due=query.get("due", "") if query.get("due") in DUE else "",
            site=query.get("site", ""),
            status=query.get("status", ""),
            cell=query.get("state", ""),
            visit=query.get("visit", ""),
            text=query.get("subject", "")[:60],
            problems=query.get("problems") == "yes",
            page=page_number(query),
            size=int(size) if size in map(str, SIZES) else SIZES[0],
        )

    def query(self, **change: Any) -> dict[str, Any]:
        """Return what the address says of this state, with some of it changed."""
        said = {
            "site": self.site,
            "status": self.status,
            "state": self.cell,
            "visit": self.visit,
            "due": self.due,
            "subject": self.text,
            "problems": "yes" if self.problems else "",
            "page": self.number if self.number > 1 else "",
            "rows": self.size if self.size != SIZES[0] else "",
        }
        return said | change

    def href(self, path: str, **change: Any) -> str:
        """Return the address of this state, with some of it changed."""
        return address(path, **self.query(**change))

    @cached_property
    def sites(self) -> list[str]:
        """Return the sites in scope."""
        return sorted({subject.site for subject in self.grid.subjects if subject.site})

    @cached_property
    def _cells_of(self) -> dict[str, list[tuple[str, str, GridCell]]]:
        found: dict[str, list[tuple[str, str, GridCell]]] = {}
        for (code, event, form), cell in self.grid.cells.items():
            found.setdefault(code, []).append((event, form, cell))
        return found

    @property
    def columns(self) -> tuple[GridColumn, ...]:
        """Return the columns that are shown."""
        if not self.visit:
            return self.grid.columns
        return tuple(one for one in self.grid.columns if self.places.event_slugs.get(one.event_name) == self.visit)

    @property
    def groups(self) -> list[EventGroup]:
        """Return the columns by event."""
        by_event: dict[str, list[GridColumn]] = {}
        for one in self.columns:
            by_event.setdefault(one.event_name, []).append(one)
        return [EventGroup(self.places.event_label(name), tuple(columns)) for name, columns in by_event.items()]

    @property
    def subjects(self) -> list[GridSubject]:
        """Return the subjects that the choices leave."""
        asked = self.text.strip().lower()
        return [
            one
            for one in self.grid.subjects
            if (not self.site or one.site == self.site)
            and (not self.status or self._has_status(one))
            and (not self.due or one.participant in self.waited_for.get(self.due, frozenset()))
            and (not asked or asked in one.participant.lower())
            and (not self.problems or self._has(one, PROBLEMS))
            and (not self.cell or self._is(one, self.cell))
        ]

    @property
    def pages(self) -> int:
        """Return how many pages the subjects fill."""
        return max(1, -(-len(self.subjects) // self.size))

    @property
    def number(self) -> int:
        """Return the page that is shown: the one asked for, or the last."""
        return min(self.page, self.pages)

    @property
    def shown(self) -> list[GridSubject]:
        """Return the subjects of this page."""
        start = (self.number - 1) * self.size
        return self.subjects[start : start + self.size]

    @property
    def used_states(self) -> list[str]:
        """Return the states that the grid uses now, in the vocabulary's order (the legend lists them)."""
        used = {cell.state for cell in self.grid.cells.values()} | {"not_started"}
        order = ("not_started", "in_progress", "complete", "query", "answered", "verified", "signed", "locked")
        return [code for code in order if code in used]

    def problem_count(self, subject: str) -> int:
        """Return how many questions of a subject are open or answered."""
        return sum(cell.open_queries + cell.answered_queries for _, _, cell in self._cells_of.get(subject, []))

    def _has_status(self, subject: GridSubject) -> bool:
        return subject.participant in self.enrolled if self.status == EVER else subject.status == self.status

    def _is(self, subject: GridSubject, state: str) -> bool:
        """Return whether the chosen visit is in `state`, or (for all visits) some form is."""
        if not self.visit:
            return self._has(subject, frozenset({state}))
        shown = {(one.event_name, one.form_name) for one in self.columns}
        mine = [
            cell.state for event, form, cell in self._cells_of.get(subject.participant, []) if (event, form) in shown
        ]
        return combined(mine, expected=len(shown)) == state

    def _has(self, subject: GridSubject, states: frozenset[str]) -> bool:
        shown = {(one.event_name, one.form_name) for one in self.columns}
        mine = [cell for event, form, cell in self._cells_of.get(subject.participant, []) if (event, form) in shown]
        if "not_started" in states and len(mine) < len(shown):
            return True
        return any(cell.state in states for cell in mine)
