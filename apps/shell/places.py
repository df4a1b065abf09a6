"""Events and forms by the words that stand in addresses, so that no internal name is shown."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from apps.shell.words import slug
from datamodel.kernel.errors import NotFoundError
from datamodel.records.reads import Cell, GridCell, StatusGrid
from datamodel.study.protocol import Event, Field, Form, Protocol

_NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Places:
    """Both ways between internal names and words."""

    protocol: Protocol
    event_slugs: dict[str, str]
    form_slugs: dict[str, str]
    labels: dict[str, str]

    def event_label(self, name: str) -> str:
        """Return an event's label ("" in a study without events)."""
        return self.labels.get(f"event:{name}", "" if not name else "Unknown event")

    def form_label(self, name: str) -> str:
        """Return a form's label."""
        return self.labels.get(f"form:{name}", "Unknown form")

    def field(self, form: str, name: str) -> Field | None:
        """Return a field of a form; a check box's own part (`name___code`) counts as its field."""
        whole = name.split("___", 1)[0]
        found = next((one for one in self.protocol.forms if one.name == form), None)
        return next((one for one in found.fields if one.name in {name, whole}), None) if found else None

    def field_label(self, form: str, name: str) -> str:
        """Return a field's label as people know it."""
        found = self.field(form, name)
        return found.label if found else "A field the design does not have"

    def href(self, study: str, participant: str, event: str, form: str, *, repeat: int = 0) -> str:
        """Return the address of a form."""
        tail = f"?instance={repeat}" if repeat else ""
        event_slug, form_slug = self.event_slugs.get(event, "unknown"), self.form_slugs.get(form, "unknown")
        return f"/app/{study}/participants/{participant}/{event_slug}/{form_slug}{tail}"

    def event_named(self, words: str) -> Event | None:
        """Return the event that an address names; None in a study without events; NotFoundError when unknown."""
        if words == "record" and "" in self.event_slugs:
            return None
        for event in self.protocol.events:
            if self.event_slugs[event.name] == words:
                return event
        raise NotFoundError("This study has no such visit. Choose one from the participant's record.")

    def form_named(self, words: str) -> Form:
        """Return the form that an address names; NotFoundError when unknown."""
        for form in self.protocol.forms:
            if self.form_slugs[form.name] == words:
                return form
        raise NotFoundError("This study has no such form. Choose one from the participant's record.")


def with_questions(grid: StatusGrid, asked: Mapping[Cell, tuple[int, int]]) -> StatusGrid:
    """Return the grid with questions about forms that hold no entry yet (a rejected value may be all that came)."""
    people = {one.participant for one in grid.subjects}
    shown = {(one.event_name, one.form_name) for one in grid.columns}
    extra = {
        key: GridCell("query" if n_open else "answered", 0, n_open, n_answered, _NEVER)
        for key, (n_open, n_answered) in asked.items()
        if key not in grid.cells and key[0] in people and key[1:] in shown and (n_open or n_answered)
    }
    return replace(grid, cells={**grid.cells, **extra}) if extra else grid


def places(protocol: Protocol) -> Places:
    """Return the words for everything in a design."""
    return _places(protocol)


@lru_cache(maxsize=16)
def _places(protocol: Protocol) -> Places:
    several_arms = len({event.arm for event in protocol.events}) > 1
    arm_labels = {arm.code: arm.label for arm in protocol.arms}
    labels = {f"form:{form.name}": form.label for form in protocol.forms}
    for event in protocol.events:
        arm = f" ({arm_labels.get(event.arm, event.arm)})" if several_arms else ""
        labels[f"event:{event.name}"] = event.label + arm
    events = _unique({event.name: labels[f"event:{event.name}"] for event in protocol.events} or {"": "Record"})
    return Places(protocol, events, _unique({form.name: form.label for form in protocol.forms}), labels)


def _unique(labels: dict[str, str]) -> dict[str, str]:
    taken: dict[str, str] = {}
    for name, label in labels.items():
        words, number = slug(label), 2
        while words in taken.values():
            words, number = f"{slug(label)}-{number}", number + 1
        taken[name] = words
    return taken
