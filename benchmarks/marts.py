"""A snapshot beside the usual way (pandas.read_sql, json_normalize, DuckDB), in one run: seconds, peak memory, ratio.

Usage: python benchmarks/marts.py [--rows 60000]

The study has one form of laboratory results with that many instances, 300 participants and two arms, written through
the rooms' own actions into a PostgreSQL of its own. Ours is the whole snapshot: sealed, typed, checked, blinded and
unblinded, hashed, told in the ledger. The peer reads the newest revisions of the one form, spreads the JSON, converts
numbers and dates, and writes one DuckDB table: no checks, no second file. Each runs in a process of its own.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from datamodel.access import actions as access
from datamodel.access import reads as access_reads
from datamodel.access.actor import KNOCKING, Actor
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import unit_of_work
from datamodel.migrations.run import upgrade
from datamodel.participants import actions as participants
from datamodel.participants.facts import Facts
from datamodel.records import actions as records
from datamodel.records.content import canonical_values
from datamodel.study import actions as study
from datamodel.study.protocol import Choice, Event, Field, Form, Protocol
from metricis.local.postgres import Cluster

PEOPLE = 300
PROTOCOL = Protocol(
    record_field="record_id",
    arms=(Choice("1", "Everybody"),),
    events=(Event("week_0", "Week 0", "1", 1, 0, 0, 0, ("laboratory",), repeating_forms=("laboratory",)),),
    forms=(
        Form(
            "laboratory",
            "Laboratory",
            (
                Field("lb_date", "Date", "date", validation="date_ymd"),
                Field("lb_time", "Time", "time"),
                Field("lb_panel", "Panel", "choice", choices=(Choice("1", "Chemistry"), Choice("2", "Haematology"))),
                Field("lb_test", "Test", "text"),
                Field("lb_result", "Result", "number"),
                Field("lb_unit", "Unit", "text"),
                Field("lb_low", "Low", "number"),
                Field("lb_high", "High", "number"),
                Field("lb_flag", "Flag", "choice", choices=(Choice("1", "Low"), Choice("2", "High"))),
            ),
        ),
    ),
)


def fill(url: str, rows: int) -> None:
    upgrade(url)
    first = Actor(id=new_id(), kind="machine", name="Metricis installer")
    with unit_of_work(url, first) as unit:
        access.install(unit)
    with unit_of_work(url, KNOCKING) as unit:
        installer = access_reads.installer_actor(unit.session)
    with unit_of_work(url, installer) as unit:
        study.create_study(unit, code="bench", protocol_id="B", title="Benchmark")
    with unit_of_work(url, KNOCKING) as unit:
        service = access_reads.service_actor(unit.session)
    with unit_of_work(url, service) as unit:
        study.publish_design(unit, study="bench", protocol=PROTOCOL)
    facts = [
        Facts(
            f"P-{n:04d}", status="enrolled", enrolled_on=date(2026, 1, 1), arm_code=str(n % 2), arm_label=f"Arm {n % 2}"
        )
        for n in range(PEOPLE)
    ]
    with unit_of_work(url, service) as unit:
        participants.ensure(unit, study="bench", facts=facts)
    ready = [(facts[n % PEOPLE].code, "week_0", 0, n // PEOPLE + 1, "complete", values(n)) for n in range(rows)]
    for start in range(0, rows, 20_000):
        with unit_of_work(url, service) as unit:
            records.revise_batch(unit, study="bench", form="laboratory", rows=ready[start : start + 20_000])


def values(n: int) -> str:
    row = {
        "lb_date": f"2026-{n % 12 + 1:02d}-{n % 28 + 1:02d}",
        "lb_time": f"{n % 24:02d}:15",
        "lb_panel": str(n % 2 + 1),
    }
    row |= {"lb_test": f"TEST{n % 40}", "lb_result": str(n % 997 / 10), "lb_unit": "mmol/L", "lb_low": "1.5"}
    return canonical_values(row | {"lb_high": "60.5", "lb_flag": "2" if n % 997 > 605 else ""})


def ours(url: str, folder: Path) -> None:
    from pipelines.marts import steps

    began = time.perf_counter()
    taken = steps.snapshot(url, study="bench", folder=folder)
    took = time.perf_counter() - began
    began = time.perf_counter()
    assert steps.snapshot(url, study="bench", folder=folder).number == taken.number
    report(took, again=time.perf_counter() - began)


def peer(url: str, folder: Path) -> None:
    import duckdb
    import pandas as pd
    from sqlalchemy import create_engine

    began = time.perf_counter()
    raw = pd.read_sql(
        'select p.code, i.form_repeat, r.status, r.recorded_at, r."values" from app.form_instance i '
        "join app.form_revision r on r.instance_id = i.id and r.number = i.revision "
        "join app.participant p on p.id = i.participant_id order by 1, 2",
        create_engine(url.replace("postgresql://", "postgresql+psycopg://")),
    )
    frame = pd.concat([raw.drop(columns="values"), pd.json_normalize(raw["values"])], axis=1)
    frame["lb_date"] = pd.to_datetime(frame["lb_date"])
    for name in ("lb_result", "lb_low", "lb_high"):
        frame[name] = pd.to_numeric(frame[name])
    with duckdb.connect(str(folder / "peer.duckdb")) as connection:
        connection.register("frame", frame)
        connection.execute("create table laboratory as select * from frame")
    report(time.perf_counter() - began)


def report(seconds: float, **more: float) -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak_mib": peak} | more))


def measure(task: str, url: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--task", task, "--url", url, "--folder", folder]
        run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--task", choices=["ours", "peer"])
    parser.add_argument("--url")
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    if asked.task:
        {"ours": ours, "peer": peer}[asked.task](asked.url, asked.folder)
        return
    with tempfile.TemporaryDirectory() as home:
        server = Cluster(Path(home), durable=False).ensure_running()
        try:
            server.ensure_database("bench")
            fill(server.url("bench"), asked.rows)
            found = {task: measure(task, server.url("bench")) for task in ("peer", "ours")}
        finally:
            server.destroy()
    for task, result in found.items():
        print(f"{task:<5} {asked.rows:>9,} rows  {result['seconds']:6.2f} s  peak {result['peak_mib']:6.0f} MiB")
    print(f"ours again, nothing changed: {found['ours']['again']:.2f} s")
    print(
        f"ratio ours / peer: {found['ours']['seconds'] / found['peer']['seconds']:.2f} in time, "
        f"{found['ours']['peak_mib'] / found['peer']['peak_mib']:.2f} in memory"
    )


if __name__ == "__main__":
    main()
