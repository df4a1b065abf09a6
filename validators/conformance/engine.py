"""Running rules on the datasets of a study."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import polars as pl

from validators.conformance.data import Dataset
from validators.conformance.joins import joined
from validators.conformance.levels import VALUE_LEVEL, level_holders, value_levels
from validators.conformance.result import Results, RuleResult, no_findings
from validators.conformance.rule import Rule
from validators.conformance.scope import applies, foreign
from validators.conformance.standards import assigned
from validators.conformance.tables import DEFINED, PART, STUDY, WHOLE, Source, attributes, evaluated, holders, presence
from validators.datasets.study import ROW, Part, Study
from validators.operations.context import Context, SkipError
from validators.operations.run import operate
from validators.operators.codelists import ASSIGNED, CODELISTS
from validators.operators.conditions import holds, leaves
from validators.operators.table import MissingError, Seen, Table, UnsupportedError, text, unblank

PRESENCE = "Domain Presence Check"
ABSENT = "Not in dataset"
NOTHING = no_findings()
#: What data that nobody foresaw may raise while tables are made: the rule is then unsupported, and says why.
FAULTS = (pl.exceptions.PolarsError, LookupError, TypeError, ValueError, ArithmeticError, AttributeError)


class Run:
    """One run: a study, what is known of the standard, and tables that rules share."""

    def __init__(self, datasets: Sequence[Dataset], catalogue: Any = None, define: Any = None) -> None:
        self.study = Study.of(datasets)
        self.source = Source(study=self.study, catalogue=catalogue, define=define)
        self.catalogue = catalogue
        self.define = define
        self.tables: dict[tuple[str, tuple[str, ...]], Table] = {}
        self.scopes: dict[tuple[str, bool], list[tuple[Part, ...]]] = {}
        self.present: pl.DataFrame | None = None

    def base(self, kind: str, parts: Sequence[Part]) -> Table:
        """The table of a rule type on datasets, made once."""
        key = (kind, tuple(one.name for one in parts))
        if key not in self.tables:
            of_kind = value_levels if kind == VALUE_LEVEL else partial(evaluated, kind)
            frame = of_kind(self.source, parts)
            constants = attributes(kind, self.source, parts)
            self.tables[key] = Table(frame=frame, prefix=parts[0].prefix, constants=constants, seen=Seen(frame))
        return self.tables[key]

    def units(self, rule: Rule) -> list[tuple[Part, ...]]:
        """Datasets that a rule is about, parts of a domain together where the rule tests records."""
        key = (repr(rule.scope), rule.type in WHOLE)
        if key not in self.scopes:
            self.scopes[key] = self.scoped(rule)
        return self.scopes[key]

    def scoped(self, rule: Rule) -> list[tuple[Part, ...]]:
        """As `units`, found out for one scope."""
        parts = [one for one in self.study.parts if applies(one, rule.scope, self.catalogue)]
        if rule.type not in WHOLE:
            return [(one,) for one in parts]
        groups: dict[tuple[str, str], list[Part]] = {}
        for one in parts:
            name = (one.related or one.prefix) if one.is_supplemental else one.domain
            groups.setdefault(("SUPP" if one.is_supplemental else "", name), []).append(one)
        return [tuple(one) for one in groups.values()]

    def all(self, rules: Sequence[Rule], limit: int | None = None) -> Iterator[RuleResult]:
        """The results of rules, in their order: one for each dataset that a rule is about, or one that says why not.

        All rules on one unit run one after the other, so that what is kept for them is let go before the next.
        """
        found: list[list[list[RuleResult]]] = []
        waiting: dict[tuple[str, ...], list[tuple[int, int, tuple[Part, ...]]]] = {}
        for place, rule in enumerate(rules):
            told = self.told(rule)
            units = [] if told else self.units(rule)
            found.append([[told]] if told else [[] for _ in units])
            for number, parts in enumerate(units):
                waiting.setdefault(tuple(one.name for one in parts), []).append((place, number, parts))
        for names, steps in waiting.items():
            for place, number, parts in steps:
                found[place][number] = list(self.unit(rules[place], parts, limit))
            self.tables = {key: table for key, table in self.tables.items() if key[1] != names}
        for rule, of_rule in zip(rules, found, strict=True):
            results = [one for of_unit in of_rule for one in of_unit]
            yield from once(results) if rule.sensitivity == "Study" else results

    def rule(self, rule: Rule, limit: int | None = None) -> Iterator[RuleResult]:
        """The results of one rule, see `all`."""
        return self.all([rule], limit)

    def told(self, rule: Rule) -> RuleResult | None:
        """The result of a rule that is not run on datasets one by one; None for others."""
        reason = unsupported(rule)
        if reason:
            return RuleResult(rule=rule.id, dataset="", status="unsupported", reason=reason)
        units = self.units(rule)
        if rule.type in {PRESENCE, DEFINED} and self.study.parts:
            return self.presence(rule, units)
        if not units:
            reason = "No dataset of the study is one that the rule is about."
            return RuleResult(rule=rule.id, dataset="", status="skipped", reason=reason)
        return None

    def unit(self, rule: Rule, parts: tuple[Part, ...], limit: int | None) -> Iterator[RuleResult]:
        """The results of one rule on one unit."""
        started = time.perf_counter()
        try:
            table = self.prepared(rule, parts)
            met = holds(table, rule.check)
            hits = table.frame.select(needed(rule, table)).filter(met) if met.any() else None
            if hits is not None and rule.type.startswith("Value Check"):
                is_level = rule.type == VALUE_LEVEL
                hits = level_holders(hits, self.source, parts) if is_level else holders(hits, parts)
        except (SkipError, MissingError) as error:
            yield from refused(rule, parts, "skipped", str(error), started)
            return
        except UnsupportedError as error:
            yield from refused(rule, parts, "unsupported", str(error), started)
            return
        except FAULTS as error:
            reason = f"Its tables cannot be made from these datasets: {type(error).__name__}: {error}"
            yield from refused(rule, parts, "unsupported", reason, started)
            return
        spent = (time.perf_counter() - started) / len(parts)
        for place, part in enumerate(parts):
            own = hits.filter(pl.col(PART) == place) if hits is not None and len(parts) > 1 else hits
            found = told_apart(rule, own, table) if own is not None and own.height else NOTHING
            yield RuleResult(
                rule=rule.id,
                dataset=part.name,
                status="ok",
                reason=absent(table),
                count=found.height,
                findings=findings(rule, found if limit is None else found.head(limit), table),
                seconds=spent,
            )

    def prepared(self, rule: Rule, parts: tuple[Part, ...]) -> Table:
        """The table that a rule's conditions are tested on: joined, with the results of operations."""
        base = self.base(rule.type, parts)
        table = replace(base, missing=set(), added_memo={})
        if rule.operators & CODELISTS.keys():
            table = replace(table, constants={**table.constants, ASSIGNED: assigned(self.catalogue)})
        if rule.joins:
            table = joined(table, rule.joins, self.study, parts[0], wanted=asked(rule, table))
        if rule.operations:
            table = replace(table, constants=dict(table.constants))
            before = table.known
            context = Context(
                study=self.study, part=parts[0], table=table, catalogue=self.catalogue, define=self.define
            )
            operate(context, rule.operations)
            widened(table, before, {str(one["id"]) for one in rule.operations})
        return table

    def presence(self, rule: Rule, units: Sequence[tuple[Part, ...]]) -> RuleResult:
        """The result of a rule on which datasets the study has: one for the study.

        Where none of them is one that the rule is about, what the rule finds does not count.
        """
        started = time.perf_counter()
        found = NOTHING
        for parts in units or [self.study.parts[:1]]:
            try:
                table = Table(frame=self.facts_of_presence(rule, parts), prefix=parts[0].prefix)
                context = Context(
                    study=self.study, part=parts[0], table=table, catalogue=self.catalogue, define=self.define
                )
                table = operate(context, rule.operations)
                hits = told_apart(rule, table.frame.filter(holds(table, rule.check)), table, whole=True)
                found = findings(rule, hits, table)
            except (MissingError, SkipError) as error:
                return RuleResult(rule=rule.id, dataset=STUDY, status="skipped", reason=str(error))
            except UnsupportedError as error:
                return RuleResult(rule=rule.id, dataset=STUDY, status="unsupported", reason=str(error))
            except FAULTS as error:
                reason = f"Its table cannot be made from these datasets: {type(error).__name__}: {error}"
                return RuleResult(rule=rule.id, dataset=STUDY, status="unsupported", reason=reason)
            if found.height:
                break
        if found.height and not units:
            reason = "No dataset of the study is one that the rule is about."
            return RuleResult(rule=rule.id, dataset=STUDY, status="skipped", reason=reason)
        spent = time.perf_counter() - started
        return RuleResult(rule=rule.id, dataset=STUDY, status="ok", count=found.height, findings=found, seconds=spent)

    def facts_of_presence(self, rule: Rule, parts: tuple[Part, ...]) -> pl.DataFrame:
        """What a rule on the datasets that are there is tested on."""
        if rule.type != PRESENCE:
            return evaluated(rule.type, self.source, parts)
        if self.present is None:
            self.present = presence(self.study)
        return self.present


