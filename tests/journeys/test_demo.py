"""The main job as a newcomer meets it, and what is left of it after it was killed."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SUBJECTS = 6


@pytest.fixture
def place() -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory(prefix="metricis-demo-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        environment = {**os.environ, "METRICIS_HOME": str(Path(folder) / "home"), "COLUMNS": "200"}
        for name in ("METRICIS_DATABASE_URL", "DATABASE_URL"):
            environment.pop(name, None)
        yield environment
        metricis(
            environment, "-c", "from metricis.local.installation import cluster; cluster().destroy()", module=False
        )


def metricis(environment: dict[str, str], *arguments: str, module: bool = True) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *(["-m", "metricis"] if module else []), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)


def left_behind(environment: dict[str, str]) -> list[str]:
    """Command lines of processes that still name this home (Linux)."""
    mark = f"METRICIS_HOME={environment['METRICIS_HOME']}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes().split(b"\0") and int(process.name) != os.getpid():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def number(text: str, label: str) -> int:
    found = re.search(rf"^{re.escape(label)}\s+([\d,]+)$", text, flags=re.MULTILINE)
    assert found, text
    return int(found.group(1).replace(",", ""))


def test_the_demo_walks_the_whole_way_and_a_second_run_changes_nothing(place):
    first = metricis(place, "demo", "--once", "--subjects", str(SUBJECTS))
    assert first.returncode == 0, first.stdout + first.stderr
    rows = number(first.stdout, "Rows read from REDCap")
    assert rows > 500
    assert number(first.stdout, "Rows new or changed") == number(first.stdout, "Rows accepted") == rows
    assert first.stdout.count("/link#") == 3
    exported = sorted(path.name for path in Path(place["METRICIS_HOME"]).glob("exports/*/sdtm/0001/*.xpt"))
    assert {"ae.xpt", "cm.xpt", "dm.xpt", "ds.xpt", "ex.xpt", "mh.xpt", "qsmm.xpt", "sv.xpt", "vs.xpt"} <= set(exported)
    assert left_behind(place) == []
    logs = {path.name: path.read_text() for path in Path(place["METRICIS_HOME"]).glob("logs/*.log")}
    assert set(logs) == {"dispatcher.log", "mail-sink.log", "prefect.log", "redcap-sim.log", "web.log", "worker.log"}
    assert [name for name, text in logs.items() if "Traceback" in text] == []

    second = metricis(place, "demo", "--once", "--subjects", str(SUBJECTS))
    assert second.returncode == 0, second.stdout + second.stderr
    assert number(second.stdout, "Rows read from REDCap") == rows
    assert number(second.stdout, "Rows new or changed") == 0
    assert number(second.stdout, "Snapshot") == 1

    verdict = metricis(place, "ledger", "verify", "--json")
    assert json.loads(verdict.stdout)["ok"] is True, verdict.stdout


def test_a_demo_killed_at_random_moments_resumes_and_loses_nothing(place):
    chance = random.Random(20261122)
    for _ in range(2):
        running = subprocess.Popen(
            [sys.executable, "-m", "metricis", "demo", "--once", "--subjects", str(SUBJECTS)],
            env=place,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(chance.uniform(8, 35))
        running.send_signal(signal.SIGKILL)
        running.wait()
    # Children are told by the kernel that their parent died, and need a moment.
    end = time.monotonic() + 40
    while (rest := [one for one in left_behind(place) if "postgres" not in one]) and time.monotonic() < end:
        time.sleep(0.5)
    assert rest == []

    again = metricis(place, "demo", "--once", "--subjects", str(SUBJECTS))
    assert again.returncode == 0, again.stdout + again.stderr
    assert number(again.stdout, "Rows accepted") == number(again.stdout, "Rows read from REDCap") > 500
    verdict = metricis(place, "ledger", "verify", "--json")
    assert json.loads(verdict.stdout)["ok"] is True, verdict.stdout
