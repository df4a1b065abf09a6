"""The report as frames: datasets, issues, details, rules, causes, and what did not run."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl

from exports.reports.causes import cluster
from exports.reports.facts import SEVERITIES, Facts, Told, facts_of
from exports.reports.files import UNREADABLE, file_results
from validators.conformance.result import RuleResult
from validators.datasets.shape import Dataset

#: So many findings of one rule in one dataset are listed, unless the caller asks for another number.
LISTED: Final = 5_000
#: Stands for a value that is not there.
NOTHING: Final = "null"

_DETAILS: Final = pl.Schema(
    {
        "domain": pl.String,
        "record": pl.Int64,
        "count": pl.Int64,
        "variables": pl.String,
        "values": pl.String,
        "rule": pl.String,
        "publisher": pl.String,
        "message": pl.String,
        "category": pl.String,
        "severity": pl.String,
        "dataset": pl.String,
    }
)


@dataclass(frozen=True, slots=True)
class Head:
    """What stands above the report. `generated` comes from the caller: a report reads no clock."""

    configuration: str
    generated: datetime
    software: str
    define: str = ""
    terminology: str = ""
    #: more facts, such as the study, the snapshot and the ledger's position
    more: tuple[tuple[str, str], ...] = ()

    @property
    def lines(self) -> tuple[tuple[str, str], ...]:
        """Name and value of every fact, in order."""
        return (
            ("Configuration", self.configuration),
            ("Define.xml", self.define or "none"),
            ("Generated", self.generated.isoformat(timespec="seconds")),
            ("CDISC CT version", self.terminology or "none"),
            ("Software", self.software),
            *self.more,
        )


@dataclass(frozen=True, slots=True)
class Unread:
    """A file that was not checked: its name and why. It is a finding, unless it is a second copy (`is_fault` False)."""

    file: str
    reason: str
    is_fault: bool = True


@dataclass(frozen=True, slots=True)
class Report:
    """One run, ready to be written. `found` and `did_not_run` count findings and rules that ran nowhere."""

    head: Head
    dataset_summary: pl.DataFrame
    issue_summary: pl.DataFrame
    details: pl.DataFrame
    rules: pl.DataFrame
    causes: pl.DataFrame
    not_run: pl.DataFrame
    times: pl.DataFrame
    unread: tuple[Unread, ...] = ()

    @property
    def found(self) -> int:
        """All findings."""
        return int(self.issue_summary["found"].sum())

    @property
    def by_severity(self) -> dict[str, int]:
        """Findings by severity, all severities named."""
        held = dict(self.issue_summary.group_by("severity").agg(pl.col("found").sum()).iter_rows())
        return {one: int(held.get(one, 0)) for one in SEVERITIES}

    @property
    def did_not_run(self) -> int:
        """Rules that ran on no dataset."""
        return self.rules.filter(pl.col("status") != "ran").height


def make_report(
    results: Iterable[RuleResult],
    datasets: Sequence[Dataset],
    rules: Iterable[Told],
    *,
    head: Head,
    unread: Sequence[Unread] = (),
    class_of: Callable[[str], str] = lambda _: "",
    listed: int | None = LISTED,
    is_timed: bool = True,
) -> Report:
    """Make the report of a run.

    Parameters
    ----------
    results
        What the engine gave, all of it.
    rules
        The rules that were asked for; their texts stand in the report.
    class_of
        The class (Events, Findings…) of a domain by its two letters.
    listed
        How many findings of one rule in one dataset are listed at most; None lists all. Counts are not touched.
    is_timed
        Whether seconds are told. Without, the same data and rules give the same report.
    """
    facts = {one.id: one for one in map(facts_of, rules)}
    found, own = file_results(datasets, unread)
    facts |= own
    every = [*found, *results]
    names = {one.name: shown_domain(one) for one in datasets}
    text = pl.DataFrame(
        [(one.id, one.publisher, one.message, one.description, one.category, one.severity) for one in facts.values()],
        schema=dict.fromkeys(("rule", "publisher", "message", "description", "category", "severity"), pl.String),
        orient="row",
    )
    issues = _issues(every, facts, names, listed)
    return Report(
        head=head,
        dataset_summary=_datasets(datasets, issues, every, class_of, is_timed=is_timed),
        issue_summary=issues.drop("dataset"),
        details=_details(every, facts, names, listed),
        rules=_rules(text, every, is_timed=is_timed),
        causes=cluster(every, facts, names),
        not_run=_not_run(every, facts, names),
        times=_times(every, names) if is_timed else _times([], names),
        unread=tuple(unread),
    )


def shown_domain(dataset: Dataset) -> str:
    """Return the dataset as it is named in a report: `DM`, and `LB (LBHE)` for a part of a split domain."""
    for column, prefix in (("DOMAIN", ""), ("RDOMAIN", "SUPP")):
        if column in dataset.frame.columns and (not prefix or dataset.name.startswith(prefix)):
            values = dataset.frame[column].drop_nulls()
            domain = prefix + str(values[0]) if values.len() else ""
            if len(domain) > len(prefix) and dataset.name != domain and dataset.name.startswith(domain):
                return f"{domain} ({dataset.name})"
    return dataset.name


def _source(dataset: str, names: Mapping[str, str]) -> str:
    return names.get(dataset, dataset or "(all datasets)")


def _ranked(frame: pl.DataFrame, *then: str) -> pl.DataFrame:
    rank = pl.col("severity").replace_strict(
        {one: place for place, one in enumerate(SEVERITIES)}, default=len(SEVERITIES)
    )
    return frame.sort(rank, *then, maintain_order=True)


def _issues(
    results: Sequence[RuleResult], facts: Mapping[str, Facts], names: Mapping[str, str], listed: int | None
) -> pl.DataFrame:
    rows = [
        (
            _source(one.dataset, names),
            one.rule,
            fact.publisher,
            fact.message,
            fact.severity,
            fact.category,
            one.count,
            one.findings.height if listed is None else min(one.findings.height, listed),
            one.dataset,
        )
        for one in results
        if one.count and (fact := facts[one.rule])
    ]
    texts = ("domain", "rule", "publisher", "message", "severity", "category")
    schema: dict[str, Any] = dict.fromkeys(texts, pl.String) | {"found": pl.Int64, "listed": pl.Int64}
    frame = pl.DataFrame(rows, schema=schema | {"dataset": pl.String}, orient="row")
    return _ranked(frame, "domain", "rule")


def _details(
    results: Sequence[RuleResult], facts: Mapping[str, Facts], names: Mapping[str, str], listed: int | None
) -> pl.DataFrame:
    parts = []
    for one in results:
        if not one.count:
            continue
        fact = facts[one.rule]
        shown = one.findings if listed is None else one.findings.head(listed)
        lines = shown.select(
            pl.col("record"),
            pl.lit(1, dtype=pl.Int64).alias("count"),
            *(
                pl.col(name).list.eval(pl.element().fill_null(NOTHING)).list.join(", ").alias(name)
                for name in ("variables", "values")
            ),
            pl.lit(fact.message).alias("message"),
        )
        if rest := one.count - shown.height:
            more = f"{rest:,} more findings of this rule in this dataset are counted and not listed."
            lines = pl.concat([lines, pl.DataFrame([(None, rest, "", "", more)], schema=lines.schema, orient="row")])
        parts.append(
            lines.with_columns(
                pl.lit(_source(one.dataset, names)).alias("domain"),
                pl.lit(one.rule).alias("rule"),
                pl.lit(fact.publisher).alias("publisher"),
                pl.lit(fact.category).alias("category"),
                pl.lit(fact.severity).alias("severity"),
                pl.lit(one.dataset).alias("dataset"),
            ).select(_DETAILS.names())
        )
    return _ranked(pl.concat(parts), "domain", "rule") if parts else pl.DataFrame(schema=_DETAILS)


def _datasets(
    datasets: Sequence[Dataset],
    issues: pl.DataFrame,
    results: Sequence[RuleResult],
    class_of: Callable[[str], str],
    *,
    is_timed: bool,
) -> pl.DataFrame:
    counts = {
        (name, severity): int(found)
        for name, severity, found in issues.group_by("dataset", "severity").agg(pl.col("found").sum()).iter_rows()
    }
    rows = []
    for one in datasets:
        domain = shown_domain(one)
        rows.append(
            (
                domain,
                one.label,
                class_of(domain.split(" ")[0]),
                one.file,
                one.frame.height,
                *(counts.get((one.name, severity), 0) for severity in SEVERITIES),
                sum(result.seconds for result in results if result.dataset == one.name) if is_timed else None,
                one.name,
            )
        )
    known = {one.name for one in datasets}
    elsewhere = (one for one in results if one.count and one.dataset not in known and one.rule != UNREADABLE)
    for name in dict.fromkeys(one.dataset for one in elsewhere):
        # Findings on the study as a whole; files that could not be read stand apart.
        found = [counts.get((name, severity), 0) for severity in SEVERITIES]
        rows.append((name, "", "", "", None, *found, None, name))
    schema: dict[str, Any] = dict.fromkeys(("domain", "label", "class", "source"), pl.String)
    schema |= dict.fromkeys(("records", "rejects", "errors", "warnings", "notices"), pl.Int64)
    schema |= {"seconds": pl.Float64, "dataset": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row").sort("domain")


def _rules(text: pl.DataFrame, results: Sequence[RuleResult], *, is_timed: bool) -> pl.DataFrame:
    """One line a rule: its texts, whether it ran, on how many datasets, what it found, how long it took."""
    runs = pl.DataFrame(
        [(one.rule, one.status, one.reason, one.count, one.seconds) for one in results],
        schema={"rule": pl.String, "status": pl.String, "reason": pl.String, "found": pl.Int64, "seconds": pl.Float64},
        orient="row",
    )
    ran = pl.col("status") == "ok"
    told = runs.group_by("rule", maintain_order=True).agg(
        ran.sum().cast(pl.Int64).alias("ran_on"),
        pl.when(ran.any()).then(pl.lit("ran")).otherwise(pl.col("status").first()).alias("status"),
        pl.when(ran.any())
        .then(pl.lit(""))
        .otherwise(pl.col("reason").unique(maintain_order=True).str.join("; "))
        .first()
        .alias("reason"),
        pl.col("found").sum(),
        pl.col("seconds").sum(),
    )
    frame = text.join(told, on="rule", how="left", maintain_order="left").with_columns(
        pl.col("ran_on", "found").fill_null(0),
        pl.col("status").fill_null("skipped"),
        pl.col("reason").fill_null("No dataset of this run is in its scope."),
        pl.col("seconds").fill_null(0.0) if is_timed else pl.lit(None, dtype=pl.Float64).alias("seconds"),
    )
    return frame.sort("rule")


def _not_run(results: Sequence[RuleResult], facts: Mapping[str, Facts], names: Mapping[str, str]) -> pl.DataFrame:
    rows = [
        (one.rule, _source(one.dataset, names), one.status, one.reason, facts[one.rule].message)
        for one in results
        if one.status != "ok"
    ]
    schema = dict.fromkeys(("rule", "domain", "status", "reason", "message"), pl.String)
    return pl.DataFrame(rows, schema=schema, orient="row").sort(
        "status", "rule", "domain", descending=[True, False, False]
    )


def _times(results: Sequence[RuleResult], names: Mapping[str, str]) -> pl.DataFrame:
    """Seconds of each rule on each dataset, slowest first."""
    rows = [(one.rule, _source(one.dataset, names), one.seconds) for one in results if one.status == "ok"]
    schema = {"rule": pl.String, "domain": pl.String, "seconds": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row").sort("seconds", descending=True)
