"""An embedded PostgreSQL: one server per folder, shared by every process that asks for it.

Why our own launcher: the ones that come with the packaged binaries create accounts, open every folder above the
data to everyone, trust any local user, and forget to stop the server when a process was killed.

- **Sign-in.** SCRAM passwords over loopback TCP and over a socket in a private folder. The superuser's password is
  generated and kept in ``password`` (mode 0600) in the cluster's folder.
- **As root** the server runs under an existing account (``postgres``, else ``nobody``); see ``account``. Only folders
  that this launcher makes are given to it. When the account cannot come into the cluster's folder (a project below
  ``/root``), the data lie in ``/var/lib/metricis`` instead, in a folder of mode 0700 that the account owns, and the
  programs are copied there too. Nothing above the project is opened. The file ``cluster.json`` says where.
- **Sharing.** Whoever uses the server holds a shared lock on the file ``holders``, which the kernel drops when a
  process dies, however it dies. The one who leaves last, and can take the lock alone, stops the server.
- **Values stay out of the server's log**: statements and details of errors are not written.

Works on Linux and other systems with ``flock``. Not for a network: there is no TLS; use ``DATABASE_URL`` for that.
"""

import atexit
import contextlib
import fcntl
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import quote, urlencode

import psycopg
from psycopg import sql

from metricis.local.account import Account, PostgresError, server_account
from metricis.local.binaries import Binaries, find_binaries, passage, shared_place
from metricis.local.server import SUPERUSER, Server, free_port, new_password, socket_folder

