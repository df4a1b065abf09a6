"""REDCap to PostgreSQL with ledger: ours, against PyCap + pandas.to_sql, and against a raw COPY of the same rows.

Run: python benchmarks/ingest.py [rows]. A form of 100 fields, 200 instances a record, served from memory by another
process; PostgreSQL is the embedded one with its normal, durable settings. Ours pulls, checks each value against the
dictionary, hashes, writes revisions with ledger events and notes what is done. The raw COPY pulls the same bytes and
puts them into a table of text columns, unchecked. Targets: at least 10 x as fast as to_sql, at most 3 x the raw COPY.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from metricis.local.postgres import Cluster

sys.path.insert(0, str(Path(__file__).parent))

from memory_redcap import FORM, TOKEN, columns, memory_redcap

STUDY = "bench"
#: the peer is slow; its time grows with the rows, so it gets a share of them and the time is scaled
PEER_SHARE = 10


def ours(_: str, database: str) -> int:
    from pipelines.ingest.plain import run_ingest

    return run_ingest(STUDY, url=database).rows_changed


def to_sql(api: str, database: str) -> int:
    from redcap import Project
    from sqlalchemy import create_engine

    project = Project(api, TOKEN)
    ids = [
        row["record_id"]
        for row in project.export_records(fields=["record_id"], format_type="df").reset_index().to_dict("records")
    ]
    # As people run it: PyCap's and pandas' own settings, no typing, chunking or multi-row inserts of ours.
    frame = project.export_records(format_type="df", forms=[FORM], records=ids[: len(ids) // PEER_SHARE])
    frame.to_sql("peer", create_engine(database.replace("postgresql:", "postgresql+psycopg:")), if_exists="replace")
    return len(frame)


def raw_copy(api: str, database: str) -> int:
    import psycopg
    import requests

    ids = requests.post(
        api, data={"token": TOKEN, "content": "record", "fields[0]": "record_id"}, timeout=60
    ).text.split()[1:]
    with psycopg.connect(database) as connection:
        connection.execute("drop table if exists raw_rows")
        connection.execute(f"create table raw_rows ({', '.join(f'{name} text' for name in columns())})")
        with connection.cursor().copy("copy raw_rows from stdin (format csv, header true)") as copy:
            for first in range(0, len(ids), 100):
                asked = {
                    "token": TOKEN,
                    "content": "record",
                    "forms[0]": FORM,
                    "records": ",".join(ids[first : first + 100]),
                }
                body = requests.post(api, data=asked, timeout=60).content
                copy.write(body if first == 0 else body.split(b"\n", 1)[1])
        found = connection.execute("select count(*) from raw_rows").fetchone()
    return found[0]


PATHS = {"metricis": ours, "PyCap + to_sql": to_sql, "raw COPY": raw_copy}


def prepare(api: str, server: "Cluster") -> str:
    """Make a study that is connected to the server; return the address of the application's role."""
    from datamodel.access.actor import Actor, Membership
    from datamodel.connections import actions as connections
    from datamodel.connections.mapping import Mapping
    from datamodel.kernel.ids import new_id
    from datamodel.kernel.unit import unit_of_work
    from datamodel.migrations import run
    from datamodel.migrations.roles import Roles
    from datamodel.study import actions as study
    from metricis.local import roles

    run.upgrade(server.url("postgres"))
    roles.make(server.url("postgres"), Roles(), logins={Roles().app: "bench"})
    database = server.url("postgres", role=Roles().app, password="bench")  # noqa: S106 - it lives for a minute
    root = Actor(id=new_id(), kind="staff", name="Root", is_administrator=True)
    owner = Actor(id=new_id(), kind="staff", name="Owner", memberships=(Membership(STUDY, "owner"),))
    with unit_of_work(database, root) as unit:
        study.create_study(unit, code=STUDY, protocol_id="B", title="Benchmark")
    with unit_of_work(database, owner) as unit:
        connections.connect(unit, study=STUDY, api_url=api, token=TOKEN, mapping=Mapping())
    return database


def one(name: str, api: str, database: str) -> None:
    import redcap  # noqa: F401 - imports are not what is measured

    if name == "metricis":
        import pipelines.ingest.plain  # noqa: F401
    began = time.perf_counter()
    rows = PATHS[name](api, database)
    print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, rows)


def main(rows: int) -> int:
    from metricis.local.postgres import Cluster

    with tempfile.TemporaryDirectory() as folder, memory_redcap(rows) as api:
        os.environ["METRICIS_HOME"] = folder
        server = Cluster(Path(folder) / "postgres").ensure_running()
        try:
            database = server.url("postgres")
            application = prepare(api, server)
            found = {name: measure(name, api, application if name == "metricis" else database) for name in PATHS}
            again = measure("metricis", api, application)
        finally:
            server.destroy()
    base = found["metricis"][0] / found["metricis"][2]
    print(f"{rows:,} rows x 100 fields into PostgreSQL; seconds for 100,000 rows")
    for name, (seconds, peak, count) in found.items():
        print(
            f"  {name:16} {seconds / count * 100_000:7.2f} s  {peak:6.0f} MiB peak  {count:,} rows  {seconds / count / base:6.2f} x our time"
        )
    print(f"  a second run that changes nothing: {again[0] / rows * 100_000:.2f} s, {again[2]} revisions")
    faster = found["PyCap + to_sql"][0] / found["PyCap + to_sql"][2] / base
    slower = base / (found["raw COPY"][0] / found["raw COPY"][2])
    print(f"  {faster:.1f} x as fast as PyCap + to_sql (target 10), {slower:.2f} x the time of a raw COPY (target 3)")
    return 0 if faster >= 10 and slower <= 3 else 1


def measure(name: str, api: str, database: str) -> tuple[float, float, int]:
    done = subprocess.run(
        [sys.executable, __file__, "--one", name, api, database], check=True, stdout=subprocess.PIPE, text=True
    )
    seconds, peak, rows = done.stdout.split()
    return float(seconds), float(peak), int(rows)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(*sys.argv[2:5])
    else:
        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
