"""What checking found: one result for a rule on a dataset."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

Status = Literal["ok", "skipped", "unsupported"]

#: Columns of `RuleResult.findings`.
FINDINGS = pl.Schema([("record", pl.Int64()), ("variables", pl.List(pl.String)), ("values", pl.List(pl.String))])


def no_findings() -> pl.DataFrame:
    """A frame of findings without rows."""
    return pl.DataFrame(schema=FINDINGS)


@dataclass(frozen=True, slots=True)
class RuleResult:
    """One rule on one dataset.

    `status` is "ok" where the rule ran, whatever it found; `reason` says why it did not, or which variables it lacked. A rule that was skipped or is
    unsupported as a whole has one result with `dataset` "". `count` is the number of all findings, never cut.
    `findings` may be limited; its `record` is 1-based in that file, null for a finding on the dataset as a whole.
    """

    rule: str
    dataset: str
    status: Status
    reason: str = ""
    count: int = 0
    findings: pl.DataFrame = field(default_factory=no_findings)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Results:
    """All results of one run, in the order of the rules."""

    results: tuple[RuleResult, ...]
    seconds: float = 0.0
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[RuleResult]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    @property
    def count(self) -> int:
        """All findings of all rules."""
        return sum(one.count for one in self.results)
