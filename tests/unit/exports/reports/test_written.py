"""The workbook is read back by another program; page and JSON say the same as the frames."""

import hashlib
import json
import re
import time
from html.parser import HTMLParser

import openpyxl
import polars as pl

from exports.reports.document import to_json
from exports.reports.page import to_html
from exports.reports.workbook import write_workbook

DETAILS = [
    "Domain", "Record", "Count", "Variables", "Values", "Rule ID", "Publisher ID", "Message", "Category", "Severity"
]  # fmt: skip
HARD = [
    "=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3", "\t=1", "<b>&amp;</b>", "a\x07b", "_x0041_", "line\nbreak", " both ",
    "ünï – ✓", "007",
]  # fmt: skip


def book(report, tmp_path, name="report.xlsx"):
    write_workbook(report, tmp_path / name)
    return openpyxl.load_workbook(tmp_path / name)


def rows(sheet):
    return [list(row) for row in sheet.iter_rows(values_only=True)]


def test_the_sheets_that_users_know_are_there_in_order(made, tmp_path):
    found = book(made.report(), tmp_path)
    assert found.sheetnames[:4] == ["Dataset Summary", "Issue Summary", "Details", "Rules"]
    assert rows(found["Details"])[0] == DETAILS
    facts = {row[0]: row[1] for row in rows(found["Dataset Summary"])[:5]}
    assert facts == {
        "Configuration": "SDTMIG 3.4",
        "Define.xml": "define.xml",
        "Generated": "2026-03-01T12:00:00+00:00",
        "CDISC CT version": "2022-09-30",
        "Software": "Metricis 0.1",
    }
    summary = rows(found["Dataset Summary"])
    titles = summary.index(
        ["Domain", "Label", "Class", "Source", "Records", "Rejects", "Errors", "Warnings", "Notices", "Seconds"]
    )
    assert summary[titles + 1][:9] == ["DM", "About DM", None, "dm.xpt", 2, 1, 0, 0, 0]
    assert [row[:2] for row in summary[-2:]] == [
        ["Unprocessed sources", None],
        ["junk.xpt", "It is no transport file."],
    ]


def test_the_workbook_holds_every_line_of_every_frame(made, tmp_path):
    report = made.report()
    found = book(report, tmp_path)
    for name, frame, above in (
        ("Issue Summary", report.issue_summary, 6),
        ("Details", report.details, 0),
        ("Rules", report.rules, 0),
        ("Causes", report.causes, 0),
        ("Not Run", report.not_run, 0),
        ("Times", report.times, 0),
    ):
        assert len(rows(found[name])) == above + 1 + frame.height, name
    line = rows(found["Issue Summary"])[-1]
    assert line[1:7] == ["SD1", "CG0001, CORE-000001", "Says SD1.", "Warning", 20, 17]


def test_no_value_becomes_a_formula_and_none_is_altered(made, tmp_path):
    findings = made.found(*[(place, ["X"], [text]) for place, text in enumerate(HARD, start=1)])
    results = [made.RuleResult("SD2", "DM", "ok", count=len(HARD), findings=findings)]
    report = made.make_report(results, made.DATASETS[:1], made.RULES, head=made.HEAD)
    cells = [row[4] for row in book(report, tmp_path)["Details"].iter_rows(min_row=2)]
    assert {cell.data_type for cell in cells} == {"s"}
    back = [openpyxl.utils.escape.unescape(cell.value) for cell in cells]
    assert back == HARD


def test_a_value_longer_than_a_cell_ends_in_a_sign_of_that(made, tmp_path):
    results = [made.RuleResult("SD2", "DM", "ok", count=1, findings=made.found((1, ["X"], ["y" * 40_000])))]
    report = made.make_report(results, made.DATASETS[:1], made.RULES, head=made.HEAD)
    value = rows(book(report, tmp_path)["Details"])[1][4]
    assert (len(value), value[-1]) == (32_767, "…")


def test_the_same_report_is_the_same_bytes(made, tmp_path):
    report = made.report(is_timed=False)
    write_workbook(report, tmp_path / "one.xlsx")
    time.sleep(1.1)  # a zip tells times to two seconds, XML to one
    write_workbook(made.report(is_timed=False), tmp_path / "two.xlsx")
    one, two = ((tmp_path / name).read_bytes() for name in ("one.xlsx", "two.xlsx"))
    assert hashlib.sha256(one).digest() == hashlib.sha256(two).digest()
    assert to_html(report) == to_html(made.report(is_timed=False))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.xlsx", "two.xlsx"]


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.addresses = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in {"src", "href", "action", "style"}]


def test_the_page_loads_nothing_runs_nothing_and_escapes(made):
    findings = made.found((1, ["X"], ["<script>alert(1)</script>"]))
    results = [made.RuleResult("SD2", "DM", "ok", count=1, findings=findings)]
    text = to_html(made.make_report(results, made.DATASETS[:1], made.RULES, head=made.HEAD))
    page = Page()
    page.feed(text)
    assert {"script", "link", "img", "iframe"}.isdisjoint(page.tags)
    assert all(one.startswith("#") for one in page.addresses)
    assert not re.search(r"url\(|@import", text)
    assert "&lt;script&gt;alert(1)" in text


def test_the_page_tells_what_did_not_run_and_that_more_is_elsewhere(made):
    text = to_html(made.report())
    assert "The operator is_moonlit is not known." in text
    assert "junk.xpt" in text
    many = made.found(*[(place, ["X"], [str(place)]) for place in range(1, 900)])
    results = [made.RuleResult("SD2", "DM", "ok", count=899, findings=many)]
    assert "399 more lines are in the workbook" in to_html(
        made.make_report(results, made.DATASETS[:1], made.RULES, head=made.HEAD)
    )


def test_json_says_the_same_as_the_frames(made):
    report = made.report()
    told = json.loads(to_json(report))
    assert told["form"] == "metricis.validation-report/1"
    assert told["found"] == report.found == sum(one["found"] for one in told["issues"])
    assert pl.DataFrame(told["details"], schema=report.details.schema).equals(report.details)
    assert "details" not in json.loads(to_json(report, details=False))
