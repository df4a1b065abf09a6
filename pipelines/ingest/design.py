"""REDCap's dictionary, arms, events, mapping and repeating forms as the study's design. Pure but for `read_structure`."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from typing import Protocol as Shape

from datamodel.connections.mapping import Mapping
from datamodel.kernel.errors import BadInputError
from datamodel.study.protocol import Choice, Event, Field, FieldKind, Form, Protocol
from pipelines.ingest.units import unit_of
from validators.sources.columns import columns_of

_TAG: Final = re.compile(r"<[^>]+>")
_KINDS: Final[dict[str, FieldKind]] = {
    "notes": "notes",
    "dropdown": "choice",
    "radio": "choice",
    "yesno": "yesno",
    "truefalse": "yesno",
    "checkbox": "checkbox",
    "calc": "calc",
    "slider": "slider",
    "file": "file",
    "descriptive": "descriptive",
}
#: beginnings of REDCap's validation words -> kind; the first that fits counts
_VALIDATED: Final[tuple[tuple[str, FieldKind], ...]] = (
    ("integer", "integer"),
    ("int", "integer"),
    ("number", "number"),
    ("float", "number"),
    ("datetime", "datetime"),
    ("date", "date"),
    ("time", "time"),
)
_FIXED_CHOICES: Final[dict[str, tuple[Choice, ...]]] = {
    "yesno": (Choice("1", "Yes"), Choice("0", "No")),
    "truefalse": (Choice("1", "True"), Choice("0", "False")),
}


class Client(Shape):
    """What is needed of a REDCap client to read the structure."""

    def structure(self, content: str, **parameters: str) -> Any:
        """Return what REDCap says of the project."""


@dataclass(frozen=True, slots=True)
class Structure:
    """What REDCap says of a project, as it says it."""

    project: dict[str, Any]
    metadata: list[dict[str, str]]
    instruments: list[dict[str, str]]
    arms: list[dict[str, Any]]
    events: list[dict[str, Any]]
    mappings: list[dict[str, Any]]
    repeating: list[dict[str, str]]


def read_structure(client: Client) -> Structure:
    """Ask REDCap for the project's structure; arms and events only where it has them (it refuses otherwise)."""
    project = client.structure("project")
    is_longitudinal = _is_set(project.get("is_longitudinal"))
    return Structure(
        project=project,
        metadata=client.structure("metadata"),
        instruments=client.structure("instrument"),
        arms=client.structure("arm") if is_longitudinal else [],
        events=client.structure("event") if is_longitudinal else [],
        mappings=client.structure("formEventMapping") if is_longitudinal else [],
        repeating=(
            client.structure("repeatingFormsEvents")
            if _is_set(project.get("has_repeating_instruments_or_events"))
            else []
        ),
    )


def protocol_of(found: Structure, *, mapping: Mapping | None = None) -> Protocol:
    """Return the design that a project's structure describes.

    Raises
    ------
    BadInputError
        When the dictionary has no fields.
    """
    if not found.metadata:
        raise BadInputError("The REDCap project has no fields yet, so there is nothing to sync. Add a form in REDCap.")
    known = mapping or Mapping()
    return Protocol(
        record_field=found.metadata[0]["field_name"],
        arms=tuple(Choice(str(arm["arm_num"]), str(arm["name"])) for arm in found.arms) or (Choice("1", "Arm 1"),),
        events=_events(found, unplanned=frozenset(known.unplanned_events)),
        forms=_forms(found, blinded=known.blinded),
        missing_codes=choices_of(str(found.project.get("missing_data_codes") or "")),
    )


def choices_of(text: str) -> tuple[Choice, ...]:
    """Return the choices of `1, Yes | 2, No, never`; a line end separates as well as a bar."""
    parts = [part.strip() for part in re.split(r"[|\n]", text)]
    pairs = [part.partition(",") for part in parts if part]
    return tuple(Choice(code.strip(), _plain(label) or code.strip()) for code, _, label in pairs)


