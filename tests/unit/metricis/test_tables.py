import polars as pl
import pytest

from datamodel.kernel.errors import BadInputError, NotFoundError
from metricis.tables import table_one

SEX = pl.Enum(["Woman", "Man", "Other"])
FRAME = pl.DataFrame(
    {
        "subject_id": ["1", "2", "3", "4", "5", "6"],
        "arm": ["A", "A", "A", "B", "B", None],
        "age": [60, 70, None, 50, 52, 99],
        "sex": ["Woman", "Man", "Woman", "Man", None, "Man"],
        "smokes": [True, False, None, True, True, False],
    },
    schema_overrides={"sex": SEX},
)


def cells(table):
    return {(row["variable"], row["level"], row["group"]): row for row in table.frame().iter_rows(named=True)}


def test_the_numbers_are_those_done_by_hand():
    found = cells(table_one(FRAME, by="arm"))
    # ages of A: 60 and 70: mean 65, sd sqrt(50), quartiles 62.5 and 67.5
    assert found["age", "Mean (SD)", "A"]["value"] == "65.0 (7.07)"
    assert found["age", "Median (Q1, Q3)", "A"]["value"] == "65.0 (62.5, 67.5)"
    assert found["age", "Min, max", "All"]["value"] == "50, 70"
    assert found["sex", "Woman", "A"]["value"] == "2 (66.7 %)"
    assert found["sex", "Man", "B"]["value"] == "1 (100.0 %)"
    assert found["smokes", "Yes", "A"]["value"] == "1 (50.0 %)"


def test_missing_is_a_row_and_is_not_in_the_denominator():
    found = cells(table_one(FRAME, by="arm"))
    assert [found[name, "Missing", group]["n"] for name, group in [("age", "A"), ("sex", "B"), ("sex", "A")]] == [
        1,
        1,
        0,
    ]
    assert found["sex", "Man", "B"]["N"] == 1


def test_an_empty_level_of_the_code_list_is_shown():
    assert cells(table_one(FRAME, by="arm"))["sex", "Other", "A"]["value"] == "0 (0.0 %)"


def test_denominators_are_in_the_head_and_who_is_left_out_is_told():
    table = table_one(FRAME, by="arm")
    assert table.groups == {"A": 3, "B": 2, "All": 5}
    assert "Left out: 1 without a value in “arm”." in table.notes
    html = table._repr_html_()
    assert "N = 3" in html
    assert "Left out: 1" in html


def test_order_of_groups_follows_the_code_list():
    frame = FRAME.with_columns(arm=pl.col("arm").cast(pl.Enum(["C", "B", "A"])))
    assert list(table_one(frame, by="arm").groups) == ["B", "A", "All"]


def test_one_value_has_no_spread_and_none_has_nothing():
    frame = pl.DataFrame({"subject_id": ["1", "2"], "arm": ["A", "B"], "x": [3.0, None]})
    found = cells(table_one(frame, by="arm"))
    assert found["x", "Mean (SD)", "A"]["value"] == "3.0 (–)"
    assert found["x", "Mean (SD)", "B"]["value"] == "–"
    assert found["x", "Missing", "B"]["value"] == "1"


def test_small_counts_can_be_hidden():
    found = cells(table_one(FRAME, by="arm", hide_below=2))
    assert found["sex", "Man", "A"]["value"] == "<2"
    assert found["sex", "Woman", "A"]["value"] == "2 (66.7 %)"


def test_several_rows_for_a_participant_are_refused():
    with pytest.raises(BadInputError, match="12 rows for 6 of them"):
        table_one(pl.concat([FRAME, FRAME]), by="arm")


def test_an_unknown_column_is_named():
    with pytest.raises(NotFoundError, match="no column “weight”"):
        table_one(FRAME, columns=["weight"])
