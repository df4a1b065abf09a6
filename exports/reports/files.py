"""What reading the files found, as results of rules of its own."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import polars as pl

from exports.reports.facts import Facts
from validators.conformance.result import FINDINGS, RuleResult
from validators.datasets.shape import Dataset

if TYPE_CHECKING:
    from exports.reports.model import Unread

UNREADABLE: Final = "MX-FILE-UNREADABLE"


def file_results(datasets: Sequence[Dataset], unread: Sequence["Unread"]) -> tuple[list[RuleResult], dict[str, Facts]]:
    """Return one result for each kind of note in each dataset, and for the files that could not be read."""
    results: list[RuleResult] = []
    facts: dict[str, Facts] = {}
    for dataset in datasets:
        for kind in dict.fromkeys(note.kind for note in dataset.notes):
            notes = [note for note in dataset.notes if note.kind == kind]
            rule = f"MX-FILE-{kind.upper().replace('_', '-').replace(' ', '-')}"
            facts[rule] = _fact(rule, kind)
            results.append(_result(rule, dataset.name, [(n.record, n.variable, n.detail) for n in notes]))
    if broken := [one for one in unread if one.is_fault]:
        facts[UNREADABLE] = Facts(UNREADABLE, "", "A file could not be read.", _UNREADABLE_MEANS, "Structure", "Reject")
        results += [_result(UNREADABLE, one.file, [(None, "", one.reason)]) for one in broken]
    return results, facts


def _result(rule: str, dataset: str, rows: list[tuple[int | None, str, str]]) -> RuleResult:
    found = pl.DataFrame(
        [(record, [variable] if variable else ["(file)"], [detail]) for record, variable, detail in rows],
        schema=FINDINGS,
        orient="row",
    )
    return RuleResult(rule, dataset, "ok", count=found.height, findings=found)


def _fact(rule: str, kind: str) -> Facts:
    plain = kind.replace("_", " ").replace("-", " ")
    message, description, category, severity = _KINDS.get(
        kind, (f"Reading the file found: {plain}.", _SAYS, "Format", "Warning")
    )
    return Facts(rule, "", message, description, category, severity)


_SAYS: Final = "Found while the file was read; the values say what and where. The dataset was checked all the same."
_UNREADABLE_MEANS: Final = (
    "The file is damaged or of another kind than its name says. It was left out; every other file was checked."
)
#: kind of note -> message, description, category, severity
_KINDS: Final = {
    "not_ascii": (
        "The value holds characters outside ASCII.",
        "Regulators take text in ASCII. The value was read as its bytes suggest, and the dataset was checked.",
        "Format",
        "Error",
    ),
    "truncated": (
        "The file is cut.",
        "It ends before it should, so that records are missing. What was there was checked.",
        "Structure",
        "Reject",
    ),
    "number_as_text": (
        "Numbers are stored as text.",
        "The file declares a number and stores text.",
        "Metadata",
        "Error",
    ),
    "not_a_number": (
        "The value of a number is no number.",
        "It was read as missing, and the dataset was checked.",
        "Format",
        "Error",
    ),
    "odd_type": (
        "A variable holds lists or records.",
        "No dataset of a submission has such values. They were read as text, and the dataset was checked.",
        "Metadata",
        "Error",
    ),
    "too_long": (
        "The value is longer than 200 bytes.",
        "A transport file of version 5 holds at most 200 bytes in a value; the rest belongs into supplemental qualifiers.",
        "Limit",
        "Error",
    ),
}
