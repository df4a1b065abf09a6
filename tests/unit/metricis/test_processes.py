"""Nothing of a local installation outlives its launcher, however that ends."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.web import wait_until

#: A child that starts one of its own in a session of its own, as a worker starts a flow run, and says who it is.
CHILD = """
import signal, subprocess, sys, time
one = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
open(sys.argv[1], "w").write(str(one.pid))
time.sleep(600)
"""
LAUNCHER = """
import sys, time
from pathlib import Path
from metricis.local.processes import Processes
with Processes(Path(sys.argv[1])) as processes:
    processes.start("child", [sys.executable, "-c", sys.argv[2], sys.argv[3]], environment={})
    while not Path(sys.argv[4]).exists():
        time.sleep(0.05)
"""


def is_alive(pid):
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("how", ["killed", "ended"])
def test_what_a_child_started_ends_with_the_launcher(tmp_path, how):
    told, stop = tmp_path / "pid", tmp_path / "stop"
    launcher = subprocess.Popen([sys.executable, "-c", LAUNCHER, str(tmp_path / "logs"), CHILD, str(told), str(stop)])
    try:
        pid = int(wait_until(lambda: told.exists() and told.read_text()))
        assert is_alive(pid)
        if how == "killed":
            time.sleep(0.2)
            launcher.send_signal(signal.SIGKILL)
        else:
            stop.touch()
        launcher.wait(timeout=30)
        wait_until(lambda: not is_alive(pid))
    finally:
        launcher.kill()
        with suppress(ProcessLookupError, UnboundLocalError):
            os.kill(pid, signal.SIGKILL)
