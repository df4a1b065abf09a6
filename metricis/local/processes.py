"""Child processes of a local installation: started with a log each, watched, stopped together.

A child is told by the kernel to end when its parent dies, however it dies (Linux). What the children have started themselves (a
worker's flow run, say) `keeper` ends: a small process that notices the launcher's death by the end of a pipe. So nothing is left
behind by `kill -9`.
"""

import ctypes
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import httpx
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from datamodel.kernel.errors import FaultError
from metricis.local import keeper

_PR_SET_PDEATHSIG: Final = 1
_STOP_SECONDS: Final = 15.0


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass(slots=True)
class Child:
    """One running process and the file its output goes to."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def is_running(self) -> bool:
        """Whether the process still runs."""
        return self.process.poll() is None

    def last_words(self, lines: int = 15) -> str:
        """Return the end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


@dataclass(slots=True)
class Processes:
    """The children of one launcher; a context manager that stops them in reverse order."""

    logs: Path
    children: list[Child] = field(default_factory=list)
    _mark: str = field(default_factory=lambda: secrets.token_hex(16))
    _keeper: subprocess.Popen[bytes] | None = None

    def start(self, name: str, command: list[str], *, environment: Mapping[str, str]) -> Child:
        """Start `command`, its output going to `<logs>/<name>.log`."""
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.logs / f"{name}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment, keeper.VARIABLE: self._mark},
                start_new_session=True,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - one system call, before any thread of ours exists in the child
            )
        child = Child(name=name, process=process, log=log)
        self.children.append(child)
        self._keep(process.pid)
        return child

    def _keep(self, group: int) -> None:
        """Tell the keeper of a group of processes; the first one starts it."""
        if self._keeper is None:
            self._keeper = subprocess.Popen(
                [sys.executable, "-I", keeper.__file__, self._mark], stdin=subprocess.PIPE, start_new_session=True
            )
        if self._keeper.stdin is not None:
            with suppress(BrokenPipeError):  # somebody ended it; the kernel ends the children still
                self._keeper.stdin.write(f"{group}\n".encode())
                self._keeper.stdin.flush()

    def wait_for(self, child: Child, url: str, *, seconds: float) -> None:
        """Wait until `url` answers 200.

        Raises
        ------
        FaultError
            When the child ends, or does not answer in time; with the end of its log.
        """

        @retry(retry=retry_if_exception_type(httpx.HTTPError), stop=stop_after_delay(seconds), wait=wait_fixed(0.2))
        def answer() -> None:
            if not child.is_running:
                raise FaultError(
                    f"The {child.name} ended while starting. The end of {child.log}:\n{child.last_words()}"
                )
            httpx.get(url, timeout=5).raise_for_status()

        answer()

    def stop(self) -> None:
        """Ask all children to end, last started first; kill those that do not within some seconds."""
        for child in reversed(self.children):
            if child.is_running:
                _signal(child, signal.SIGTERM)
        end = time.monotonic() + _STOP_SECONDS
        for child in reversed(self.children):
            try:
                child.process.wait(timeout=max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal(child, signal.SIGKILL)
                child.process.wait()
        keeper.signal_all([], self._mark, signal.SIGKILL)  # what they had started and left
        self.children.clear()
        if self._keeper is not None:
            self._keeper.kill()
            self._keeper.communicate()
            self._keeper = None

    def watch(self) -> Child:
        """Wait until a child ends, and return it."""
        while True:
            for child in self.children:
                if not child.is_running:
                    return child
            time.sleep(0.3)

    def __enter__(self) -> Self:
        """Give the collection itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop all children."""
        self.stop()


def _signal(child: Child, number: signal.Signals) -> None:
    """Signal a child's whole process group: a worker has children of its own."""
    try:
        os.killpg(child.process.pid, number)
    except ProcessLookupError:
        return


def free_port(preferred: int) -> int:
    """Return `preferred` when nobody listens there, else a port that the system chooses."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            chosen: int = probe.getsockname()[1]
            return chosen
    raise FaultError("No free port was found on 127.0.0.1.")
