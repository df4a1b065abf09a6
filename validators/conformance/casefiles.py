"""Files of cases of the open rules: datasets, what they are run with, and what must be found on them.

Nothing but the datasets must be there: without lists the files of the folder are the datasets, and the standard says which
variables are numbers.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import polars as pl

from validators.conformance.data import Dataset, Variable
from validators.library.facts import domains
from validators.library.library import VERSIONS

type Finding = tuple[str, str | None]
#: Reads a dataset that is not written as CSV.
type Reader = Callable[[Path], Dataset]

#: Files of datasets that are not CSV, in the order in which they count.
OTHERS: Final = (".xpt", ".json", ".ndjson", ".parquet")
NUMBERS: Final = frozenset({"num", "numeric", "number", "integer", "int", "float", "double", "decimal"})
#: What columns of a case's lists are called, in lower case, ours first.
FILE: Final = ("filename", "file", "file name")
NAME: Final = ("dataset name", "dataset", "name")
LABEL: Final = ("label", "dataset label")
RECORD: Final = ("record", "row")


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


def content(path: Path) -> str:
    """A file's text; one that is not UTF-8 is read as Windows writes it."""
    raw = path.read_bytes().replace(b"\x00", b"")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def settings(folder: Path) -> dict[str, str]:
    """The settings of a case: lines NAME=value (or NAME: value) of its file .env."""
    path = next(
        (folder / one for one in (".env", "env", ".env.yml", ".yml", "env.yml") if (folder / one).is_file()), None
    )
    found: dict[str, str] = {}
    for line in content(path).splitlines() if path else ():
        sign = "=" if "=" in line else ":"
        name, parted, value = line.strip().removeprefix("export ").partition(sign)
        if parted and not name.startswith("#"):
            found[name.strip().upper()] = value.strip().strip("\"'")
    return found


def lines(path: Path) -> list[list[str]]:
    """The lines of a CSV file that are not blank."""
    csv.field_size_limit(10_000_000)
    return [line for line in csv.reader(io.StringIO(content(path), newline="")) if line]


def table(path: Path) -> list[dict[str, str]]:
    """The lines of a CSV file by the names in its first line, in lower case; none where there is no file."""
    if not path.is_file():
        return []
    names, *rest = lines(path) or [[]]
    keys = [one.strip().lower() for one in names]
    return [dict(zip(keys, line, strict=False)) for line in rest]


def said(line: Mapping[str, str], names: Iterable[str]) -> str:
    """The first of several columns that is filled, without blanks around it."""
    return next((line[one].strip() for one in names if line.get(one, "").strip()), "")


def values(path: Path) -> pl.DataFrame:
    """The values of a dataset's CSV file, all as text."""
    found = lines(path)
    if not found:
        return pl.DataFrame()
    names = [name.strip() for name in found[0]]
    kept = [place for place, name in enumerate(names) if name]
    return pl.DataFrame(
        {
            names[place]: pl.Series([line[place] if place < len(line) else "" for line in found[1:]], dtype=pl.String)
            for place in kept
        }
    )


@cache
def numeric() -> frozenset[str]:
    """Names of variables that are numbers in the standard."""
    known = domains(max(VERSIONS)).values()
    return frozenset(variable.name for one in known for variable in one.variables if variable.type == "Num")


def is_number(column: str, fact: Mapping[str, str] | None) -> bool:
    """Whether a variable is a number: as the case's list says, or as the standard does where the case has none."""
    return column.upper() in numeric() if fact is None else fact.get("type", "Char").strip().lower() in NUMBERS


def numbers(series: pl.Series) -> pl.Series:
    """Text as numbers; as it is where a value is no number, so that none is lost."""
    texts = series.str.strip_chars()
    found = texts.cast(pl.Float64, strict=False)
    return found if found.null_count() == (texts == "").sum() else series


def dataset(path: Path, name: str, label: str, known: Mapping[str, Mapping[str, str]] | None) -> Dataset:
    """One dataset of a case, numbers as its list of variables says."""
    frame = values(path)
    variables, columns = [], []
    for column in frame.columns:
        fact = None if known is None else known.get(column.upper(), {})
        length = (fact or {}).get("length", "").strip()
        number = is_number(column, fact)
        variables.append(
            Variable(
                name=column,
                label=(fact or {}).get("label", ""),
                type="Num" if number else "Char",
                length=int(float(length)) if length.replace(".", "", 1).isdigit() else None,
            )
        )
        columns.append(numbers(frame.get_column(column)) if number else frame.get_column(column))
    return Dataset(name=name, label=label, variables=tuple(variables), frame=pl.DataFrame(columns), file=path.name)


