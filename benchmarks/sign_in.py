"""How long a sign-in takes, against argon2 alone in the same run: `python benchmarks/sign_in.py`.

The goal is under 400 ms for a whole sign-in over HTTP with argon2id at OWASP's cost, of which hashing should be the larger part.
"""

import os
import re
import statistics
import tempfile
import time
from pathlib import Path

import httpx

from apps.edge.app import create_edge
from apps.entrance.app import routes as entrance
from datamodel.access import actions as access
from datamodel.access import reads as access_reads
from datamodel.access.actor import KNOCKING, Actor
from datamodel.access.passwords import hash_password, is_password
from datamodel.kernel.ids import new_id
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import unit_of_work
from datamodel.migrations import run
from metricis.local.postgres import Cluster
from tests.support.web import running

NAME, PASSWORD, ROUNDS = "ada@site.example", "correct horse battery", 40


def prepare(url: str) -> None:
    """Make one member of staff."""
    first = Actor(id=new_id(), kind="machine", name=access_reads.INSTALLER_NAME)
    with unit_of_work(url, first) as unit:
        access.install(unit)
    with unit_of_work(url, KNOCKING) as unit:
        installer = access_reads.installer_actor(unit.session)
    with unit_of_work(url, installer) as unit:
        access.create_account(unit, kind="staff", name="Ada Berger", sign_in_name=NAME, password=PASSWORD)


def hashing() -> float:
    """Return the milliseconds of one verification."""
    stored = hash_password(PASSWORD)
    start = time.perf_counter()
    assert is_password(stored, PASSWORD)
    return 1000 * (time.perf_counter() - start)


def sign_in(client: httpx.Client) -> float:
    """Return the milliseconds of one sign-in over HTTP, from the form to the answer that carries the session."""
    client.cookies.clear()
    page = client.get("/sign-in").text
    form = re.search(r'name="form" value="(\w+)"', page)
    assert form
    start = time.perf_counter()
    answer = client.post("/sign-in", data={"name": NAME, "password": PASSWORD, "form": form.group(1)})
    taken = 1000 * (time.perf_counter() - start)
    assert answer.headers["location"] == "/app/", answer.status_code
    return taken


def main() -> None:
    """Print both, and the ratio."""
    with tempfile.TemporaryDirectory(prefix="metricis-bench-") as folder:
        Path(folder).chmod(0o711)
        cluster = Cluster(Path(folder) / "pg").ensure_running()
        url = cluster.url("postgres")
        os.environ |= {"METRICIS_HOME": folder, "METRICIS_DATABASE_URL": url}
        settings.cache_clear()
        run.upgrade(url)
        prepare(url)
        app = create_edge()
        app.include_router(entrance())
        with running(app) as base, httpx.Client(base_url=base, headers={"origin": base}, timeout=30) as client:
            sign_in(client)
            pairs = [(hashing(), sign_in(client)) for _ in range(ROUNDS)]
        cluster.destroy()
    alone, whole = (sorted(one) for one in zip(*pairs, strict=True))
    print(
        f"argon2id verification      median {statistics.median(alone):6.1f} ms   p95 {alone[int(0.95 * ROUNDS)]:6.1f} ms"
    )
    print(
        f"sign-in over HTTP          median {statistics.median(whole):6.1f} ms   p95 {whole[int(0.95 * ROUNDS)]:6.1f} ms"
    )
    print(
        f"sign-in / argon2id alone   {statistics.median(whole) / statistics.median(alone):.2f} (goal: sign-in under 400 ms)"
    )


if __name__ == "__main__":
    main()
