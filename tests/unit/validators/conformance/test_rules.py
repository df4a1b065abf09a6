import pytest

from tests.support.rules import condition, dataset, hits, results, rule
from validators.conformance.define import DefineError, read_define
from validators.conformance.engine import run
from validators.conformance.rule import RuleError, read_rule, read_rules
from validators.library import Library

DM = dataset("DM", DOMAIN=["DM", "DM"], USUBJID=["1", "2"], RFSTDTC=["2024-01-10", ""], RFXSTDTC=["2024-01-10", ""])
AE = dataset(
    "AE",
    DOMAIN=["AE"] * 3,
    USUBJID=["1", "1", "3"],
    AESEQ=[1, 2, 1],
    AETERM=["a", "b", "c"],
    AESTDTC=["2024-01-10", "2024-01-09", "2024-01-01"],
    AESTDY=[1, 1, 1],
)
EX = dataset("EX", DOMAIN=["EX"] * 2, USUBJID=["1", "1"], EXTRT=["x", "x"], EXSTDTC=["2024-01-12", "2024-01-11"])
SUPPAE = dataset(
    "SUPPAE",
    RDOMAIN=["AE", "AE"],
    USUBJID=["1", "1"],
    IDVAR=["AESEQ", "AESEQ"],
    IDVARVAL=["1", "9"],
    QNAM=["AESOSP", "AESOSP"],
    QVAL=["yes", "lost"],
)
LBCH = dataset("LBCH", DOMAIN=["LB", "LB"], USUBJID=["1", "1"], LBSEQ=[1, 2], LBTESTCD=["A", "B"])
LBHE = dataset("LBHE", DOMAIN=["LB"], USUBJID=["1"], LBSEQ=[2], LBTESTCD=["C"])


def scope(include=("ALL",), exclude=(), classes=("ALL",)):
    return {"Classes": {"Include": list(classes)}, "Domains": {"Include": list(include), "Exclude": list(exclude)}}


def test_records_are_joined_by_key_and_those_without_partner_are_not_tested():
    one = rule(condition("--STDTC", "date_less_than", "RFSTDTC"), Match_Datasets=[{"Name": "DM", "Keys": ["USUBJID"]}])
    assert hits(one, AE, DM) == [("AE", 2)]


def test_a_left_join_keeps_records_without_partner():
    join = {"Name": "DM", "Keys": [{"Left": "USUBJID", "Right": "USUBJID"}], "Join Type": "left"}
    assert hits(rule(condition("RFSTDTC", "empty"), Match_Datasets=[join], Scope=scope(["AE"])), AE, DM) == [("AE", 3)]


def test_a_dataset_that_a_rule_compares_with_and_is_not_there_is_a_skip():
    (result,) = results(rule(condition("RFSTDTC", "empty"), Match_Datasets=[{"Name": "DM", "Keys": ["USUBJID"]}]), AE)
    assert result.status == "skipped"
    assert "DM" in result.reason


def test_a_column_of_both_datasets_is_told_apart_by_the_dataset_s_name():
    other = dataset("SE", DOMAIN=["SE"], USUBJID=["1"], AETERM=["b"])
    one = rule(
        condition("AETERM", "not_equal_to", "SE.AETERM"),
        Match_Datasets=[{"Name": "SE", "Keys": ["USUBJID"]}],
        Scope=scope(["AE"]),
    )
    assert hits(one, AE, other) == [("AE", 1)]


def test_qualifiers_are_variables_of_the_records_that_they_belong_to():
    one = rule(
        condition("AESOSP", "non_empty"), Match_Datasets=[{"Name": "SUPPAE", "Keys": ["USUBJID"]}], Scope=scope(["AE"])
    )
    assert hits(one, AE, SUPPAE) == [("AE", 1)]