def files(folder: Path, reader: Reader | None) -> dict[str, Path]:
    """Files of datasets by their stem in lower case: CSV before what else can be read."""
    kinds = (".csv", *(OTHERS if reader else ()))
    found: dict[str, Path] = {}
    for kind in kinds:
        for path in sorted(one for one in folder.iterdir() if one.suffix.lower() == kind and one.is_file()):
            if not path.name.startswith(("_", ".")) and not path.name.lower().startswith("define"):
                found.setdefault(path.stem.lower(), path)
    return found


def datasets(folder: Path, reader: Reader | None = None) -> Iterator[Dataset]:
    """The datasets of a case, in the order of its list; all files that are datasets where it lists none of them."""
    known: dict[str, dict[str, Mapping[str, str]]] = {}
    for line in table(folder / "_variables.csv"):
        stem = Path(said(line, ("dataset", *FILE))).stem.lower()
        known.setdefault(stem, {})[said(line, ("variable", "variable name", "name")).upper()] = line
    have = files(folder, reader)
    listed = {Path(said(one, (*FILE, *NAME))).stem.lower(): one for one in table(folder / "_datasets.csv")}
    for stem in [one for one in listed if one in have] or have:
        line = listed.get(stem, {})
        path = have[stem]
        if path.suffix.lower() == ".csv":
            yield dataset(path, (said(line, NAME) or stem).upper(), said(line, LABEL), known.get(stem))
        elif reader:
            yield reader(path)


def expected(case: Path) -> frozenset[Finding] | None:
    """What must be found in a case; None where it does not say."""
    folder = case / "results"
    path = next(
        (one for one in (folder / "results.csv", folder / "results.json", case / "results.csv") if one.is_file()), None
    )
    if path is None:
        return None
    rows = issues(path) if path.suffix == ".json" else table(path)
    return frozenset(
        (
            Path(name).stem.upper() if Path(name).suffix.lower() in {".csv", *OTHERS} else name.upper(),
            record(said(line, RECORD)),
        )
        for line in rows
        if (name := said(line, ("dataset",)))
    )


def issues(path: Path) -> list[dict[str, str]]:
    """Findings of a report as JSON: its issue details, or the list that it is."""
    found: Any = json.loads(content(path))
    listed = (
        next((found[one] for one in ("Issue_Details", "issues") if one in found), [])
        if isinstance(found, dict)
        else found
    )
    return [{str(name).lower(): str("" if value is None else value) for name, value in one.items()} for one in listed]


def record(text: str) -> str | None:
    """A record's number as text; None for a finding on the dataset."""
    return text.strip().removesuffix(".0") or None


def read_case(rule: str, folder: Path, name: str, reader: Reader | None = None) -> Case:
    """One case.

    Raises
    ------
    CaseError
        No dataset is there.
    """
    data = folder / "data" if (folder / "data").is_dir() else folder
    found = tuple(datasets(data, reader))
    if not found:
        raise CaseError(
            f"{name}: no dataset is in {data.name}; CSV files are read, those that _datasets.csv names if it does."
        )
    return Case(rule=rule, name=name, folder=data, settings=settings(data), datasets=found, expected=expected(folder))


def listed_cases(path: Path) -> Iterator[tuple[str, Path]]:
    """The cases of a rule's folder with their names: folders with data, and those under negative and positive."""
    held = {one.parent for one in path.rglob("data") if one.is_dir()} - {path}
    named = {one for kind in ("negative", "positive") for one in (path / kind).glob("*") if one.is_dir()}
    alone = {one.parent for one in held} | {path / "negative", path / "positive"}
    plain = {one for one in named if one.name not in {"data", "results"}}
    for place in sorted((held | plain) - (alone - held)):
        yield place.relative_to(path).as_posix(), place


def rule_file(path: Path) -> Path:
    """The file of a rule in its folder: rule.yml, or the only YAML or JSON file that is there."""
    named = [path / f"rule{kind}" for kind in (".yml", ".yaml", ".json")]
    others = sorted(one for one in path.glob("*") if one.suffix.lower() in {".yml", ".yaml", ".json"})
    return next((one for one in (*named, *others) if one.is_file()), named[0])


def rule_folders(folder: Path) -> list[Path]:
    """Folders of rules, however deep; the folder itself where it is one."""
    if any((folder / one).exists() for one in ("rule.yml", "rule.yaml", "negative", "positive")):
        return [folder]
    deep = {one.parent for kind in ("yml", "yaml") for one in folder.rglob(f"rule.{kind}")}
    inner = {one for place in deep for one in place.parents}
    return sorted(deep | {one for one in folder.iterdir() if one.is_dir() and one not in inner})
