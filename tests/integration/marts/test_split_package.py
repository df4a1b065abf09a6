"""A package whose AE is split: its parts are checked as files, and a finding in a part of SUPPAE leads back to the form."""

import json

import polars as pl
import pytest
import yaml
from sqlalchemy import text
from typer.testing import CliRunner

from datamodel.access.actor import Actor, Membership
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import unit_of_work
from exports.marts.reader import open_snapshot
from exports.reports.queries import findings_of, raise_as_queries, traced
from exports.reports.standards import standards
from exports.sdtm.dataset import split_datasets
from exports.sdtm.snapshots import build_snapshot, frames_of, traceable
from exports.sdtm.spec import load_spec
from exports.submission.export import export
from metricis.cli import app
from validators.conformance.define import read_define

STUDY = "small"
SPEC = {
    "study.yaml": {"study": STUDY, "standard": "SDTMIG", "version": "3.4", "domains": ["AE"], "studyid": "SMALL"},
    "codelists.yaml": {"kinds": {"Headache": "NEURO", "Cough": "OTHER", "Fall": "OTHER", "Dizziness": "NEURO"}},
    "ae.yaml": {
        "domain": "AE",
        "label": "Adverse Events",
        "structure": "One record per adverse event per subject",
        "keys": ["USUBJID", "AESEQ"],
        "sort": ["USUBJID", "AESEQ"],
        "sources": [{"form": "events"}],
        "variables": [
            {"name": "STUDYID", "label": "Study Identifier", "origin": "Protocol", "constant": "SMALL"},
            {"name": "DOMAIN", "label": "Domain Abbreviation", "origin": "Assigned", "constant": "AE"},
            {"name": "USUBJID", "label": "Unique Subject Identifier", "origin": "Derived", "field": "subject_id"},
            {"name": "AESEQ", "label": "Sequence Number", "type": "num", "origin": "Assigned", "field": "form_repeat"},
            {"name": "AETERM", "label": "Reported Term", "origin": "CRF", "field": "term"},
            {"name": "AECAT", "label": "Category", "origin": "Assigned", "field": "term", "codelist": "kinds"},
        ],
        "split": {"by": "AECAT", "datasets": {"AENE": ["NEURO"], "AEOT": ["OTHER"]}},
        "supplemental": [{"name": "AESTTXT", "label": "Start as Entered", "origin": "CRF", "field": "started"}],
    },
}
RULE = {
    "Core": {"Id": "TRY-000002", "Status": "Published", "Version": "1"},
    "Authorities": [],
    "Check": {"all": [{"name": "QVAL", "operator": "matches_regex", "value": r"^\d{4}-\d\d$"}]},
    "Description": "A start without its day.",
    "Executability": "Fully Executable",
    "Outcome": {"Message": "The start has no day.", "Output Variables": ["QNAM", "QVAL"]},
    "Rule Type": "Record Data",
    "Scope": {"Classes": {"Include": ["ALL"]}, "Domains": {"Include": ["SUPP--"]}},
    "Sensitivity": "Record",
}
#: A check of values: it tells the variable among its values, and leads to its field all the same.
OF_VALUES = RULE | {
    "Core": {"Id": "TRY-000003", "Status": "Published", "Version": "1"},
    "Check": {
        "all": [{"name": "variable_value", "operator": "equal_to", "value": "2026-03", "value_is_literal": True}]
    },
    "Outcome": {"Message": "March.", "Output Variables": ["variable_name", "variable_value"]},
    "Rule Type": "Value Check with Variable Metadata",
}


@pytest.fixture
def specs(tmp_path):
    folder = tmp_path / "specs" / STUDY
    folder.mkdir(parents=True)
    for name, content in SPEC.items():
        (folder / name).write_text(yaml.safe_dump(content, sort_keys=False))
    return folder.parent


