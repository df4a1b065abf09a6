"""Cases of the open rules: datasets with the findings that a rule must have on them, and the score of this engine."""

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl

from validators.conformance.data import Dataset, Variable
from validators.conformance.engine import Run
from validators.conformance.result import RuleResult, Status
from validators.conformance.rule import Rule, RuleError, read_rule

type Finding = tuple[str, str | None]
Verdict = Literal["exact", "same verdict", "wrong", "skipped", "unsupported", "no answer"]


#: What a rule or a case that nobody foresaw may raise: told as unsupported with its reason, never an abort.
FAULTS = (
    pl.exceptions.PolarsError,
    ArithmeticError,
    LookupError,
    OSError,
    TypeError,
    ValueError,
    RecursionError,
    AttributeError,
)


class CaseError(ValueError):
    """A case that cannot be read; the message says where and what is wrong."""


@dataclass(frozen=True)
class Case:
    """One case: its datasets, the run's settings, what must be found (None where the case does not say)."""

    rule: str
    name: str
    folder: Path
    settings: Mapping[str, str]
    datasets: tuple[Dataset, ...]
    expected: frozenset[Finding] | None


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


def settings(path: Path) -> dict[str, str]:
    """The settings of a case: lines NAME=value."""
    if not path.exists():
        return {}
    lines = [
        line.split("=", 1)
        for line in path.read_text(encoding="utf-8-sig").splitlines()
        if "=" in line and not line.lstrip().startswith("#")
    ]
    return {name.strip(): value.strip().strip("\"'") for name, value in lines}


def table(path: Path) -> list[dict[str, str]]:
    """The lines of a CSV file, by the names in its first line."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        return [
            {str(name): value or "" for name, value in line.items() if name is not None}
            for line in csv.DictReader(stream, strict=False)
        ]


def values(path: Path) -> pl.DataFrame:
    """The values of a dataset's CSV file, all as text."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        lines = [line for line in csv.reader(stream) if line]
    if not lines:
        return pl.DataFrame()
    names = [name.strip() for name in lines[0]]
    kept = [place for place, name in enumerate(names) if name]
    return pl.DataFrame(
        {
            names[place]: pl.Series([line[place] if place < len(line) else "" for line in lines[1:]], dtype=pl.String)
            for place in kept
        }
    )


def dataset(path: Path, name: str, label: str, known: Mapping[str, Mapping[str, str]]) -> Dataset:
    """One dataset of a case, numbers as its list of variables says."""
    frame = values(path)
    variables = []
    columns = []
    for column in frame.columns:
        fact = known.get(column, {})
        number = fact.get("type", "Char").strip().lower() in {"num", "numeric", "integer", "float"}
        length = fact.get("length", "").strip()
        variables.append(
            Variable(
                name=column,
                label=fact.get("label", ""),
                type="Num" if number else "Char",
                length=int(float(length)) if length.replace(".", "", 1).isdigit() else None,
            )
        )
        series = frame.get_column(column)
        columns.append(series.str.strip_chars().cast(pl.Float64, strict=False) if number else series)
    return Dataset(name=name, label=label, variables=tuple(variables), frame=pl.DataFrame(columns), file=path.name)


def datasets(folder: Path) -> Iterator[Dataset]:
    """The datasets of a case, in the order of its list."""
    known: dict[str, dict[str, Mapping[str, str]]] = {}
    for line in table(folder / "_variables.csv"):
        known.setdefault(line.get("dataset", "").strip().lower(), {})[line.get("variable", "").strip()] = line
    files = {path.stem.lower(): path for path in sorted(folder.glob("*.csv")) if not path.name.startswith("_")}
    for line in table(folder / "_datasets.csv"):
        stem = Path(line.get("Filename", "").strip()).stem.lower()
        if stem in files:
            name = line.get("Dataset Name", "").strip() or stem
            yield dataset(files[stem], name.upper(), line.get("Label", "").strip(), known.get(stem, {}))


def expected(path: Path) -> frozenset[Finding] | None:
    """What must be found; None where the case has no such file."""
    if not path.exists():
        return None
    lines = table(path)
    return frozenset(
        (line["Dataset"].strip().upper(), record(line.get("Record", "")))
        for line in lines
        if line.get("Dataset", "").strip() and "Record" in line
    )


def record(text: str) -> str | None:
    """A record's number as text; None for a finding on the dataset."""
    value = text.strip()
    return value.removesuffix(".0") or None


def read_case(rule: str, folder: Path, name: str) -> Case:
    """One case."""
    data = folder / "data"
    found = tuple(datasets(data))
    if not found:
        raise CaseError(f"{name}: no dataset is in {data.name}; _datasets.csv names the files.")
    return Case(
        rule=rule,
        name=name,
        folder=data,
        settings=settings(data / ".env"),
        datasets=found,
        expected=expected(folder / "results" / "results.csv"),
    )


def outcome(rule: Rule, case: Case, around: Surroundings) -> Outcome:
    """What this engine says of a case."""
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


def outcomes(folder: Path, surroundings: Callable[[Case], Surroundings]) -> Iterator[Outcome]:
    """What this engine says of every case of a folder; what cannot be read is unsupported with its reason."""
    for path in sorted(one for one in folder.iterdir() if one.is_dir()):
        try:
            rule = read_rule((path / "rule.yml").read_text(encoding="utf-8"), place=f"{path.name}/rule.yml")
        except (RuleError, *FAULTS) as error:
            yield from (refused(path.name, name, place, str(error)) for name, place in listed(path))
            continue
        for name, place in listed(path):
            try:
                case = read_case(path.name, place, name)
                yield outcome(rule, case, surroundings(case))
            except CaseError as error:
                yield refused(path.name, name, place, str(error), rule.type)
            except FAULTS as error:
                reason = f"Running it failed: {type(error).__name__}: {error}"
                yield refused(path.name, name, place, reason, rule.type)


def refused(rule: str, name: str, place: Path, reason: str, kind: str = "") -> Outcome:
    """A case that did not run."""
    try:
        due = expected(place / "results" / "results.csv")
    except FAULTS:
        due = None
    return Outcome(rule=rule, case=name, type=kind, status="unsupported", reason=reason, expected=due)


def listed(path: Path) -> Iterator[tuple[str, Path]]:
    """The cases of a rule's folder with their names."""
    for kind in ("negative", "positive"):
        for place in sorted((path / kind).glob("*")):
            if place.is_dir():
                yield f"{kind}/{place.name}", place
