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
    if unread:
        facts[UNREADABLE] = Facts(
            UNREADABLE, "", "A file could not be read as a dataset.", _UNREADABLE_MEANS, "Structure", "Reject"
        )
        results += [_result(UNREADABLE, one.file, [(None, "", one.reason)]) for one in unread]
    return results, facts


def _result(rule: str, dataset: str, rows: list[tuple[int | None, str, str]]) -> RuleResult:
    found = pl.DataFrame(
        [(record, [variable] if variable else ["(file)"], [detail]) for record, variable, detail in rows],
        schema=FINDINGS,
        orient="row",
    )
    return RuleResult(rule, dataset, "ok", count=found.height, findings=found)


def _fact(rule: str, kind: str) -> Facts:
    return Facts(
        id=rule,
        publisher="",
        message=f"Reading the file found: {kind.replace('_', ' ').replace('-', ' ')}.",
        description="Found while the file was read; the values say what and where. The dataset was checked all the same.",
        category="Format",
        severity="Warning",
    )


_UNREADABLE_MEANS: Final = (
    "The file is damaged or of another kind than its name says. It was left out; every other file was checked."
)
