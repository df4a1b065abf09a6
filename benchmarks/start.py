"""What starting costs: the edge, the notebook's front, and the look at the installed files. Processor milliseconds.

Usage: python benchmarks/start.py [--times 5]

Each start is a process of its own; the best of `--times` is told, Python's compiled files being there from a run before.
The edge's peer is importing the libraries that any such service needs, with nothing of ours; the peer of the look at the
files is reading and hashing the same bytes. Goal: the edge starts in under a second.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time

from datamodel.custody import files

GOAL = 1000.0
STARTS = {
    "edge": "from apps.edge.app import create_edge; create_edge()",
    "its libraries alone": (
        "import fastapi, jinja2, sqlalchemy.orm, pydantic_settings, argon2, yaml;"
        " import cryptography.hazmat.primitives.ciphers.aead"
    ),
    "import metricis": "import metricis",
    "python alone": "pass",
}


def start(code: str, *, times: int) -> float:
    """Return the milliseconds of processor time of the best start."""
    whole = f"import resource\n{code}\nused = resource.getrusage(resource.RUSAGE_SELF)\nprint(used.ru_utime + used.ru_stime)"
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    found = []
    for _ in range(times + 1):
        ended = subprocess.run([sys.executable, "-c", whole], capture_output=True, text=True, check=True, env=kept)
        found.append(1000 * float(ended.stdout))
    return min(found[1:])


def look(times: int) -> tuple[int, float, float]:
    """Return how many files count, and the milliseconds of our look and of hashing the same files alone."""
    place = files.here()
    names = [place.root / one for one in files.listed(place) if (place.root / one).is_file()]
    ours, alone = [], []
    for _ in range(times):
        began = time.process_time()
        files.listed(place)
        ours.append(time.process_time() - began)
        began = time.process_time()
        for one in names:
            hashlib.sha256(one.read_bytes()).hexdigest()
        alone.append(time.process_time() - began)
    return len(names), 1000 * min(ours), 1000 * min(alone)


def main() -> int:
    """Print one JSON line; exit 1 when the edge needs more than its second."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    times = parser.parse_args().times
    took = {name: start(code, times=times) for name, code in STARTS.items()}
    count, ours, alone = look(times)
    is_met = took["edge"] < GOAL
    report = {
        "goal_ms": GOAL,
        "is_met": is_met,
        "start_ms": {name: round(one) for name, one in took.items()},
        "edge_to_its_libraries": round(took["edge"] / took["its libraries alone"], 2),
        "installed_files": {
            "count": count,
            "look_ms": round(ours, 1),
            "hashing_ms": round(alone, 1),
            "ratio": round(ours / alone, 2),
        },
    }
    print(json.dumps(report))
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
