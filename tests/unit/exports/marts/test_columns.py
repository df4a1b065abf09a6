import json
from datetime import date, datetime

import polars as pl
import pytest

from datamodel.study.protocol import Choice, Event, Field, Form, Protocol
from exports.marts.catalogue import catalogue, structure
from exports.marts.columns import checkbox_name, form_columns, form_frame, key_columns, unfit_values
from exports.marts.names import form_of, form_table

BOX = (Choice("1", "One"), Choice("-9", "Nine"), Choice("A", "Letter"))
CODES = (Choice("-88", "Not done"),)


def protocol(*fields, codes=(), events=None):
    form = Form("f", "F", fields)
    plain = (Event("e", "E", "1", 1, 0, 0, 0, ("f",)),)
    return Protocol(record_field="id", arms=(), events=events or plain, forms=(form,), missing_codes=codes)


def rows(*values, event="e", event_repeat=0, form_repeat=0):
    return pl.DataFrame(
        [
            (f"S{n}", event, event_repeat, form_repeat, "complete", None, json.dumps(one))
            for n, one in enumerate(values)
        ],
        schema={
            "subject_id": pl.String,
            "event_id": pl.String,
            "event_repeat": pl.Int64,
            "form_repeat": pl.Int64,
            "form_status": pl.String,
            "form_updated_at": pl.Datetime("us", "UTC"),
            "values": pl.String,
        },
        orient="row",
    )


PEOPLE = pl.DataFrame(
    {"subject_id": ["S0", "S1", "S2", "S3"], "site_id": ["A"] * 4, "arm_id": [None] * 4},
    schema_overrides={"arm_id": pl.String},
)


def typed(field, *texts, codes=()):
    design = protocol(field, codes=codes)
    found = form_frame(design.forms[0], design, rows(*({field.name: text} if text else {} for text in texts)), PEOPLE)
    return found[found.columns[4]].to_list()


@pytest.mark.parametrize(
    ("kind", "validation", "texts", "values"),
    [
        ("integer", "integer", ["7", "-3", ""], [7, -3, None]),
        ("number", "number", ["1.50", "2", ""], [1.5, 2.0, None]),
        ("number", "number_2dp_comma_decimal", ["1,50"], [1.5]),
        ("calc", "", ["0.1"], [0.1]),
        ("slider", "", ["50"], [50]),
        ("date", "date_dmy", ["2026-03-01"], [date(2026, 3, 1)]),
        (
            "datetime",
            "datetime_seconds_ymd",
            ["2026-03-01 10:20", "2026-03-01 10:20:30"],
            [datetime(2026, 3, 1, 10, 20), datetime(2026, 3, 1, 10, 20, 30)],  # noqa: DTZ001 - no zone is known
        ),
        ("time", "time", ["09:05"], ["09:05"]),
        ("text", "", ["00123"], ["00123"]),
        ("choice", "", ["01"], ["01"]),
        ("yesno", "", ["1", "0"], ["1", "0"]),
        ("file", "", ["scan.pdf"], ["scan.pdf"]),
    ],
)
def test_a_value_has_the_type_of_its_kind(kind, validation, texts, values):
    assert typed(Field("x", "X", kind, validation=validation), *texts) == values


def test_a_box_is_ticked_or_not_and_never_empty():
    field = Field("b", "B", "checkbox", choices=BOX)
    design = protocol(field)
    ticked = rows({"b___1": "1", "b____9": "0"}, {}, {"b___a": "1"})
    frame = form_frame(design.forms[0], design, ticked, PEOPLE)
    assert frame.select("b___1", "b____9", "b___a").rows() == [
        (True, False, False),
        (False, False, False),
        (False, False, True),
    ]


def test_a_box_is_named_as_redcap_names_it():
    assert checkbox_name("b", "-9") == "b____9"
    assert checkbox_name("b", "A") == "b___a"


def test_missing_codes_leave_the_value_and_keep_the_reason():
    design = protocol(Field("x", "X", "integer"), Field("t", "T", "text"), codes=CODES)
    found = form_frame(design.forms[0], design, rows({"x": "-88", "t": "-88"}, {"x": "4", "t": "4"}), PEOPLE)
    assert found.select("x", "x__missing", "t", "t__missing").rows() == [
        (None, "-88", None, "-88"),
        (4, None, "4", None),
    ]
    assert unfit_values(design.forms[0], design, rows({"x": "-88"})) == []


def test_without_declared_codes_there_are_no_columns_for_reasons():
    assert [one.name for one in form_columns(protocol(Field("x", "X", "integer")).forms[0], protocol())] == ["x"]