def test_a_qualifier_whose_record_is_not_there_is_found_by_its_reference():
    one = rule(
        condition("IDVARVAL", "not_equal_to", "IDVAR", value_is_reference=True, type_insensitive=True),
        Match_Datasets=[{"Name": "SUPPAE", "Keys": ["USUBJID", "IDVAR", "IDVARVAL"], "Child": True}],
        Scope=scope(["SUPP--"]),
    )
    assert hits(one, AE, SUPPAE) == [("SUPPAE", 2)]


def test_relrec_brings_the_related_record_s_variables():
    relrec = dataset(
        "RELREC",
        RDOMAIN=["AE", "CM"],
        USUBJID=["1", "1"],
        IDVAR=["AESEQ", "CMSEQ"],
        IDVARVAL=["2", "7"],
        RELID=["A", "A"],
    )
    cm = dataset("CM", DOMAIN=["CM"], USUBJID=["1"], CMSEQ=[7], CMTRT=["pill"])
    one = rule(
        condition("RELREC.__TRT", "equal_to", "pill"),
        Match_Datasets=[{"Name": "RELREC", "Wildcard": "__"}],
        Scope=scope(["AE"]),
    )
    assert hits(one, AE, cm, relrec) == [("AE", 2)]


def test_parts_of_a_domain_are_one_for_keys_and_apart_in_the_report():
    one = rule(condition("--SEQ", "is_not_unique_set", ["USUBJID"]))
    assert hits(one, LBCH, LBHE) == [("LBCH", 2), ("LBHE", 1)]


def test_operations_compute_what_conditions_compare_with():
    one = rule(
        condition("RFXSTDTC", "not_equal_to", "$first"),
        condition("USUBJID", "is_contained_by", "$subjects"),
        Operations=[
            {"id": "$first", "operator": "min_date", "domain": "EX", "name": "EXSTDTC", "group": ["USUBJID"]},
            {"id": "$subjects", "operator": "distinct", "domain": "EX", "name": "USUBJID"},
        ],
        Scope=scope(["DM"]),
    )
    assert hits(one, DM, EX) == [("DM", 1)]


def test_study_days_have_no_day_0():
    one = rule(
        condition("AESTDY", "not_equal_to", "$dy"),
        condition("$dy", "non_empty"),
        Operations=[{"id": "$dy", "operator": "dy", "name": "--STDTC"}],
        Match_Datasets=[{"Name": "DM", "Keys": ["USUBJID"]}],
        Scope=scope(["AE"]),
    )
    assert hits(one, AE, DM) == [("AE", 2)]


def test_records_are_counted_by_group_and_filter():
    one = rule(
        condition("$n", "greater_than", 1),
        Operations=[{"id": "$n", "operator": "record_count", "group": ["USUBJID"], "filter": {"DOMAIN": "A&"}}],
    )
    assert hits(one, AE) == [("AE", 1), ("AE", 2)]


def test_an_external_dictionary_that_is_not_there_is_a_skip():
    operation = {"id": "$ok", "operator": "valid_external_dictionary_value", "external_dictionary_type": "meddra"}
    (result,) = results(rule(condition("$ok", "equal_to", value=False), Operations=[operation]), AE)
    assert result.status == "skipped"
    assert "meddra" in result.reason


def test_the_standard_says_which_variables_are_required():
    one = rule(
        condition("variable_name", "not_contains_all", ["$required"]),
        Operations=[{"id": "$required", "operator": "required_variables"}],
        Rule_Type="Variable Metadata Check",
        Sensitivity="Dataset",
    )
    assert hits(one, AE, library=Library.bundled()) == [("AE", None)]
    (result,) = results(one, AE)
    assert result.status == "skipped"


def test_a_domain_that_should_not_be_alone_is_the_study_s_finding():
    one = rule(
        condition("AE", "exists"),
        condition("DM", "not_exists"),
        Rule_Type="Domain Presence Check",
        Sensitivity="Dataset",
    )
    assert hits(one, AE) == [("STUDY", None)]
    assert hits(one, AE, DM) == []


