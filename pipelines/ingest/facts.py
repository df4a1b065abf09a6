"""Participants' site, status, days and arm, read from the fields that the mapping names. Frame to values."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from datamodel.connections.mapping import Mapping, Place, StatusRule
from datamodel.participants.facts import Facts, Status
from datamodel.study.protocol import Protocol
from pipelines.clients.redcap import EVENT, GROUP


def facts_of(raw: pl.DataFrame, ids: Sequence[str], *, mapping: Mapping, protocol: Protocol) -> list[Facts]:
    """Return what the rows say of each record in `ids`; what is not there or cannot be read stays unknown."""
    looked_up = {place: _first(raw, place, protocol.record_field) for place in _places(mapping)}
    by_rule = [(rule, _days_of(raw, rule, protocol.record_field)) for rule in mapping.status]
    groups = _first(raw, Place("", GROUP), protocol.record_field)

    def value(place: Place | None, record: str) -> str:
        return looked_up[place].get(record, "") if place else ""

    def one(record: str) -> Facts:
        enrolled_on = _day(value(mapping.enrolled_on, record))
        status, status_on = _status(mapping, record, by_rule, enrolled_on)
        arm = value(mapping.arm, record)
        return Facts(
            code=record,
            site=value(mapping.site, record) if mapping.site else groups.get(record, ""),
            status=status,
            status_on=status_on,
            enrolled_on=enrolled_on,
            anchor_on=_day(value(mapping.anchor_on, record)) or enrolled_on,
            arm_code=arm,
            arm_label=value(mapping.arm_label, record) or _label(protocol, mapping.arm, arm),
        )

    return [one(record) for record in ids]


def site_names(
    facts: Sequence[Facts], *, mapping: Mapping, protocol: Protocol, groups: dict[str, str]
) -> dict[str, str]:
    """Return the names of the sites that the facts speak of, by code; `groups` names Data Access Groups."""
    codes = sorted({one.site for one in facts if one.site})
    return {
        code: (_label(protocol, mapping.site, code) if mapping.site else groups.get(code, "")) or code for code in codes
    }


def _status(
    mapping: Mapping, record: str, by_rule: Sequence[tuple[StatusRule, dict[str, str]]], enrolled_on: date | None
) -> tuple[Status, date | None]:
    for rule, days in by_rule:
        if record in days:
            return rule.status, _day(days[record])
    if mapping.enrolled_on is None or enrolled_on is not None:
        return "enrolled", enrolled_on
    return "screened", None


def _places(mapping: Mapping) -> list[Place]:
    places = [mapping.site, mapping.arm, mapping.arm_label, mapping.enrolled_on, mapping.anchor_on]
    return [place for place in places if place]


def _days_of(raw: pl.DataFrame, rule: StatusRule, record_field: str) -> dict[str, str]:
    """Return the day of each record in which the rule holds somewhere (in any repeat); an empty text when unknown."""
    place = rule.place
    if place.field not in raw.columns:
        return {}
    day = pl.col(rule.day_field) if rule.day_field in raw.columns else pl.lit("")
    rows = _at(raw, place).filter(pl.col(place.field).is_in(rule.codes)).with_columns(day.alias("@day"))
    found = rows.group_by(record_field, maintain_order=True).agg(pl.col("@day").first()).collect()
    return dict(zip(found[record_field], found["@day"], strict=True))


def _at(raw: pl.DataFrame, place: Place) -> pl.LazyFrame:
    """Return the rows of the place's event, or all where it names none."""
    rows = raw.lazy()
    return rows.filter(pl.col(EVENT) == place.event) if place.event and EVENT in raw.columns else rows


def _first(raw: pl.DataFrame, place: Place, record_field: str) -> dict[str, str]:
    """Return each record's first filled value of a field, in REDCap's order of rows."""
    if place.field not in raw.columns:
        return {}
    rows = _at(raw, place).filter(pl.col(place.field) != "")
    found = rows.group_by(record_field, maintain_order=True).agg(pl.col(place.field).first()).collect()
    return dict(zip(found[record_field], found[place.field], strict=True))


def _label(protocol: Protocol, place: Place | None, code: str) -> str:
    if place is None or not code:
        return ""
    fields = {field.name: field for form in protocol.forms for field in form.fields}
    choices = fields[place.field].choices if place.field in fields else ()
    return next((choice.label for choice in choices if choice.code == code), code)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None
