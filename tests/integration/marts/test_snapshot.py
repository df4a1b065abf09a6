import json
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import duckdb
import polars as pl
import pytest
from sqlalchemy import text

from datamodel.access import reads as access_reads
from datamodel.access.actor import KNOCKING
from datamodel.audit.verify import verify
from datamodel.kernel.errors import NotFoundError, RefusedError
from datamodel.kernel.unit import sealing, unit_of_work
from datamodel.study import actions as study
from exports.marts import source
from exports.marts.reader import numbers, open_snapshot
from exports.marts.snapshot import SnapshotRefusedError, take_snapshot

ARMS = ("Zephyrine", "Quandolex")


def opened(trial, **more):
    return open_snapshot(trial.folder, "small", **{"unblinded": True} | more)


def test_every_form_is_a_tidy_typed_table(trial):
    shot = trial.take()
    about = shot.form("about")
    assert about.columns[:3] == ["subject_id", "site_id", "arm_id"]
    assert about.columns[-2:] == ["form_status", "form_updated_at"]
    assert dict(about.select(pl.exclude("^.*__missing$")).schema) == {
        "subject_id": pl.String(),
        "site_id": pl.String(),
        "arm_id": pl.String(),
        "event_id": pl.String(),
        "site_id__entered": pl.String(),
        "sex": pl.String(),
        "age": pl.Int64(),
        "is_smoker": pl.String(),
        "cigarettes": pl.Int64(),
        "illness___1": pl.Boolean(),
        "illness____2": pl.Boolean(),
        "form_status": pl.String(),
        "form_updated_at": pl.Datetime("us", "UTC"),
    }
    vitals = shot.form("vitals").row(0, named=True)
    assert vitals["visit_date"] == date(2026, 1, 5)
    assert (vitals["sbp"], vitals["weight"], vitals["at"]) == (120, 70.5, "08:30")
    assert vitals["measured"] == datetime(2026, 1, 5, 8, 31)  # noqa: DTZ001 - the site's clock has no zone


def test_keys_apply_by_repeat_shape_and_are_unique(trial):
    shot = trial.take()
    expected = {
        "about": ["subject_id", "event_id"],
        "vitals": ["subject_id", "event_id"],
        "scores": ["subject_id", "event_id", "form_repeat"],
        "phone": ["subject_id", "event_id", "event_repeat"],
        "events": ["subject_id", "event_id", "form_repeat"],
    }
    index = {row["form_id"]: row for row in shot.frame("forms").iter_rows(named=True)}
    for form, key in expected.items():
        assert index[form]["key"] == key
        assert not shot.form(form).select(key).is_duplicated().any()
    assert [index[form]["structure"] for form in ("about", "scores", "events", "phone")] == [
        "single",
        "mixed",
        "repeating",
        "repeating",
    ]


def test_row_totals_equal_the_store(trial):
    trial.revise("phone", complete_for=["S-1"])
    trial.revise("scores", ("S-1", "week_2_arm_1", 0, 0, "complete", {"total": "9"}))
    frames = trial.take().form_frames()
    with unit_of_work(trial.url, trial.service) as unit:
        rows = unit.session.execute(
            text("select form_name, count(*) from app.form_instance where not is_removed group by 1")
        ).all()
    assert {name: frame.height for name, frame in frames.items() if frame.height} == dict(rows)
    assert frames["phone"].is_empty()
    assert 9.0 in frames["scores"]["total"]


def test_a_declared_missing_code_is_null_with_its_reason(trial):
    row = trial.take().form("about").row(by_predicate=pl.col("subject_id") == "S-4", named=True)
    assert (row["age"], row["age__missing"]) == (None, "-77")
    assert row["sex__missing"] is None


def test_a_partial_date_stays_text_with_date_and_precision(trial):
    rows = trial.take().form("events").select("started", "started__date", "started__precision", "started__missing")
    assert rows.rows() == [
        ("2026-01", None, "month", None),
        ("2026-01-09", date(2026, 1, 9), "day", None),
        (None, None, None, "-99"),
    ]


