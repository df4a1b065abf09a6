"""What operators say at the edges: nothing there, other types, other lengths, lists."""

import polars as pl
import pytest

from tests.support.rules import condition, dataset, hits, results, rule
from validators.conformance.data import Dataset, Variable
from validators.library import Library
from validators.operators.conditions import holds
from validators.operators.table import Table

LB = dataset(
    "LB",
    DOMAIN=["LB"] * 5,
    USUBJID=["1", "1", "1", "2", "2"],
    LBSEQ=[1, 2, 3, 1, 2],
    LBORRES=["5.2", " 5 ", "5.0", "POS", ""],
    LBSTRESC=["5", "5", "5", "POS", ""],
    LBSTRESN=[5.4, 5, 5, None, None],
    LBCAT=["CHEM", "CHEM", "", "HEMA", "HEMA"],
    LBSCAT=["A", "A", "A", "", "B"],
    LBDTC=["2024-01-01/2024-01-02", "2024-01-01", "a/b/c", "", "2024-01/2024-01-02"],
    LBDUR=["PT1.5H", "P1.5DT2H", "-P1D", "P1W", "P0.5Y"],
)
CASES = [
    (condition("LBORRES", "equal_to", "LBSTRESC", type_insensitive=True), [2, 3, 4]),
    (condition("LBORRES", "equal_to", "LBSTRESC", type_insensitive=True, round_values=True), [1, 2, 3, 4]),
    (condition("LBORRES", "equal_to", "LBSTRESN", round_values=True), [1, 2, 3]),
    (condition("LBORRES", "not_equal_to", "LBSTRESC", round_values=True), []),
    (condition("LBORRES", "has_equal_length", 3), [1, 2, 3, 4]),
    (condition("LBORRES", "has_not_equal_length", "3"), [5]),
    (condition("LBORRES", "longer_than", "LBSTRESC"), [1, 2, 3]),
    (condition("LBORRES", "shorter_than", "LBCAT"), [1, 2, 4, 5]),
    (condition("LBDTC", "split_parts_have_equal_length"), [1, 2, 4]),
    (condition("LBDTC", "split_parts_have_unequal_length"), [3, 5]),
    (condition("LBDUR", "invalid_duration", negative=False), [2, 3]),
    (condition("LBDUR", "invalid_duration", negative=True), [2]),
    (condition("LBDUR", "invalid_duration"), [2]),
    (condition("LBCAT", "suffix_matches_regex", "E", suffix=3), [1, 2, 4, 5]),
    (condition("LBCAT", "not_prefix_matches_regex", "H", prefix=2), [3]),
    (condition("LBCAT", "prefix_equal_to", "DOMAIN", prefix=2), []),
    (condition("LBCAT", "is_not_unique_relationship", "LBSCAT"), [1, 2, 3, 4, 5]),
    (condition("LBSEQ", "is_not_unique_relationship", ["LBCAT", "LBSCAT"]), [1, 2, 4, 5]),
    (condition("LBSCAT", "contains", "LBCAT"), [3]),
    (condition("LBCAT", "empty_within_except_last_row", "USUBJID"), []),
    (condition("LBSCAT", "empty_within_except_last_row", "USUBJID"), [4]),
    (condition("LBCAT", "shares_no_elements_with", "LBSCAT"), [1, 2, 3, 4, 5]),
]


@pytest.mark.parametrize(("one", "expected"), CASES, ids=lambda value: str(value)[:70])
def test_an_operator_finds_its_records(one, expected):
    assert [record for _, record in hits(rule(one), LB)] == expected


def test_not_of_what_cannot_be_tested_is_no_finding():
    (result,) = results(rule({"not": condition("LBXX", "non_empty")}), LB)
    assert (result.status, result.count) == ("ok", 0)
    assert "LBXX" in result.reason


def test_of_any_the_conditions_that_can_be_tested_decide():
    tree = {"any": [condition("LBXX", "empty"), condition("LBCAT", "empty")]}
    assert hits(rule(tree), LB) == [("LB", 3)]
    nested = {
        "any": [{"all": [condition("LBXX", "empty"), condition("LBSEQ", "non_empty")]}, condition("LBCAT", "empty")]
    }
    assert hits(rule(nested), LB) == [("LB", 3)]


@pytest.mark.parametrize("tree", [{}, "LBCAT", {"all": [], "any": []}, {"none": []}])
def test_a_tree_of_conditions_that_is_none_is_unsupported(tree):
    (result,) = results(rule(tree), LB)
    assert result.status == "unsupported"
    assert result.reason


def lists(**columns):
    frame = pl.DataFrame({name: pl.Series(values, dtype=pl.List(pl.String)) for name, values in columns.items()})
    return Table(frame=frame, constants={"$order": ["A", "B", "C"]})


