"""The whole way from the simulator to PostgreSQL, and every bad input of the issue's list."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from sqlalchemy import text

from datamodel.access.actor import Actor, Membership
from datamodel.audit import ledger
from datamodel.audit.verify import verify
from datamodel.connections import actions as connections
from datamodel.connections import reads as connection_reads
from datamodel.connections.mapping import Mapping, Place, StatusRule
from datamodel.discrepancies import reads as discrepancy_reads
from datamodel.kernel.errors import MetricisError
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import unit_of_work
from datamodel.participants import reads as participant_reads
from datamodel.records import reads as record_reads
from datamodel.records.digest import DIGESTS
from datamodel.study import actions as study_actions
from pipelines.clients.redcap import Patience, RedcapClient
from pipelines.clients.transport import Limits
from pipelines.ingest.plain import run_ingest
from simulators.cdiscpilot import load_trial
from simulators.redcap.server import RunningSimulator, running_simulator

STUDY = "pilot"
ADMINISTRATOR = Actor(id=new_id(), kind="staff", name="Root", is_administrator=True)
OWNER = Actor(id=new_id(), kind="staff", name="Olga Owner", memberships=(Membership(STUDY, "owner"),))
MANAGER = Actor(id=new_id(), kind="staff", name="Dana Manager", memberships=(Membership(STUDY, "data_manager"),))
MAPPING = Mapping(
    site=Place("demographics", "site_id"),
    arm=Place("randomization", "arm_planned"),
    enrolled_on=Place("visit", "visit_date", "baseline_arm_1"),
    visit_date=Place("visit", "visit_date"),
    status=(StatusRule(Place("disposition", "ds_reason"), ("1",), "completed", "ds_start"),),
    unplanned_events=("unscheduled_arm_1", "logs_arm_1"),
)


@dataclass
class Trial:
    simulator: RunningSimulator
    token: str
    url: str = ""

    def switch(self, **switches):
        answer = requests.post(f"{self.simulator.control_url}switches", json=switches, timeout=5)
        assert answer.ok, answer.text

    def reset(self):
        requests.post(f"{self.simulator.control_url}reset", timeout=5).raise_for_status()

    def put(self, **values):
        data = ",".join(values) + "\n" + ",".join(f'"{value}"' for value in values.values())
        answer = requests.post(
            self.simulator.url,
            data={
                "token": self.token,
                "content": "record",
                "action": "import",
                "format": "csv",
                "type": "flat",
                "data": data,
                "returnFormat": "json",
                "overwriteBehavior": "overwrite",
            },
            timeout=20,
        )
        assert answer.ok, answer.text

    def sync(self, **more):
        return run_ingest(STUDY, url=self.url, client=impatient, **more)

    def scalar(self, sql, **values):
        with unit_of_work(self.url, OWNER) as unit:
            return unit.session.execute(text(sql), values).scalar_one()

    def health(self):
        with unit_of_work(self.url, OWNER) as unit:
            return connection_reads.sync_health(unit.session, OWNER, study=STUDY)

    def is_sound(self):
        with unit_of_work(self.url, OWNER) as unit:
            ledger.seal(unit.session)
        with unit_of_work(self.url, OWNER) as unit:
            return verify(unit.session, digests=DIGESTS).problems == ()


def impatient(api_url, token):
    return RedcapClient(
        api_url, token, limits=Limits(connect=2, silence=5, deadline=2), patience=Patience(attempts=2, first_wait=0.01)
    )


@pytest.fixture(scope="module")
def loaded(tmp_path_factory) -> Iterator[Trial]:
    with running_simulator(tmp_path_factory.mktemp("redcap")) as simulator:
        yield Trial(simulator, load_trial(api_url=simulator.url, super_token=simulator.super_token, subjects=4))


@pytest.fixture
def trial(loaded: Trial, database_url: str, home: Path) -> Iterator[Trial]:
    """A study connected to a simulator with four participants."""
    loaded.url = database_url
    with unit_of_work(database_url, ADMINISTRATOR) as unit:
        study_actions.create_study(unit, code=STUDY, protocol_id="P1", title="Pilot")
    with unit_of_work(database_url, OWNER) as unit:
        connections.connect(unit, study=STUDY, api_url=loaded.simulator.url, token=loaded.token, mapping=MAPPING)
    yield loaded
    loaded.reset()


def test_the_first_sync_brings_everything_and_the_second_changes_nothing(trial):
    first = trial.sync()
    assert first.rows_in > 100
    assert first.rows_changed == first.rows_in
    assert trial.scalar("select count(*) from app.participant") == 4
    assert trial.scalar("select count(*) from app.form_instance") == first.rows_in
    events = trial.scalar("select count(*) from app.audit_event")
    second = trial.sync()
    assert (second.rows_in, second.rows_changed) == (first.rows_in, 0)
    assert trial.scalar("select count(*) from app.form_revision") == first.rows_in
    assert trial.scalar("select count(*) from app.audit_event") == events
    assert trial.is_sound()
    assert not trial.health().is_stale
