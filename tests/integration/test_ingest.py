"""The whole way from the simulator to PostgreSQL, and every bad input of the issue's list."""

import json
import re
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path

import psycopg
import pytest
import requests
from sqlalchemy import text

from datamodel.access.actor import Actor, Membership
from datamodel.approvals import actions as approvals
from datamodel.audit import ledger
from datamodel.audit.verify import verify
from datamodel.connections import actions as connections
from datamodel.connections import reads as connection_reads
from datamodel.connections import runs
from datamodel.connections.mapping import Mapping, Place, StatusRule
from datamodel.discrepancies import actions as discrepancy_actions
from datamodel.discrepancies import reads as discrepancy_reads
from datamodel.kernel.errors import MetricisError, RefusedError
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import sealing, unit_of_work
from datamodel.participants import reads as participant_reads
from datamodel.records import reads as record_reads
from datamodel.records.digest import DIGESTS
from datamodel.study import actions as study_actions
from datamodel.trail.words import in_words
from pipelines.clients.redcap import Patience, RedcapClient
from pipelines.clients.transport import Limits, UnusableAnswerError
from pipelines.ingest import steps
from pipelines.ingest.plain import run_ingest
from pipelines.ingest.run import open_run
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


SEX = (
    "select r.values->>'dm_sex' from app.form_revision r join app.form_instance i on i.id = r.instance_id and "
    "i.revision = r.number join app.participant p on p.id = i.participant_id "
    "where p.code = :record and i.form_name = 'demographics'"
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
        with sealing(self.url) as session:
            ledger.seal(session)
        with sealing(self.url) as session:
            return verify(session, digests=DIGESTS).problems == ()


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
    events = trial.scalar("select count(*) from app.audit_event where action not like 'connections.%_sync'")
    second = trial.sync()
    assert (second.rows_in, second.rows_changed) == (first.rows_in, 0)
    assert trial.scalar("select count(*) from app.form_revision") == first.rows_in
    assert trial.scalar("select count(*) from app.audit_event where action not like 'connections.%_sync'") == events
    assert trial.is_sound()
    assert not trial.health().is_stale


def test_the_ledger_tells_who_asked_for_a_sync_and_how_it_ended(trial):
    told = "select change -> 'new' from app.audit_event where action = :action order by seq desc limit 1"
    summary = trial.sync(asked_by="Dana Manager")
    assert trial.scalar(told, action="connections.begin_sync") == {"asked_by": "Dana Manager"}
    ended = trial.scalar(told, action="connections.end_sync")
    assert (ended["outcome"], ended["asked_by"]) == ("succeeded", "Dana Manager")
    assert ended["rows_in"] == ended["rows_changed"] == str(summary.rows_in)
    with pytest.raises(ZeroDivisionError), open_run(STUDY, url=trial.url, client=impatient):
        raise ZeroDivisionError
    ended = trial.scalar(told, action="connections.end_sync")
    assert (ended["outcome"], ended["rows_in"]) == ("failed", "0")
    assert in_words("connections.end_sync", {"new": ended}) == (
        "A sync with REDCap failed: 0 rows read, 0 changed, 0 findings"
    )
    assert trial.is_sound()


def test_a_changed_value_makes_one_new_revision_and_its_history_says_who_and_when(trial):
    trial.sync()
    place = {
        "record_id": trial.scalar("select min(code) from app.participant"),
        "redcap_event_name": "screening_1_arm_1",
    }
    before = trial.scalar("select count(*) from app.form_revision")
    trial.put(**place, dm_age="64")
    assert trial.sync().rows_changed == 1
    trial.put(**place, dm_age="65")
    assert trial.sync().rows_changed == 1
    assert trial.scalar("select count(*) from app.form_revision") == before + 2
    with unit_of_work(trial.url, OWNER) as unit:
        one = record_reads.instance(
            unit.session,
            OWNER,
            study=STUDY,
            participant=place["record_id"],
            event_name="screening_1_arm_1",
            form_name="demographics",
        )
        newest = record_reads.field_history(unit.session, OWNER, study=STUDY, one=one)[0]
    assert one.values["dm_age"] == "65"
    assert (newest.field, newest.old, newest.new, newest.by) == ("dm_age", "64", "65", "Metricis sync")
    assert trial.is_sound()


def test_a_code_out_of_its_list_is_rejected_asked_about_and_closed_when_corrected(trial):
    trial.sync()
    record = trial.scalar("select min(code) from app.participant")
    slip_in(trial, record=record, field="dm_sex", value="9")
    summary = trial.sync()
    assert (summary.findings, summary.rows_in - summary.rows_accepted) == (1, 1)
    asked = questions(trial)
    assert [(one.participant, one.field, one.value, one.rule, one.state) for one in asked] == [
        (record, "dm_sex", "9", "unknown_code", "open")
    ]
    assert "not one of the codes" in asked[0].reason
    assert trial.sync().rows_changed == 0
    assert len(questions(trial)) == 1
    assert "dm_sex" not in trial.scalar(
        "select r.values::text from app.form_revision r join app.form_instance i on i.id = r.instance_id "
        "and i.revision = r.number join app.participant p on p.id = i.participant_id "
        "where p.code = :record and i.form_name = 'demographics'",
        record=record,
    )
    trial.put(record_id=record, redcap_event_name="screening_1_arm_1", dm_sex="1")
    trial.sync()
    assert [one.state for one in questions(trial)] == ["closed"]
    with unit_of_work(trial.url, MANAGER) as unit:
        _, steps = discrepancy_reads.thread(unit.session, MANAGER, study=STUDY, discrepancy_id=questions(trial)[0].id)
    assert [one.state for one in steps] == ["open", "closed"]
    assert "corrected at its source" in steps[1].text


def test_a_required_field_is_asked_for_where_its_branching_shows_it(trial):
    """A condition on the same form is decided; one that looks at another form is told, never guessed."""
    trial.sync()
    record = trial.scalar("select min(code) from app.participant")
    other = trial.scalar("select max(code) from app.participant")
    sex = trial.scalar(SEX, record=record)
    was = [change_field(trial, "subject_number", required_field="y", branching_logic=f"[dm_sex] = '{sex}'")]
    was += [change_field(trial, "country", required_field="y", branching_logic="[baseline_arm_1][visit_date] <> ''")]
    numbers = {one: slip_in(trial, record=one, field="subject_number", value="") for one in (record, other)}
    try:
        trial.sync()
    finally:
        for one, number in numbers.items():
            slip_in(trial, record=one, field="subject_number", value=number)
        for field in was:
            change_field(trial, **field)
    asked = {record} | ({other} if trial.scalar(SEX, record=other) == sex else set())
    found = questions(trial)
    assert {(one.participant, one.field, one.rule) for one in found} == {
        (one, "subject_number", "required_blank") for one in asked
    }
    said = trial.scalar("select sentence from app.sync_run order by started_at desc limit 1")
    assert said.endswith(
        "Not checked: whether 1 required field is filled when asked (first: country of demographics; its condition looks at "
        "another event or form, or uses a smart variable)."
    )


def sentence(trial):
    return trial.scalar("select sentence from app.sync_run order by started_at desc limit 1")


@pytest.fixture
def exact(monkeypatch):
    """Changes are asked for from the last good run on, without the day that clocks may differ by."""
    monkeypatch.setattr(runs, "OVERLAP", timedelta(0))
    later()


def later():
    """Wait until REDCap's log, which knows seconds, tells what comes now from what was before."""
    time.sleep(1.1)


def test_after_a_whole_pull_only_records_that_changed_are_pulled(trial, exact):
    whole = trial.sync()
    record = trial.scalar("select min(code) from app.participant")
    assert trial.sync().rows_in == 0
    assert "0 records changed since" in sentence(trial)
    trial.put(record_id=record, redcap_event_name="screening_1_arm_1", dm_age="77")
    found = trial.sync()
    assert 0 < found.rows_in < whole.rows_in / 2
    assert found.rows_changed == 1
    assert "of one record changed since" in sentence(trial)
    assert trial.scalar("select count(*) from app.form_instance where is_removed") == 0
    assert trial.scalar("select count(*) from app.form_instance") == whole.rows_in
    pulled = trial.scalar(
        "select change->'new'->>'pulled' from app.audit_event where action = 'connections.end_sync' order by seq desc limit 1"
    )
    assert pulled.startswith("changes since 20")
    assert trial.is_sound()


def test_without_a_day_s_overlap_a_clock_that_is_late_would_lose_a_change(trial):
    whole = trial.sync()
    assert trial.sync().rows_in == whole.rows_in  # all of it was loaded within the day that is asked for again
    began = trial.scalar(
        "select max(started_at) from app.sync_run where state = 'succeeded' and pull_key like 'every%'"
    )
    assert f"changed since {(began - timedelta(hours=24)).astimezone(UTC):%d-%b-%Y %H:%M} UTC" in sentence(trial)


def test_what_redcap_s_log_does_not_tell_comes_with_the_next_whole_pull(trial, exact, monkeypatch):
    trial.sync()
    record = trial.scalar("select min(code) from app.participant")
    sex = slip_in(trial, record=record, field="dm_sex", value="9")
    assert trial.sync().findings == 0
    assert trial.sync(everything=True).findings == 1
    assert [one.state for one in questions(trial)] == ["open"]
    # What is not pulled is not judged: the question stays.
    assert trial.sync().rows_in == 0
    assert [one.state for one in questions(trial)] == ["open"]
    monkeypatch.setattr(runs, "WHOLE_EVERY", timedelta(0))
    assert trial.sync().rows_in > 0
    assert "changed since" not in sentence(trial)
    slip_in(trial, record=record, field="dm_sex", value=sex)


def test_another_dictionary_or_connection_pulls_everything(trial, exact):
    whole = trial.sync()
    assert trial.sync().rows_in == 0
    relabel(trial, "dm_age", "Age, in years")
    assert trial.sync().rows_in == whole.rows_in
    assert trial.sync().rows_in == 0
    with unit_of_work(trial.url, OWNER, reason="another token") as unit:
        connections.connect(unit, study=STUDY, api_url=trial.simulator.url, token=trial.token, mapping=MAPPING)
    assert trial.sync().rows_in == whole.rows_in


def test_a_run_that_failed_between_does_not_move_the_mark(trial, exact, monkeypatch):
    trial.sync()
    record = trial.scalar("select min(code) from app.participant")
    trial.put(record_id=record, redcap_event_name="screening_1_arm_1", dm_age="78")
    later()
    with monkeypatch.context() as broken:
        broken.setattr(steps, "move", stop)
        with pytest.raises(KeyboardInterrupt):
            trial.sync()
    found = trial.sync()
    assert (found.rows_in > 0, found.rows_changed) == (True, 1)
    assert trial.sync().rows_in == 0


def stop(_run, _puller):
    raise KeyboardInterrupt


def test_a_record_that_redcap_no_longer_has_is_marked_removed(trial):
    trial.sync()
    code = trial.scalar("select max(code) from app.participant")
    trial.put(record_id="701-9999", redcap_event_name="screening_1_arm_1", dm_age="70", site_id="701")
    trial.sync()
    with sqlite3.connect(simulated(trial).path) as db:
        for table in ("record", "row"):
            db.execute(f"delete from {table} where record = '701-9999'")
    assert trial.sync().rows_changed == 1
    removed = "select count(*) from app.form_instance i join app.participant p on p.id = i.participant_id "
    assert trial.scalar(removed + "where i.is_removed and p.code = '701-9999'") == 1
    assert trial.scalar(removed + "where i.is_removed and p.code = :code", code=code) == 0
    assert trial.sync().rows_changed == 0
    assert trial.is_sound()


WHOLE = {"only_content": "record"}
FAULTS = [
    ({"fail_times": 99, "fail_status": 500}, r"answered HTTP 500"),
    ({"fail_times": 99, "fail_status": 503} | WHOLE, r"answered HTTP 503"),
    ({"html_200": True}, r"web page instead of data"),
    ({"html_200": True} | WHOLE, r"web page instead of data"),
    ({"out_of_memory_200": True} | WHOLE, r"ran out of memory"),
    ({"truncate_bytes": 300} | WHOLE, r"breaks off"),
    ({"truncate_bytes": 300, "only_content": "metadata"}, r"JSON that breaks off"),
    ({"drip_bytes_per_second": 20, "only_content": "metadata"}, r"had not finished"),
    ({"fail_times": 99, "fail_status": 404}, r"no REDCap API at this address"),
    ({"ban_per_minute": 0}, r"banned this machine"),
]


@pytest.mark.parametrize(("switches", "says"), FAULTS, ids=[str(one[0]) for one in FAULTS])
def test_every_fault_of_the_server_fails_the_run_with_a_sentence_and_the_next_run_recovers(trial, switches, says):
    trial.switch(**switches)
    with pytest.raises(MetricisError, match=says) as caught:
        trial.sync()
    assert trial.token not in str(caught.value)
    health = trial.health()
    assert health.is_stale
    assert health.last_run is not None
    assert (health.last_run.state, health.last_run.sentence) == ("failed", str(caught.value))
    assert re.search(says, health.sentence)
    assert trial.scalar("select count(*) from app.form_revision") == 0
    trial.reset()
    assert trial.sync().rows_changed > 100
    assert not trial.health().is_stale
    assert trial.is_sound()


def test_records_left_out_of_an_answer_fail_the_run_and_remove_nothing(trial):
    first = trial.sync()
    record = trial.scalar("select max(code) from app.participant")
    with pytest.raises(MetricisError, match=r"left out 1 of 4 records"):
        trial.sync(everything=True, progress=lambda *_: trial.switch(drop_records=[record]))
    trial.reset()
    assert trial.sync().rows_changed == 0
    assert trial.scalar("select count(*) from app.form_instance where not is_removed") == first.rows_in


def test_an_answer_that_is_too_much_is_asked_for_in_smaller_parts(trial, monkeypatch):
    asked = []
    pull = RedcapClient.records

    def sparing(self, ids, **more):
        asked.append(len(ids))
        if len(ids) > 1 and more.get("forms"):
            raise UnusableAnswerError("too much")
        return pull(self, ids, **more)

    monkeypatch.setattr("pipelines.ingest.puller._LEAST_RECORDS", 1)
    monkeypatch.setattr(RedcapClient, "records", sparing)
    assert trial.sync().rows_changed > 100
    assert {1, 4} <= set(asked)


def test_a_dictionary_that_changes_under_way_fails_the_run_and_the_next_takes_the_new_one(trial):
    changed = []

    def change_once(what, *_):
        if what == "vital_signs" and not changed:
            changed.append(what)
            relabel(trial, "dm_age", "Age in whole years")

    with pytest.raises(MetricisError, match=r"dictionary was changed while the sync ran"):
        trial.sync(progress=change_once)
    assert trial.health().is_stale
    trial.sync()
    assert trial.scalar("select count(*) from app.design") == 2
    assert not trial.health().is_stale
    assert trial.is_sound()


def test_a_field_that_is_new_under_way_is_named(trial):
    changed = []

    def add_once(what, *_):
        if what == "records" and not changed:
            changed.append(what)
            rename(trial, "dm_education", "dm_schooling")

    try:
        with pytest.raises(MetricisError, match=r"was changed while the sync ran: the column dm_education"):
            trial.sync(progress=add_once)
    finally:
        rename(trial, "dm_schooling", "dm_education")
    assert trial.sync().rows_changed > 0


def test_postgresql_gone_in_mid_batch_writes_nothing_of_it_and_the_next_run_goes_on(trial, monkeypatch):
    real = discrepancy_actions.raise_batch

    def cut_off(unit, *, form, **more):
        if form == "vital_signs":
            with psycopg.connect(trial.url, autocommit=True) as other:
                other.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity "
                    "where datname = current_database() and pid <> pg_backend_pid()"
                )
        return real(unit, form=form, **more)

    with monkeypatch.context() as patch:
        patch.setattr("datamodel.discrepancies.actions.raise_batch", cut_off)
        with pytest.raises(MetricisError, match=r"PostgreSQL did not answer or closed the connection"):
            trial.sync()
    instances = "select count(*) from app.form_instance where form_name = :form"
    assert trial.scalar(instances, form="vital_signs") == 0
    demographics = trial.scalar(instances, form="demographics")
    assert demographics == 4
    assert trial.health().is_stale
    assert trial.health().last_run.state == "failed"
    summary = trial.sync()
    assert trial.scalar(instances, form="vital_signs") > 0
    assert trial.scalar("select count(*) from app.form_instance") == summary.rows_changed + already(trial)
    assert not trial.health().is_stale
    assert trial.is_sound()