def test_identifiers_reach_no_file(trial):
    shot = trial.take()
    assert not any("name" in frame.columns for frame in shot.form_frames().values())
    assert all("Wilhelmina" not in dump(path) for path in shot.folder.glob("*.duckdb"))


def dump(path):
    """Every cell of every table, as text: compression hides words from a search in the file's bytes."""
    connection = duckdb.connect(str(path), read_only=True)
    tables = [name for (name,) in connection.execute("select table_name from information_schema.tables").fetchall()]
    cells = [str(connection.execute(f'select * from "{name}"').fetchall()) for name in tables]
    columns = str(connection.execute("select table_name, column_name from information_schema.columns").fetchall())
    connection.close()
    return columns + "".join(cells)


def test_the_arm_is_nowhere_in_what_a_blinded_reader_gets(trial):
    shot = trial.take()
    assert not shot.is_blinded
    blinded = opened(trial, unblinded=False)
    content, raw = dump(blinded.path), blinded.path.read_bytes() + (blinded.folder / "snapshot.json").read_bytes()
    for arm in ARMS:
        assert arm in dump(shot.path)
        assert arm not in content
        assert arm.encode() not in raw
    assert "arm_id" not in content
    assert "arm" not in blinded.form("drug").columns
    assert blinded.catalogue().filter(pl.col("field") == "arm").is_empty()
    with pytest.raises(NotFoundError) as error:
        blinded.frame("arms")
    assert not any(arm in str(error.value) for arm in ARMS)


def test_a_field_that_tells_the_arm_refuses_the_snapshot(trial):
    trial.revise(
        "phone",
        *[(f"S-{n}", "call_arm_1", 5, 0, "complete", {"said": ARMS[(n + 1) % 2].upper()}) for n in (1, 2, 3, 4)],
    )
    with pytest.raises(SnapshotRefusedError, match=r"phone\.said: tells the arm"):
        trial.take()
    assert numbers(trial.folder, "small") == []


def test_a_value_that_does_not_fit_refuses_the_snapshot_and_names_the_place(trial):
    trial.revise("vitals", ("S-1", "week_4_arm_1", 0, 0, "complete", {"sbp": "high"}))
    with pytest.raises(SnapshotRefusedError, match=r"vitals\.sbp: values fit the type integer .*S-1 week_4_arm_1"):
        trial.take()
    assert numbers(trial.folder, "small") == []
    trial.revise("vitals", ("S-1", "week_4_arm_1", 0, 0, "complete", {"sbp": "130"}))
    assert trial.take().number == 1


def test_an_unchanged_study_gives_the_same_snapshot_and_changes_give_the_next(trial):
    first = trial.take()
    again = trial.take()
    assert (again.number, again.taken_at) == (first.number, first.taken_at)
    trial.person("statistician")  # accounts and sign-ins advance the ledger, and not the data
    assert trial.take().number == 1
    trial.revise("phone", ("S-3", "call_arm_1", 1, 0, "complete", {"said": "Hello"}))
    second = trial.take()
    assert (second.number, second.form("phone").height) == (2, first.form("phone").height + 1)
    assert second.position > first.position


def test_two_reads_of_one_snapshot_are_identical_after_new_data(trial):
    number = trial.take().number
    before = opened(trial, number=number).form_frames()
    trial.revise("about", ("S-1", "base_arm_1", 0, 0, "complete", {"age": "99"}))
    trial.take()
    after = opened(trial, number=number).form_frames()
    assert all(before[name].equals(after[name]) for name in before)
    assert 99 in opened(trial).form("about")["age"]


