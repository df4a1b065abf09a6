"""The design of a study as frozen values. Pure."""

import hashlib
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import orjson

FieldKind = Literal[
    "text",
    "notes",
    "choice",
    "yesno",
    "checkbox",
    "number",
    "integer",
    "date",
    "datetime",
    "time",
    "calc",
    "slider",
    "file",
    "descriptive",
]


@dataclass(frozen=True, slots=True)
class Choice:
    """One code of a code list."""

    code: str
    label: str


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form.

    `kind` says how its values are typed; `validation` is the source's own word for it (`date_ymd`, `number_1dp`).
    A checkbox holds one value for each choice, named `name___code`.
    """

    name: str
    label: str
    kind: FieldKind
    choices: tuple[Choice, ...] = ()
    validation: str = ""
    minimum: str = ""
    maximum: str = ""
    unit: str = ""
    note: str = ""
    section: str = ""
    branching: str = ""
    is_required: bool = False
    is_identifier: bool = False
    is_blinded: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """A form (instrument) with its fields in dictionary order."""

    name: str
    label: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """An event of the schedule: a planned visit, or a log. Days count from the anchor; offsets open the window."""

    name: str
    label: str
    arm: str
    ordinal: int
    day: int | None
    days_before: int
    days_after: int
    forms: tuple[str, ...]
    #: forms that may be entered several times in this event
    repeating_forms: tuple[str, ...] = ()
    is_repeating: bool = False


@dataclass(frozen=True, slots=True)
class Protocol:
    """A whole design. `record_field` is the field that holds the participant's code."""

    record_field: str
    arms: tuple[Choice, ...]
    events: tuple[Event, ...]
    forms: tuple[Form, ...]
    missing_codes: tuple[Choice, ...] = field(default=())

    def form(self, name: str) -> Form:
        """Return the form called `name`; KeyError when there is none."""
        for form in self.forms:
            if form.name == name:
                return form
        raise KeyError(name)

    def event(self, name: str) -> Event | None:
        """Return the event called `name`, or None."""
        return next((event for event in self.events if event.name == name), None)

    def is_repeating(self, form: str) -> bool:
        """Return whether `form` may be entered several times in some event."""
        return any(form in event.repeating_forms for event in self.events)

    def as_document(self) -> dict[str, Any]:
        """Return the design as plain data."""
        return asdict(self)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the design's canonical bytes: equal designs, equal fingerprints."""
        return hashlib.sha256(orjson.dumps(self.as_document(), option=orjson.OPT_SORT_KEYS)).hexdigest()

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> "Protocol":
        """Rebuild a design from `as_document`'s data."""
        return cls(
            record_field=document["record_field"],
            arms=_choices(document["arms"]),
            events=tuple(
                Event(**{**event, "forms": tuple(event["forms"]), "repeating_forms": tuple(event["repeating_forms"])})
                for event in document["events"]
            ),
            forms=tuple(
                Form(
                    name=form["name"],
                    label=form["label"],
                    fields=tuple(Field(**{**one, "choices": _choices(one["choices"])}) for one in form["fields"]),
                )
                for form in document["forms"]
            ),
            missing_codes=_choices(document["missing_codes"]),
        )


def _choices(rows: list[dict[str, str]]) -> tuple[Choice, ...]:
    return tuple(Choice(**row) for row in rows)