def test_a_list_is_contained_where_one_of_its_values_is():
    table = lists(held=[["A", "X"], ["X"], []])
    assert holds(table, condition("held", "is_contained_by", ["A", "B"])).to_list() == [True, False, False]


def test_a_list_is_in_order_where_all_of_it_is_in_the_other_in_its_order():
    table = lists(held=[["A", "C"], ["C", "A"], ["A", "X"]])
    assert holds(table, condition("held", "is_ordered_subset_of", "$order")).to_list() == [True, False, False]


@pytest.mark.parametrize(
    ("label", "is_titled"),
    [
        ("Date of Birth", True),
        ("Date Of Birth", False),
        ("date of Birth", False),
        ("Reason Not Done", True),
        ("LOINC Code", True),
        ("Dose per Administration", True),
        ("Analysis flag", False),
        ("Start/End Day", True),
        ("Start/end Day", False),
        ("", True),
        ("2nd Visit", True),
    ],
)
def test_title_case(label, is_titled):
    data = dataset("DI", DILABEL=[label])
    assert (hits(rule(condition("DILABEL", "is_title_case")), data) != []) is is_titled
    assert (hits(rule(condition("DILABEL", "is_not_title_case")), data) == []) is is_titled


def test_numbered_variables_have_no_gap():
    ts = dataset("TS", TSVAL=["a", "", "a"], TSVAL1=["", "b", ""], TSVAL2=["", "", "c"], TSVALCD=["x", "x", "x"])
    assert [record for _, record in hits(rule(condition("TSVAL", "inconsistent_enumerated_columns")), ts)] == [2, 3]
    assert [record for _, record in hits(rule(condition("TSVAL", "additional_columns_empty")), ts)] == [3]


@pytest.mark.parametrize("operator", ["empty", "non_empty", "is_unique_set", "is_not_unique_set", "has_same_values"])
def test_a_dataset_without_records_has_no_findings(operator):
    empty = Dataset(
        name="AE",
        label="",
        variables=(Variable("AETERM", type="Char", length=8),),
        frame=pl.DataFrame(schema={"AETERM": pl.String}),
        file="ae.xpt",
    )
    (result,) = results(rule(condition("AETERM", operator)), empty)
    assert (result.status, result.count) == ("ok", 0)


def test_a_variable_that_an_operation_lists_is_there():
    columns = [{"id": "$columns", "operator": "get_column_order_from_dataset"}]
    one = rule(
        condition("LBDTC", "exists"),
        condition("LBXX", "not_exists"),
        Rule_Type="Dataset Metadata Check",
        Operations=columns,
        Sensitivity="Dataset",
    )
    assert hits(one, LB) == [("LB", None)]
    without = rule(condition("LBDTC", "exists"), Rule_Type="Dataset Metadata Check", Sensitivity="Dataset")
    assert hits(without, LB) == []


def test_a_variable_is_tied_to_a_codelist_of_the_standard():
    library = Library.bundled("3.4")
    given = next(one for one in library.variables("DM") if one.name == "SEX").codelists[0]
    data = dataset("XX", VARIABLE=["SEX", "SEX", "XXTERM"], CODE=[given, "C00001", "C00001"])
    one = rule(condition("VARIABLE", "does_not_reference_correct_codelist", "CODE"))
    assert hits(one, data, library=library) == [("XX", 2)]
    (result,) = results(one, data)
    assert result.status == "skipped"


class Define:
    """A Define-XML of one variable."""

    def variable_rows(self, name):
        del name
        return [{"define_variable_name": "LBCAT", "define_variable_label": "Category"}]


def test_what_names_no_value_is_compared_with_the_define_s_fact_of_that_name():
    data = Dataset(
        name="LB",
        label="",
        variables=(Variable("LBCAT", label="Kind", type="Char", length=8),),
        frame=pl.DataFrame({"LBCAT": ["a"]}),
        file="lb.xpt",
    )
    one = rule(condition("variable_label", "not_equal_to"), Rule_Type="Variable Metadata Check against Define XML")
    assert hits(one, data, define=Define()) == [("LB", 1)]
    same = rule(condition("variable_name", "not_equal_to"), Rule_Type="Variable Metadata Check against Define XML")
    assert hits(same, data, define=Define()) == []


