import datetime as dt
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.rules import condition, dataset, hits, results, rule
from validators.operators.conditions import OPERATORS

AE = dataset(
    "AE",
    DOMAIN=["AE"] * 4,
    USUBJID=["1", "1", "2", "2"],
    AESEQ=[1, 2, 1, None],
    AETERM=["Headache", "", "HEADACHE", "Nausea"],
    AEDECOD=["Headache", "", "Headache", ""],
    AESTDTC=["2024-01-05", "2024-01", "", "2024-01-05T10:30"],
    AEENDTC=["2024-01-04", "2024-02-01", "2024-01-01", "2024-01-05T10:30"],
)
#: Condition and records that meet it.
CASES = [
    (condition("AETERM", "equal_to", "Headache"), [1]),
    (condition("AETERM", "equal_to", "AEDECOD"), [1]),
    (condition("AETERM", "equal_to", "AEDECOD", value_is_literal=True), []),
    (condition("AETERM", "not_equal_to", "AEDECOD"), [3, 4]),
    (condition("AETERM", "equal_to_case_insensitive", "headache"), [1, 3]),
    (condition("--TERM", "empty"), [2]),
    (condition("AESEQ", "non_empty"), [1, 2, 3]),
    (condition("AESEQ", "greater_than", 1), [2]),
    (condition("AESEQ", "equal_to", "1"), []),
    (condition("AESEQ", "equal_to", "1", type_insensitive=True), [1, 3]),
    (condition("AETERM", "is_contained_by", ["Headache", "Nausea"]), [1, 4]),
    (condition("AETERM", "is_not_contained_by", ["Headache", "Nausea"]), [2, 3]),
    (condition("AETERM", "is_contained_by_case_insensitive", ["headache"]), [1, 3]),
    (condition("AETERM", "longer_than", 6), [1, 3]),
    (condition("AETERM", "matches_regex", "^[A-Z]+$"), [3]),
    (condition("AETERM", "not_matches_regex", "^[A-Z]+$"), [1, 2, 4]),
    (condition("AETERM", "prefix_matches_regex", "Na", prefix=2), [4]),
    (condition("AETERM", "suffix_equal_to", "ache", suffix=4), [1]),
    (condition("AETERM", "prefix_is_contained_by", ["He", "HE"], prefix=2), [1, 3]),
    (condition("AETERM", "contains", "ea"), [1, 4]),
    (condition("AETERM", "starts_with", "N"), [4]),
    (condition("AETERM", "ends_with", "e"), [1]),
    (condition("AESTDTC", "is_complete_date"), [1, 4]),
    (condition("AESTDTC", "is_incomplete_date"), [2, 3]),
    (condition("AESTDTC", "date_greater_than", "AEENDTC"), [1]),
    (condition("AESTDTC", "date_equal_to", "AEENDTC"), [4]),
    (condition("AESTDTC", "date_equal_to", "AEENDTC", date_component="year"), [1, 2, 4]),
    (condition("AESTDTC", "date_less_than", "2024-01-05", date_component="auto"), []),
    (condition("AESTDTC", "has_equal_length", "AEENDTC"), [1, 4]),
    (condition("USUBJID", "is_not_unique_set", ["AESEQ"]), []),
    (condition("USUBJID", "is_not_unique_set", ["DOMAIN"]), [1, 2, 3, 4]),
    (condition("AEDECOD", "is_not_unique_relationship", "AETERM"), [1, 3]),
    (condition("AESEQ", "present_on_multiple_rows_within", within="DOMAIN"), [1, 3]),
    (condition("AESEQ", "is_inconsistent_across_dataset", ["USUBJID"]), [1, 2, 3, 4]),
    (condition("DOMAIN", "has_same_values"), [1, 2, 3, 4]),
    (condition("AEDECOD", "empty_within_except_last_row", "USUBJID", ordering="AESEQ"), [4]),
    (condition("AESEQ", "target_is_not_sorted_by", [{"name": "AEENDTC"}], within="USUBJID"), []),
    (condition("AEENDTC", "has_next_corresponding_record", "AESTDTC", within="USUBJID", ordering="AEENDTC"), [2, 4]),
    (condition("AEXX", "exists"), []),
    (condition("AEXX", "not_exists"), [1, 2, 3, 4]),
]


@pytest.mark.parametrize(("one", "expected"), CASES, ids=lambda value: str(value)[:70])
def test_an_operator_finds_its_records(one, expected):
    assert [record for _, record in hits(rule(one), AE)] == expected


