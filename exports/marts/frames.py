"""The tables beside the forms: participants, visits, status; and what a blinded reader gets of each. Pure."""

from collections.abc import Callable
from datetime import date
from typing import Any, Final

import polars as pl

from datamodel.scheduling.states import days_off_target, plan, visit_state
from datamodel.study.protocol import Event, Protocol

#: form states from the least to the most finished; a cell with several instances shows the least
_RANK: Final = ("in_progress", "complete", "verified", "signed", "locked")
_OPEN: Final = ("open", "answered", "reopened")
#: the keys that every instance has
KEYS: Final = ["subject_id", "event_id", "event_repeat", "form_repeat"]
_CELL: Final = ["subject_id", "event_id", "event_repeat", "form_id"]


def in_order(rows: pl.DataFrame, protocol: Protocol) -> pl.DataFrame:
    """Return form instances by participant, then as the schedule runs, then by repeat."""
    place = {event.name: number for number, event in enumerate(protocol.events)}
    scheduled = pl.col("event_id").replace_strict(place, default=len(place), return_dtype=pl.Int64)
    return rows.sort("subject_id", scheduled, "event_repeat", "form_repeat")


def instances_frame(by_form: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """Return all form instances of the study: their keys, status and instant, from those of each form."""
    schema: dict[str, Any] = {"subject_id": pl.String, "event_id": pl.String}
    schema |= {"event_repeat": pl.Int64, "form_repeat": pl.Int64}
    schema |= {"form_status": pl.String, "form_updated_at": pl.Datetime("us", "UTC"), "form_id": pl.String}
    parts = [rows.with_columns(form_id=pl.lit(form)) for form, rows in by_form.items()]
    return pl.concat([pl.DataFrame(schema=schema), *parts]).filter(pl.col("form_status") != "not_started")


def arms_of_events(protocol: Protocol, instances: pl.DataFrame) -> Callable[[str], set[str]]:
    """Return which arms of the schedule a participant is in: those where something was entered, else the first."""
    arm_of = {event.name: event.arm for event in protocol.events}
    first = protocol.events[0].arm if protocol.events else ""
    seen: dict[str, set[str]] = {}
    for subject, event in instances.select("subject_id", "event_id").unique().iter_rows():
        if event in arm_of:
            seen.setdefault(subject, set()).add(arm_of[event])
    return lambda subject: seen.get(subject, {first})


def visits_frame(
    protocol: Protocol,
    participants: pl.DataFrame,
    instances: pl.DataFrame,
    *,
    actual: pl.DataFrame,
    today: date,
    first: int = 0,
) -> pl.DataFrame:
    """Return participants x planned events (and unplanned ones that took place) with their state on `today`.

    `actual` holds the day of each visit: subject_id, event_id, event_repeat, actual_on. Where an event itself does not
    repeat but the form with the visit's day does (unscheduled visits), `event_repeat` counts that form's instances.
    """
    days = {(one["subject_id"], one["event_id"], one["event_repeat"]): one["actual_on"] for one in actual.to_dicts()}
    held: dict[tuple[str, str], set[int]] = {}
    for subject, event, repeat in days:
        held.setdefault((subject, event), set()).add(repeat)
    repeats: dict[tuple[str, str], set[int]] = {}
    for subject, event, repeat in instances.select(_CELL[:3]).unique().iter_rows():
        repeats.setdefault((subject, event), set()).add(repeat)
    arms = arms_of_events(protocol, instances)
    rows = []
    for who in participants.iter_rows(named=True):
        for event in protocol.events:
            if event.arm not in arms(who["subject_id"]):
                continue
            found = repeats.get((who["subject_id"], event.name), set())
            dated = held.get((who["subject_id"], event.name), set())
            for repeat in sorted(dated or found) or [1 if event.is_repeating else 0]:
                day = days.get((who["subject_id"], event.name, repeat))
                if event.day is not None or day is not None:
                    rows.append(_visit(who, event, repeat, day=day, has_data=bool(found), today=today, first=first))
    return pl.DataFrame(rows, schema=VISITS_SCHEMA, orient="row")


VISITS_SCHEMA: Final = {
    "subject_id": pl.String,
    "site_id": pl.String,
    "arm_id": pl.String,
    "event_id": pl.String,
    "event_repeat": pl.Int64,
    "event_label": pl.String,
    "planned_on": pl.Date,
    "opens_on": pl.Date,
    "closes_on": pl.Date,
    "actual_on": pl.Date,
    "days_off_target": pl.Int64,
    "state": pl.String,
}


def _visit(
    who: dict[str, Any], event: Event, repeat: int, *, day: date | None, has_data: bool, today: date, first: int
) -> tuple[Any, ...]:
    planned = plan(event, who["anchor_on"], first=first)
    state = visit_state(
        planned,
        actual=day,
        today=today,
        status=who["status"],
        has_data=has_data,
        ended_on=who["status_on"],
    )
    keys = (who["subject_id"], who["site_id"], who["arm_id"], event.name, repeat, event.label)
    window = (planned.planned, planned.opens, planned.closes)
    return (*keys, *window, day, days_off_target(planned, day), state)


def status_frame(
    protocol: Protocol, participants: pl.DataFrame, instances: pl.DataFrame, discrepancies: pl.DataFrame
) -> pl.DataFrame:
    """Return participants x events x forms: the form's state, how many instances, how many open questions."""
    filled = instances.group_by(_CELL).agg(
        state=pl.col("form_status").cast(pl.Enum(_RANK)).min().cast(pl.String),
        instances=pl.len().cast(pl.Int64),
        form_updated_at=pl.col("form_updated_at").max(),
    )
    asked = discrepancies.filter(pl.col("state").is_in(_OPEN)).group_by(_CELL).agg(open_queries=pl.len().cast(pl.Int64))
    cells = pl.concat([_expected(protocol, participants, instances), filled.select(_CELL)]).unique(maintain_order=True)
    order = {event.name: number for number, event in enumerate(protocol.events)}
    return (
        cells.join(participants.select("subject_id", "site_id", "arm_id"), on="subject_id", how="inner")
        .join(filled, on=_CELL, how="left")
        .join(asked, on=_CELL, how="left")
        .with_columns(
            pl.col("state").fill_null("not_started"),
            pl.col("instances", "open_queries").fill_null(0),
            pl.col("event_id").replace_strict(order, default=len(order), return_dtype=pl.Int64).alias("~event"),
        )
        .sort("subject_id", "~event", "event_repeat", maintain_order=True)
        .select("subject_id", "site_id", "arm_id", *_CELL[1:], "state", "instances", "open_queries", "form_updated_at")
    )


def _expected(protocol: Protocol, participants: pl.DataFrame, instances: pl.DataFrame) -> pl.DataFrame:
    arms = arms_of_events(protocol, instances)
    by_arm = {
        arm: [
            (event.name, 1 if event.is_repeating else 0, form)
            for event in protocol.events
            if event.arm == arm
            for form in event.forms
        ]
        for arm in {event.arm for event in protocol.events}
    }
    rows = [
        (subject, *cell)
        for subject in participants["subject_id"]
        for arm in sorted(arms(subject))
        for cell in by_arm.get(arm, [])
    ]
    if not protocol.events:
        rows = [(subject, "", 0, form.name) for subject in participants["subject_id"] for form in protocol.forms]
    schema = {"subject_id": pl.String, "event_id": pl.String, "event_repeat": pl.Int64, "form_id": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def without_values_of(discrepancies: pl.DataFrame, fields: frozenset[str]) -> pl.DataFrame:
    """Return the data questions with what was received in `fields` (identifiers) taken out."""
    hidden = pl.col("field").is_in(list(fields))
    return discrepancies.with_columns(
        value=pl.when(~hidden).then(pl.col("value")),
        reason=pl.when(hidden).then(pl.lit("The value is an identifier and is not shown here.")).otherwise("reason"),
    )


def blind(
    frame: pl.DataFrame, *, hidden_fields: frozenset[str], columns: frozenset[str], many_arms: bool
) -> pl.DataFrame:
    """Return what a blinded reader gets of `frame`: no arm, no blinded columns, no question about a blinded field.

    Where the schedule has several arms, REDCap's event names end in the arm's number; that ending goes too.
    """
    kept = frame.drop([name for name in frame.columns if name in columns or name in {"arm_id", "arm_label"}])
    if "field" in kept.columns:
        kept = kept.filter(~pl.col("field").is_in(list(hidden_fields)))
    if many_arms and "event_id" in kept.columns:
        kept = kept.with_columns(pl.col("event_id").str.replace(r"_arm_\d+$", ""))
    return kept
