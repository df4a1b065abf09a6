import polars as pl
import pytest
from pandera.errors import SchemaErrors

from datamodel.study.protocol import Choice, Field, Form
from validators.findings import CODES, SHAPE
from validators.sources.redcap import KEYS, contract_of
from validators.sources.types import typed

CHOICES = (Choice("1", "Male"), Choice("2", "Female"))
FORM = Form(
    "visit",
    "Visit",
    (
        Field("record_id", "Record", "text"),
        Field("surname", "Surname", "text", is_identifier=True),
        Field("sex", "Sex", "choice", choices=CHOICES, is_required=True),
        Field("sysbp", "Pressure", "number", minimum="60", maximum="250"),
        Field("comma", "Comma", "number", validation="number_2dp_comma_decimal", maximum="9,5"),
        Field("n", "Count", "integer", minimum="0"),
        Field("day", "Day", "date", minimum="2020-01-01", maximum="today"),
        Field("at", "At", "datetime", validation="datetime_ymd"),
        Field("clock", "Clock", "time", maximum="18:00"),
        Field("syms", "Symptoms", "checkbox", choices=(Choice("1", "Headache"), Choice("A-2", "Nausea"))),
        Field("words", "Words", "notes"),
        Field("hidden", "Hidden", "text", is_required=True, branching="[sex] = '1'"),
    ),
)
CONTRACT = contract_of(
    FORM, record_field="record_id", missing_codes=(Choice("ND", "Not done"),), left_out=frozenset({"surname"})
)


def frame(*rows):
    blank = dict.fromkeys((*KEYS, CONTRACT.complete, *CONTRACT.columns), "") | {"@event_repeat": 0, "@form_repeat": 0}
    full = [
        blank | {"@record": f"R{n}", CONTRACT.complete: "2", "sex": "1", "hidden": "x"} | row
        for n, row in enumerate(rows)
    ]
    return pl.DataFrame(full, schema_overrides={"@event_repeat": pl.Int32, "@form_repeat": pl.Int32})


def test_columns_are_those_of_the_export_without_record_identifiers_and_status():
    assert CONTRACT.columns == (
        "sex", "sysbp", "comma", "n", "day", "at", "clock", "syms___1", "syms___a_2", "words", "hidden",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("sex", "9", "unknown_code"),
        ("sex", "1.0", "unknown_code"),
        ("sysbp", "12O", "not_a_number"),
        ("sysbp", "NaN", "not_a_number"),
        ("sysbp", "1e3", "not_a_number"),
        ("sysbp", "59.9", "below_minimum"),
        ("sysbp", "250.1", "above_maximum"),
        ("comma", "9.1", "not_a_number"),
        ("comma", "9,6", "above_maximum"),
        ("n", "1.5", "not_an_integer"),
        ("n", "-1", "below_minimum"),
        ("day", "2026-02-30", "not_a_date"),
        ("day", "31/03/2026", "not_a_date"),
        ("day", "2019-12-31", "below_minimum"),
        ("at", "2026-03-31", "not_a_datetime"),
        ("clock", "24:00", "not_a_time"),
        ("clock", "18:01", "above_maximum"),
        ("syms___1", "2", "unknown_code"),
        ("words", "a\x00b", "not_storable"),
        ("sex", "", "required_blank"),
    ],
)
def test_a_value_that_breaks_a_rule_is_found_and_rejected_when_the_rule_says_so(field, value, rule):
    report = CONTRACT.check(frame({}, {field: value}, {}))
    assert report.findings.schema == SHAPE
    (found,) = report.findings.to_dicts()
    assert (found["record"], found["form_name"], found["field"], found["rule"]) == ("R1", "visit", field, rule)
    assert found["is_rejected"] is CODES[rule].is_rejected
    assert report.accepted[field][1] == ("" if CODES[rule].is_rejected else value)
    assert report.accepted[field][0] == report.accepted[field][2]


@pytest.mark.parametrize(
    "row",
    [
        {"sysbp": "120.5", "n": "+3", "day": "2024-02-29", "at": "2026-03-31 14:05", "clock": "7:30", "comma": "9,5"},
        {"sysbp": "ND", "sex": "ND", "day": "ND", "clock": "ND", "syms___1": "1"},
        {"at": "2026-03-31 14:05:59", "words": 'two\nlines, "quoted"', "day": "2099-01-01"},
        {"sex": "", "visit_complete": "0"},
    ],
)
def test_what_is_right_is_accepted_as_it_came(row):
    given = frame(row)
    report = CONTRACT.check(given)
    assert report.findings.is_empty()
    assert report.accepted.equals(given)


def test_many_findings_keep_their_rows():
    report = CONTRACT.check(frame({"sex": "9"}, {}, {"sex": "8", "n": "x"}, {"sysbp": "300"}))
    assert sorted((one["record"], one["field"], one["value"]) for one in report.findings.to_dicts()) == [
        ("R0", "sex", "9"), ("R2", "n", "x"), ("R2", "sex", "8"), ("R3", "sysbp", "300"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "spoil",
    [
        lambda one: one.drop("sysbp"),
        lambda one: one.with_columns(more=pl.lit("")),
        lambda one: one.with_columns(sysbp=pl.lit(1.0)),
        lambda one: pl.concat([one, one]),
        lambda one: one.with_columns(pl.lit("").alias("@record")),
        lambda one: one.with_columns(visit_complete=pl.lit("7")),
    ],
)
def test_a_frame_of_another_shape_is_no_finding_but_a_fault(spoil):
    with pytest.raises(SchemaErrors):
        CONTRACT.check(spoil(frame({})))


def test_the_quick_look_and_pandera_alone_agree():
    given = frame({"sex": "9", "day": "x"}, {"sysbp": "10"}, {})
    with pytest.raises(SchemaErrors) as caught:
        CONTRACT.schema().validate(given, lazy=True)
    assert set(caught.value.failure_cases["check"].to_list()) == {
        f"{one['field']}:{one['rule']}" for one in CONTRACT.check(given).findings.to_dicts()
    }


def test_accepted_text_is_typed():
    table = typed(frame({"sysbp": "120.5", "n": "3", "day": "2026-03-31", "syms___1": "1", "comma": "9,5"}, {}), FORM)
    assert table.select("sysbp", "n", "syms___1", "comma").rows() == [(120.5, 3, True, 9.5), (None, None, None, None)]
    assert table["day"].dtype == pl.Date
