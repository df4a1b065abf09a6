"""Folders of cases as people keep them: lists missing, other files, other places, damaged files."""

import json

import pytest

from datamodel.kernel.errors import BadInputError
from metricis.cases import outcomes, terminologies
from tests.unit.validators.conformance.test_cases import RULE, case
from validators.conformance.casefiles import datasets, settings

JSON = {
    "datasetJSONVersion": "1.1.0",
    "name": "AE",
    "label": "Adverse Events",
    "records": 2,
    "columns": [
        {"itemOID": f"IT.AE.{one}", "name": one, "label": one, "dataType": "string"} for one in ("DOMAIN", "AESEV")
    ],
    "rows": [["AE", "MILD"], ["AE", ""]],
}


@pytest.fixture
def one(tmp_path):
    place = tmp_path / "Published" / "CORE-999999"
    place.mkdir(parents=True)
    (place / "rule.yml").write_text(RULE)
    case(place / "negative" / "01", [(1, "MILD"), (2, "")], "AE,2,AESEV,\n")
    return place


def verdicts(folder):
    return {(found.rule, found.case): (found.status, found.verdict, found.reason) for found in outcomes(folder, None)}


def only(folder):
    (found,) = verdicts(folder).values()
    return found


def test_a_folder_of_one_rule_and_a_folder_deep_down_are_found(one):
    assert only(one)[1] == "exact"
    assert verdicts(one.parent.parent).keys() == {("CORE-999999", "negative/01")}


@pytest.mark.parametrize(
    "missing", [["_datasets.csv"], ["_variables.csv"], [".env"], ["_datasets.csv", "_variables.csv", ".env"]]
)
def test_without_its_lists_a_case_is_its_files(one, missing):
    for name in missing:
        (one / "negative" / "01" / "data" / name).unlink()
    assert only(one)[1] == "exact"
    (read,) = datasets(one / "negative" / "01" / "data")
    assert {each.name: each.type for each in read.variables}["AESEQ"] == "Num"


def test_a_list_that_names_none_of_the_files_is_no_list(one):
    (one / "negative" / "01" / "data" / "_datasets.csv").write_text("Filename,Label\nxx.csv,Nothing\n")
    assert only(one)[1] == "exact"


def test_dataset_json_stands_for_csv(one):
    data = one / "negative" / "01" / "data"
    (data / "ae.csv").unlink()
    (data / "ae.json").write_text(json.dumps(JSON))
    assert only(one)[1] == "exact"


def test_what_must_be_found_may_name_files_and_be_json_or_missing(one):
    results = one / "negative" / "01" / "results"
    (results / "results.csv").write_text(
        "Sheet,Dataset,Record,Variable,Value\nx,AE.csv,2.0,AESEV,\nx,ae.csv,2,AESEQ,1\n"
    )
    assert only(one)[1] == "exact"
    (results / "results.csv").unlink()
    assert only(one)[1] == "no answer"
    (results / "results.json").write_text(json.dumps({"Issue_Details": [{"dataset": "ae.csv", "row": 2}]}))
    assert only(one)[1] == "exact"


def test_text_of_windows_a_numeric_column_with_text_and_a_damaged_file_end_nothing(one):
    data = one / "negative" / "01" / "data"
    (data / "ae.csv").write_bytes("DOMAIN,USUBJID,AESEQ,AESEV\nAE,Z\u00fcrich,x,MILD\nAE,1,,\n".encode("cp1252"))
    assert only(one)[1] == "exact"
    (read,) = datasets(data)
    assert read.frame["USUBJID"][0] == "Z\u00fcrich"
    assert read.frame["AESEQ"].to_list() == ["x", ""]
    (data / "ae.csv").write_bytes(b"\x00\xff" * 50)
    assert only(one)[0] in {"ok", "skipped", "unsupported"}
    (data / "ae.csv").write_text("")
    assert "AESEV" in only(one)[2]


def test_a_define_that_is_not_there_is_told_and_the_case_runs(one):
    data = one / "negative" / "01" / "data"
    (data / ".env").write_text("PRODUCT: SDTMIG\nexport VERSION=3-4\nDEFINE_XML=gone.xml\n# CT=none\n")
    assert settings(data) == {"PRODUCT": "SDTMIG", "VERSION": "3-4", "DEFINE_XML": "gone.xml"}
    assert only(one)[1] == "exact"


def test_a_rule_that_is_no_rule_is_told_for_each_of_its_cases(one):
    (one / "rule.yml").write_bytes(b"\xff\xfe\x00 - [")
    status, verdict, reason = only(one)
    assert (status, verdict) == ("unsupported", "unsupported")
    assert reason


def test_a_rule_for_another_use_case_is_skipped_and_says_so(one):
    rule = (
        (one / "rule.yml")
        .read_text()
        .replace("Domains: {Include: [AE]}}", "Domains: {Include: [AE]}, Use Case: 'INDH, PROD'}")
    )
    (one / "rule.yml").write_text(rule)
    env = one / "negative" / "01" / "data" / ".env"
    env.write_text("PRODUCT=TIG\nSUBSTANDARD=SDTM\nUSE_CASE=PROD\n")
    assert only(one)[1] == "exact"
    env.write_text("PRODUCT=TIG\nSUBSTANDARD=SDTM\nUSE_CASE=NONCLIN\n")
    status, _, reason = only(one)
    assert status == "skipped"
    assert "NONCLIN" in reason


CT = "codelist_code,codelist_name,extensible,term_code,submission_value,preferred_term,synonyms\nC1,Sex,No,C2,M,Male,\n"
NCI = (
    "Code\tCodelist Code\tCodelist Extensible (Yes/No)\tCodelist Name\tCDISC Submission Value\tCDISC Synonym(s)\t"
    "CDISC Definition\tNCI Preferred Term\tStandard and Date\n"
    "C1\t\tNo\tSex\tSEX\t\t\tSex\tSDTM CT 2024-03-29\nC2\tC1\t\tSex\tM\t\t\tMale\tSDTM CT 2024-03-29\n"
)


def test_terminology_is_found_by_the_date_in_its_name_or_in_the_file_and_others_are_passed_over(tmp_path):
    (tmp_path / "sdtmct-2022-09-30 (1).csv").write_text(CT)
    (tmp_path / "SDTM Terminology.txt").write_text(NCI)
    (tmp_path / "notes.txt").write_text("nothing")
    assert sorted(terminologies(tmp_path)) == ["2022-09-30", "2024-03-29"]
    only_notes = tmp_path / "notes"
    only_notes.mkdir()
    (only_notes / "notes.txt").write_text("nothing")
    with pytest.raises(BadInputError, match="no file of terminology"):
        terminologies(only_notes)