def once(results: Sequence[RuleResult]) -> Iterator[RuleResult]:
    """The results of a rule that tells one finding for the study: the first that has one keeps it."""
    is_told = False
    for one in results:
        yield replace(one, count=0, findings=NOTHING) if is_told else one
        is_told = is_told or bool(one.count)


def widened(table: Table, before: Seen, made: set[str]) -> None:
    """Note which columns operations made, so that what is known of the others stays known to all rules."""
    if table.frame is before.frame:
        return
    if made & before.names or table.frame.height != before.frame.height:
        table.memo = {}
        return
    table.added |= frozenset(table.frame.columns) - before.names
    table.seen = Seen(table.frame, before)


def unsupported(rule: Rule) -> str:
    """Why this engine cannot run a rule, "" where it can."""
    if "jsonata" in rule.check or rule.type == "JSONata":
        return "The rule is written in JSONata, which is for studies as JSON and not for datasets."
    if foreign(rule.scope):
        return foreign(rule.scope)
    if rule.unknown:
        return f"The operator {', '.join(sorted(rule.unknown))} is not one that this engine has."
    return ""


#: Operations and operators that ask for no variables beside those that the rule names.
PLAIN = frozenset(
    {
        "dataset_names",
        "distinct",
        "dy",
        "map",
        "max",
        "max_date",
        "mean",
        "min",
        "min_date",
        "record_count",
        "study_domains",
        "variable_exists",
    }
)


