"""The report as one JSON document, for other programs."""

from typing import Any

import orjson

from exports.reports.model import Report

#: Name of the form that the document has; a reader checks it.
FORM = "metricis.validation-report/1"


def document(report: Report, *, details: bool = True) -> dict[str, Any]:
    """Return the report as plain values: head, totals, and each frame as a list of rows.

    `details` may be left out, where values of records must not travel.
    """
    made: dict[str, Any] = {
        "form": FORM,
        "head": dict(report.head.lines),
        "found": report.found,
        "by_severity": report.by_severity,
        "unprocessed": [{"file": one.file, "reason": one.reason} for one in report.unread],
        "datasets": report.dataset_summary.to_dicts(),
        "issues": report.issue_summary.to_dicts(),
        "rules": report.rules.to_dicts(),
        "not_run": report.not_run.to_dicts(),
        "times": report.times.to_dicts(),
    }
    if details:
        made |= {"causes": report.causes.to_dicts(), "details": report.details.to_dicts()}
    return made


def to_json(report: Report, *, details: bool = True) -> bytes:
    """Return the document as JSON."""
    return orjson.dumps(document(report, details=details), option=orjson.OPT_INDENT_2) + b"\n"
