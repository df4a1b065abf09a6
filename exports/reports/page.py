"""The report as one page that loads nothing and runs no script."""

from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from exports.reports.model import Report

#: So many lines of each table of findings stand on the page; the workbook and JSON hold the rest, and the page says so.
LINES: Final = 500

_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).resolve().parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


_TEMPLATES.filters |= {"count": _count, "seconds": _seconds}


def to_html(report: Report) -> str:
    """Return the page: totals, datasets, causes, issues by domain, findings, what did not run, rules, times."""
    return _TEMPLATES.get_template("report.html").render(_facts(report))


def _facts(report: Report) -> dict[str, Any]:
    issues = report.issue_summary
    return {
        "head": report.head.lines,
        "totals": report.by_severity,
        "found": report.found,
        "ran": report.rules.filter(report.rules["status"] == "ran").height,
        "did_not_run": report.did_not_run,
        "unread": report.unread,
        "datasets": report.dataset_summary.to_dicts(),
        "issues": issues.to_dicts(),
        "causes": report.causes.head(LINES).to_dicts(),
        "causes_more": max(0, report.causes.height - LINES),
        "details": report.details.head(LINES).to_dicts(),
        "details_more": max(0, report.details.height - LINES),
        "not_run": report.not_run.head(LINES).to_dicts(),
        "not_run_more": max(0, report.not_run.height - LINES),
        "rules": report.rules.to_dicts(),
        "times": report.times.head(50).to_dicts(),
        "is_timed": report.times.height > 0,
    }