@pytest.fixture
def rules(tmp_path):
    for one in (RULE, OF_VALUES):
        place = tmp_path / "rules" / one["Core"]["Id"]
        place.mkdir(parents=True)
        (place / "rule.yml").write_text(yaml.safe_dump(one))
    return tmp_path / "rules"


@pytest.fixture
def package(trial, specs, rules, tmp_path):
    more = [(3, "Fall", "2026-03"), (4, "Dizziness", "2026-02")]
    trial.revise(
        "events", *[("S-2", "log_arm_1", 0, n, "complete", {"term": what, "started": when}) for n, what, when in more]
    )
    trial.take()
    membership = Membership(STUDY, "statistician", is_unblinded=True)
    return export(
        trial.url,
        Actor(id=new_id(), kind="staff", name="A statistician", memberships=(membership,)),
        study=STUDY,
        marts=trial.folder,
        target=lambda _: tmp_path / "package",
        standards=lambda: standards("sdtmig", "3.4", rules=rules),
        specs=specs,
    ).folder


def test_a_finding_in_a_part_of_supp_leads_to_its_record_form_and_field(trial, package, specs, rules, tmp_path):
    place = package / "m5" / "datasets" / STUDY / "tabulations" / "sdtm"
    assert {one.stem for one in place.glob("*.xpt")} == {"aene", "aeot", "suppaene", "suppaeot"}
    assert set(read_define(place / "define.xml").datasets) == {"AENE", "AEOT", "SUPPAENE", "SUPPAEOT"}
    out = tmp_path / "report.json"
    asked = [
        "rules",
        "run",
        str(place),
        "--rules",
        str(rules),
        "--define",
        str(place / "define.xml"),
        "--out",
        str(out),
    ]
    assert CliRunner().invoke(app, asked, catch_exceptions=False).exit_code == 0
    report = json.loads(out.read_text())
    details = pl.DataFrame(report["details"])
    assert details.select("dataset", "record", "values").rows() == [
        ("SUPPAENE", 1, "AESTTXT, 2026-01"),
        ("SUPPAENE", 2, "AESTTXT, 2026-02"),
        ("SUPPAEOT", 2, "AESTTXT, 2026-03"),
        ("SUPPAEOT", 2, "QVAL, 2026-03"),
    ]
    packaged = json.loads((package / "validation" / "report.json").read_text())
    assert [one["dataset"] for one in packaged["details"]] == ["SUPPAENE", "SUPPAENE", "SUPPAEOT", "SUPPAEOT"]

    snapshot, spec = open_snapshot(trial.folder, STUDY, unblinded=True), load_spec(STUDY, folder=specs)
    frames, parts = frames_of(snapshot), split_datasets(build_snapshot(snapshot, spec))
    lines = traced(details, parts, frames)
    assert lines.select("participant", "event", "form", "event_repeat", "form_repeat", "field").rows() == [
        ("S-2", "log_arm_1", "events", 0, 1, "started"),
        ("S-2", "log_arm_1", "events", 0, 4, "started"),
        ("S-2", "log_arm_1", "events", 0, 3, "started"),
        ("S-2", "log_arm_1", "events", 0, 3, "started"),
    ]
    for one in findings_of(details):
        alone = traceable(snapshot, one.dataset, spec)
        of_one = details.filter(pl.col("dataset") == one.dataset)
        assert traced(of_one, alone, frames).equals(lines.filter(pl.col("dataset") == one.dataset))
    assert traceable(snapshot, "AEXX", spec) == {}

    manager = Actor(id=new_id(), kind="staff", name="A manager", memberships=(Membership(STUDY, "data_manager"),))
    with unit_of_work(trial.url, manager) as unit:
        done = raise_as_queries(unit, study=STUDY, findings=findings_of(details), datasets=parts, frames=frames)
        asked = unit.session.execute(
            text("select rule, value, reason from app.discrepancy where field = 'started'")
        ).all()
    assert (done.opened, done.left) == (4, 0)
    assert ("TRY-000003", "2026-03", "March. (SUPPAEOT: QVAL)") in [tuple(one) for one in asked]
