"""The report as frames: nothing is cut from the counts, nothing that did not run is passed over."""

import polars as pl
import pytest


def test_counts_by_dataset_and_severity_are_complete(made):
    rows = {row["domain"]: row for row in made.report().dataset_summary.to_dicts()}
    assert {name: row["records"] for name, row in rows.items()} == {
        "DM": 2, "EMPTY": 0, "LB (LBCH)": 20, "SUPPLB (SUPPLBCH)": 1
    }  # fmt: skip
    assert (rows["LB (LBCH)"]["warnings"], rows["LB (LBCH)"]["errors"], rows["DM"]["rejects"]) == (20, 1, 1)
    severities = ("rejects", "errors", "warnings", "notices")
    assert sum(row[name] for row in rows.values() for name in severities) + 1 == made.report().found
    assert made.report().found == 20 + 1 + 1 + 1  # SD1, SD4, the byte, the file that is none
    assert made.report().by_severity == {"Reject": 2, "Error": 1, "Warning": 20, "Notice": 0}


@pytest.mark.parametrize("listed", [None, 0, 3, 17, 100])
def test_limited_details_say_so_and_still_add_up(made, listed):
    report = made.report(listed=listed)
    lines = report.details.filter(pl.col("rule") == "SD1")
    assert lines["count"].sum() == 20
    shown = 17 if listed is None else min(listed, 17)
    assert lines["record"].drop_nulls().len() == shown
    last = lines.row(-1, named=True)
    assert last["count"] == 20 - shown
    assert last["message"] == f"{20 - shown} more findings of this rule in this dataset are counted and not listed."
    issue = report.issue_summary.filter(pl.col("rule") == "SD1").row(0, named=True)
    assert (issue["found"], issue["listed"]) == (20, shown)


def test_the_worst_comes_first(made):
    severities = made.report().issue_summary["severity"].to_list()
    assert severities == sorted(severities, key=["Reject", "Error", "Warning", "Notice"].index)


def test_a_rule_that_did_not_run_is_told_with_its_reason(made):
    report = made.report()
    states = {row["rule"]: (row["status"], row["reason"]) for row in report.rules.to_dicts()}
    assert states["SD1"] == ("ran", "")
    assert states["SD2"] == ("skipped", "The dataset has no variable RFSTDTC.")
    assert states["SD3"] == ("unsupported", "The operator is_moonlit is not known.")
    assert states["SD5"] == ("skipped", "No dataset of this run is in its scope.")
    assert report.did_not_run == 3
    assert report.not_run["rule"].to_list() == ["SD3", "SD2"]


def test_findings_of_one_cause_are_one_line(made):
    causes = made.report().causes.filter(pl.col("rule") == "SD1").to_dicts()
    told = {one["pattern"]: (one["found"], one["example"]) for one in causes}
    assert told == {
        "LBDTC=9999-99-AA, USUBJID=(any)": (14, "LB (LBCH), record 1: 2023-11-NK, 01-1"),
        "LBDTC==9+9, USUBJID=(any)": (3, "LB (LBCH), record 15: =1+1, 01-15"),
        "(not listed)": (3, ""),
    }
    assert made.report().causes["found"].sum() == made.report().found


def test_what_reading_found_is_a_finding(made):
    report = made.report()
    byte = report.details.filter(pl.col("rule") == "MX-FILE-NOT-ASCII").row(0, named=True)
    assert (byte["domain"], byte["record"], byte["variables"]) == ("LB (LBCH)", 3, "LBTEST")
    assert report.details.filter(pl.col("rule") == "MX-FILE-UNREADABLE")["values"].to_list() == [
        "It is no transport file."
    ]


def test_without_times_no_second_is_told(made):
    report = made.report(is_timed=False)
    assert report.times.is_empty()
    assert report.rules["seconds"].null_count() == report.rules.height
    timed = made.report()
    assert timed.times.row(0) == ("SD1", "DM", 0.5)
    assert timed.rules.filter(pl.col("rule") == "SD1")["seconds"].item() == 0.75


def test_a_run_that_found_nothing_has_all_its_frames(made):
    report = made.make_report([], [], [], head=made.HEAD)
    assert report.found == 0
    assert report.details.is_empty()
    assert report.causes.is_empty()
