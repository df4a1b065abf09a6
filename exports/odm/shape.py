"""Names of ODM's parts, types of items, and departures. Pure."""

from dataclasses import dataclass
from typing import Final

from datamodel.study.protocol import Field, Form, Protocol

NAMESPACE: Final = {"1.3.2": "http://www.cdisc.org/ns/odm/v1.3", "2.0": "http://www.cdisc.org/ns/odm/v2.0"}
REDCAP: Final = "https://projectredcap.org"
#: context of the aliases that carry what ODM has no place for
ALIAS: Final = "metricis."
STATUS_LIST: Final = "CL.metricis.form_status"
QUERY_LIST: Final = "CL.metricis.query_state"
#: states of a form and of a data question, as the two code lists of flags
STATUSES: Final = ("not_started", "in_progress", "complete", "verified", "signed", "locked")
QUERY_STATES: Final = ("open", "answered", "closed", "reopened", "cancelled")
#: event that holds the participants' assessment sessions
SESSIONS: Final = "metricis.sessions"

_TYPES: Final[dict[str, str]] = {
    "number": "float",
    "slider": "float",
    "integer": "integer",
    "yesno": "text",
    "date": "date",
    "datetime": "partialDatetime",
    "time": "partialTime",
}


@dataclass(frozen=True, slots=True)
class Departure:
    """Something of a file that is not as the standard or our model has it: what, where, how often."""

    kind: str
    place: str
    detail: str
    count: int = 1

    def __str__(self) -> str:
        times = f" ({self.count:,} times)" if self.count > 1 else ""
        return f"{self.kind}: {self.place}: {self.detail}{times}"


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a group: an item is a field, or one choice of a checkbox."""

    oid: str
    name: str
    field: Field
    is_choice: bool = False
    choice_label: str = ""


def items(form: Form) -> list[Item]:
    """Return the items of a form in dictionary order; descriptive texts hold no data and are items all the same."""
    found = []
    for field in form.fields:
        if field.kind != "checkbox":
            found.append(Item(item_oid(form.name, field.name), field.name, field))
            continue
        for choice in field.choices:
            name = f"{field.name}___{code_in_name(choice.code)}"
            found.append(Item(item_oid(form.name, name), name, field, is_choice=True, choice_label=choice.label))
    return found


def code_in_name(code: str) -> str:
    """Return a checkbox's code as it stands in the names of its values."""
    return code.lower().replace("-", "_").replace(".", "_")


def event_oid(name: str) -> str:
    """Return the identifier of an event."""
    return f"SE.{name}" if name else "SE.metricis.none"


def item_oid(form: str, name: str) -> str:
    """Return the identifier of an item; fields of two forms may have one name."""
    return f"IT.{form}.{name}"


def data_type(field: Field, protocol: Protocol) -> str:
    """Return the ODM type of a field's values.

    Codes for missing values (such as -99 in a date) and decimal commas are what was entered, and stay: such a field is text.
    """
    kind = _TYPES.get(field.kind, "text")
    if kind == "text" or "comma" in field.validation:
        return "text"
    if field.kind in {"date", "datetime", "time"}:
        return "text"  # partial and missing-coded dates are values too
    codes = [one.code for one in protocol.missing_codes]
    return kind if all(_is_number(code, kind) for code in codes) else "text"


def _is_number(text: str, kind: str) -> bool:
    digits = text.lstrip("+-")
    return digits.isdigit() if kind == "integer" else digits.replace(".", "", 1).isdigit()


def visible(protocol: Protocol, hidden: frozenset[str]) -> Protocol:
    """Return the design without the fields in `hidden`: they exist neither in the metadata nor in the data."""
    forms = tuple(
        Form(one.name, one.label, tuple(field for field in one.fields if field.name not in hidden))
        for one in protocol.forms
    )
    return Protocol(protocol.record_field, protocol.arms, protocol.events, forms, protocol.missing_codes)
