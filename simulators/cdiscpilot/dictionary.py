"""The forms of the project, read from the YAML files in `definition/`.

One file per form; each field says what the site sees (label, type, choices, checks) and, under `from` and `when`, which
SDTM column its values are taken back from. Everything else in this package is derived from here.
"""

from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, model_validator
from pydantic import Field as Key

DEFINITION: Final = Path(__file__).parent / "definition"

FieldType = Literal["text", "notes", "radio", "dropdown", "yesno", "checkbox", "calc", "descriptive"]
Validation = Literal["date_ymd", "time", "integer", "number"]
# A condition on source columns: column name to the value, or the values, that it must have.
Condition = dict[str, str | float | list[str]]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Choice(_Strict):
    """One line of a code list: the code typed, its label, and SDTM's value where SDTM has one."""

    code: str
    label: str
    sdtm: str | None = None


class Implied(_Strict):
    """A code that the site ticked although SDTM keeps no row for it; `when` finds the rows that prove it."""

    code: str
    when: Condition


class Field(_Strict):
    """A field as the data dictionary shows it, and where its values come from."""

    name: str
    label: str
    type: FieldType = "text"
    choices: str | None = None
    validation: Validation | None = None
    min: str | None = None
    max: str | None = None
    required: bool = False
    section: str | None = None
    note: str | None = None
    branch: str | None = None
    calc: str | None = None
    hidden: bool = False
    partial: bool = False
    """The text holds a date as far as it is known: a year, a year and month, or a day."""
    column: str | None = Key(default=None, alias="from")
    when: Condition = Key(default_factory=dict)
    part: Literal["date", "time"] | None = None
    value: str | None = None
    """A constant that the site types on every form of this kind."""
    default: str | None = None
    """What the site types where SDTM leaves the column empty."""
    implied: Implied | None = None
    checked_when: dict[str, Condition] = Key(default_factory=dict)
    unscheduled: bool = False
    """Filled in at unscheduled visits only."""
    sdtm: str | None = None
    """What the README says in place of the plain column name."""


class Form(_Strict):
    """An instrument, the events it belongs to, and the SDTM datasets its rows are taken back from."""

    form: str
    label: str
    domain: str
    source: list[str]
    shape: Literal["rows", "wide"]
    """`rows`: one source row is one form. `wide`: all source rows of a visit make one form."""
    events: list[str]
    repeats_in: list[str] = Key(default_factory=list)
    instance_label: str = ""
    """What REDCap shows beside the number of a repeat instance."""
    at: str | None = None
    """The event of every row, for datasets that carry no visit."""
    instance: str | None = None
    """The source column whose number is the repeat instance."""
    order: str | None = None
    """The source column that orders the repeat instances, numbered from 1 in each event."""
    only: Condition = Key(default_factory=dict)
    fields: list[Field]

    @model_validator(mode="before")
    @classmethod
    def _expand_all(cls, data: dict[str, Any]) -> dict[str, Any]:
        if data.get("repeats_in") == "all":
            return {**data, "repeats_in": data["events"]}
        return data


class Event(_Strict):
    """An event of the arm; the two without `visitnum` are the unscheduled visits and the logs."""

    event: str
    name: str
    visitnum: float | None = None
    visit: str | None = None
    day: int
    before: int
    after: int


class Arm(_Strict):
    """The one arm: treatment is blinded, so it is no arm of the project."""

    number: int
    name: str


class Project(_Strict):
    """The whole definition: events, forms in their order, and code lists by name."""

    title: str
    notes: str
    record_id_field: str
    arm: Arm
    events: list[Event]
    forms: list[Form]
    codelists: dict[str, list[Choice]]

    def choices(self, field: Field) -> list[Choice]:
        """Give the code list of a field; empty when it has none."""
        return self.codelists[field.choices] if field.choices else []

    def form(self, name: str) -> Form:
        """Give one form; raises KeyError naming the forms that exist."""
        for form in self.forms:
            if form.form == name:
                return form
        raise KeyError(f"No form named {name!r}. The forms are: {', '.join(form.form for form in self.forms)}.")


def _read(name: str) -> dict[str, Any]:
    with (DEFINITION / name).open(encoding="utf-8") as handle:
        data: dict[str, Any] = yaml.safe_load(handle)
    return data


@cache
def project() -> Project:
    """Read the definition; raises pydantic.ValidationError when a file holds an unknown or ill-typed key."""
    head = _read("project.yaml")
    forms = [Form(**_read(f"forms/{name}.yaml")) for name in head.pop("forms")]
    codelists = {
        name: [
            Choice(code=code, label=entry[0], sdtm=entry[1] if len(entry) > 1 else None)
            for code, entry in items.items()
        ]
        for name, items in _read("codelists.yaml").items()
    }
    return Project(**head, forms=forms, codelists=codelists)


def export_columns(form: Form) -> list[str]:
    """Name the columns of a form's flat export, without the leading key columns; a checkbox has one per option."""
    definition = project()
    names: list[str] = []
    for field in form.fields:
        if field.type == "checkbox":
            names += [f"{field.name}___{choice.code}" for choice in definition.choices(field)]
        elif field.type != "descriptive":
            names.append(field.name)
    return [*names, f"{form.form}_complete"]
