"""Ends what the children of a launcher left when it died: `python -I keeper.py MARK`, the groups of processes on standard input.

It reads one group a line until nobody can write any more, which is when the launcher is gone. Then it asks these groups to end, and
every process that carries the mark in its environment (a worker's flow run has a group of its own), and makes them some
seconds later. It imports nothing of ours, so that it starts at once.
"""

import os
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

#: What is asked to end has that many seconds.
PATIENCE = 5.0
#: The name under which processes carry the mark.
VARIABLE = "METRICIS_LAUNCHED_BY"


def marked(mark: str) -> list[int]:
    """Return the processes with that mark, but a database server, which serves others too (Linux; elsewhere none)."""
    found, line = [], f"{VARIABLE}={mark}".encode()
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (
                line in (place / "environ").read_bytes().split(b"\0")
                and (place / "comm").read_text().strip() != "postgres"
            ):
                found.append(int(place.name))
    return found


def signal_all(groups: Iterable[int], mark: str, number: signal.Signals) -> None:
    """Signal groups of processes, and each process with the mark."""
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
    for pid in marked(mark):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def main() -> None:
    """Wait for the launcher's end, and clear up."""
    mark, groups = sys.argv[1], [int(line) for line in sys.stdin]
    signal_all(groups, mark, signal.SIGTERM)
    time.sleep(PATIENCE)
    signal_all(groups, mark, signal.SIGKILL)


if __name__ == "__main__":
    main()