def test_rows_after_the_position_are_absent(trial):
    trial.take()
    with unit_of_work(trial.url, trial.service) as unit:
        position = unit.session.execute(text("select max(position) from app.audit_entry")).scalar_one()
        study_id = unit.session.execute(text("select id from app.study")).scalar_one()
    trial.revise("phone", ("S-3", "call_arm_1", 1, 0, "complete", {"said": "Later"}))
    trial.revise("about", ("S-1", "base_arm_1", 0, 0, "complete", {"age": "99"}))
    trial.revise("scores", complete_for=["S-1"])
    trial.take()
    with source.as_of(trial.url, actor=trial.service, study_id=study_id, position=position) as of:
        assert "S-3" not in source.revisions(of, "phone")["subject_id"]
        first = source.revisions(of, "about").row(by_predicate=pl.col("subject_id") == "S-1", named=True)
        assert json.loads(first["values"])["age"] == "60"
        assert source.revisions(of, "scores").height == 3
    with source.as_of(trial.url, actor=trial.service, study_id=study_id) as of:
        assert "S-3" in source.revisions(of, "phone")["subject_id"]
        assert source.revisions(of, "scores").is_empty()


def test_what_is_committed_but_has_no_position_yet_waits_for_the_next_snapshot(trial, monkeypatch):
    monkeypatch.setattr("exports.marts.snapshot._SETTLE", 0.2)
    with unit_of_work(trial.url, trial.service) as slow:
        slow.session.execute(text("select pg_current_xact_id()"))
        trial.revise("phone", ("S-3", "call_arm_1", 1, 0, "complete", {"said": "Held"}))
        held = trial.take()
        assert "S-3" not in held.form("phone")["subject_id"]
    assert "S-3" in trial.take().form("phone")["subject_id"]


def test_a_snapshot_is_one_ledger_event_that_names_its_files(trial):
    shot = trial.take(reason="nightly")
    with unit_of_work(trial.url, trial.service) as unit:
        events = unit.session.execute(
            text("select action, subject, reason, change from app.audit_event where action like 'marts.%'")
        ).all()
    with sealing(trial.url) as session:
        assert verify(session).is_ok
    assert [(row.action, row.subject, row.reason) for row in events] == [
        ("marts.take_snapshot", "snapshot:1", "nightly")
    ]
    assert events[0].change["new"]["sha256"] == shot.about["sha256"]
    assert events[0].change["new"]["position"] == str(shot.position)


def test_files_are_read_only_and_their_hashes_are_told(trial):
    import hashlib

    shot = trial.take()
    assert all(path.stat().st_mode & 0o222 == 0 for path in shot.folder.iterdir())
    for name, digest in shot.about["sha256"].items():
        assert hashlib.sha256((shot.folder / name).read_bytes()).hexdigest() == digest
    assert json.loads((shot.folder / "snapshot.json").read_text())["rows"]["core_redcap__form_events"] == 3


def test_only_those_who_may_take_snapshots(trial):
    token = trial.person("statistician")
    with unit_of_work(trial.url, KNOCKING) as unit:
        person = access_reads.actor_of_token(unit.session, token, now=unit.instant)
    with pytest.raises(RefusedError, match="may not take a numbered snapshot"):
        take_snapshot(trial.url, study="small", folder=trial.folder, actor=person)


KILLED = """
import sys, os, signal
from pathlib import Path
from datamodel.access import reads
from datamodel.access.actor import KNOCKING
from datamodel.kernel.unit import unit_of_work
from datamodel.study import actions as study
from exports.marts import build, snapshot
url, folder, where = sys.argv[1:]
with unit_of_work(url, KNOCKING) as unit:
    service = reads.service_actor(unit.session)
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
if where == "building":
    build._add_lists = die
else:
    Path.rename = lambda self, to, old=Path.rename: (old(self, to), die())
snapshot.take_snapshot(url, study="small", folder=Path(folder), actor=service)
"""


@pytest.mark.parametrize("where", ["building", "renamed"])
def test_a_killed_snapshot_leaves_none_and_the_next_one_is_whole(trial, where):
    run = subprocess.run([sys.executable, "-c", KILLED, trial.url, str(trial.folder), where], check=False, timeout=120)
    assert run.returncode == -signal.SIGKILL
    shot = trial.take()
    assert shot.number == 1
    assert shot.form("about").height == 4
    assert [path.name for path in (trial.folder / "small").iterdir() if path.name.startswith(".building")] == []
    with unit_of_work(trial.url, trial.service) as unit:
        count = text("select count(*) from app.audit_event where action = 'marts.take_snapshot'")
        assert unit.session.execute(count).scalar_one() == 1


