"""The record status grid of the whole trial: processor time of the server until its first document is written.

Usage: python benchmarks/grid.py [--subjects 306] [--times 5]

The peer is what the page stands on: reading the same participants and statuses from PostgreSQL, without drawing. The best of
`--times` is told. Goal: the first document of 306 subjects in under a second.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from apps.participants.page import load_grid
from apps.participants.views import grid
from apps.shell.frame import Visit
from apps.shell.pages import PAGES
from apps.shell.session import Visitor, reading
from datamodel.kernel.settings import settings
from datamodel.migrations import run
from datamodel.study import reads as study_reads
from metricis.local.postgres import Cluster
from tests.support import dashboard

GOAL = 1000.0
PATH = f"/app/{dashboard.STUDY}/participants"
SHOWN = 25


def best(work: Callable[[], object], *, times: int) -> float:
    """Return the milliseconds of processor time of the best of `times`."""
    found = []
    for _ in range(times):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return 1000 * min(found)


def visit(scene: dashboard.Scene) -> Visit:
    """Return a coordinator's visit of the grid's page."""
    page, named = PAGES.at(PATH)
    made = Visit(Visitor(scene.actor("coordinator"), ""), page, named, {})
    with reading(made.visitor.actor) as session:
        made.study = study_reads.study(session, dashboard.STUDY)
    return made


def main() -> int:
    """Print one JSON line; exit 1 when the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=306)
    parser.add_argument("--times", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="metricis-bench-") as folder:
        Path(folder).chmod(0o711)
        cluster = Cluster(Path(folder) / "pg").ensure_running()
        url = cluster.url("postgres")
        os.environ |= {"METRICIS_HOME": folder, "METRICIS_DATABASE_URL": url}
        settings.cache_clear()
        run.upgrade(url)
        seen = visit(dashboard.build(url, subjects=asked.subjects, with_runs=False))
        assert grid(load_grid(seen), path=PATH).count("<tr class=") == SHOWN
        whole = best(lambda: grid(load_grid(seen), path=PATH), times=asked.times)
        read = best(lambda: load_grid(seen), times=asked.times)
        cluster.destroy()
    is_met = whole < GOAL
    figures = {"document_ms": round(whole), "reading_alone_ms": round(read), "ratio": round(whole / read, 2)}
    print(json.dumps({"goal_ms": GOAL, "is_met": is_met, "subjects": asked.subjects, **figures}))
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
