"""A finding of the validation leads to the field that caused it, and becomes a data question there, once."""

import polars as pl
import pytest
import yaml
from sqlalchemy import text

from datamodel.access.actor import Actor, Membership
from datamodel.discrepancies.actions import open_questions
from datamodel.discrepancies.life import WITHHELD, Question
from datamodel.kernel.errors import NotFoundError, RefusedError
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import unit_of_work
from exports.marts.reader import open_snapshot
from exports.reports.queries import Finding, findings_of, raise_as_queries, traced
from exports.sdtm.build import build_domains
from exports.sdtm.spec import load_spec

STUDY = "small"
HEAD = {"study": STUDY, "standard": "SDTMIG", "version": "3.4", "domains": ["VS"]}
VS = {
    "domain": "VS",
    "label": "Vital Signs",
    "structure": "One record per measurement",
    "keys": ["USUBJID", "VSDTC", "VSTESTCD"],
    "sort": ["USUBJID", "VSDTC", "VSTESTCD"],
    "sources": [
        {
            "form": "vitals",
            "needs": ["result"],
            "rows": [
                {"fields": {"result": "sbp"}, "values": {"code": "SYSBP"}},
                {"fields": {"result": "weight"}, "values": {"code": "WEIGHT"}},
            ],
        }
    ],
    "variables": [
        {"name": "USUBJID", "label": "Subject", "origin": "Derived", "field": "subject_id"},
        {"name": "VSTESTCD", "label": "Code", "origin": "Assigned", "field": "code"},
        {"name": "VSORRES", "label": "Result", "origin": "CRF", "field": "result"},
        {"name": "VSDTC", "label": "Date", "origin": "CRF", "field": "visit_date"},
    ],
}


def staff(role, site=None):
    return Actor(id=new_id(), kind="staff", name=f"A {role}", memberships=(Membership(STUDY, role, site=site),))


@pytest.fixture
def built(trial, tmp_path):
    folder = tmp_path / "specs" / STUDY
    folder.mkdir(parents=True)
    (folder / "study.yaml").write_text(yaml.safe_dump(HEAD))
    (folder / "codelists.yaml").write_text("{}")
    (folder / "vs.yaml").write_text(yaml.safe_dump(VS))
    trial.take()
    snapshot = open_snapshot(trial.folder, STUDY, unblinded=True)
    frames = snapshot.form_frames() | {"events": snapshot.events()}
    return build_domains(frames, load_spec(STUDY, folder=folder.parent)), frames


FOUND = Finding("SD0001", "The weight is too low.", "VS", 4, ("VSORRES", "VSSEQ"), ("70.5", "4"))


def kept(trial, what):
    with unit_of_work(trial.url, trial.service) as unit:
        return unit.session.execute(text(what)).all()


def test_a_finding_leads_to_participant_event_form_and_field(built):
    datasets, frames = built
    record = datasets["VS"].frame.row(3, named=True)
    assert (record["USUBJID"], record["VSTESTCD"]) == ("S-1", "WEIGHT")
    details = pl.DataFrame(
        {
            "rule": ["SD0001", "SD0002"],
            "message": ["m", "n"],
            "dataset": ["VS", "DM"],
            "record": [4, None],
            "variables": ["VSTESTCD, VSORRES", "AGE"],
            "values": ["WEIGHT, 70.5", ""],
        }
    )
    lines = traced(details, datasets, frames).to_dicts()
    assert {key: lines[0][key] for key in ("participant", "event", "form", "event_repeat", "field")} == {
        "participant": "S-1", "event": "week_2_arm_1", "form": "vitals", "event_repeat": 0, "field": "weight"
    }  # fmt: skip
    assert lines[1]["form"] is None
    assert [one.values for one in findings_of(details)] == [("WEIGHT", "70.5")]


def test_the_same_finding_opens_one_question_with_one_entry(trial, built):
    datasets, frames = built
    again = FOUND._replace(values=("70.5", "9"), record=4)  # another row number, the same value
    whole = Finding("SD0002", "No AGE.", "VS", None, ("AGE",), ("",))
    done = []
    for findings in ([FOUND, whole], [again], [FOUND]):
        with unit_of_work(trial.url, staff("data_manager")) as unit:
            done.append(raise_as_queries(unit, study=STUDY, findings=findings, datasets=datasets, frames=frames))
    assert [(one.opened, one.present, one.left) for one in done] == [(1, 0, 1), (0, 1, 0), (0, 1, 0)]
    [row] = kept(trial, "select record, event_name, form_name, field, value, rule, reason, state from app.discrepancy")
    assert tuple(row) == (
        "S-1", "week_2_arm_1", "vitals", "weight", "70.5", "SD0001", "The weight is too low. (VS: VSORRES, VSSEQ)", "open"
    )  # fmt: skip
    [entry] = kept(
        trial, "select subject, role, change from app.audit_event where action = 'discrepancies.open_questions'"
    )
    assert (entry.subject, entry.role) == ("participant:S-1", "data_manager")
    assert (entry.change["opened"], entry.change["rules"]) == ("1", ["SD0001"])
    [step] = kept(trial, "select state, actor_name from app.discrepancy_step")
    assert tuple(step) == ("open", "A data_manager")


@pytest.mark.parametrize("role", ["statistician", "viewer", "coordinator", "pharmacist"])
def test_who_may_not_open_questions_raises_none(trial, built, role):
    datasets, frames = built
    with pytest.raises(RefusedError), unit_of_work(trial.url, staff(role)) as unit:
        raise_as_queries(unit, study=STUDY, findings=[FOUND], datasets=datasets, frames=frames)
    assert kept(trial, "select 1 from app.discrepancy") == []


def question(**more):
    place = {"record": "S-1", "event_name": "base_arm_1", "form_name": "drug", "event_repeat": 0, "form_repeat": 0}
    return Question(**(place | {"field": "arm", "value": "Zephyrine", "rule": "SD1", "reason": "Why?"} | more))


def test_a_blinded_value_is_not_kept(trial):
    with unit_of_work(trial.url, staff("data_manager")) as unit:
        open_questions(unit, study=STUDY, questions=[question()])
    [row] = kept(
        trial, "select d.*, s.text from app.discrepancy d join app.discrepancy_step s on s.discrepancy_id = d.id"
    )
    assert row.value == WITHHELD
    assert "Zephyrine" not in str(row)


def test_a_role_for_one_site_opens_none_at_another(trial):
    with pytest.raises((RefusedError, NotFoundError)), unit_of_work(trial.url, staff("monitor", site="B")) as unit:
        open_questions(unit, study=STUDY, questions=[question(record="S-1")])
    with unit_of_work(trial.url, staff("monitor", site="B")) as unit:
        assert open_questions(unit, study=STUDY, questions=[question(record="S-2")]).opened == 1


def test_a_participant_who_is_not_in_the_study_opens_none(trial):
    with pytest.raises(NotFoundError, match="S-99"), unit_of_work(trial.url, staff("data_manager")) as unit:
        open_questions(unit, study=STUDY, questions=[question(), question(record="S-99")])
    assert kept(trial, "select 1 from app.discrepancy") == []
