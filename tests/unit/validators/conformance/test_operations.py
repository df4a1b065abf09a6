"""What operations come to: on records, on facts of datasets, by group, and where something is missing."""

import pytest

from tests.support.rules import condition, dataset, hits, results, rule
from validators.library import Library

DM = dataset("DM", DOMAIN=["DM", "DM"], USUBJID=["1", "2"], RFSTDTC=["2024-01-10", ""], ARM=["A", "B"])
AE = dataset(
    "AE",
    DOMAIN=["AE"] * 4,
    USUBJID=["1", "1", "2", "3"],
    AESEQ=[1, 2, 1, 1],
    AETERM=["Headache ", "headache", "Nausea 12", ""],
    AESTDTC=["2024-01-10", "2024-01-09", "2024-01-01", "2024-01-01"],
    AESTDY=[1, 1, 1, 1],
    AESPID=["1;2", "3", "", "4;4"],
    AELNKID=["x", "", "", ""],
)
LBCH = dataset("LBCH", DOMAIN=["LB"], USUBJID=["1"], LBLNKID=["x"])
LBHE = dataset("LBHE", DOMAIN=["LB"], USUBJID=["1"], LBLNKID=["x"])
SCOPE = {"Classes": {"Include": ["ALL"]}, "Domains": {"Include": ["AE"]}}


def operation(operator, **more):
    return {"id": "$x", "operator": operator, **more}


def found(operations, *conditions, kind="Record Data", datasets=(AE, DM), library=None, **more):
    one = rule(*conditions, Operations=operations, Rule_Type=kind, **{"Scope": SCOPE, **more})
    return [record for _, record in hits(one, *datasets, library=library)]


def test_study_days_come_from_dm_also_without_a_join():
    dy = [operation("dy", name="--STDTC")]
    assert found(dy, condition("AESTDY", "not_equal_to", "$x"), condition("$x", "non_empty")) == [2]


def test_study_days_without_dm_are_a_skip():
    one = rule(condition("AESTDY", "not_equal_to", "$x"), Operations=[operation("dy", name="AESTDTC")], Scope=SCOPE)
    (result,) = results(one, AE)
    assert result.status == "skipped"
    assert "DM" in result.reason


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"find": r"\s+$", "replace": ""}, [1, 2]),
        ({"regex": "HEADACHE.*", "replace": "headache", "flags": "i"}, [1, 2]),
        ({"find": "Nausea", "replace": "headache", "on_no_match": "set_empty"}, []),
    ],
)
def test_a_pattern_is_replaced(more, expected):
    cut = [operation("regex_find_replace", name="AETERM", **more)]
    assert found(cut, condition("$x", "equal_to_case_insensitive", "headache", value_is_literal=True)) == expected


@pytest.mark.parametrize(
    "more", [{"find": "a"}, {"find": "(", "replace": ""}, {"find": "a", "replace": "", "flags": "q"}]
)
def test_a_replacement_that_cannot_be_made_is_unsupported(more):
    one = rule(
        condition("$x", "empty"), Operations=[operation("regex_find_replace", name="AETERM", **more)], Scope=SCOPE
    )
    (result,) = results(one, AE)
    assert result.status == "unsupported"
    assert result.reason


def test_a_variable_is_counted_once_for_each_domain():
    count = [operation("variable_count", name="--LNKID")]
    assert found(count, condition("$x", "equal_to", 2), datasets=(AE, LBCH, LBHE), Sensitivity="Dataset") == [None]


def test_lists_are_taken_from_each_other_also_those_of_one_record():
    spec = [
        {"id": "$parts", "operator": "split_by", "name": "AESPID", "delimiter": ";"},
        {"id": "$terms", "operator": "distinct", "name": "AESPID"},
        operation("minus", name="$parts", subtract="$terms"),
    ]
    assert found(spec, condition("$x", "contains", "2", value_is_literal=True)) == [1, 2, 3, 4]


def test_operations_of_a_rule_on_variables_work_on_records():
    spec = [operation("distinct", name="AETERM"), {"id": "$n", "operator": "record_count"}]
    conditions = (condition("variable_name", "equal_to", "AETERM"), condition("$n", "equal_to", 4))
    contains = condition("$x", "contains", "Nausea 12", value_is_literal=True)
    assert len(found(spec, *conditions, contains, kind="Variable Metadata Check")) == 1


def test_a_list_of_variables_groups_by_those_that_are_there():
    spec = [
        {"id": "$vars", "operator": "get_model_filtered_variables", "key_name": "role", "key_value": "Timing"},
        operation("record_count", group=["USUBJID", "$vars"]),
    ]
    library = Library.bundled("3.4")
    assert found(spec, condition("$x", "greater_than", 1), library=library) == []
    spec[1]["group"] = ["USUBJID"]
    assert found(spec, condition("$x", "greater_than", 1), library=library) == [1, 2]


@pytest.mark.parametrize(("name", "is_custom"), [("AE", False), ("XX", True), ("SUPPAE", False)])
def test_a_dataset_that_the_standard_lacks_is_custom(name, is_custom):
    data = dataset(name, **({"RDOMAIN": ["AE"]} if name == "SUPPAE" else {"DOMAIN": [name]}), USUBJID=["1"])
    one = rule(
        condition("$x", "equal_to", value=True),
        Operations=[operation("dataset_is_custom")],
        Scope={"Classes": {"Include": ["ALL"]}, "Domains": {"Include": ["ALL"]}},
    )
    assert (hits(one, data, library=Library.bundled("3.4")) != []) is is_custom


def test_a_scope_of_split_datasets_only():
    scope = {"Classes": {"Include": ["ALL"]}, "Domains": {"include_split_datasets": True}}
    one = rule(condition("dataset_name", "non_empty"), Rule_Type="Dataset Metadata Check", Scope=scope)
    assert {name for name, _ in hits(one, AE, LBCH, LBHE)} == {"LBCH", "LBHE"}