def _events(found: Structure, *, unplanned: frozenset[str]) -> tuple[Event, ...]:
    whole = {row.get("event_name", "") for row in found.repeating if not row.get("form_name")}
    if not found.events:
        forms = tuple(row["instrument_name"] for row in found.instruments)
        repeating = tuple(row["form_name"] for row in found.repeating if row.get("form_name"))
        return (Event("", "", "1", 1, None, 0, 0, forms, repeating),)
    order = [row["instrument_name"] for row in found.instruments]
    return tuple(
        _event(row, number, found, order=order, is_planned=row["unique_event_name"] not in unplanned, whole=whole)
        for number, row in enumerate(found.events, start=1)
    )


def _event(
    row: dict[str, Any], number: int, found: Structure, *, order: Sequence[str], is_planned: bool, whole: set[str]
) -> Event:
    name = str(row["unique_event_name"])
    mapped = {one["form"] for one in found.mappings if one["unique_event_name"] == name}
    day = row.get("day_offset")
    return Event(
        name=name,
        label=_plain(str(row["event_name"])),
        arm=str(row["arm_num"]),
        ordinal=number,
        day=round(float(day)) if is_planned and day not in (None, "") else None,
        days_before=round(float(row.get("offset_min") or 0)),
        days_after=round(float(row.get("offset_max") or 0)),
        forms=tuple(form for form in order if form in mapped),
        repeating_forms=tuple(
            one["form_name"] for one in found.repeating if one.get("event_name") == name and one.get("form_name")
        ),
        is_repeating=name in whole,
    )


def _forms(found: Structure, *, blinded: frozenset[str]) -> tuple[Form, ...]:
    fields: dict[str, list[Field]] = {row["instrument_name"]: [] for row in found.instruments}
    for row in found.metadata:
        fields.setdefault(row["form_name"], []).append(_field(row, blinded=blinded))
    labels = {row["instrument_name"]: _plain(row["instrument_label"]) for row in found.instruments}
    return tuple(Form(name, labels.get(name, name), tuple(inside)) for name, inside in fields.items())


def _field(row: dict[str, str], *, blinded: frozenset[str]) -> Field:
    kind = _kind(row)
    validation = row.get("text_validation_type_or_show_slider_number") or ""
    return Field(
        name=row["field_name"],
        label=_plain(row["field_label"]) or row["field_name"],
        kind=kind,
        choices=_choices(row),
        validation=validation if row["field_type"] == "text" else "",
        minimum=row.get("text_validation_min") or "",
        maximum=row.get("text_validation_max") or "",
        unit=unit_of(row.get("field_note") or ""),
        note=_plain(row.get("field_note") or ""),
        section=_plain(row.get("section_header") or ""),
        branching=(row.get("branching_logic") or "").strip(),
        is_required=_is_set(row.get("required_field")),
        is_identifier=_is_set(row.get("identifier")),
        is_blinded=row["field_name"] in blinded,
    )


def _kind(row: dict[str, str]) -> FieldKind:
    if row["field_type"] != "text":
        return _KINDS.get(row["field_type"], "text")
    validation = row.get("text_validation_type_or_show_slider_number") or ""
    return next((kind for start, kind in _VALIDATED if validation.startswith(start)), "text")


def _choices(row: dict[str, str]) -> tuple[Choice, ...]:
    if row["field_type"] in {"radio", "dropdown", "checkbox"}:
        return choices_of(row.get("select_choices_or_calculations") or "")
    return _FIXED_CHOICES.get(row["field_type"], ())


def _plain(text: str) -> str:
    """Return a label without markup, on one line."""
    return " ".join(html.unescape(_TAG.sub(" ", text)).split())


def _is_set(value: Any) -> bool:
    return str(value or "").strip().lower() in {"1", "y", "yes", "true"}


def identifiers(protocol: Protocol) -> frozenset[str]:
    """Return the export columns of identifying fields; they are never kept. The record's name is the pseudonym."""
    return frozenset(
        column
        for form in protocol.forms
        for field in form.fields
        if field.is_identifier and field.name != protocol.record_field
        for column in columns_of(field)
    )
