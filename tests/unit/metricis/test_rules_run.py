"""`metricis rules run` on folders as they come: good files, bad files, and questions that cannot be answered."""

import json

import openpyxl
import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from datamodel.kernel.errors import BadInputError, NotFoundError
from exports.packages.columns import Column
from exports.packages.xpt import write_xpt
from metricis.cli import app

RULE = {
    "Core": {"Id": "TRY-000001", "Status": "Published", "Version": "1"},
    "Authorities": [],
    "Check": {"all": [{"name": "SEX", "operator": "equal_to", "value": "M", "value_is_literal": True}]},
    "Description": "Men are findings here.",
    "Executability": "Fully Executable",
    "Outcome": {"Message": "A man.", "Output Variables": ["SEX"]},
    "Rule Type": "Record Data",
    "Scope": {"Classes": {"Include": ["ALL"]}, "Domains": {"Include": ["DM"]}},
    "Sensitivity": "Record",
}
OTHER = RULE | {
    "Core": {"Id": "TRY-000002", "Status": "Published", "Version": "1"},
    "Authorities": [{"Organization": "X", "Standards": [{"Name": "SENDIG", "Version": "3.1", "References": []}]}],
}


@pytest.fixture
def rules(tmp_path):
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "one.yml").write_text(yaml.safe_dump(RULE))
    (folder / "two.yml").write_text(yaml.safe_dump(OTHER))
    (folder / "broken.yml").write_text("Core: [")
    return folder


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    frame = pl.DataFrame({"DOMAIN": ["DM"] * 3, "USUBJID": ["1", "2", "3"], "SEX": ["M", "F", "M"]})
    columns = [Column(name, name.title()) for name in frame.columns]
    write_xpt(frame, folder / "dm.xpt", dataset="DM", label="Demographics", columns=columns)
    pl.DataFrame({"DOMAIN": ["AE"], "USUBJID": ["1"], "SEX": ["M"]}).write_parquet(folder / "ae.parquet")
    return folder


def run(data, rules, out, *more):
    return CliRunner().invoke(
        app, ["rules", "run", str(data), "--rules", str(rules), "--out", str(out), *more], catch_exceptions=False
    )


def rows(path, sheet):
    return [list(row) for row in openpyxl.load_workbook(path)[sheet].iter_rows(values_only=True)]


def test_a_folder_is_checked_and_the_report_says_what_was_found(data, rules, tmp_path):
    done = run(data, rules, tmp_path / "r.xlsx", "--standard", "sdtmig", "--version", "3.4", "--json")
    assert done.exit_code == 0
    told = json.loads(done.stdout)
    assert [(one["record"], one["values"]) for one in told["details"] if one["rule"] == "TRY-000001"] == [
        (1, "M"), (3, "M")
    ]  # fmt: skip
    assert [row[:4] for row in rows(tmp_path / "r.xlsx", "Details")[1:]] == [["DM", 1, 1, "SEX"], ["DM", 3, 1, "SEX"]]
    status = {row[0]: row[6:8] for row in rows(tmp_path / "r.xlsx", "Rules")[1:]}
    assert status["TRY-000001"] == ["ran", None]
    assert status["TRY-000002"] == ["skipped", "The rule is not for SDTMIG 3.4; it names SENDIG 3.1."]
    assert status["broken.yml"][0] == "unsupported"


def test_files_that_are_no_datasets_are_named_and_end_nothing(data, rules, tmp_path):
    (data / "junk.xpt").write_bytes(b"\x00\xff" * 400)
    (data / "empty.xpt").write_bytes(b"")
    (data / "cut.parquet").write_bytes((data / "ae.parquet").read_bytes()[:100])
    (data / "list.json").write_text("[1, 2")
    (data / "note.docx").write_text("no dataset, and not taken for one")
    done = run(data, rules, tmp_path / "r.json")
    assert done.exit_code == 0
    assert "4 files could not be read" in done.stderr
    assert "junk.xpt" in done.stderr
    told = json.loads((tmp_path / "r.json").read_text())
    assert {one["file"] for one in told["unprocessed"]} == {"junk.xpt", "empty.xpt", "cut.parquet", "list.json"}
    assert {one["dataset"] for one in told["datasets"]} == {"DM", "AE"}
    assert told["by_severity"]["Reject"] == 4


DEFINE = """<ODM xmlns="http://www.cdisc.org/ns/odm/v1.3" xmlns:def="http://www.cdisc.org/ns/def/v2.1"><Study OID="S">
<MetaDataVersion OID="M" Name="M"><ItemGroupDef OID="IG.DM" Name="DM" Repeating="No"><ItemRef ItemOID="IT.SEX"
Mandatory="No"/></ItemGroupDef><ItemDef OID="IT.SEX" Name="SEX" DataType="text" Length="1"/></MetaDataVersion></Study></ODM>"""


@pytest.mark.parametrize(
    ("content", "rejects"),
    [(DEFINE, 0), ("no XML", 1), ('<!DOCTYPE x [<!ENTITY a "b">]><ODM>&a;</ODM>', 1)],
    ids=["read", "no XML", "with entities"],
)
def test_a_define_is_read_or_named_as_unread(data, rules, tmp_path, content, rejects):
    (tmp_path / "define.xml").write_text(content)
    assert run(data, rules, tmp_path / "r.json", "--define", str(tmp_path / "define.xml")).exit_code == 0
    told = json.loads((tmp_path / "r.json").read_text())
    assert told["head"]["Define.xml"] == "define.xml"
    assert told["by_severity"]["Reject"] == rejects == len(told["unprocessed"])


def test_one_rule_one_domain_and_a_limit(data, rules, tmp_path):
    run(data, rules, tmp_path / "r.json", "--rule", "TRY-000001", "--domain", "DM", "--details", "1")
    told = json.loads((tmp_path / "r.json").read_text())
    assert [one["rule"] for one in told["rules"]] == ["TRY-000001"]
    assert [one["domain"] for one in told["datasets"]] == ["DM"]
    assert [(one["found"], one["listed"]) for one in told["issues"]] == [(2, 1)]
    assert [one["count"] for one in told["details"]] == [1, 1]


def test_strict_ends_with_one_when_an_error_was_found(data, rules, tmp_path):
    assert run(data, rules, tmp_path / "r.html", "--strict").exit_code == 1
    assert "A man." in (tmp_path / "r.html").read_text()
    (data / "dm.xpt").unlink()
    assert run(data, rules, tmp_path / "r.html", "--strict").exit_code == 0


@pytest.mark.parametrize(
    ("more", "error", "words"),
    [
        (["--standard", "adamig"], BadInputError, "adamig 3.4"),
        (["--version", "9.9"], BadInputError, "sdtmig 9.9"),
        (["--ct", "nothing.csv"], NotFoundError, "nothing.csv"),
        (["--rule", "NIX"], BadInputError, "no rule NIX"),
        (["--domain", "ZZ"], BadInputError, "domain ZZ"),
        (["--out", "report.pdf"], BadInputError, "report.pdf"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused_and_nothing_is_written(
    data, rules, tmp_path, more, error, words
):
    with pytest.raises(error, match=words):
        run(data, rules, tmp_path / "r.xlsx", *more)
    assert not (tmp_path / "r.xlsx").exists()


def test_a_folder_without_datasets_is_no_clean_study(rules, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFoundError, match="no dataset"):
        run(tmp_path / "empty", rules, tmp_path / "r.json")
    assert not (tmp_path / "r.json").exists()
