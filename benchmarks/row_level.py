"""What row-level security costs: the same work with it and without it, in turns, on one embedded, durable PostgreSQL.

Run: python benchmarks/row_level.py [pairs]. Insert: 2,000 form instances with their revisions of about 1 kB and their
ledger event in one transaction, as a sync writes them. Point query: the newest revision of one instance, in a transaction of
its own, 200 times a pair. "Without" is the same role after the owner switched row-level security off on every table, and no
scope is signed or set. Targets (S27): at most 5 % on insert, at most 0.3 ms on a point query; medians of the pairs.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import orjson

STUDY = "bench"
ROWS = 2000
QUERIES = 200
POINT = (
    "select r.values::text from app.form_instance i join app.form_revision r on r.instance_id = i.id "
    "and r.number = i.revision where i.id = %s"
)


def prepare(server: Any, names: Any) -> str:
    """Make a study with one site and participants; return the application's address."""
    from datamodel.access import reads as access
    from datamodel.access.actor import KNOCKING, Actor
    from datamodel.kernel.ids import new_id
    from datamodel.kernel.unit import unit_of_work
    from datamodel.migrations import run
    from datamodel.participants import actions as participants
    from datamodel.participants.facts import Facts
    from datamodel.study import actions as study
    from metricis.local import roles

    run.upgrade(server.url("postgres"))
    roles.make(server.url("postgres"), names, logins=dict.fromkeys(names, "bench"))
    url = server.url("postgres", role=names.app, password="bench")  # noqa: S106 - of a server that lives for a minute
    root = Actor(id=new_id(), kind="staff", name="Root", is_administrator=True)
    with unit_of_work(url, root) as unit:
        study.create_study(unit, code=STUDY, protocol_id="B", title="Benchmark")
    with unit_of_work(url, KNOCKING) as unit:
        service = access.service_actor(unit.session)
    with unit_of_work(url, service) as unit:
        participants.ensure(unit, study=STUDY, facts=[Facts(code=f"S-{number:04d}") for number in range(ROWS)])
    return url


def switch(server: Any, *, on: bool) -> None:
    """Switch row-level security of every table on or off."""
    import psycopg

    from datamodel.migrations.schema import GUARDS

    verb = "enable" if on else "disable"
    with psycopg.connect(server.url("postgres")) as connection:
        for table in GUARDS:
            connection.execute(f"alter table app.{table} {verb} row level security")


def insert(url: str, actor: Any, form: str) -> float:
    """Write a form that nobody has yet, for every participant; return seconds."""
    from datamodel.kernel.unit import unit_of_work
    from datamodel.records import actions as records

    values = orjson.dumps({f"field_{number:02d}": f"value {number}" for number in range(50)}).decode()
    rows = [(f"S-{number:04d}", "baseline", 0, 0, "complete", values) for number in range(ROWS)]
    began = time.perf_counter()
    with unit_of_work(url, actor) as unit:
        records.revise_batch(unit, study=STUDY, form=form, rows=rows)
    return time.perf_counter() - began


def points(url: str, actor: Any, ids: list[Any], *, on: bool) -> float:
    """Read instances one by one; return the median in milliseconds."""
    import psycopg

    from datamodel.kernel.scope import scope_for

    begin = "select set_config('metricis.scope', %s, true), now()" if on else "select now()"
    with psycopg.connect(url) as connection:
        took = []
        for one in ids:
            began = time.perf_counter()
            connection.execute(begin, [scope_for(url, actor)] if on else None)
            assert connection.execute(POINT, [one]).fetchone()
            connection.commit()
            took.append(time.perf_counter() - began)
        return statistics.median(took) * 1000


def main(pairs: int) -> int:
    """Measure, print, and return 1 when a target is missed."""
    import psycopg

    from datamodel.access import reads as access
    from datamodel.access.actor import KNOCKING
    from datamodel.kernel.unit import unit_of_work
    from datamodel.migrations.roles import Roles
    from metricis.local.postgres import Cluster

    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        os.environ["METRICIS_HOME"] = folder
        server = Cluster(Path(folder) / "postgres").ensure_running()
        try:
            url = prepare(server, Roles())
            with unit_of_work(url, KNOCKING) as unit:
                service = access.service_actor(unit.session)
            insert(url, service, "warm")
            with psycopg.connect(server.url("postgres")) as connection:
                query = f"select id from app.form_instance limit {QUERIES}"
                ids = [one for (one,) in connection.execute(query).fetchall()]
            writes: list[float] = []
            reads: dict[bool, list[float]] = {True: [], False: []}
            for number in range(pairs):
                took = {}
                for on in (True, False) if number % 2 else (False, True):
                    switch(server, on=on)
                    # Switching makes every connection plan its statements anew; that is not what is measured.
                    insert(url, service, f"{number}-{on}-plans")
                    took[on] = insert(url, service, f"{number}-{on}")
                    reads[on].append(points(url, service, ids, on=on))
                writes.append(took[True] / took[False])
            switch(server, on=True)
        finally:
            server.destroy()
    ratio = statistics.median(writes)
    with_it, without = (statistics.median(reads[on]) for on in (True, False))
    print(f"{pairs} pairs, medians")
    print(f"  insert of {ROWS:,} forms: {ratio:.3f} x the time without (target 1.05)")
    print(f"  point query: {with_it:.3f} ms with, {without:.3f} ms without: {with_it - without:+.3f} ms (target 0.3)")
    return 0 if ratio <= 1.05 and with_it - without <= 0.3 else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 8))
