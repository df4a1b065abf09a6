"""A sealed ledger of two studies with 40 events each and heads at 32 and 40, cloned for each attack."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from datamodel.access import actions as access
from datamodel.access import reads as access_reads
from datamodel.access.actor import Actor, Membership
from datamodel.audit import ledger
from datamodel.checkpoints.sealer import Sealer
from datamodel.kernel.database import engine_for
from datamodel.kernel.ids import new_id
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import unit_of_work
from datamodel.migrations.roles import Roles
from datamodel.study import actions as study
from tests.support.forger import Forger

STUDIES = ("alpha", "beta")
EVENTS = 40
EARLIER = 32


@dataclass(frozen=True)
class Built:
    """A database to clone, and the home folder that belongs to it."""

    database: str
    home: Path
    #: study code -> positions of its events, in order
    positions: dict[str, list[int]]


@pytest.fixture(scope="session")
def built(cluster, template, tmp_path_factory) -> Built:
    name = f"attacked_{uuid4().hex[:8]}"
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(f"create database {name} template {template} strategy file_copy")
    home = tmp_path_factory.mktemp("ledger") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("METRICIS_HOME", str(home))
        patch.setenv("METRICIS_SEALER_URL", cluster.url(name, role=Roles().sealer, password="of-the-tests"))
        settings.cache_clear()
        url = cluster.url(name, role=Roles().app, password="of-the-tests")
        _fill(url)
        engine_for(settings().sealer_url.get_secret_value()).dispose()
    settings.cache_clear()
    engine_for(url).dispose()
    with psycopg.connect(cluster.url(name)) as connection:
        rows = connection.execute(
            "select t.code, array_agg(s.position order by s.position) from app.audit_entry s "
            "join app.study t on t.id = s.study_id group by t.code"
        ).fetchall()
    return Built(name, home, dict(rows))


def _fill(url: str) -> None:
    first = Actor(id=new_id(), kind="machine", name=access_reads.INSTALLER_NAME)
    with unit_of_work(url, first) as unit:
        access.install(unit)
    with unit_of_work(url, first) as unit:
        installer = access_reads.installer_actor(unit.session)
    ids = {}
    for code in STUDIES:
        with unit_of_work(url, installer) as unit:
            ids[code] = study.create_study(
                unit, code=code, protocol_id=code.upper(), title=f"Study {code}", integration_mode="standalone"
            )
    actor = Actor(
        id=new_id(),
        kind="staff",
        name="Anna Berger",
        memberships=tuple(Membership(one, "coordinator") for one in STUDIES),
    )
    sealer = Sealer(url, settings())
    number = dict.fromkeys(STUDIES, 1)  # the study's creation is its first event
    for size in (EARLIER, EVENTS):
        while number[STUDIES[-1]] < size:
            for code in STUDIES:
                number[code] += 1
                with unit_of_work(url, actor, reason="as measured") as unit:
                    ledger.record(
                        unit,
                        "records.revise",
                        study_id=ids[code],
                        subject=f"participant:{code[0]}-{number[code]:03}",
                        role="coordinator",
                        change={"old": {"sha256": "00"}, "new": {"sha256": f"{number[code]:02x}"}},
                    )
        sealer.seal_once(force=True)


@pytest.fixture
def attacked(cluster, built, tmp_path, monkeypatch) -> Iterator[Forger]:
    """The owner's hands on a copy of the ledger, and a verification by somebody else."""
    name = f"a_{uuid4().hex[:12]}"
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(f"create database {name} template {built.database} strategy file_copy")
    home = tmp_path / "home"
    shutil.copytree(built.home, home)
    urls = {role: cluster.url(name, role=user, password="of-the-tests") for role, user in Roles()._asdict().items()}
    monkeypatch.setenv("METRICIS_HOME", str(home))
    monkeypatch.setenv("METRICIS_SEALER_URL", urls["sealer"])
    settings.cache_clear()
    with psycopg.connect(urls["owner"], autocommit=True) as connection:
        yield Forger(connection, url=urls["app"], home=home, positions=built.positions)
    for each in urls.values():
        engine_for(each).dispose()
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")
    settings.cache_clear()
