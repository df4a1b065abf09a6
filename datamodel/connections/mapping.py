"""Where in a REDCap project the facts stand that Metricis itself needs. Pure."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

ParticipantStatus = Literal["screened", "screen_failed", "enrolled", "completed", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Place:
    """A field of a form; `event` is empty when any event will do (the first value found counts)."""

    form: str
    field: str
    event: str = ""


@dataclass(frozen=True, slots=True)
class StatusRule:
    """When `place` holds one of `codes`, the participant has `status`, from the day in `day_field` on when given."""

    place: Place
    codes: tuple[str, ...]
    status: ParticipantStatus
    day_field: str = ""


@dataclass(frozen=True, slots=True)
class Mapping:
    """What the sync reads out of a record for Metricis's own use.

    Without `site`, the record's Data Access Group is the site. Without `enrolled_on`, whoever has a record is
    enrolled. Without `anchor_on`, the schedule counts from the day of enrolment. Status rules are asked in order;
    the first that holds counts.
    """

    site: Place | None = None
    arm: Place | None = None
    #: text of the arm, when it is not the label of the arm's code
    arm_label: Place | None = None
    enrolled_on: Place | None = None
    anchor_on: Place | None = None
    #: field with the day of a visit, looked up in each event
    visit_date: Place | None = None
    status: tuple[StatusRule, ...] = ()
    #: fields whose values are shown only to those who may see blinded data; the arm's fields are so anyway
    blinded_fields: tuple[str, ...] = ()
    #: events without a planned day: logs, unscheduled visits
    unplanned_events: tuple[str, ...] = ()

    @property
    def fields(self) -> tuple[str, ...]:
        """Every field that the facts of a participant are read from, once each."""
        places = (self.site, self.arm, self.arm_label, self.enrolled_on, self.anchor_on)
        rules = [name for rule in self.status for name in (rule.place.field, rule.day_field) if name]
        return tuple(dict.fromkeys([place.field for place in places if place] + rules))

    @property
    def blinded(self) -> frozenset[str]:
        """Names of all fields that hold blinded data."""
        return frozenset(self.blinded_fields) | {place.field for place in (self.arm, self.arm_label) if place}

    def as_document(self) -> dict[str, Any]:
        """Return the mapping as plain data."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> "Mapping":
        """Rebuild a mapping from `as_document`'s data."""
        places = ("site", "arm", "arm_label", "enrolled_on", "anchor_on", "visit_date")
        return cls(
            **{name: _place(document.get(name)) for name in places},
            status=tuple(_rules(document.get("status", ()))),
            blinded_fields=tuple(document.get("blinded_fields", ())),
            unplanned_events=tuple(document.get("unplanned_events", ())),
        )


def _place(document: dict[str, str] | None) -> Place | None:
    return Place(**document) if document else None


def _rules(documents: Iterable[dict[str, Any]]) -> list[StatusRule]:
    return [
        StatusRule(
            place=Place(**one["place"]),
            codes=tuple(one["codes"]),
            status=one["status"],
            day_field=one.get("day_field", ""),
        )
        for one in documents
    ]