def test_partial_dates_only_where_they_are_declared():
    partial, plain = Field("p", "P", "text", validation="date_partial"), Field("q", "Q", "text")
    design = protocol(partial, plain)
    texts = [{"p": text, "q": text} for text in ("2026", "2026-03", "2026-03-09", "last spring")]
    found = form_frame(design.forms[0], design, rows(*texts), PEOPLE)
    assert found["p"].to_list() == ["2026", "2026-03", "2026-03-09", "last spring"]
    assert found["p__precision"].to_list() == ["year", "month", "day", None]
    assert found["p__date"].to_list() == [None, None, date(2026, 3, 9), None]
    assert "q__date" not in found.columns


def test_the_record_s_name_identifiers_and_text_blocks_are_no_columns():
    fields = (
        Field("id", "Id", "text"),
        Field("born", "Born", "date", is_identifier=True),
        Field("words", "Words", "descriptive"),
        Field("x", "X", "text"),
    )
    design = protocol(*fields)
    assert [one.name for one in form_columns(design.forms[0], design)] == ["x"]
    assert catalogue(design)["field"].to_list() == ["x"]


def test_a_field_named_like_a_key_keeps_its_values_under_another_name():
    assert typed(Field("site_id", "Site", "text"), "704") == ["704"]
    names = [one.name for one in form_columns(protocol(Field("site_id", "Site", "text")).forms[0], protocol())]
    assert names == ["site_id__entered"]


def test_a_blinded_field_is_in_neither_columns_nor_catalogue():
    design = protocol(
        Field("x", "X", "text"), Field("dose", "Dose", "number", is_blinded=True), Field("drug", "D", "text")
    )
    hidden = frozenset({"drug"})
    assert [one.name for one in form_columns(design.forms[0], design, blinded=hidden)] == ["x"]
    assert catalogue(design, blinded=hidden)["column"].to_list() == ["x"]
    assert [one.name for one in form_columns(design.forms[0], design)] == ["x", "dose", "drug"]


@pytest.mark.parametrize(
    ("event", "keys", "shape"),
    [
        (Event("e", "E", "1", 1, 0, 0, 0, ("f",)), ["subject_id", "event_id"], "single"),
        (
            Event("e", "E", "1", 1, 0, 0, 0, ("f",), repeating_forms=("f",)),
            ["subject_id", "event_id", "form_repeat"],
            "repeating",
        ),
        (
            Event("e", "E", "1", 1, 0, 0, 0, ("f",), is_repeating=True),
            ["subject_id", "event_id", "event_repeat"],
            "repeating",
        ),
    ],
)
def test_keys_follow_the_repeat_shape(event, keys, shape):
    design = protocol(Field("x", "X", "text"), events=(event,))
    assert key_columns(design.forms[0], design) == keys
    assert structure("f", design) == shape


def test_without_events_the_event_is_no_key_and_no_column():
    design = protocol(Field("x", "X", "text"), events=(Event("", "", "1", 1, None, 0, 0, ("f",)),))
    found = form_frame(design.forms[0], design, rows({"x": "a"}, event=""), PEOPLE)
    assert key_columns(design.forms[0], design) == ["subject_id"]
    assert "event_id" not in found.columns


def test_older_data_that_repeat_keep_their_key():
    design = protocol(Field("x", "X", "text"))
    assert key_columns(design.forms[0], design, rows({}, form_repeat=2)) == ["subject_id", "event_id", "form_repeat"]


def test_what_does_not_fit_is_named_with_its_place():
    design = protocol(Field("x", "X", "integer"))
    found = unfit_values(design.forms[0], design, rows({"x": "7"}, {"x": "7.5"}, {"x": "many"}))
    assert [(one.subject, one.value) for one in found] == [("S1", "7.5"), ("S2", "many")]


def test_catalogue_labels_each_column():
    design = protocol(Field("b", "B", "checkbox", choices=BOX), Field("y", "Y", "yesno"), codes=CODES)
    found = {row["column"]: row for row in catalogue(design).iter_rows(named=True)}
    assert found["b___1"]["label"] == "B: One"
    assert [one["label"] for one in found["y"]["choices"]] == ["Yes", "No"]
    assert found["y__missing"]["label"] == "Y (reason missing)"
    assert found["y"]["missing_codes"] == [{"code": "-88", "label": "Not done"}]


def test_table_names():
    assert form_table("vitals") == "core_redcap__form_vitals"
    assert form_table("vitals", source="metricis") == "core_metricis__form_vitals"
    assert form_of("core_redcap__form_vitals") == "vitals"
    assert form_of("core_metricis__list_visits") is None
