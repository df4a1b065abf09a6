"""The shape of a project: dictionary, forms, arms, events, mapping, repeating parts, people, groups, reports.

A project is one JSON document (``doc``) plus what is worked out from it once per revision. Dictionary rows keep
REDCap's own eighteen column names.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

METADATA_COLUMNS = (
    "field_name", "form_name", "section_header", "field_type", "field_label", "select_choices_or_calculations",
    "field_note", "text_validation_type_or_show_slider_number", "text_validation_min", "text_validation_max",
    "identifier", "branching_logic", "required_field", "custom_alignment", "question_number", "matrix_group_name",
    "matrix_ranking", "field_annotation",
)  # fmt: skip
COMPLETE_CHOICES = {"0": "Incomplete", "1": "Unverified", "2": "Complete"}
UNIQUE_NAME_LENGTH = 18
_CLASSIC_EVENT = "event_1_arm_1"


def parse_choices(text: str) -> dict[str, str]:
    """Codes and labels of ``1, A | 2, B``."""
    choices = {}
    for part in re.split(r"[|\n]", text):
        if part.strip():
            code, _, label = part.partition(",")
            choices[code.strip()] = label.strip() or code.strip()
    return choices


def checkbox_column(field: str, code: str) -> str:
    """Export name of a checkbox option: code in lower case, every other sign turned into ``_``."""
    return f"{field}___{re.sub('[^a-z0-9_]', '_', code.lower())}"


def unique_name(label: str) -> str:
    """REDCap's unique name of a label: lower case, spaces to ``_``, other signs dropped, 18 characters."""
    return re.sub(r"[^a-z0-9_]", "", label.strip().lower().replace(" ", "_"))[:UNIQUE_NAME_LENGTH]


@dataclass(frozen=True, slots=True)
class Event:
    """One event of one arm; offsets are in days."""

    id: int
    name: str
    arm: int
    unique: str
    label: str
    day_offset: float
    offset_min: float
    offset_max: float


