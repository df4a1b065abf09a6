"""One server's processes and files: make its data folder, start it, see whether it lives, stop it.

Callers hold the cluster's start lock around everything here, so that only one process starts or stops a server.
"""

import os
import secrets
import shlex
import shutil
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path

from psycopg import pq
from tenacity import (
    Retrying,
    retry_if_exception_type,
    retry_if_result,
    stop_after_attempt,
    stop_after_delay,
    wait_fixed,
)

from metricis.local.account import Account, PostgresError
from metricis.local.binaries import Binaries

SUPERUSER = "postgres"
START_SECONDS = 120
"""Crash recovery of a large cluster takes longer than a start; pg_ctl returns as soon as it is over."""
LONGEST_SOCKET_FOLDER = 80
"""Bytes. The kernel allows 107 for the whole path, and PostgreSQL adds a name of about 20."""

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "128MB",
    "max_connections": "100",
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Statements and details of errors hold participants' values; the log is a plain file.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
UNSAFE_AND_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class NotStartedError(PostgresError):
    """``pg_ctl start`` failed; a next try, on another port or a moment later, may do."""


def free_port(wish: int = 0) -> int:
    """Give ``wish`` when nothing listens there on loopback, else a port that the kernel chooses."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wish))
        except OSError:
            return free_port()
        return int(probe.getsockname()[1])


def socket_folder(server: Path, account: Account) -> Path:
    """Make a private folder for the Unix socket: below the server's, or with a short name when that is too long."""
    folder = server / "sockets"
    if len(os.fsencode(folder)) > LONGEST_SOCKET_FOLDER:
        # mkdtemp makes it with mode 0700 under a name nobody can foresee; gettempdir() may itself be too long.
        folder = Path(tempfile.mkdtemp(prefix="metricis-", dir="/tmp"))
    else:
        folder.mkdir(mode=0o700, exist_ok=True)
    account.own(folder)
    return folder


