from datetime import UTC, datetime

import polars as pl

from datamodel.study.protocol import Choice, Field, Form
from validators.core.blinding import check_blinded_table
from validators.core.forms import check_form
from validators.core.report import duplicates
from validators.core.tables import check_table

FORM = Form("f", "F", (Field("x", "X", "integer"), Field("drug", "Drug", "choice", choices=(Choice("9", "Placebo"),))))
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def frame(**changes):
    columns = {"subject_id": ["1", "2"], "event_id": ["e", "e"], "x": [1, 2]}
    columns |= {"form_status": ["complete", "in_progress"], "form_updated_at": [NOW, NOW]}
    return pl.DataFrame(columns | changes, schema_overrides={"form_updated_at": pl.Datetime("us", "UTC")})


def broken(report):
    return [(one.column, one.count) for one in report]


def test_a_sound_form_breaks_nothing():
    assert check_form(FORM, frame()) == []


def test_a_key_that_comes_twice_is_named():
    report = check_form(FORM, frame(subject_id=["1", "1"]))
    assert [(one.rule, one.example) for one in report] == [("key is unique", "1 e")]


def test_an_empty_key_and_a_missing_key_column():
    assert broken(duplicates("t", frame(subject_id=["1", None]), ["subject_id", "event_id"])) == [
        ("subject_id, event_id", 1)
    ]
    assert broken(duplicates("t", frame(), ["nothing"])) == [("nothing", 1)]


def test_a_wrong_type_and_an_unknown_state_are_named():
    assert [one.column for one in check_form(FORM, frame(x=["a", "b"]))] == ["x"]
    assert [(one.column, one.example) for one in check_form(FORM, frame(form_status=["complete", "done"]))] == [
        ("form_status", "done")
    ]


PEOPLE = pl.DataFrame(
    {
        "subject_id": ["1"],
        "site_id": ["A"],
        "arm_id": ["1"],
        "arm_label": ["Placebo"],
        "status": ["enrolled"],
        "status_on": [None],
        "enrolled_on": [None],
        "anchor_on": [None],
        "language": ["en"],
    },
    schema_overrides=dict.fromkeys(["status_on", "enrolled_on", "anchor_on"], pl.Date),
)


def test_the_arm_may_stand_in_an_unblinded_table_and_not_in_a_blinded_one():
    assert check_table("participants", PEOPLE, is_blinded=False) == []
    for arm in ("arm_id", "arm_label"):
        found = check_table("participants", PEOPLE.drop({"arm_id", "arm_label"} - {arm}), is_blinded=True)
        assert [one.example for one in found] == [arm]
    assert check_table("participants", PEOPLE.drop("arm_id", "arm_label"), is_blinded=True) == []


def test_an_unknown_column_and_an_unknown_state_break_the_contract():
    blinded = PEOPLE.drop("arm_id", "arm_label")
    assert check_table("participants", blinded.with_columns(more=pl.lit(1)), is_blinded=True)
    assert check_table("participants", blinded.with_columns(status=pl.lit("gone")), is_blinded=True)


ARMS = pl.DataFrame(
    {
        "subject_id": ["1", "2", "3", "4"],
        "arm_id": ["1", "1", "2", "2"],
        "arm_label": ["Placebo", "Placebo", "Verum", "Verum"],
    }
)


def given(*values, column="drug"):
    return pl.DataFrame({"subject_id": ["1", "2", "3", "4"], column: list(values)})


def test_a_column_that_holds_the_arm_tells_it():
    assert [one.column for one in check_blinded_table("t", given(" placebo", "PLACEBO", "Verum", "verum"), ARMS)] == [
        "drug"
    ]


def test_a_column_that_tells_one_arm_of_two_is_enough():
    assert check_blinded_table("t", given("Placebo", "Placebo", "Drug", "Drug"), ARMS)


def test_codes_are_read_by_their_labels():
    assert check_blinded_table("t", given("9", "9", "8", "8"), ARMS, form=FORM)
    assert check_blinded_table("t", given("9", "9", "8", "8"), ARMS) == []


def test_a_word_that_happens_to_be_an_arm_s_tells_nothing():
    assert check_blinded_table("t", given("Placebo", None, "Placebo", None), ARMS) == []
    assert check_blinded_table("t", given("Placebo", "aspirin", "aspirin", None), ARMS) == []


def test_the_arm_s_own_column_is_always_a_breach():
    assert broken(check_blinded_table("t", given("1", "1", "2", "2", column="arm_id"), ARMS)) == [("arm_id", 4)]
