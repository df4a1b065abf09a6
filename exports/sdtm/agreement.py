"""How far derived datasets agree with a known answer: rows by their natural keys, then cell by cell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import yaml

# Numbers are equal when they differ by less than this part of their size: files keep 9.3 as 9.299999999999999.
TOLERANCE = 1e-9
EXAMPLES = 3
# Under this name stands why rows are missing or extra.
ROWS = "rows"


@dataclass(frozen=True, slots=True)
class VariableAgreement:
    """How one variable agrees over the rows that both sides have."""

    name: str
    compared: int
    differing: int
    examples: tuple[tuple[str | float | None, str | float | None], ...]
    """A few pairs of ours and theirs that differ."""


@dataclass(frozen=True, slots=True)
class DomainAgreement:
    """How one dataset agrees: rows on both sides, rows that only one side has, and each variable."""

    name: str
    rows_ours: int
    rows_theirs: int
    missing: int
    extra: int
    variables: tuple[VariableAgreement, ...]
    only_theirs: tuple[str, ...]
    only_ours: tuple[str, ...]

    @property
    def compared(self) -> int:
        """The cells compared; a row that only one side has counts with all its cells, as differing."""
        return sum(variable.compared for variable in self.variables) + self._unmatched_cells

    @property
    def differing(self) -> int:
        """The cells that differ."""
        return sum(variable.differing for variable in self.variables) + self._unmatched_cells

    @property
    def percent(self) -> float:
        """The agreeing cells in percent, cut to three decimals so that 100 means all of them."""
        if not self.compared:
            return 100.0
        return (self.compared - self.differing) * 100_000 // self.compared / 1000

    @property
    def _unmatched_cells(self) -> int:
        return (self.missing + self.extra) * len(self.variables)


def compare(name: str, ours: pl.DataFrame, theirs: pl.DataFrame, *, keys: Sequence[str]) -> DomainAgreement:
    """Compare two frames of one dataset, aligned on natural keys.

    Raises
    ------
    ValueError
        If the keys do not tell the rows of one side apart.
    """
    for side, frame in (("ours", ours), ("theirs", theirs)):
        if frame.select(keys).is_duplicated().any():
            raise ValueError(f"{name}: the keys {', '.join(keys)} do not tell all rows of {side} apart.")
    shared = [column for column in ours.columns if column in theirs.columns]
    left = _with_keys(ours.select(shared), keys)
    right = _with_keys(theirs.select(shared), keys)
    on = [f"key:{key}" for key in keys]
    both = left.join(right, on=on, how="inner", nulls_equal=True, suffix=":theirs")
    return DomainAgreement(
        name,
        ours.height,
        theirs.height,
        missing=theirs.height - both.height,
        extra=ours.height - both.height,
        variables=tuple(_variable(both, column) for column in shared),
        only_theirs=tuple(column for column in theirs.columns if column not in shared),
        only_ours=tuple(column for column in ours.columns if column not in shared),
    )


def _with_keys(frame: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Add the keys in a form that can be joined on: numbers rounded."""
    rounded = [pl.col(key).round(6) if frame.schema[key].is_float() else pl.col(key) for key in keys]
    return frame.with_columns(key.alias(f"key:{name}") for key, name in zip(rounded, keys, strict=True))


def _variable(both: pl.DataFrame, column: str) -> VariableAgreement:
    ours, theirs = pl.col(column), pl.col(f"{column}:theirs")
    if both.schema[column].is_float():
        same = ((ours - theirs).abs() <= TOLERANCE * theirs.abs()) | (ours.is_null() & theirs.is_null())
        equal = same.fill_null(value=False)
    else:
        equal = ours.eq_missing(theirs)
    different = both.filter(~equal).select(ours, theirs)
    return VariableAgreement(column, both.height, different.height, tuple(different.head(EXAMPLES).rows()))


def unexplained(agreements: Sequence[DomainAgreement], explanations: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Name every variable (and `rows`) that differs without an explanation, and every explanation that explains nothing."""
    differing = {(one.name, variable.name) for one in agreements for variable in one.variables if variable.differing}
    differing |= {(one.name, ROWS) for one in agreements if one.missing or one.extra}
    explained = {(domain, name) for domain, reasons in explanations.items() for name in reasons}
    faults = [f"{domain}.{name} differs, but nobody has said why" for domain, name in sorted(differing - explained)]
    return faults + [f"{domain}.{name} is explained, but agrees" for domain, name in sorted(explained - differing)]


def read_explanations(path: Path) -> dict[str, dict[str, str]]:
    """Read why cells differ: a YAML file of domain, variable, sentence."""
    content: dict[str, dict[str, str]] = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    return content


def render(
    agreements: Sequence[DomainAgreement], explanations: Mapping[str, Mapping[str, str]], *, title: str, intro: str
) -> str:
    """Write the agreement as a Markdown page: one table of domains, one of differences."""
    lines = [f"# {title}", "", intro, ""]
    lines += ["| domain | rows, ours | rows, theirs | missing | extra | cells compared | differing | agreeing % |"]
    lines += ["| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    lines += [_line(one) for one in agreements]
    compared, differing = sum(one.compared for one in agreements), sum(one.differing for one in agreements)
    share = (compared - differing) * 100_000 // compared / 1000
    lines += [f"| all | | | | | {compared:,} | {differing:,} | {share:.3f} |", "", "## Every difference", ""]
    lines += ["| variable | cells differing | ours, theirs (first) | why |", "| --- | ---: | --- | --- |"]
    for one in agreements:
        reasons = explanations.get(one.name, {})
        if one.missing or one.extra:
            counts = f"{one.missing:,} missing, {one.extra:,} extra"
            lines.append(f"| {one.name}, rows | {counts} | | {reasons.get(ROWS, '')} |")
        lines += [_difference(one.name, v, reasons.get(v.name, "")) for v in one.variables if v.differing]
    absent = [f"- {one.name}: {', '.join(one.only_theirs)}" for one in agreements if one.only_theirs]
    lines += ["", "## Variables that only the other side has", "", *(absent or ["None."]), ""]
    return "\n".join(lines)


def _line(one: DomainAgreement) -> str:
    counts = f"{one.rows_ours:,} | {one.rows_theirs:,} | {one.missing:,} | {one.extra:,}"
    return f"| {one.name} | {counts} | {one.compared:,} | {one.differing:,} | {one.percent:.3f} |"


def _difference(domain: str, variable: VariableAgreement, reason: str) -> str:
    ours, theirs = ("(missing)" if value is None else f"`{value}`" for value in variable.examples[0])
    return (
        f"| {domain}.{variable.name} | {variable.differing:,} of {variable.compared:,} | {ours}, {theirs} | {reason} |"
    )