__all__ = ["Cluster", "PostgresError"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _State:
    """What ``cluster.json`` remembers: folders of the server, its port, and whether it outlives its users."""

    server: str
    sockets: str
    port: int
    keep: bool = False


class Cluster:
    """One PostgreSQL server that lives in ``home``; use as a context manager, or ``ensure_running`` and ``release``.

    ``durable=False`` is for tests: writes are cheaper, a killed server loses its last commits, and a crash of the
    machine may lose everything.
    """

    def __init__(self, home: Path, *, durable: bool = True) -> None:
        self.home = Path(home).absolute()
        self.durable = durable
        self._holder: IO[str] | None = None
        self._holder_pid = 0
        self._state: _State | None = None

    # ------------------------------------------------------------------ what callers use

    def ensure_running(self, *, keep: bool = False) -> Self:
        """Start the server unless it runs, and hold it until ``release`` or the end of this process.

        With ``keep`` the server outlives its users, until ``stop``. Safe to call from many processes at once.
        Raises ``PostgresError`` with the end of the server's log.
        """
        with self._start_lock():
            if self._holder is None or self._holder_pid != os.getpid():
                self._holder = self._open("holders")
                self._holder_pid = os.getpid()
                fcntl.flock(self._holder, fcntl.LOCK_SH)
                atexit.register(self.release)
            try:
                self._bring_up()
            except BaseException:
                self._let_go()
                raise
            if keep:
                self._save(replace(self._known_state(), keep=True))
        return self

    def release(self) -> None:
        """Let go of the server; the last one to do so stops it. Calling it twice is harmless."""
        if self._holder is None:
            return
        if self._holder_pid != os.getpid():  # a forked child shares its parent's lock: it must not try to convert it
            self._holder = None
            return
        with self._start_lock():
            try:
                state = self._load()
                if state is not None and not state.keep and self._is_last():
                    self._shut_down(state)
            finally:
                self._let_go()

    def stop(self) -> None:
        """Stop the server now, whoever uses it; open transactions are rolled back."""
        if not self.home.exists():
            return
        with self._start_lock():
            if (state := self._load()) is not None:
                self._save(replace(state, keep=False))
                self._shut_down(state)
            self._let_go()

    def destroy(self) -> None:
        """Stop the server and remove its data, password and remembered places for good."""
        self.stop()
        if not self.home.exists():
            return
        with self._start_lock():
            if (state := self._load()) is not None:
                shutil.rmtree(state.server, ignore_errors=True)
                shutil.rmtree(state.sockets, ignore_errors=True)
            for name in ("cluster.json", "password"):
                (self.home / name).unlink(missing_ok=True)
            self._state = None

    def url(
        self,
        database: str,
        *,
        role: str = SUPERUSER,
        password: str | None = None,
        driver: str | None = None,
        by_socket: bool = False,
    ) -> str:
        """Give the address of a database: ``postgresql://role:password@127.0.0.1:port/database``.

        ``driver`` makes it SQLAlchemy's (``psycopg``, ``asyncpg``). The superuser's password is filled in; another
        role's must be given, or the address has none. Never log it.
        """
        state = self._known_state()
        if password is None and role == SUPERUSER:
            password = self._password()
        who = quote(role, safe="") + (f":{quote(password, safe='')}" if password is not None else "")
        scheme = f"postgresql+{driver}" if driver else "postgresql"
        name = quote(database, safe="")
        if by_socket:
            return f"{scheme}://{who}@/{name}?{urlencode({'host': state.sockets, 'port': state.port})}"
        return f"{scheme}://{who}@127.0.0.1:{state.port}/{name}"

    @property
    def admin_url(self) -> str:
        """The superuser's address of the database ``postgres``."""
        return self.url("postgres")

    @property
    def port(self) -> int:
        """The loopback TCP port."""
        return self._known_state().port

    @property
    def socket_folder(self) -> Path:
        """The private folder of the Unix socket."""
        return Path(self._known_state().sockets)

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self._server(self._known_state()).log

    @property
    def is_running(self) -> bool:
        """Whether the server takes connections at this moment."""
        return (state := self._load()) is not None and self._server(state).answers(state.port)

    def ensure_database(self, name: str, *, owner: str | None = None) -> None:
        """Create a database unless it is there, owned by an existing role."""
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            # Two processes may ask at once; the lock ends with the connection.
            connection.execute("select pg_advisory_lock(hashtext('metricis.local.ensure_database'))")
            if connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone():
                return
            statement = sql.SQL("create database {}").format(sql.Identifier(name))
            if owner is not None:
                statement += sql.SQL(" owner {}").format(sql.Identifier(owner))
            connection.execute(statement)

    def __enter__(self) -> Self:
        return self.ensure_running()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    # ------------------------------------------------------------------ starting and stopping, under the start lock

    def _bring_up(self) -> None:
        state = self._load()
        account = server_account(Path(state.server) if state else self.home / "server")
        binaries = find_binaries(account)
        if state is None:
            state = self._settle(account, binaries)
        elif not Path(state.sockets).is_dir():  # a folder for temporary files is emptied now and then
            state = replace(state, sockets=str(socket_folder(Path(state.server), account)))
        server = self._server(state)
        server.initialise(binaries, password=self._password(make=not server.data.exists()), durable=self.durable)
        port = server.bring_up(binaries, port=state.port, durable=self.durable)
        self._save(replace(state, port=port))

    def _settle(self, account: Account, binaries: Binaries) -> _State:
        """Choose, make and remember the server's folders on a first start."""
        folder = self.home / "server"
        if account.switch and not account.may_enter(self.home):
            place = shared_place() / "clusters"
            passage(place)
            folder = place / hashlib.sha256(os.fsencode(self.home)).hexdigest()[:16]
            self._set_aside(folder, account, binaries)
        folder.mkdir(mode=0o700, exist_ok=True)
        account.own(folder)
        state = _State(server=str(folder), sockets=str(socket_folder(folder, account)), port=free_port())
        self._save(state)
        return state

    def _set_aside(self, folder: Path, account: Account, binaries: Binaries) -> None:
        """Keep the data of an earlier cluster whose home was removed, under another name: we have no password to it."""
        if not folder.exists():
            return
        Server(folder=folder, sockets=folder / "sockets", account=account).shut_down(binaries)
        aside = folder.with_name(f"{folder.name}-{datetime.now(tz=UTC):%Y%m%dT%H%M%S%f}")
        folder.rename(aside)
        logger.warning("Data of an earlier cluster of %s were kept in %s; remove them if not needed.", self.home, aside)

    def _shut_down(self, state: _State) -> None:
        server = self._server(state)
        if server.lives():
            server.shut_down(find_binaries(server.account))

    @staticmethod
    def _server(state: _State) -> Server:
        folder = Path(state.server)
        return Server(folder=folder, sockets=Path(state.sockets), account=server_account(folder))

    # ------------------------------------------------------------------ locks and remembered things

    def _open(self, name: str) -> IO[str]:
        """Open a file of the cluster's folder for this user alone; both are made when missing."""
        try:
            # As root the server's account passes through this folder to its own; it cannot list it.
            self.home.parent.mkdir(parents=True, exist_ok=True)
            passage(self.home, mode=0o711 if os.geteuid() == 0 else 0o700)
            return os.fdopen(os.open(self.home / name, os.O_RDWR | os.O_CREAT, 0o600), "r+")
        except PermissionError as error:
            raise PostgresError(
                f"User {os.geteuid()} may not use the database folder {self.home} ({error.filename}): another user "
                "made it. Run as that user, or choose another folder, or set DATABASE_URL to a server."
            ) from error

    @contextlib.contextmanager
    def _start_lock(self) -> Iterator[None]:
        """One process at a time starts, stops or counts; a killed one gives way at once."""
        with self._open("start.lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _is_last(self) -> bool:
        """Whether nobody else holds the server. Our own lock may be lost by asking, so only ask when leaving."""
        if self._holder is None:
            return False
        try:
            fcntl.flock(self._holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _let_go(self) -> None:
        if self._holder is not None:
            self._holder.close()
            self._holder = None
        atexit.unregister(self.release)

    def _known_state(self) -> _State:
        if self._state is None and self._load() is None:
            raise PostgresError(f"No server was started in {self.home} yet. Call ensure_running first.")
        assert self._state is not None  # noqa: S101 - _load has just set it
        return self._state

    def _load(self) -> _State | None:
        try:
            remembered = json.loads((self.home / "cluster.json").read_text())
        except FileNotFoundError:
            return None
        self._state = _State(**remembered)
        return self._state

    def _save(self, state: _State) -> None:
        fresh = self.home / "cluster.json.new"
        fresh.write_text(json.dumps(asdict(state), indent=1) + "\n")
        fresh.replace(self.home / "cluster.json")
        self._state = state

    def _password(self, *, make: bool = False) -> str:
        """Read the superuser's password; make one first if none is there and the data are still to be made."""
        file = self.home / "password"
        try:
            return file.read_text()
        except FileNotFoundError:
            if not make:
                raise PostgresError(
                    f"The data of {self.home} are there, but the file {file} with the superuser's password is gone. "
                    "Put it back from a backup. Nothing was changed."
                ) from None
        password = new_password()
        fresh = file.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
            handle.write(password)
        fresh.replace(file)
        return password