@dataclass(frozen=True, slots=True)
class Field:
    """One dictionary row, with its choices parsed."""

    name: str
    form: str
    kind: str
    label: str
    validation: str
    choices: dict[str, str]
    row: dict[str, str]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a flat export."""

    name: str
    form: str
    kind: str  # id, value, choice, checkbox, complete, file, timestamp
    field: Field | None
    label: str
    choices: dict[str, str]


def _field(row: dict[str, str]) -> Field:
    kind = row["field_type"]
    choices: dict[str, str] = {}
    if kind in {"radio", "dropdown", "checkbox", "sql"}:
        choices = parse_choices(row["select_choices_or_calculations"])
    elif kind == "yesno":
        choices = {"1": "Yes", "0": "No"}
    elif kind == "truefalse":
        choices = {"1": "True", "0": "False"}
    validation = row["text_validation_type_or_show_slider_number"] if kind in {"text", "file"} else ""
    return Field(row["field_name"], row["form_name"], kind, row["field_label"], validation, choices, row)


def _columns_of(field: Field) -> list[Column]:
    if field.kind == "checkbox":
        return [
            Column(
                checkbox_column(field.name, code),
                field.form,
                "checkbox",
                field,
                f"{field.label} (choice={label})",
                {"1": "Checked", "0": "Unchecked", "option": label},
            )
            for code, label in field.choices.items()
        ]
    kind = {"file": "file"}.get(field.kind, "choice" if field.choices else "value")
    return [Column(field.name, field.form, kind, field, field.label, field.choices)]


class Project:
    """A project document and what follows from it; make a new one after changing ``doc``."""

    def __init__(self, key: int, doc: dict[str, Any]) -> None:
        self.id = key
        self.doc = doc

    @cached_property
    def fields(self) -> dict[str, Field]:
        """Dictionary fields by name, in dictionary order."""
        return {row["field_name"]: _field(row) for row in self.doc["fields"]}

    @cached_property
    def forms(self) -> dict[str, str]:
        """Form labels by form name, in order."""
        return dict(self.doc["forms"])

    @property
    def id_field(self) -> str:
        """The record id: the first field of the dictionary."""
        return str(self.doc["fields"][0]["field_name"])

    @property
    def longitudinal(self) -> bool:
        """Whether the project has events to choose from."""
        return bool(self.doc["longitudinal"])

    @cached_property
    def events(self) -> dict[str, Event]:
        """Events by unique name, by arm, day offset and order of making."""
        made = [Event(**event) for event in self.doc["events"]]
        return {event.unique: event for event in sorted(made, key=lambda event: (event.arm, event.day_offset))}

    @cached_property
    def events_by_id(self) -> dict[int, Event]:
        """Events by number, in order."""
        return {event.id: event for event in self.events.values()}

    @cached_property
    def first_event(self) -> Event:
        """The only event of a classic project, the first one otherwise."""
        return next(iter(self.events.values()))

    @cached_property
    def designated(self) -> dict[int, set[str]]:
        """Forms designated for each event number."""
        if not self.longitudinal:
            return {self.first_event.id: set(self.forms)}
        chosen: dict[int, set[str]] = {key: set() for key in self.events_by_id}
        for event_id, form in self.doc["mapping"]:
            chosen.setdefault(event_id, set()).add(form)
        return chosen

    @cached_property
    def repeating(self) -> dict[tuple[int, str], str]:
        """Custom labels by (event number, form); the form is empty when the whole event repeats."""
        return {(event_id, form): label for event_id, form, label in self.doc["repeating"]}

    def repeats_in(self, form: str, event_id: int) -> bool:
        """Whether a form is a repeating instrument in an event."""
        return (event_id, form) in self.repeating

    @cached_property
    def columns(self) -> list[Column]:
        """All columns of a flat export, in order, without lead columns and time stamps."""
        columns: list[Column] = []
        for form in self.forms:
            for field in self.fields.values():
                if field.form == form and field.kind != "descriptive":
                    columns += _columns_of(field)
            columns.append(Column(f"{form}_complete", form, "complete", None, "Complete?", COMPLETE_CHOICES))
        return columns

    @cached_property
    def columns_by_name(self) -> dict[str, Column]:
        """Flat columns by export name."""
        return {column.name: column for column in self.columns}

    @cached_property
    def missing_codes(self) -> set[str]:
        """Missing data codes, legal in any field."""
        return set(parse_choices(str(self.doc["info"].get("missing_data_codes", ""))))

    def user(self, name: str) -> dict[str, Any] | None:
        """A user's rights row, or None."""
        return next((user for user in self.doc["users"] if user["username"] == name), None)

    def dag_label(self, unique: str) -> str:
        """The visible name of a data access group."""
        return next((dag["name"] for dag in self.doc["dags"] if dag["unique"] == unique), "")


def empty_document(title: str) -> dict[str, Any]:
    """A classic project with one form and one record id field, as REDCap makes it."""
    return {
        "info": {"project_title": title, "purpose": "0", "is_autonumber": "1"},
        "fields": [
            dict.fromkeys(METADATA_COLUMNS, "")
            | {"field_name": "record_id", "form_name": "form_1", "field_type": "text", "field_label": "Record ID"}
        ],
        "forms": [["form_1", "Form 1"]],
        "longitudinal": False,
        "arms": [[1, "Arm 1"]],
        "events": [],
        "mapping": [],
        "repeating": [],
        "surveys": {},
        "dags": [],
        "users": [],
        "roles": [],
        "reports": [],
        "det_url": "",
    }


def classic_event(key: int) -> dict[str, Any]:
    """The hidden event of a classic project."""
    return {
        "id": key, "name": "Event 1", "arm": 1, "unique": _CLASSIC_EVENT, "label": "",
        "day_offset": 0, "offset_min": 0, "offset_max": 0,
    }  # fmt: skip