def test_a_condition_without_its_variable_does_not_hold_and_the_result_says_so():
    (result,) = results(rule(condition("AEXX", "empty")), AE)
    assert (result.status, result.count) == ("ok", 0)
    assert "AEXX" in result.reason


def test_not_any_and_all_nest():
    tree = {"any": [{"not": condition("AETERM", "non_empty")}, condition("AESEQ", "equal_to", 2)]}
    assert hits(rule(tree), AE) == [("AE", 2)]


def test_an_operator_that_nobody_knows_is_unsupported_with_its_name():
    (result,) = results(rule(condition("AETERM", "is_beautiful")), AE)
    assert result.status == "unsupported"
    assert "is_beautiful" in result.reason


@pytest.mark.parametrize(
    "one",
    [
        condition("AETERM", "is_unique_relationship"),
        condition("AETERM", "present_on_multiple_rows_within", "often", within="USUBJID"),
        condition("AETERM", "date_less_than", ["a", "b"]),
        condition("AETERM", "prefix_matches_regex", "a"),
        condition("AESTDTC", "date_equal_to", "AEENDTC", date_component="week"),
    ],
    ids=lambda one: one["operator"],
)
def test_a_condition_that_makes_no_sense_is_unsupported_and_ends_no_run(one):
    (result,) = results(rule(one), AE)
    assert result.status == "unsupported"
    assert result.reason


def test_a_pattern_that_cannot_be_read_is_unsupported():
    (result,) = results(rule(condition("AETERM", "matches_regex", "(")), AE)
    assert result.status == "unsupported"


@pytest.mark.parametrize(
    ("value", "is_valid"),
    [
        ("2024", True),
        ("2024-02", True),
        ("2024-02-29", True),
        ("2023-02-29", False),
        ("2024-13", False),
        ("2024-02-29T23:59:59.5", True),
        ("2024-02-29T24:30", False),
        ("--12-15", True),
        ("2003---15", True),
        ("2003-12-15T-:15", True),
        ("2003-12-15/2003-12-16", True),
        ("2003-12-15/2003-02-30", False),
        ("15MAR2024", False),
        ("2024-1-5", False),
    ],
)
def test_a_date_that_is_none_is_found(value, is_valid):
    ts = dataset("TS", TSVAL=[value])
    assert (hits(rule(condition("TSVAL", "invalid_date")), ts) == []) is is_valid


@pytest.mark.parametrize(
    ("value", "negative", "is_valid"),
    [
        ("P1D", False, True),
        ("PT5M", False, True),
        ("-P1D", False, False),
        ("-P1D", True, True),
        ("P", True, False),
        ("P2W", False, True),
        ("PT", False, False),
    ],
)
def test_a_duration_that_is_none_is_found(value, negative, is_valid):
    ex = dataset("EX", EXDUR=[value])
    found = hits(rule(condition("EXDUR", "invalid_duration", negative=negative)), ex)
    assert (found == []) is is_valid


def test_every_operator_has_a_complement_that_is_there():
    pairs = [("equal_to", "not_equal_to"), ("exists", "not_exists"), ("matches_regex", "not_matches_regex")]
    pairs += [("is_unique_set", "is_not_unique_set"), ("target_is_sorted_by", "target_is_not_sorted_by")]
    assert {name for pair in pairs for name in pair} <= OPERATORS.keys()


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.sampled_from("ABC"), st.sampled_from(["", "x", "y"])), min_size=1, max_size=30))
def test_what_is_there_twice_is_what_counting_says(pairs):
    data = dataset("LB", LBA=[one for one, _ in pairs], LBB=[one for _, one in pairs])
    counts = Counter(pairs)
    expected = [place for place, one in enumerate(pairs, start=1) if counts[one] > 1]
    assert [record for _, record in hits(rule(condition("LBA", "is_not_unique_set", ["LBB"])), data)] == expected


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.dates(dt.date(1900, 1, 1)), st.dates(dt.date(1900, 1, 1))), min_size=1, max_size=20))
def test_dates_are_less_where_python_says_so(pairs):
    data = dataset("AE", A=[one.isoformat() for one, _ in pairs], B=[one.isoformat() for _, one in pairs])
    expected = [place for place, (a, b) in enumerate(pairs, start=1) if a < b]
    assert [record for _, record in hits(rule(condition("A", "date_less_than", "B")), data)] == expected


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(alphabet="ab1-/ ", max_size=5), min_size=1, max_size=20))
def test_empty_and_filled_part_all_records(values):
    data = dataset("AE", A=values)
    found = [hits(rule(condition("A", name)), data) for name in ("empty", "non_empty")]
    assert sorted(record for one in found for _, record in one) == list(range(1, len(values) + 1))