def test_values_are_told_with_their_record_and_variable():
    spaced = dataset("CM", DOMAIN=["CM", "CM"], CMTRT=["ok", " pill"])
    one = rule(condition("variable_value", "matches_regex", r"^\s"), Rule_Type="Value Check with Variable Metadata")
    assert hits(one, spaced) == [("CM", 2)]


def test_one_finding_for_each_group():
    one = rule(condition("AETERM", "non_empty"), Sensitivity="Group", Grouping_Variables=["USUBJID"])
    assert hits(one, AE) == [("AE", 1), ("AE", 3)]


@pytest.mark.parametrize(
    ("where", "datasets"),
    [
        (scope(["SUPP--"]), ["SUPPAE"]),
        (scope(exclude=["SUPP--", "AE"]), ["DM", "EX"]),
        (scope(classes=["EVENTS"]), ["AE"]),
        (scope(classes=["INTERVENTIONS", "SPECIAL PURPOSE"]), ["DM", "EX"]),
    ],
)
def test_a_scope_chooses_datasets(where, datasets):
    found = results(rule(condition("USUBJID", "exists"), Scope=where), AE, DM, EX, SUPPAE)
    assert sorted(one.dataset for one in found) == datasets


def test_counts_are_never_cut():
    one = rule(condition("AETERM", "non_empty"))
    found = run([one], [AE], limit=1)
    assert found.count == 3
    assert [len(result.findings) for result in found] == [1]


@pytest.mark.parametrize("text", ["Check: [", "- a\n- b", "Core: {Id: X}\nCheck: 3", "Core: 5\nCheck: {all: []}"])
def test_a_file_that_is_no_rule_is_refused_with_its_place(text):
    with pytest.raises(RuleError, match=r"X/rule\.yml"):
        read_rule(text, place="X/rule.yml")


def test_rules_of_a_folder_are_read_and_broken_ones_named(tmp_path):
    (tmp_path / "a.yml").write_text("Core: {Id: A}\nCheck: {all: [{name: X, operator: exists}]}\n")
    (tmp_path / "b.yml").write_text("Check: [")
    rules, faults = read_rules(tmp_path)
    assert [one.id for one in rules] == ["A"]
    assert len(faults) == 1
    assert "b.yml" in faults[0]


def test_a_define_with_a_document_type_is_refused(tmp_path):
    path = tmp_path / "define.xml"
    path.write_text('<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>')
    with pytest.raises(DefineError, match="document type"):
        read_define(path)


def test_identifiers_that_a_file_has_as_numbers_are_joined_as_text():
    dm = dataset("DM", DOMAIN=["DM", "DM"], USUBJID=[1, 2], RFSTDTC=["2024-01-10", ""])
    one = rule(condition("--STDTC", "date_less_than", "RFSTDTC"), Match_Datasets=[{"Name": "DM", "Keys": ["USUBJID"]}])
    assert hits(one, AE, dm) == [("AE", 2)]
    child = rule(
        condition("AETERM", "equal_to", "a"),
        Match_Datasets=[{"Name": "SUPP--", "Child": True, "Keys": ["USUBJID"]}],
        Scope=scope(["SUPP--"]),
    )
    supp = dataset("SUPPAE", RDOMAIN=["AE"], USUBJID=[1], IDVAR=["AESEQ"], IDVARVAL=[1], QNAM=["X"], QVAL=["y"])
    assert hits(child, AE, supp) == [("SUPPAE", 1)]


def test_relations_without_their_variables_are_a_skip_that_names_the_variable():
    relrec = dataset("RELREC", RDOMAIN=["AE"], USUBJID=["1"], IDVAR=["AESEQ"], IDVARVAL=["1"])
    one = rule(condition("AETERM", "empty"), Match_Datasets=[{"Name": "RELREC", "Wildcard": "__"}], Scope=scope(["AE"]))
    (result,) = results(one, AE, relrec)
    assert result.status == "skipped"
    assert "RELID" in result.reason


