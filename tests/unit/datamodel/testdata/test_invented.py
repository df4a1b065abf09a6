"""What is invented keeps the rules of the design, is the same for the same order, and identifies nobody."""

from collections import Counter
from dataclasses import replace
from datetime import date
from itertools import pairwise

import orjson
import polars as pl
import pytest

from datamodel.study.protocol import Choice, Event, Field, Form, Protocol
from datamodel.testdata.people import course, invent
from validators.sources.rules import rules_of

UNTIL = date(2026, 9, 1)
SEX = (Choice("1", "Female"), Choice("2", "Male"))
FIELDS = (
    Field("record_id", "Record", "text"),
    Field("name", "Name", "text", is_identifier=True, is_required=True),
    Field("mail", "Mail", "text", validation="email"),
    Field("sex", "Sex", "choice", SEX, is_required=True),
    Field("well", "Well?", "yesno"),
    Field("signs", "Signs", "checkbox", SEX),
    Field("age", "Age", "integer", validation="integer", minimum="18", maximum="90", is_required=True),
    Field("weight", "Weight", "number", validation="number_1dp", minimum="30", maximum="150", is_required=True),
    Field("height", "Height", "number", validation="number_2dp_comma_decimal", minimum="1.2", is_required=True),
    Field("under", "Below zero", "number", maximum="-3.5", is_required=True),
    Field("visited", "Day", "date", validation="date_ymd", maximum="2026-08-15", is_required=True),
    Field("at", "At", "datetime", validation="datetime_seconds_ymd", is_required=True),
    Field("began", "Began", "datetime", validation="datetime_ymd", is_required=True),
    Field("clock", "Clock", "time", validation="time", is_required=True),
    Field("lap", "Lap", "time", validation="time_mm_ss", is_required=True),
    Field("long", "Long", "time", validation="time_hh_mm_ss", is_required=True),
    Field("mood", "Mood", "slider", minimum="0", maximum="100", is_required=True),
    Field("note", "Note", "notes", is_required=True),
    Field("why", "Why", "text", branching="[well] = '0'", is_required=True),
    Field("score", "Score", "calc"),
    Field("scan", "Scan", "file"),
)
FORM = Form("base", "Baseline", FIELDS)
LOG = Form("events", "Events", (Field("ae", "Event", "text", is_required=True),))
PROTOCOL = Protocol(
    record_field="record_id",
    arms=(Choice("1", "Arm 1"),),
    events=(
        Event("screening", "Screening", "1", 1, -14, 3, 0, ("base",)),
        *(Event(f"week_{n}", f"Week {n}", "1", n + 2, 7 * n, 2, 2, ("base",)) for n in range(12)),
        Event("logs", "Logs", "1", 99, None, 0, 0, ("events",), ("events",)),
    ),
    forms=(FORM, LOG),
)
WRITTEN = {f"{one.name}" for one in FIELDS} - {"record_id", "name", "mail", "why", "score", "scan", "signs"}


def everything(seed=1, count=60, protocol=PROTOCOL):
    people = invent(protocol, first=1, count=count, sites=["701", "702"], until=UNTIL, seed=seed)
    rows = [(form, *row) for one in people for form, row in course(protocol, one, until=UNTIL, seed=seed)]
    return people, rows


def values(form="base", **more):
    return [orjson.loads(row[-1]) for row in everything(**more)[1] if row[0] == form]


def columns(field):
    return [f"{field.name}___{one.code}" for one in field.choices] if field.kind == "checkbox" else [field.name]


@pytest.mark.parametrize("field", FIELDS, ids=lambda one: one.name)
def test_values_keep_the_rules_that_a_source_is_held_to(field):
    found = values()
    for column in columns(field):
        frame = pl.DataFrame({column: [one.get(column, "") for one in found], "base_complete": "2"})
        for rule in rules_of(field, column, missing=(), complete="base_complete"):
            if rule.code == "required_blank" and (field.branching or field.is_identifier):
                continue
            broken = frame.filter(~rule.holds)
            assert broken.is_empty(), (rule.name, broken)


def test_nothing_identifying_computed_or_conditional_is_invented():
    names = set().union(*values())
    assert names - {"signs___1", "signs___2"} == WRITTEN


def test_the_same_order_gives_the_same_data_and_another_seed_others():
    assert everything() == everything()
    assert everything() != everything(seed=2)


def test_participants_are_at_all_stages_and_visits_end_on_the_day():
    people, rows = everything(count=200)
    stages = Counter(one.facts.status for one in people)
    assert set(stages) == {"screened", "screen_failed", "enrolled", "completed", "withdrawn"}
    assert {one.facts.site for one in people} == {"701", "702"}
    assert max(one["visited"] for one in values(count=200)) <= "2026-08-15"
    assert max(one["began"][:10] for one in values(count=200)) <= UNTIL.isoformat()
    visits = Counter(row[1] for row in rows if row[0] == "base")
    whole = {one.facts.code for one in people if one.facts.status == "completed"}
    assert {visits[code] for code in whole} == {13}
    early = {one.facts.code for one in people if one.facts.status in {"screened", "screen_failed"}}
    assert {visits[code] for code in early} == {1}


def test_what_repeats_is_numbered_from_one_and_what_does_not_is_zero():
    rows = everything()[1]
    assert {row[3:5] for row in rows if row[0] == "base"} == {(0, 0)}
    assert {row[4] for row in rows if row[0] == "events"} == {1, 2, 3}
    assert len({row[:5] for row in rows}) == len(rows)


def test_a_series_moves_from_visit_to_visit_as_a_person_does():
    rows = [row for row in everything()[1] if row[0] == "base"]
    series = {}
    for row in rows:
        series.setdefault(row[1], []).append(float(orjson.loads(row[-1])["weight"]))
    steps = [abs(a - b) for one in series.values() for a, b in pairwise(one)]
    starts = [one[0] for one in series.values()]
    assert sum(steps) / len(steps) < 0.2 * (max(starts) - min(starts))


def test_a_design_without_days_or_sites_is_filled_too():
    flat = replace(PROTOCOL, events=(Event("once", "Once", "1", 1, None, 0, 0, ("base", "events")),))
    people = invent(flat, first=5, count=3, sites=[], until=UNTIL, seed=1)
    assert [one.facts.code for one in people] == ["TEST-0005", "TEST-0006", "TEST-0007"]
    assert all(len(list(course(flat, one, until=UNTIL, seed=1))) == 2 for one in people)
