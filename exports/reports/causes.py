"""Findings of one cause in one line: the same rule, the same variables, the same pattern of values."""

from collections.abc import Iterable, Mapping
from typing import Final

import polars as pl

from exports.reports.facts import SEVERITIES, Facts
from validators.conformance.result import RuleResult

#: A variable with at most so many different values in a rule's findings is told value by value.
FEW: Final = 12
#: A text longer than this has no shape worth telling.
LONG: Final = 24
#: Variables that name a record; their values are never the cause.
_NAMES: Final = r"^(USUBJID|SUBJID|POOLID|IDVARVAL|RELID|.{2}SEQ|.{2}SPID|.{2}REFID|.{2}GRPID|.{2}LNKID)$"
#: Dates and times are told by their shape.
_MOMENTS: Final = r"(DTC|DUR|DY|DTM|DT|TM)$"
_ANY: Final = "(any)"

SCHEMA: Final = pl.Schema(
    {
        "rule": pl.String,
        "severity": pl.String,
        "category": pl.String,
        "message": pl.String,
        "variables": pl.String,
        "pattern": pl.String,
        "found": pl.Int64,
        "datasets": pl.String,
        "example": pl.String,
    }
)


def cluster(results: Iterable[RuleResult], facts: Mapping[str, Facts], names: Mapping[str, str]) -> pl.DataFrame:
    """Group findings by cause; the counts add up to all findings, also when details were limited.

    What is not listed by the engine forms a line of its own for each rule, with an empty pattern.
    """
    by_rule: dict[str, list[RuleResult]] = {}
    for one in results:
        if one.count:
            by_rule.setdefault(one.rule, []).append(one)
    parts = [_of_rule(facts[rule], some, names) for rule, some in by_rule.items()]
    if not parts:
        return pl.DataFrame(schema=SCHEMA)
    rank = pl.col("severity").replace_strict(
        {one: place for place, one in enumerate(SEVERITIES)}, default=len(SEVERITIES)
    )
    return pl.concat(parts).sort(rank, pl.col("found"), "rule", "pattern", descending=[False, True, False, False])


def _of_rule(fact: Facts, results: list[RuleResult], names: Mapping[str, str]) -> pl.DataFrame:
    frames = [
        one.findings.with_columns(pl.lit(names.get(one.dataset, one.dataset or "(all datasets)")).alias("dataset"))
        for one in results
    ]
    findings = pl.concat(frames).with_row_index("finding")
    lines = _lines(findings)
    rest = [(one, one.count - one.findings.height) for one in results if one.count > one.findings.height]
    if rest:
        told = ", ".join(names.get(one.dataset, one.dataset) for one, _ in rest)
        more = [("", "(not listed)", sum(number for _, number in rest), told, "")]
        lines = pl.concat([lines, pl.DataFrame(more, schema=lines.schema, orient="row")])
    return lines.with_columns(
        pl.lit(fact.id).alias("rule"),
        pl.lit(fact.severity).alias("severity"),
        pl.lit(fact.category).alias("category"),
        pl.lit(fact.message).alias("message"),
    ).select(SCHEMA.names())


def _lines(findings: pl.DataFrame) -> pl.DataFrame:
    """Give each finding its pattern, then count."""
    long = (
        findings.select("finding", "variables", "values")
        .with_columns(pl.col("values").list.head(pl.col("variables").list.len()))
        .filter(pl.col("variables").list.len() == pl.col("values").list.len())
        .explode("variables", "values")
        .drop_nulls("variables")
        .with_columns(pl.col("values").fill_null("").n_unique().over("variables").alias("different"))
        .with_columns(_pattern().alias("pattern"))
    )
    patterns = long.group_by("finding", maintain_order=True).agg(
        (pl.col("variables") + "=" + pl.col("pattern")).str.join(", ").alias("pattern")
    )
    place = pl.when(pl.col("record").is_null()).then(pl.lit("dataset")).otherwise(pl.format("record {}", "record"))
    return (
        findings.join(patterns, on="finding", how="left", maintain_order="left")
        .with_columns(pl.col("variables").list.join(", "), pl.col("pattern").fill_null(""))
        .with_columns(
            pl.format(
                "{}, {}: {}",
                "dataset",
                place,
                pl.col("values").list.eval(pl.element().fill_null("null")).list.join(", ").str.slice(0, 200),
            ).alias("example")
        )
        .group_by("variables", "pattern", maintain_order=True)
        .agg(
            pl.len().cast(pl.Int64).alias("found"),
            pl.col("dataset").unique(maintain_order=True).sort().str.join(", ").alias("datasets"),
            pl.col("example").first(),
        )
    )


def _pattern() -> pl.Expr:
    """Tell a value by itself where there are few, else by its shape: digits as 9, letters as A.

    Moments are told by their shape always.
    """
    value = pl.col("values").fill_null("")
    shape = value.str.replace_all(r"\d", "9").str.replace_all(r"\p{L}", "A")
    return (
        pl.when(pl.col("variables").str.contains(_NAMES))
        .then(pl.lit(_ANY))
        .when(value == "")
        .then(pl.lit("(empty)"))
        .when(
            ~pl.col("variables").str.contains(_MOMENTS)
            & (pl.col("different") <= FEW)
            & (value.str.len_chars() <= 4 * LONG)
        )
        .then(value)
        .when(value.str.len_chars() > LONG)
        .then(pl.lit("(text)"))
        .otherwise(shape)
    )
