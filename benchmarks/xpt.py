"""XPT writing and reading beside pyreadstat, in one run: processor seconds, peak memory, and the ratio.

Usage: python benchmarks/xpt.py [--rows 1000000]

Each measurement runs in a process of its own, so that its peak memory is its own; the time to make the frame is not
counted, and the memory that the frame itself takes is printed beside the peak.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
import pyreadstat

from exports.packages.columns import Column
from exports.packages.xpt import read_xpt, write_xpt

TEXTS, NUMBERS = 10, 10
REPEATS = 3


def make_frame(rows: int) -> pl.DataFrame:
    random = np.random.default_rng(20260301)
    words = pl.Series(["MILD", "MODERATE", "NOT RECOVERED/NOT RESOLVED", None, "APPLICATION SITE ERYTHEMA"])
    data = {f"C{i}": words.gather(random.integers(0, len(words), rows)) for i in range(TEXTS)}
    return pl.DataFrame(data | {f"N{i}": random.normal(size=rows) for i in range(NUMBERS)})


def columns(frame: pl.DataFrame) -> list[Column]:
    return [Column(name, name, "char" if dtype == pl.String else "num") for name, dtype in frame.schema.items()]


def write_ours(frame: pl.DataFrame, path: Path) -> None:
    write_xpt(frame, path, dataset="BENCH", label="Benchmark", columns=columns(frame))


def write_peer(frame: pl.DataFrame, path: Path) -> None:
    pyreadstat.write_xport(frame, str(path), file_format_version=5, table_name="BENCH")


def read_ours(path: Path) -> pl.DataFrame:
    return read_xpt(path)


def read_peer(path: Path) -> pl.DataFrame:
    return pyreadstat.read_xport(str(path), output_format="polars")[0]


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(task: str, rows: int, path: Path) -> dict[str, float]:
    """Run one task in this process and say what it took."""
    frame = make_frame(rows) if task.startswith("write") else None
    before, wall, cpu = peak_mib(), time.perf_counter(), time.process_time()
    if frame is None:
        back = {"read_ours": read_ours, "read_peer": read_peer}[task](path)
        assert back.height == rows
    else:
        {"write_ours": write_ours, "write_peer": write_peer}[task](frame, path)
    spent = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    return spent | {"before": before, "peak": peak_mib()}


def in_own_process(task: str, rows: int, path: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--rows", str(rows), "--task", task, "--path", str(path)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--task", help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.task:
        print(json.dumps(measure(given.task, given.rows, given.path)))
        return
    print(f"{given.rows:,} rows x {TEXTS + NUMBERS} columns, median of {REPEATS} interleaved runs")
    print(f"{'task':<12}{'wall s':>8}{'cpu s':>8}{'peak MiB':>10}{'above frame':>13}")
    best: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        tasks = [("write_ours", "ours"), ("write_peer", "peer"), ("read_ours", "ours"), ("read_peer", "ours")]
        runs: dict[str, list[dict[str, float]]] = {task: [] for task, _ in tasks}
        for _ in range(REPEATS):
            for task, name in tasks:
                runs[task].append(in_own_process(task, given.rows, Path(folder) / f"{name}.xpt"))
        for task, taken in runs.items():
            middle = sorted(taken, key=lambda run: run["cpu"])[REPEATS // 2]
            best[task] = middle["cpu"]
            above = middle["peak"] - middle["before"]
            print(f"{task:<12}{middle['wall']:>8.2f}{middle['cpu']:>8.2f}{middle['peak']:>10.0f}{above:>13.0f}")
    print(f"writing: {best['write_peer'] / best['write_ours']:.1f} times less processor time than pyreadstat")
    print(f"reading: {best['read_peer'] / best['read_ours']:.1f} times less processor time than pyreadstat")


if __name__ == "__main__":
    main()