def asked(rule: Rule, table: Table) -> frozenset[str] | None:
    """Names of all variables that a rule may ask for; None where what it says does not tell."""
    is_open = (
        any(one.get("value_is_reference") for one in [*leaves(rule.check), *rule.operations])
        or any(str(one.get("operator")) not in PLAIN for one in rule.operations)
        or "inconsistent_enumerated_columns" in rule.operators
    )
    if is_open:
        return None
    names = {*words(rule.check), *words(list(rule.operations)), *rule.outputs, *rule.grouping, "RFSTDTC"}
    called = {table.called(one) for one in names}
    return frozenset(called | {one.partition(".")[2] for one in called if "." in one})


def words(found: Any) -> Iterator[str]:
    """All texts in a tree."""
    if isinstance(found, str):
        yield found
    elif isinstance(found, Mapping):
        for one in found.values():
            yield from words(one)
    elif isinstance(found, list | tuple):
        for one in found:
            yield from words(one)


def absent(table: Table) -> str:
    """Which variables conditions asked for in vain; a condition without its variable does not hold."""
    names = ", ".join(sorted(table.missing))
    return f"Not in the dataset, so that conditions on it do not hold: {names}." if names else ""


def refused(rule: Rule, parts: Sequence[Part], status: Any, reason: str, started: float) -> Iterator[RuleResult]:
    """Results that say why a rule did not run."""
    spent = time.perf_counter() - started
    for part in parts:
        yield RuleResult(rule=rule.id, dataset=part.name, status=status, reason=reason, seconds=spent)


def reported(rule: Rule) -> list[str]:
    """Variables that a finding shows: those that the rule names for it, or those of its conditions."""
    if rule.outputs:
        return list(dict.fromkeys(rule.outputs))
    return list(dict.fromkeys(str(one["name"]) for one in leaves(rule.check)))


def shown(table: Table, hits: pl.DataFrame, name: str) -> pl.Series:
    """Values of one variable as a finding shows them."""
    called = table.called(name)
    if called in hits.columns:
        series = hits.get_column(called)
        if isinstance(series.dtype, pl.List):
            return pl.Series([str(one) for one in series.to_list()], dtype=pl.String)
        return unblank(text(series))
    value = str(table.constants[called]) if called in table.constants else ABSENT
    return pl.Series([value], dtype=pl.String).new_from_index(0, hits.height)


def told_apart(rule: Rule, hits: pl.DataFrame, table: Table, *, whole: bool = False) -> pl.DataFrame:
    """The hits that are findings: each record once, one for the dataset as a whole, or one for each group."""
    if rule.sensitivity in {"Dataset", "Study"} or whole:
        return hits.head(1).with_columns(pl.lit(None, dtype=pl.Int64).alias(ROW))
    if rule.sensitivity == "Group" and rule.grouping:
        keys = [table.called(one) for one in rule.grouping if table.has(one)]
        return hits.unique(subset=[PART, *keys], keep="first", maintain_order=True)
    if rule.type.startswith("Value Check"):
        return hits
    return (
        hits if hits.get_column(ROW).is_unique().all() else hits.unique(subset=[ROW], keep="first", maintain_order=True)
    )


def findings(rule: Rule, hits: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Findings with the variables that they are about and their values."""
    if not hits.height:
        return NOTHING
    names = reported(rule)
    shown_values = pl.DataFrame([shown(table, hits, name).alias(str(place)) for place, name in enumerate(names)])
    called = [table.called(name) for name in names]
    return pl.DataFrame(
        {
            "record": hits.get_column(ROW),
            "variables": pl.Series([called], dtype=pl.List(pl.String)).new_from_index(0, hits.height),
            "values": shown_values.select(pl.concat_list(pl.all())).to_series(),
        }
    ).sort("record", maintain_order=True)


def needed(rule: Rule, table: Table) -> list[str]:
    """Columns that findings are told with."""
    if rule.type.startswith("Value Check"):
        return table.frame.columns
    asked_for = {table.called(one) for one in [*reported(rule), *rule.grouping]} | {PART, ROW}
    return [one for one in table.frame.columns if one in asked_for]


def run(
    rules: Sequence[Rule],
    datasets: Sequence[Dataset],
    library: Any = None,
    *,
    define: Any = None,
    limit: int | None = None,
) -> Results:
    """All results of rules on datasets, in the order of the rules.

    `limit` cuts the findings that are kept for each rule and dataset, never their count.
    """
    started = time.perf_counter()
    own = Run(datasets, catalogue=library, define=define)
    return Results(results=tuple(own.all(rules, limit)), seconds=time.perf_counter() - started)