def test_a_join_that_takes_no_variable_of_the_other_dataset_still_tells_who_has_a_partner():
    other = dataset("SE", USUBJID=["1"])
    join = {"Name": "SE", "Keys": ["USUBJID"], "Join Type": "left"}
    one = rule(condition("_merge_SE", "equal_to", "left_only"), Match_Datasets=[join], Scope=scope(["AE"]))
    assert hits(one, AE, other) == [("AE", 3)]


ADSL = dataset("ADSL", USUBJID=["1"], TRT01P=["a"])
ADLB = dataset("ADLB", USUBJID=["1"], PARAMCD=["A"], AVAL=[1])
ADAE = dataset("ADAE", USUBJID=["1"], AEDECOD=["a"])
ADTTE = dataset("ADXX", USUBJID=["1"], WHAT=["a"])


@pytest.mark.parametrize(
    ("structures", "expected"),
    [
        ({"Include": ["ALL"]}, {"ADSL", "ADLB", "ADAE", "ADXX"}),
        ({"Include": ["SUBJECT LEVEL ANALYSIS DATASET"]}, {"ADSL"}),
        ({"Include": ["BASIC DATA STRUCTURE", "OCCURRENCE DATA STRUCTURE"]}, {"ADLB", "ADAE"}),
        ({"Include": ["ADAM OTHER"]}, {"ADXX"}),
        ({"Exclude": ["BASIC DATA STRUCTURE"]}, {"ADSL", "ADAE", "ADXX"}),
    ],
)
def test_rules_on_analysis_datasets_are_about_datasets_of_a_structure(structures, expected):
    one = rule(condition("USUBJID", "non_empty"), Scope={"Data Structures": structures})
    assert {name for name, _ in hits(one, ADSL, ADLB, ADAE, ADTTE)} == expected


def test_a_rule_on_subclasses_of_analysis_datasets_is_unsupported():
    structures = {"Include": ["BASIC DATA STRUCTURE"]}
    one = rule(
        condition("USUBJID", "empty"),
        Scope={"Data Structures": structures, "Subclasses": {"Include": ["TIME-TO-EVENT"]}},
    )
    (result,) = results(one, ADLB)
    assert result.status == "unsupported"
    assert "TIME-TO-EVENT" in result.reason


def test_a_dataset_is_not_joined_to_itself_by_its_own_keys():
    join = {"Name": "AE", "Keys": ["USUBJID"]}
    one = rule(condition("AETERM", "equal_to", "AE.AETERM"), Match_Datasets=[join], Scope=scope(["AE"]))
    assert hits(one, AE) == [("AE", 1), ("AE", 2), ("AE", 3)]


def test_a_scope_may_say_all_in_small_letters():
    one = rule(condition("AESEQ", "non_empty"), Scope=scope(["All"], classes=["All"]))
    assert len(hits(one, AE)) == 3


@pytest.mark.parametrize(
    "part",
    [
        {"Authorities": ["CDISC"]},
        {"Authorities": [{"Standards": [{"References": ["x"]}]}]},
        {"Authorities": 5},
        {"Operations": {"id": "$x"}},
        {"Match Datasets": ["DM"]},
        {"Outcome": ["x"]},
        {"Check": 5},
    ],
)
def test_a_rule_with_a_part_of_another_shape_is_refused_with_its_place(part):
    content = {"Core": {"Id": "X"}, "Check": {"all": [condition("A", "empty")]}, "Outcome": {"Message": "m"}} | part
    with pytest.raises(RuleError, match=r"here\.yml"):
        read_rule(content, place="here.yml")


def test_single_names_and_bare_lists_are_read_as_lists():
    one = rule(
        condition("AESEQ", "non_empty"),
        Scope={"Domains": ["AE"]},
        Match_Datasets=[{"Name": "DM", "Keys": "USUBJID"}],
        Grouping_Variables="USUBJID",
        Sensitivity="Group",
    )
    assert one.grouping == ("USUBJID",)
    assert hits(one, AE, DM) == [("AE", 1)]
