"""How well rules run on their cases: exact, same verdict, wrong, skipped, unsupported; told as text and as JSON."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from validators.conformance.cases import Outcome, Verdict

VERDICTS: tuple[Verdict, ...] = ("exact", "same verdict", "wrong", "skipped", "unsupported", "no answer")


def document(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """What was found in each case, as JSON holds it: record None for a finding on a dataset as a whole.

    A case that did not run has its reason beside its status, one that ran without a variable that it asks for says so.
    """
    return {
        "cases": [
            {
                "rule": one.rule,
                "case": one.case,
                "status": one.status,
                **({"reason": one.reason} if one.reason else {}),
                "found": [list(pair) for pair in ordered(one)],
            }
            for one in outcomes
        ]
    }


def ordered(outcome: Outcome) -> list[tuple[str, str | None]]:
    """Findings by dataset and record."""
    return sorted(outcome.found, key=lambda pair: (pair[0], int(pair[1] or 0) if (pair[1] or "0").isdigit() else 0))


def told(outcomes: Sequence[Outcome]) -> str:
    """The score as a table by rule type, and every case that is not exact with its reason."""
    types = sorted({one.type or "unreadable" for one in outcomes})
    width = max([len(one) for one in types] + [len("all")])
    head = f"{'rule type':{width}}  " + "  ".join(f"{one:>12}" for one in VERDICTS)
    lines = [head, "-" * len(head)]
    lines += [line(name, [one for one in outcomes if (one.type or "unreadable") == name], width) for name in types]
    lines += [line("all", outcomes, width), "", share(outcomes)]
    rest = [one for one in outcomes if one.verdict not in {"exact", "no answer"}]
    if rest:
        lines += ["", "Not exact:", *(f"  {one.rule} {one.case}: {one.verdict}. {difference(one)}" for one in rest)]
    silent = [one for one in outcomes if one.verdict == "no answer"]
    if silent:
        lines += ["", "Without results.csv, so not scored:", *(f"  {one.rule} {one.case}" for one in silent)]
    return "\n".join(lines)


def line(name: str, outcomes: Sequence[Outcome], width: int) -> str:
    """One line of the table."""
    counts = Counter(one.verdict for one in outcomes)
    return f"{name:{width}}  " + "  ".join(f"{counts[verdict]:>12}" for verdict in VERDICTS)


def share(outcomes: Sequence[Outcome]) -> str:
    """How many of the cases that can be scored are exact."""
    scored = [one for one in outcomes if one.verdict != "no answer"]
    exact = sum(one.verdict == "exact" for one in scored)
    percent = 100 * exact / len(scored) if scored else 0.0
    return f"{exact} of {len(scored)} cases exact ({percent:.1f} %)."


def difference(outcome: Outcome) -> str:
    """What is missing and what is too much, or why the rule did not run."""
    if outcome.status != "ok":
        return outcome.reason
    expected = outcome.expected or frozenset()
    missing, extra = expected - outcome.found, outcome.found - expected
    parts = [f"{len(missing)} missing{sample(missing)}"] if missing else []
    parts += [f"{len(extra)} too many{sample(extra)}"] if extra else []
    return ", ".join(parts) + "."


def sample(found: frozenset[tuple[str, str | None]]) -> str:
    """The first findings of a set."""
    some = sorted(found, key=lambda pair: (pair[0], pair[1] or ""))[:3]
    return " (" + ", ".join(f"{dataset} {record or 'as a whole'}" for dataset, record in some) + ")"
