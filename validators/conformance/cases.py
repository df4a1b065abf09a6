"""Cases of the open rules: datasets with the findings that a rule must have on them, and the score of this engine."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl

from validators.conformance.casefiles import (
    Case,
    CaseError,
    Finding,
    Reader,
    content,
    expected,
    listed_cases,
    read_case,
    rule_file,
    rule_folders,
)
from validators.conformance.engine import Run
from validators.conformance.result import RuleResult, Status
from validators.conformance.rule import Rule, RuleError, read_rule

Verdict = Literal["exact", "same verdict", "wrong", "skipped", "unsupported", "no answer"]


#: What a rule or a case that nobody foresaw may raise: told as unsupported with its reason, never an abort.
FAULTS = (Exception, pl.exceptions.PanicException)


@dataclass(frozen=True)
class Surroundings:
    """What a case is run with; `note` says what stood for something that was not there."""

    library: Any = None
    define: Any = None
    note: str = ""


@dataclass(frozen=True)
class Outcome:
    """What this engine said of a case."""

    rule: str
    case: str
    type: str
    status: Status
    reason: str = ""
    found: frozenset[Finding] = frozenset()
    expected: frozenset[Finding] | None = None

    @property
    def verdict(self) -> Verdict:
        """How what was found compares with what must be."""
        if self.expected is None:
            return "no answer"
        if self.status == "ok" or (self.status == "skipped" and not self.expected):
            if self.found == self.expected:
                return "exact"
            return "same verdict" if bool(self.found) == bool(self.expected) else "wrong"
        return "skipped" if self.status == "skipped" else "unsupported"


def outcome(rule: Rule, case: Case, around: Surroundings) -> Outcome:
    """What this engine says of a case."""
    other = other_use(rule, case)
    if other:
        return Outcome(
            rule=case.rule, case=case.name, type=rule.type, status="skipped", reason=other, expected=case.expected
        )
    results = list(Run(case.datasets, catalogue=around.library, define=around.define).rule(rule))
    found = frozenset(one for result in results for one in pairs(result))
    status, reason = summed(results)
    asks = bool(rule.operations) or "Library" in rule.type
    reason = " ".join(one for one in (reason, f"({around.note})" if around.note and asks else "") if one)
    return Outcome(
        rule=case.rule,
        case=case.name,
        type=rule.type,
        status=status,
        reason=reason,
        found=found,
        expected=case.expected,
    )


def other_use(rule: Rule, case: Case) -> str:
    """Why a rule is not for the use that a case is made for (INDH, PROD, NONCLIN); "" where it is, or nothing is said."""
    wanted = {one.strip().upper() for one in str(rule.scope.get("Use Case") or "").split(",")} - {""}
    given = {one.strip().upper() for one in case.settings.get("USE_CASE", "").split(",")} - {""}
    if not wanted or not given or wanted & given:
        return ""
    return f"The rule is for the use cases {', '.join(sorted(wanted))}; this one is for {', '.join(sorted(given))}."


def pairs(result: RuleResult) -> Iterator[Finding]:
    """Dataset and record of each finding."""
    for one in result.findings.get_column("record"):
        yield result.dataset, None if one is None else str(one)


def summed(results: list[RuleResult]) -> tuple[Status, str]:
    """One status for a rule: ok where it ran on a dataset at least, unsupported before skipped."""
    for status in ("unsupported", "ok"):
        own = [one for one in results if one.status == status]
        if own:
            return own[0].status, own[0].reason
    return "skipped", results[0].reason if results else ""


def outcomes(
    folder: Path, surroundings: Callable[[Case], Surroundings], reader: Reader | None = None
) -> Iterator[Outcome]:
    """What this engine says of every case of a folder; what cannot be read is unsupported with its reason."""
    for path in rule_folders(folder):
        try:
            file = rule_file(path)
            rule = read_rule(content(file), place=f"{path.name}/{file.name}")
        except FAULTS as error:
            yield from (refused(path.name, name, place, told(error)) for name, place in listed_cases(path))
            continue
        for name, place in listed_cases(path):
            try:
                case = read_case(path.name, place, name, reader)
                yield outcome(rule, case, surroundings(case))
            except CaseError as error:
                yield refused(path.name, name, place, str(error), rule.type)
            except FAULTS as error:
                yield refused(path.name, name, place, f"Running it failed: {told(error)}", rule.type)


def told(error: BaseException) -> str:
    """An error in one line; of one that is not ours, its kind too."""
    words = " ".join(str(error).split())
    return words if isinstance(error, RuleError) else f"{type(error).__name__}: {words}"


def refused(rule: str, name: str, place: Path, reason: str, kind: str = "") -> Outcome:
    """A case that did not run."""
    try:
        due = expected(place)
    except FAULTS:
        due = None
    return Outcome(rule=rule, case=name, type=kind, status="unsupported", reason=reason, expected=due)
