"""The pilot's forms come out as the pilot's SDTM: measured cell by cell, documented, and every difference explained."""

import re

import polars as pl
import pytest

from exports.sdtm.agreement import compare, render, unexplained

NEEDED = {"DM", "LB", "AE", "CM", "MH", "VS", "DS", "EX", "QS", "SV", "SE", "SC"}
NEEDED |= {"TA", "TE", "TI", "TS", "TV", "RELREC", "SUPPAE", "SUPPDM", "SUPPDS", "SUPPLB"}


def documented(page: str) -> dict[str, float]:
    lines = re.findall(r"^\| ([A-Z]+) \|.*\| ([\d.]+) \|$", page, re.MULTILINE)
    return {name: float(percent) for name, percent in lines}


def test_every_domain_agrees_at_least_as_well_as_documented(pilot):
    promised = documented(pilot.DOCUMENT.read_text(encoding="utf-8"))
    assert set(promised) >= NEEDED
    measured = {one.name: one.percent for one in pilot.agreements()}
    assert {name: percent for name, percent in measured.items() if percent < promised.get(name, 100.0)} == {}


def test_rows_are_missing_or_extra_only_where_a_sentence_says_why(pilot):
    uneven = {one.name: (one.missing, one.extra) for one in pilot.agreements() if one.missing or one.extra}
    assert set(uneven) == {"SE", "SUPPLB"}
    assert uneven["SE"] == (4, 0)


def test_every_variable_of_the_pilot_is_there(pilot):
    assert {one.name: one.only_theirs for one in pilot.agreements() if one.only_theirs} == {}


def test_every_difference_is_explained_and_every_explanation_needed(pilot):
    assert unexplained(pilot.agreements(), pilot.explanations()) == []


def test_the_document_is_up_to_date(pilot):
    assert pilot.DOCUMENT.read_text(encoding="utf-8") == pilot.page()


OURS = pl.DataFrame({"K": ["a", "b", "c"], "N": [1.0, 9.3, None], "T": ["x", None, "z"], "OWN": [1, 2, 3]})
THEIRS = pl.DataFrame(
    {"K": ["a", "b", "d"], "N": [1.0, 9.299999999999999, 4.0], "T": ["y", None, "z"], "ABSENT": [0, 0, 0]}
)


def test_cells_rows_and_variables_are_counted():
    one = compare("ZZ", OURS, THEIRS, keys=["K"])
    assert (one.rows_ours, one.rows_theirs, one.missing, one.extra) == (3, 3, 1, 1)
    assert [(v.name, v.compared, v.differing) for v in one.variables] == [("K", 2, 0), ("N", 2, 0), ("T", 2, 1)]
    assert (one.only_ours, one.only_theirs) == (("OWN",), ("ABSENT",))
    # Two unmatched rows count with all three cells each.
    assert (one.compared, one.differing) == (6 + 6, 1 + 6)


def test_a_value_and_a_missing_one_differ():
    left = pl.DataFrame({"K": ["a"], "N": [1.0]})
    right = pl.DataFrame({"K": ["a"], "N": [None]}, schema={"K": pl.String, "N": pl.Float64})
    assert compare("ZZ", left, right, keys=["K"]).variables[1].differing == 1
    assert compare("ZZ", right, left, keys=["K"]).variables[1].differing == 1


def test_missing_keys_meet_and_numbers_as_keys_meet_in_spite_of_binary_fractions():
    left = pl.DataFrame({"K": ["a", "a"], "V": [9.3, None], "T": ["x", "y"]})
    right = pl.DataFrame({"K": ["a", "a"], "V": [9.299999999999999, None], "T": ["x", "y"]})
    one = compare("ZZ", left, right, keys=["K", "V"])
    assert (one.missing, one.extra, one.differing) == (0, 0, 0)


def test_keys_that_do_not_tell_rows_apart_are_refused():
    with pytest.raises(ValueError, match="do not tell all rows of ours apart"):
        compare("ZZ", pl.concat([OURS, OURS]), THEIRS, keys=["K"])


def test_a_hundred_percent_is_only_said_of_all_cells():
    rows = 200_000
    left = pl.DataFrame({"K": range(rows), "T": ["x"] * rows})
    right = left.with_columns(pl.when(pl.col("K") == 7).then(pl.lit("y")).otherwise("T").alias("T"))
    assert compare("ZZ", left, right, keys=["K"]).percent == 99.999
    assert compare("ZZ", left, left, keys=["K"]).percent == 100.0


def test_unexplained_and_needless_sentences_are_named():
    one = compare("ZZ", OURS, THEIRS, keys=["K"])
    assert unexplained([one], {"ZZ": {"N": "no longer"}}) == [
        "ZZ.T differs, but nobody has said why",
        "ZZ.rows differs, but nobody has said why",
        "ZZ.N is explained, but agrees",
    ]
    page = render([one], {"ZZ": {"T": "The answer says y."}}, title="Title", intro="Intro.")
    assert "| ZZ.T | 1 of 2 | `x`, `y` | The answer says y. |" in page
    assert "- ZZ: ABSENT" in page