def already(trial):
    return trial.scalar("select sum(rows_changed) from app.sync_run where state = 'failed'")


def test_a_run_whose_process_was_killed_is_failed_by_the_next_which_resumes_it(trial, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("pipelines.ingest.run._fail", lambda *_: None)
        with pytest.raises(KeyboardInterrupt):
            trial.sync(progress=stop_at("vital_signs"))
    assert trial.health().is_running
    done = trial.scalar("select count(*) from app.sync_batch")
    assert done > 3
    good_since = trial.scalar("select min(started_at) from app.sync_run")
    summary = trial.sync()
    assert trial.scalar("select count(*) from app.sync_run where state = 'failed' and sentence like '%killed%'") == 1
    assert trial.scalar("select count(*) from app.form_instance") > summary.rows_in
    assert trial.health().last_good_at == good_since


def stop_at(form):
    def stop(what, *_):
        if what == form:
            raise KeyboardInterrupt

    return stop


def test_a_study_that_is_closed_under_way_ends_the_sync_with_a_sentence_and_nothing_half_written(trial):
    """The run's rights were read before: PostgreSQL itself refuses the batches after the closing."""
    done = []

    def close_once(form, _done, _of):
        if form == "vital_signs" and not done:
            done.append(form)
            close(trial.url)

    with pytest.raises(RefusedError, match="The study pilot is closed, so nothing is written in it any more"):
        trial.sync(progress=close_once)
    health = trial.health()
    assert health.last_run.state == "failed"
    assert "is closed" in health.last_run.sentence
    closing = "(select xid from app.audit_event where action = 'study.close')"
    late = "app.audit_event e where e.xid > " + closing
    assert trial.scalar(f"select count(*) from app.form_revision r, {late} and e.id = r.event_id") == 0
    assert trial.scalar(f"select count(*) from {late} and e.action like 'records.%'") == 0
    assert trial.scalar("select count(*) from app.form_revision") > 0
    assert trial.is_sound()


def close(url):
    with unit_of_work(url, OWNER, reason="It is over.") as unit:
        number = approvals.propose(unit, "study_close", STUDY, {})
    with unit_of_work(url, MANAGER, reason="Agreed.") as unit:
        approvals.approve(unit, number)
    with unit_of_work(url, OWNER, reason="It is over.") as unit:
        study_actions.close_study(unit, study=STUDY, approval=number)


def test_only_one_sync_runs_at_a_time(trial):
    refused = []

    def second(what, *_):
        if what == "records":
            with pytest.raises(RefusedError, match="running already") as caught:
                trial.sync()
            with pytest.raises(RefusedError, match="running already"), unit_of_work(trial.url, MANAGER) as unit:
                connections.request_sync(unit, study=STUDY)
            refused.append(caught.value)

    trial.sync(progress=second)
    assert refused


def test_a_request_is_taken_by_the_run_it_asked_for(trial):
    with unit_of_work(trial.url, MANAGER) as unit:
        connections.request_sync(unit, study=STUDY)
    with pytest.raises(RefusedError, match="asked for already"), unit_of_work(trial.url, MANAGER) as unit:
        connections.request_sync(unit, study=STUDY)
    with unit_of_work(trial.url, OWNER) as unit:
        waiting = connection_reads.open_requests(unit.session)
    assert [(one.study, one.asked_by) for one in waiting] == [(STUDY, "Dana Manager")]
    with open_run(STUDY, url=trial.url, client=impatient, request=str(waiting[0].id)):
        pass
    with unit_of_work(trial.url, OWNER) as unit:
        assert connection_reads.open_requests(unit.session) == []
        assert connection_reads.runs(unit.session, OWNER, study=STUDY)[0].asked_by == "Dana Manager"


def test_the_grid_counts_what_the_tables_hold_and_keeps_to_the_site(trial):
    trial.sync()
    with unit_of_work(trial.url, OWNER) as unit:
        grid = record_reads.status_grid(unit.session, OWNER, study=STUDY)
        site = grid.subjects[0].site
        monitor = Actor(id=new_id(), kind="staff", name="Mo", memberships=(Membership(STUDY, "monitor", site=site),))
        own = record_reads.status_grid(unit.session, monitor, study=STUDY)
        with pytest.raises(RefusedError, match="work at site"):
            record_reads.status_grid(unit.session, monitor, study=STUDY, site="999")
    assert sum(cell.instances for cell in grid.cells.values()) == trial.scalar("select count(*) from app.form_instance")
    assert {one.site for one in own.subjects} == {site}
    assert {key[0] for key in own.cells} <= {one.participant for one in own.subjects}
    assert len({(one.event_name, one.form_name) for one in grid.columns}) == len(grid.columns)


def test_the_arm_is_read_only_by_those_who_may_see_blinded_data(trial):
    trial.sync()
    unblinded = Actor(
        id=new_id(), kind="staff", name="Sam", memberships=(Membership(STUDY, "statistician", is_unblinded=True),)
    )
    with unit_of_work(trial.url, OWNER) as unit:
        assert participant_reads.arms(unit.session, unblinded, study=STUDY) == {}, (
            "PostgreSQL asks whose transaction it is"
        )
    with unit_of_work(trial.url, unblinded) as unit:
        assert participant_reads.arms(unit.session, unblinded, study=STUDY)
        with pytest.raises(RefusedError, match="blinded"):
            participant_reads.arms(unit.session, MANAGER, study=STUDY)
        code = next(iter(participant_reads.arms(unit.session, unblinded, study=STUDY)))
        for actor, is_seen in ((unblinded, True), (MANAGER, False)):
            found = record_reads.instances(
                unit.session, actor, study=STUDY, participant=code, form_name="randomization"
            )
            assert [("arm_planned" in one.values, "arm_planned" in one.withheld) for one in found] == [
                (is_seen, not is_seen)
            ]


def test_an_altered_value_is_found_by_verification(trial, owner_url):
    trial.sync()
    assert trial.is_sound()
    with psycopg.connect(owner_url) as owner:
        owner.execute("alter table app.form_revision disable trigger user")
        owner.execute(
            'update app.form_revision set values = (values::jsonb || \'{"dm_age": "51"}\')::json where instance_id in '
            "(select id from app.form_instance where form_name = 'demographics' limit 1)"
        )
    assert not trial.is_sound()


def questions(trial):
    with unit_of_work(trial.url, MANAGER) as unit:
        return discrepancy_reads.discrepancies(unit.session, MANAGER, study=STUDY)


def simulated(trial):
    return trial.simulator.app.state.server.store


def slip_in(trial, *, record, field, value):
    """Put a value into the simulator's own store, past its validation, as a site's database fix would; return the one before."""
    before = ""
    with sqlite3.connect(simulated(trial).path) as db:
        rows = db.execute(
            "select rowid_key, data from (select event_id as rowid_key, data from row where record = ?)", [record]
        )
        for event, data in rows.fetchall():
            values = json.loads(data)
            if field in values:
                before, values[field] = values[field], value
                db.execute(
                    "update row set data = ? where record = ? and event_id = ? and instrument = ''",
                    [json.dumps(values).encode(), record, event],
                )
    return before


def relabel(trial, field, label):
    change_field(trial, field, field_label=label)


def rename(trial, field, name):
    change_field(trial, field, field_name=name)


def change_field(trial, field, **columns):
    """Change a field of the dictionary past the API; return what it was, to be put back."""
    store = simulated(trial)
    with sqlite3.connect(store.path) as db:
        key, doc = db.execute("select id, doc from project order by id desc limit 1").fetchone()
        document = json.loads(doc)
        for row in document["fields"]:
            if row["field_name"] == field:
                before = {"field": field} | {name: row.get(name, "") for name in columns}
                row.update(columns)
        db.execute(
            "update project set doc = ?, revision = revision + 1 where id = ?", [json.dumps(document).encode(), key]
        )
    return before


def test_a_wrong_token_says_what_to_check_and_never_the_token(trial):
    with unit_of_work(trial.url, OWNER) as unit:
        connections.connect(unit, study=STUDY, api_url=trial.simulator.url, token="F" * 32, mapping=MAPPING)
    with pytest.raises(MetricisError, match=r"refused the token or its rights \(HTTP 403") as caught:
        trial.sync()
    assert "F" * 32 not in str(caught.value) + str(trial.health())


def test_a_server_that_is_away_is_named(trial):
    with unit_of_work(trial.url, OWNER) as unit:
        connections.connect(unit, study=STUDY, api_url="http://127.0.0.1:9/api/", token="F" * 32, mapping=MAPPING)
    with pytest.raises(MetricisError, match=r"127.0.0.1:9 could not be reached"):
        trial.sync()
