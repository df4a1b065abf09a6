"""REDCap export of 200,000 rows x 100 fields to typed Parquet, against PyCap's data frame.

Run: python benchmarks/redcap_export.py [rows]. Each path runs in a fresh process, the server in another one. Targets:
under 3 s, under 600 MiB, and memory that does not grow when the rows double.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).parent
sys.path.insert(0, str(TOP))

from memory_redcap import FORM, TOKEN, memory_redcap  # noqa: E402 - a script beside it


def ours(url: str, path: Path) -> int:
    from pipelines.clients.redcap import RedcapClient
    from pipelines.ingest.parquet import export_parquet

    return export_parquet(RedcapClient(url, TOKEN), FORM, path).rows


def pycap(url: str, path: Path) -> int:
    """PyCap's data frame with pandas' guessed types, written as Parquet."""
    from redcap import Project

    frame = Project(url, TOKEN).export_records(format_type="df", forms=[FORM], df_kwargs={"low_memory": False})
    frame.to_parquet(path)
    return len(frame)


def pycap_text(url: str, path: Path) -> int:
    """The same without guessing: every value as it was entered."""
    from redcap import Project

    frame = Project(url, TOKEN).export_records(
        format_type="df", forms=[FORM], df_kwargs={"dtype": str, "keep_default_na": False}
    )
    frame.to_parquet(path)
    return len(frame)


PATHS = {"metricis": ours, "pycap df": pycap, "pycap df, all text": pycap_text}


def measure(name: str, url: str) -> tuple[float, float, int]:
    """Seconds, peak MiB and rows of one path, in a fresh process that has imported what it needs."""
    done = subprocess.run([sys.executable, __file__, "--one", name, url], check=True, capture_output=True, text=True)
    seconds, peak, rows = done.stdout.split()
    return float(seconds), float(peak), int(rows)


def one(name: str, url: str) -> None:
    import pyarrow.parquet  # noqa: F401 - imports are not what is measured
    import redcap  # noqa: F401 - brings pandas

    if name == "metricis":
        import pipelines.ingest.parquet  # noqa: F401
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        rows = PATHS[name](url, Path(folder) / "form.parquet")
        seconds = time.perf_counter() - began
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, rows)


def main(rows: int) -> int:
    peaks = {}
    for size in (rows, rows * 2):
        with memory_redcap(size) as url:
            print(f"\n{size:,} rows x 100 fields")
            found = {
                name: sorted(measure(name, url) for _ in range(3))[1]
                for name in PATHS
                if size == rows or name == "metricis"
            }
        base = found["metricis"][0]
        for name, (seconds, peak, count) in found.items():
            print(f"  {name:20} {seconds:6.2f} s  {peak:6.0f} MiB  {count:,} rows  {seconds / base:4.1f} x our time")
        peaks[size] = found["metricis"]
    growth = peaks[rows * 2][1] / peaks[rows][1]
    print(f"\nmemory when rows double: {growth:.2f} x")
    is_met = peaks[rows][0] < 3 and peaks[rows][1] < 600 and growth < 1.15
    print("targets met" if is_met else "targets NOT met")
    return 0 if is_met else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(*sys.argv[2:4])
    else:
        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000))