@dataclass(frozen=True, slots=True)
class Server:
    """The data and the log in ``folder`` (mode 0700, the account's own), and the socket's folder."""

    folder: Path
    sockets: Path
    account: Account

    @property
    def data(self) -> Path:
        """PostgreSQL's data folder."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self.folder / "postgres.log"

    def initialise(self, binaries: Binaries, *, password: str, durable: bool) -> None:
        """Make the data folder with SCRAM sign-in and the builtin C.UTF-8 locale, or leave what is there alone.

        A data folder appears whole or not at all: a killed ``initdb`` leaves only ``data.new``, which is made anew.
        """
        if self.data.exists():
            self._check_major(binaries)
            return
        staging = self.folder / "data.new"
        shutil.rmtree(staging, ignore_errors=True)
        secret = self.folder / "initial-password"
        secret.unlink(missing_ok=True)
        try:
            with os.fdopen(os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(password)
                self.account.own_open(file.fileno())
            command = [
                binaries.program("initdb"),
                f"--pgdata={staging}",
                f"--username={SUPERUSER}",
                f"--pwfile={secret}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--text-search-config=simple",
                *([] if durable else ["--no-sync"]),
            ]
            made = self.account.run(command, seconds=START_SECONDS)
        finally:
            secret.unlink(missing_ok=True)
        if made.returncode != 0:
            raise PostgresError(f"The database in {self.folder} could not be created: {made.stderr.strip()[-600:]}")
        staging.rename(self.data)

    def _check_major(self, binaries: Binaries) -> None:
        there = int((self.data / "PG_VERSION").read_text().strip())
        if there != binaries.major:
            raise PostgresError(
                f"The data in {self.data} were made by PostgreSQL {there}, and the programs in {binaries.folder} are "
                f"version {binaries.major}. Nothing was changed. Use programs of version {there} (METRICIS_POSTGRES_BIN) "
                "to dump the databases, then load them into a new cluster."
            )

    def _pid_file(self) -> list[str]:
        """Lines of ``postmaster.pid``: the process, the data folder, the start, the port, the socket's folder."""
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def lives(self) -> bool:
        """Whether the process named in ``postmaster.pid`` is this folder's server, and not one that got its number."""
        lines = self._pid_file()
        if not lines or not lines[0].isdigit():
            return False
        pid = int(lines[0])
        if Path("/proc/self/cmdline").exists():
            try:  # empty for a zombie, which some systems leave for a while
                return os.fsencode(self.data) in Path(f"/proc/{pid}/cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                return False
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    def answers(self, port: int) -> bool:
        """Whether the server takes connections at its socket."""
        # libpq's ping needs no right to sign in.
        target = f"host='{self.sockets}' port={port} dbname=postgres user={SUPERUSER} connect_timeout=5"
        return pq.PGconn.ping(target.encode()) == pq.Ping.OK

    def bring_up(self, binaries: Binaries, *, port: int, durable: bool) -> int:
        """Start the server unless it lives; give its port, which is another one when ``port`` is taken by others."""
        if (answering := self._settled(port)) is not None:
            return answering
        (self.data / "postmaster.pid").unlink(missing_ok=True)  # of a server that is dead, as just seen
        for attempt in Retrying(
            # After a SIGKILL, backends of the old server end within moments and hold its memory until then.
            stop=stop_after_attempt(8),
            wait=wait_fixed(0.75),
            retry=retry_if_exception_type(NotStartedError),
            reraise=True,
        ):
            with attempt:
                port = free_port(port)
                self._start(binaries, port=port, durable=durable)
        return port

    def _settled(self, port: int) -> int | None:
        """Wait while a living server recovers or shuts down: its port when it answers, None when it is dead."""
        answering: list[int] = []

        def in_between() -> bool:
            if not self.lives():
                return False
            lines = self._pid_file()
            actual = int(lines[3]) if len(lines) > 3 and lines[3].isdigit() else port  # noqa: PLR2004
            if self.answers(actual):
                answering.append(actual)
            return not answering

        waiting = Retrying(
            stop=stop_after_delay(START_SECONDS),
            wait=wait_fixed(0.1),
            retry=retry_if_result(bool),
            retry_error_callback=lambda _: True,
        )
        if waiting(in_between):
            raise PostgresError(
                f"A server runs in {self.folder} but has not answered for {START_SECONDS} s. See {self.log}; if it is "
                "recovering, try again later, otherwise stop it and start again."
            )
        return answering[0] if answering else None

    def _start(self, binaries: Binaries, *, port: int, durable: bool) -> None:
        log_end = self.log.stat().st_size if self.log.exists() else 0
        settings = SETTINGS | ({} if durable else UNSAFE_AND_FAST)
        settings |= {"port": str(port), "unix_socket_directories": str(self.sockets)}
        options = " ".join(shlex.quote(f"--{name}={value}") for name, value in settings.items())
        command = [binaries.program("pg_ctl"), "start", "-w", "-t", str(START_SECONDS)]
        command += ["-D", self.data, "-l", self.log, "-o", options]
        started = self.account.run(command, seconds=START_SECONDS + 30)
        if started.returncode != 0:
            with self.log.open("rb") if self.log.exists() else Path(os.devnull).open("rb") as log:
                log.seek(log_end)
                reason = log.read()[-800:].decode(errors="replace").strip()
            raise NotStartedError(
                f"The database server in {self.folder} did not start. Its log says: {reason or started.stderr.strip()}"
            )

    def shut_down(self, binaries: Binaries) -> None:
        """Stop the server if it lives: sessions are ended and their open transactions rolled back."""
        if not self.lives():
            return
        for mode in ("fast", "immediate"):  # the second one only if the first was not heard; the next start recovers
            command = [binaries.program("pg_ctl"), "stop", "-w", "-t", "60", "-m", mode, "-D", self.data]
            stopped = self.account.run(command, seconds=90)
            if stopped.returncode == 0 or not self.lives():
                return
        raise PostgresError(f"The server in {self.folder} could not be stopped: {stopped.stderr.strip()}")


def new_password() -> str:
    """A superuser's password that nobody needs to type."""
    return secrets.token_urlsafe(32)
