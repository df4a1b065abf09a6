"""Files beside other writers, in one run: XPT beside pyreadstat, Dataset-JSON beside a row loop, a Define-XML.

Run `python -m benchmarks.files [ROWS]`. CPU seconds of this process, its ratios, and its peak memory at the end.
"""

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pyreadstat

from exports.packages.columns import Column
from exports.packages.datasetjson import Header, field_of, write_dataset_json
from exports.packages.xpt import read_xpt, write_xpt

ROWS = 200_000
TEXTS, NUMBERS = 14, 6


def frame(rows: int) -> pl.DataFrame:
    """Return made-up laboratory rows: texts and numbers, a tenth of them missing."""
    place = pl.int_range(rows, eager=True)
    texts = {f"TEXT{n}": "01-701-" + (place * (n + 7) % 5000).cast(pl.String) for n in range(TEXTS)}
    numbers = {
        f"NUM{n}": place.to_frame("p").select(pl.when(pl.col("p") % 10 != n).then(pl.col("p") / 7))["p"]
        for n in range(NUMBERS)
    }
    return pl.DataFrame(texts | numbers)


def cpu(work: Callable[[], object]) -> float:
    """Return the CPU seconds of the better of two runs."""
    times = []
    for _ in range(2):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def loop(data: pl.DataFrame, path: Path) -> None:
    """Write rows one by one with the standard library."""
    with path.open("w") as out:
        for row in data.iter_rows():
            json.dump(row, out)
            out.write("\n")


def main(rows: int) -> None:
    """Measure and print."""
    data = frame(rows)
    columns = [Column(n, n, "char" if t == pl.String else "num") for n, t in data.schema.items()]
    fields = [field_of(n, t, dataset="LB") for n, t in data.schema.items()]
    header = Header("LB", "Laboratory", "IG.LB", datetime(2026, 1, 1, tzinfo=UTC))
    with tempfile.TemporaryDirectory() as name:
        ours, theirs, lines = (Path(name) / one for one in ("a.xpt", "b.xpt", "c.ndjson"))
        times = {
            "XPT write": (
                cpu(lambda: write_xpt(data, ours, dataset="LB", label="", columns=columns)),
                cpu(lambda: pyreadstat.write_xport(data, str(theirs), table_name="LB", file_format_version=5)),
            ),
            "XPT read": (
                cpu(lambda: read_xpt(ours)),
                cpu(lambda: pyreadstat.read_xport(str(ours), output_format="polars")),
            ),
            "Dataset-JSON write": (
                cpu(lambda: write_dataset_json(data, lines, header=header, fields=fields, form="ndjson")),
                cpu(lambda: loop(data, Path(name) / "d.ndjson")),
            ),
        }
    for what, (own, other) in times.items():
        print(f"{what:20} {own:6.2f} s  other {other:6.2f} s  ratio {other / own:5.1f}")
    print(
        f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB, {rows} rows, {data.width} columns"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS)