ORDERED = dataset(
    "SE",
    DOMAIN=["SE"] * 7,
    USUBJID=["1", "1", "1", "1", "2", "2", "2"],
    SESEQ=[1, 2, 3, 4, 1, 3, 2],
    SESTDTC=["2024-01-01", "2024-01-02", "", "2024-01-04", "2024-01-03", "2024-01-02", "2024-01-01"],
    ETCD=["SCRN", "TRT", "", "FU", "", "", "SCRN"],
)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (condition("SESEQ", "is_not_ordered_set", "USUBJID"), [6, 7]),
        (condition("SESEQ", "target_is_not_sorted_by", [{"name": "SESTDTC"}], within="USUBJID"), [3, 5, 6, 7]),
        (
            condition(
                "SESEQ", "target_is_not_sorted_by", [{"name": "SESTDTC", "null_position": "first"}], within="USUBJID"
            ),
            [3, 5, 6, 7],
        ),
        (
            condition("SESEQ", "target_is_sorted_by", [{"name": "SESTDTC", "sort_order": "desc"}], within="USUBJID"),
            [5],
        ),
        (condition("SESTDTC", "starts_with", "ETCD"), []),
    ],
    ids=lambda value: str(value)[:70],
)
def test_the_order_of_records_is_told_record_by_record(one, expected):
    assert [record for _, record in hits(rule(one), ORDERED)] == expected


def test_a_literal_that_is_the_name_of_a_joined_dataset_is_a_literal():
    dm = dataset("DM", DOMAIN=["DM"], USUBJID=["1"], ARM=["A"])
    one = rule(
        condition("DM.DOMAIN", "equal_to", "DM"),
        Match_Datasets=[{"Name": "DM", "Keys": ["USUBJID"]}],
        Scope={"Domains": {"Include": ["SE"]}},
    )
    assert hits(one, ORDERED, dm) == [("SE", record) for record in (1, 2, 3, 4)]


def test_a_group_that_is_not_there_has_no_count_and_one_without_fitting_records_counts_none():
    dm = dataset("DM", DOMAIN=["DM"] * 3, USUBJID=["1", "2", "3"])
    count = [{"id": "$n", "operator": "record_count", "domain": "SE", "group": ["USUBJID"], "filter": {"ETCD": "FU"}}]
    scope = {"Domains": {"Include": ["DM"]}}
    found = {
        name: [record for _, record in hits(rule(one, Operations=count, Scope=scope), dm, ORDERED)]
        for name, one in (
            ("one", condition("$n", "equal_to", 1)),
            ("none", condition("$n", "equal_to", 0)),
            ("absent", condition("$n", "empty")),
        )
    }
    assert found == {"one": [1], "none": [2], "absent": [3]}


def test_what_is_missing_is_not_left_over_when_one_list_is_taken_from_another():
    steps = [
        {"id": "$held", "operator": "distinct", "name": "ETCD"},
        {"id": "$taken", "operator": "distinct", "name": "ETCD", "filter": {"USUBJID": "1"}},
        {"id": "$left", "operator": "minus", "name": "$held", "subtract": "$taken"},
    ]
    assert len(hits(rule(condition("$left", "empty"), Operations=steps), ORDERED)) == ORDERED.frame.height


@pytest.mark.parametrize(
    "one",
    [
        {"name": "SESEQ", "operator": "greater_than"},
        {"name": "ETCD", "operator": "is_contained_by"},
        {"name": "ETCD", "operator": "matches_regex", "value": ["A", "B"]},
        {"name": "ETCD", "operator": "equal_to", "value": {"A": "B"}},
        {"name": None, "operator": "empty"},
        {"name": "SESEQ", "operator": "target_is_sorted_by", "within": "USUBJID"},
    ],
    ids=str,
)
def test_a_condition_that_lacks_what_it_needs_is_no_pass(one):
    (result,) = results(rule(one), ORDERED)
    assert result.status == "unsupported"
    assert result.reason


@pytest.mark.parametrize("operator", ["greater_than", "date_less_than", "date_not_equal_to"])
def test_a_comparison_with_a_variable_that_is_not_there_says_so(operator):
    (result,) = results(rule(condition("SESTDTC", operator, "RFSTDTC")), ORDERED)
    assert (result.status, result.count) == ("ok", 0)
    assert "RFSTDTC" in result.reason
    assert hits(rule({"not": condition("SESTDTC", operator, "RFSTDTC")}), ORDERED) == []


def test_a_rule_for_the_study_finds_once():
    dm = dataset("DM", DOMAIN=["DM"] * 2, USUBJID=["1", "2"])
    assert hits(rule(condition("USUBJID", "non_empty"), Sensitivity="Study"), dm, ORDERED) == [("DM", None)]


def test_a_dataset_without_domain_has_none_as_its_metadata():
    relrec = dataset("RELREC", RDOMAIN=["AE"], USUBJID=["1"])
    of_metadata = rule(
        condition("dataset_name", "not_equal_to", "domain"), Rule_Type="Dataset Metadata Check", Sensitivity="Dataset"
    )
    assert hits(of_metadata, relrec, ORDERED) == [("RELREC", None)]
