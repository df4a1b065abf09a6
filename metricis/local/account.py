"""As whom the server runs. PostgreSQL refuses to run as root, so root lends the work to an existing account."""

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CANDIDATES = ("postgres", "nobody")
"""Existing accounts that root may lend the server to, best first."""


class PostgresError(RuntimeError):
    """The embedded server could not do what was asked; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine by number; ``switch`` says whether commands must be started as that user."""

    uid: int
    gid: int
    switch: bool

    def run(self, command: Sequence[object], *, seconds: float) -> subprocess.CompletedProcess[str]:
        """Run a command as this account, without the caller's environment, folder or supplementary groups.

        The exit code is the caller's to judge. Raises ``PostgresError`` when the time is up.
        """
        argv = [str(part) for part in command]
        try:
            return subprocess.run(
                argv,
                user=self.uid if self.switch else None,
                group=self.gid if self.switch else None,
                extra_groups=[] if self.switch else None,
                cwd="/",
                # PG* variables of the caller must not steer the server; messages are read in English.
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise PostgresError(f"{Path(argv[0]).name} did not end within {seconds:.0f} s.") from error

    def may_enter(self, folder: Path) -> bool:
        """Whether the account can come into the folder, as the kernel answers it."""
        return self.run(["/bin/sh", "-c", 'cd -- "$1"', "sh", folder], seconds=10).returncode == 0

    def own(self, path: Path) -> None:
        """Give one file or folder to the account."""
        if self.switch:
            # Never through a link: the folder above may already be the account's.
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def own_open(self, descriptor: int) -> None:
        """Give an open file to the account."""
        if self.switch:
            os.fchown(descriptor, self.uid, self.gid)


def server_account(existing: Path) -> Account:
    """Say as whom the server runs: oneself; or, for root, the owner of ``existing`` data, else a known account."""
    if os.geteuid() != 0:
        return Account(uid=os.geteuid(), gid=os.getegid(), switch=False)
    if existing.exists() and (found := existing.stat()).st_uid != 0:
        return Account(uid=found.st_uid, gid=found.st_gid, switch=True)
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(uid=entry.pw_uid, gid=entry.pw_gid, switch=True)
    raise PostgresError(
        "PostgreSQL does not run as root, and neither of the accounts "
        f"{' and '.join(CANDIDATES)} exists on this machine. Run Metricis as a normal user, or set DATABASE_URL to a server."
    )