def test_a_ledger_that_cannot_be_told_leaves_no_folder(trial, monkeypatch):
    def broken(*_, **__):
        raise OSError("no")

    monkeypatch.setattr("exports.marts.snapshot.ledger.record", broken)
    with pytest.raises(OSError, match="no"):
        trial.take()
    assert numbers(trial.folder, "small") == []
    monkeypatch.undo()
    assert trial.take().number == 1


def test_visits_and_status(trial):
    shot = trial.take(clock=lambda: datetime(2026, 2, 1, 12, tzinfo=UTC))
    visits = {(row["subject_id"], row["event_id"]): row for row in shot.frame("visits").iter_rows(named=True)}
    assert visits["S-1", "base_arm_1"]["state"] == "done"
    assert visits["S-1", "week_2_arm_1"]["days_off_target"] == 0
    assert visits["S-2", "week_4_arm_1"]["state"] == "due"
    assert visits["S-2", "week_4_arm_1"]["planned_on"] == date(2026, 2, 2)
    assert visits["S-1", "week_4_arm_1"]["state"] == "done"  # scores were entered, without a date
    assert visits["S-4", "week_4_arm_1"]["state"] == "not_applicable"
    assert not any(event == "log_arm_1" for _, event in visits)
    status = shot.frame("status")
    cells = {(row["event_id"], row["form_id"]): row for row in status.filter(subject_id="S-1").iter_rows(named=True)}
    assert (cells["week_4_arm_1", "scores"]["state"], cells["week_4_arm_1", "scores"]["instances"]) == (
        "in_progress",
        2,
    )
    assert cells["week_4_arm_1", "vitals"]["state"] == "not_started"
    assert status.filter(subject_id="S-1", form_id="phone")["event_repeat"].to_list() == [1, 2]


def test_one_site_only_when_a_reader_is_bound_to_one(trial):
    trial.take()
    shot = opened(trial, site="B")
    assert set(shot.participants()["subject_id"]) == {"S-2", "S-4"}
    assert set(shot.form("vitals")["site_id"]) == {"B"}


def test_opening_by_number_day_and_newest(trial):
    trial.take(clock=lambda: datetime(2026, 2, 1, 12, tzinfo=UTC))
    trial.revise("phone", complete_for=["S-1"])
    trial.take(clock=lambda: datetime(2026, 2, 5, 12, tzinfo=UTC))
    assert opened(trial).number == 2
    assert opened(trial, number=1).number == 1
    assert opened(trial, number=date(2026, 2, 4)).number == 1
    with pytest.raises(NotFoundError, match=r"no snapshot “7”\. Numbers that exist: 1, 2"):
        opened(trial, number=7)


def test_two_at_once_make_one_snapshot(trial):
    with ThreadPoolExecutor(2) as pool:
        taken = [pool.submit(trial.take) for _ in range(2)]
        assert [one.result().number for one in taken] == [1, 1]
    with unit_of_work(trial.url, trial.service) as unit:
        count = text("select count(*) from app.audit_event where action = 'marts.take_snapshot'")
        assert unit.session.execute(count).scalar_one() == 1


def test_a_study_without_a_design_yet_has_empty_lists(empty_trial):
    with unit_of_work(empty_trial.url, empty_trial.installer) as unit:
        study.create_study(unit, code="newborn", protocol_id="N-1", title="Just made")
    with unit_of_work(empty_trial.url, KNOCKING) as unit:
        service = access_reads.service_actor(unit.session)
    shot = take_snapshot(empty_trial.url, study="newborn", folder=empty_trial.folder, actor=service)
    assert shot.forms == []
    assert shot.frame("visits").is_empty()
    assert shot.design_version == 0


def test_a_study_without_records_has_its_tables_all_the_same(empty_trial):
    shot = empty_trial.take()
    assert shot.form("vitals").is_empty()
    assert shot.form("vitals").schema["sbp"] == pl.Int64
    assert shot.participants().height == 4
