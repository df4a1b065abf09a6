from datetime import UTC, date, datetime

import polars as pl

from datamodel.study.protocol import Event, Field, Form, Protocol
from exports.marts.frames import KEYS, blind, in_order, instances_frame, status_frame, visits_frame, without_values_of

FORMS = (Form("vs", "Vitals", (Field("x", "X", "text"),)), Form("ae", "Events", (Field("y", "Y", "text"),)))
DESIGN = Protocol(
    record_field="id",
    arms=(),
    events=(
        Event("base_arm_1", "Base", "1", 1, 0, 0, 0, ("vs", "ae")),
        Event("week_arm_1", "Week", "1", 2, 7, 1, 1, ("vs",)),
        Event("base_arm_2", "Base", "2", 3, 0, 0, 0, ("vs",)),
        Event("extra_arm_1", "Unscheduled", "1", 4, None, 0, 0, ("vs",), repeating_forms=("vs",)),
    ),
    forms=FORMS,
)
DAY = date(2026, 3, 1)
PEOPLE = pl.DataFrame(
    [
        ("S1", "A", "x", "enrolled", DAY, DAY),
        ("S2", "A", "y", "enrolled", DAY, DAY),
        ("S3", "B", None, "screened", None, None),
    ],
    schema={
        "subject_id": pl.String,
        "site_id": pl.String,
        "arm_id": pl.String,
        "status": pl.String,
        "status_on": pl.Date,
        "anchor_on": pl.Date,
    },
    orient="row",
)
NO_QUESTIONS = pl.DataFrame(
    schema=dict.fromkeys(["subject_id", "event_id", "form_id", "state"], pl.String) | {"event_repeat": pl.Int64}
)


def instances(*rows):
    by_form = {}
    for form, *keys, status in rows:
        by_form.setdefault(form, []).append((*keys, status, datetime(2026, 3, 9, tzinfo=UTC)))
    schema = dict.fromkeys(KEYS, pl.Int64) | {"subject_id": pl.String, "event_id": pl.String, "form_status": pl.String}
    schema |= {"form_updated_at": pl.Datetime("us", "UTC")}
    return instances_frame({form: pl.DataFrame(part, schema=schema, orient="row") for form, part in by_form.items()})


ENTERED = instances(
    ("vs", "S1", "base_arm_1", 0, 0, "complete"),
    ("vs", "S2", "base_arm_2", 0, 0, "complete"),
    ("vs", "S1", "extra_arm_1", 0, 1, "complete"),
    ("vs", "S1", "extra_arm_1", 0, 2, "in_progress"),
    ("ae", "S1", "base_arm_1", 0, 0, "not_started"),
)


def actual(*rows):
    schema = {"subject_id": pl.String, "event_id": pl.String, "event_repeat": pl.Int64, "actual_on": pl.Date}
    return pl.DataFrame(rows, schema=schema, orient="row")


def visits(**more):
    days = actual(
        ("S1", "base_arm_1", 0, DAY), ("S1", "extra_arm_1", 1, DAY), ("S1", "extra_arm_1", 2, date(2026, 3, 4))
    )
    found = visits_frame(DESIGN, PEOPLE, ENTERED, actual=days, today=date(2026, 3, 20), **more)
    return {
        row[:3]: row[3:] for row in found.select("subject_id", "event_id", "event_repeat", "actual_on", "state").rows()
    }


def test_visits_are_those_of_the_participant_s_own_arm_of_the_schedule():
    found = visits()
    assert {event for who, event, _ in found if who == "S1"} == {"base_arm_1", "week_arm_1", "extra_arm_1"}
    assert {event for who, event, _ in found if who == "S2"} == {"base_arm_2"}


def test_each_unscheduled_visit_is_a_row_and_none_is_expected():
    found = visits()
    assert found["S1", "extra_arm_1", 2] == (date(2026, 3, 4), "done")
    assert not any(event == "extra_arm_1" for who, event, _ in found if who == "S3")


def test_states():
    found = visits()
    assert found["S1", "base_arm_1", 0] == (DAY, "done")
    assert found["S1", "week_arm_1", 0] == (None, "missed")
    assert found["S2", "base_arm_2", 0] == (None, "done")
    assert found["S3", "week_arm_1", 0] == (None, "not_applicable")


def test_study_days_count_from_day_1():
    assert visits(first=1)["S1", "week_arm_1", 0][1] == "missed"


def test_the_least_finished_instance_is_the_state_of_a_cell():
    questions = pl.DataFrame(
        {
            "subject_id": ["S1", "S1"],
            "event_id": ["base_arm_1"] * 2,
            "event_repeat": [0, 0],
            "form_id": ["vs"] * 2,
            "state": ["open", "closed"],
        }
    )
    found = status_frame(DESIGN, PEOPLE, ENTERED, questions)
    cells = {(row["subject_id"], row["event_id"], row["form_id"]): row for row in found.iter_rows(named=True)}
    assert (cells["S1", "extra_arm_1", "vs"]["state"], cells["S1", "extra_arm_1", "vs"]["instances"]) == (
        "in_progress",
        2,
    )
    assert cells["S1", "base_arm_1", "vs"]["open_queries"] == 1
    assert cells["S1", "base_arm_1", "ae"]["state"] == "not_started"
    assert found.height == 4 + 1 + 4  # S1: the cells of arm 1; S2: those of arm 2; S3: of the first arm


def test_a_blinded_reader_gets_events_without_the_number_of_their_arm():
    frame = pl.DataFrame({"subject_id": ["S1"], "event_id": ["base_arm_2"], "arm_id": ["x"], "dose": [1]})
    found = blind(frame, hidden_fields=frozenset(), columns=frozenset({"dose"}), many_arms=True)
    assert found.to_dicts() == [{"subject_id": "S1", "event_id": "base"}]
    one_arm = blind(frame, hidden_fields=frozenset(), columns=frozenset(), many_arms=False)
    assert one_arm["event_id"].to_list() == ["base_arm_2"]


def test_questions_about_blinded_fields_go_and_identifiers_are_not_shown():
    frame = pl.DataFrame(
        {"field": ["dose", "born", "x"], "value": ["54", "1950-01-01", "1"], "reason": ["a", "b", "c"]}
    )
    assert blind(frame, hidden_fields=frozenset({"dose"}), columns=frozenset(), many_arms=False)["field"].to_list() == [
        "born",
        "x",
    ]
    shown = without_values_of(frame, frozenset({"born"}))
    assert shown["value"].to_list() == ["54", None, "1"]
    assert "identifier" in shown["reason"][1]


def test_rows_follow_the_schedule():
    frame = pl.DataFrame(
        {
            "subject_id": ["S1", "S1", "S1"],
            "event_id": ["week_arm_1", "gone", "base_arm_1"],
            "event_repeat": [0, 0, 0],
            "form_repeat": [0, 0, 0],
        }
    )
    assert in_order(frame, DESIGN)["event_id"].to_list() == ["base_arm_1", "week_arm_1", "gone"]


def test_nothing_entered_at_all():
    none = instances()
    found = status_frame(DESIGN, PEOPLE, none, NO_QUESTIONS)
    assert set(found["state"]) == {"not_started"}
