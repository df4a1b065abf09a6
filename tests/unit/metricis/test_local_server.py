"""Small decisions of the launcher that need no server."""

import os
import socket
from pathlib import Path

import pytest

from metricis.local import binaries
from metricis.local.account import Account, PostgresError, server_account
from metricis.local.server import LONGEST_SOCKET_FOLDER, Server, free_port, socket_folder

MYSELF = Account(uid=os.geteuid(), gid=os.getegid(), switch=False)


def test_a_free_port_is_kept_and_a_taken_one_is_not() -> None:
    wish = free_port()
    assert free_port(wish) == wish
    with socket.create_server(("127.0.0.1", wish)):
        assert free_port(wish) != wish


def test_sockets_lie_beside_the_data_unless_the_path_is_too_long(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * LONGEST_SOCKET_FOLDER)
    deep.mkdir()
    folder = socket_folder(deep, MYSELF)
    try:
        assert len(os.fsencode(folder)) <= LONGEST_SOCKET_FOLDER
        assert folder.stat().st_mode & 0o777 == 0o700
    finally:
        folder.rmdir()


@pytest.mark.parametrize("text", ["", "not a number\n", "999999999\n"])
def test_a_pid_file_that_names_no_server_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "postmaster.pid").write_text(text)
    assert not Server(folder=tmp_path, sockets=tmp_path, account=MYSELF).lives()


def test_root_without_a_lesser_account_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("metricis.local.account.CANDIDATES", ("no-such-account",))
    with pytest.raises(PostgresError, match="Run Metricis as a normal user, or set DATABASE_URL"):
        server_account(tmp_path / "missing")


def test_a_shared_place_that_others_may_write_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    place = tmp_path / "shared"
    place.mkdir()
    place.chmod(0o777)
    monkeypatch.setenv("METRICIS_SERVER_DIR", str(place))
    with pytest.raises(PostgresError, match="may be written by, someone else"):
        binaries.shared_place()


def test_a_server_that_is_too_old_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = tmp_path / "postgres"
    old.write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)'\n")
    old.chmod(0o755)
    monkeypatch.setenv("METRICIS_POSTGRES_BIN", str(tmp_path))
    with pytest.raises(PostgresError, match="which is PostgreSQL 15; 17 or newer is needed"):
        binaries.find_binaries(MYSELF)
