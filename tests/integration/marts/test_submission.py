"""The submission package of a small trial: whole or absent, the same bytes for the same snapshot, told to the ledger."""

import hashlib
import json
import logging
import time

import openpyxl
import pyreadstat
import pytest
import yaml
from sqlalchemy import text
from typer.testing import CliRunner

from datamodel.access.actor import Actor, Membership
from datamodel.kernel.errors import FaultError, NotFoundError, RefusedError
from datamodel.kernel.ids import new_id
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import unit_of_work
from datamodel.study.actions import pin_standards
from exports.packages.manifest import PackageExistsError
from exports.reports.standards import standards
from exports.sdtm.spec import SpecError
from exports.submission import export as exporting
from exports.submission.export import export
from exports.submission.manifest import read_manifest, verify
from exports.submission.standards import standards_of
from validators.shelf import Shelf, load_rules, load_terminology

STUDY = "small"
SPEC = {
    "study.yaml": {"study": STUDY, "standard": "SDTMIG", "version": "3.4", "domains": ["DM", "VS"]},
    "codelists.yaml": {},
    "dm.yaml": {
        "domain": "DM",
        "label": "Demographics",
        "structure": "One record per subject",
        "keys": ["USUBJID"],
        "sort": ["USUBJID"],
        "sources": [{"form": "about"}],
        "variables": [
            {"name": "DOMAIN", "label": "Domain Abbreviation", "origin": "Assigned", "constant": "DM"},
            {"name": "USUBJID", "label": "Unique Subject Identifier", "origin": "Derived", "field": "subject_id"},
            {"name": "AGE", "label": "Age", "type": "num", "origin": "CRF", "field": "age"},
            {"name": "DTHFL", "label": "Subject Death Flag", "origin": "Not collected", "missing": "Nobody died"},
        ],
    },
    "vs.yaml": {
        "domain": "VS",
        "label": "Vital Signs",
        "structure": "One record per measurement",
        "keys": ["USUBJID", "VSDTC"],
        "sort": ["USUBJID", "VSDTC"],
        "sources": [{"form": "vitals"}],
        "variables": [
            {"name": "DOMAIN", "label": "Domain Abbreviation", "origin": "Assigned", "constant": "VS"},
            {"name": "USUBJID", "label": "Unique Subject Identifier", "origin": "Derived", "field": "subject_id"},
            {"name": "VSORRES", "label": "Result", "origin": "CRF", "field": "sbp"},
            {"name": "VSDTC", "label": "Date/Time of Measurements", "origin": "CRF", "field": "visit_date"},
        ],
    },
}
RULE = {
    "Core": {"Id": "TRY-000001", "Status": "Published", "Version": "1"},
    "Authorities": [],
    "Check": {"all": [{"name": "VSORRES", "operator": "non_empty"}]},
    "Description": "Every result is a finding, so that there are some.",
    "Executability": "Fully Executable",
    "Outcome": {"Message": "A result is there.", "Output Variables": ["VSORRES"]},
    "Rule Type": "Record Data",
    "Scope": {"Classes": {"Include": ["ALL"]}, "Domains": {"Include": ["VS"]}},
    "Sensitivity": "Record",
}


def staff(role, site=None, *, is_unblinded=True):
    membership = Membership(STUDY, role, site=site, is_unblinded=is_unblinded)
    return Actor(id=new_id(), kind="staff", name=f"A {role}", memberships=(membership,))


@pytest.fixture
def specs(tmp_path):
    folder = tmp_path / "specs" / STUDY
    folder.mkdir(parents=True)
    for name, content in SPEC.items():
        (folder / name).write_text(yaml.safe_dump(content))
    return folder.parent


@pytest.fixture
def rules(tmp_path):
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "rule.yml").write_text(yaml.safe_dump(RULE))
    return folder


@pytest.fixture
def make(trial, specs, rules, tmp_path):
    trial.take()

    def made(name="one", *, actor=None, **more):
        return export(
            trial.url,
            actor or staff("statistician"),
            study=STUDY,
            marts=trial.folder,
            target=lambda _: tmp_path / "out" / name,
            standards=lambda: standards_of(
                trial.url, trial.service, study=STUDY, shelf=tmp_path / "shelf", rules=rules, specs=specs
            ),
            specs=specs,
            **more,
        )

    return made


def files(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def entries(trial):
    with unit_of_work(trial.url, trial.service) as unit:
        what = "select role, subject, change from app.audit_event where action = 'submission.export'"
        return unit.session.execute(text(what)).all()


def test_a_package_has_data_report_guide_and_a_manifest_of_every_file(trial, make):
    done = make()
    manifest = read_manifest(done.folder)
    named = {one.path for one in manifest.files}
    assert {
        f"m5/datasets/{STUDY}/tabulations/sdtm/dm.xpt",
        f"m5/datasets/{STUDY}/tabulations/sdtm/define.xml",
        f"m5/datasets/{STUDY}/tabulations/sdtm/define.html",
        "dataset-json/vs.json",
        "validation/report.xlsx",
        "validation/report.html",
        "validation/report.json",
        "reviewers-guide.md",
        "signatures.csv",
    } <= named
    assert set(files(done.folder)) == named | {"manifest.json"}
    assert verify(done.folder) == ()
    frame, _ = pyreadstat.read_xport(
        str(done.folder / f"m5/datasets/{STUDY}/tabulations/sdtm/vs.xpt"), output_format="polars"
    )
    assert {one.path: one.rows for one in manifest.files}[
        f"m5/datasets/{STUDY}/tabulations/sdtm/vs.xpt"
    ] == frame.height
    assert (manifest.source.snapshot, manifest.source.standard_version) == (1, "3.4")
    assert manifest.source.ledger_position > 0
    assert manifest.findings["Error"] == frame.height


def test_the_counts_of_guide_report_and_manifest_are_the_same(make):
    done = make()
    told = json.loads((done.folder / "validation/report.json").read_text())
    assert told["by_severity"] == done.manifest.findings
    book = openpyxl.load_workbook(done.folder / "validation/report.xlsx")
    assert book["Details"].max_row - 1 == told["found"]
    text_ = (done.folder / "reviewers-guide.md").read_text()
    assert f"| Error | {done.manifest.findings['Error']} |" in text_
    assert "| VS | Vital Signs | One record per measurement | 8 | 4 |" in text_
    assert "| DM | DTHFL |" in text_
    assert "A result is there." in text_


def test_the_same_snapshot_gives_the_same_bytes(make):
    one = make("one")
    time.sleep(2.1)  # a zip tells times to two seconds
    two = make("two", actor=staff("investigator"))
    assert files(one.folder) == files(two.folder)
    assert one.manifest.sha256 == hashlib.sha256((two.folder / "manifest.json").read_bytes()).hexdigest()


def test_the_ledger_has_the_hash_and_a_package_that_is_there_is_left(trial, make):
    done = make()
    before = files(done.folder)
    again = make()
    assert (again.package, again.manifest) == (None, done.manifest)
    assert files(done.folder) == before
    [entry] = entries(trial)
    assert (entry.role, entry.subject) == ("statistician", "snapshot:1")
    assert entry.change["new"]["manifest_sha256"] == done.manifest.sha256


def test_a_package_that_was_altered_is_told_and_not_overwritten(make):
    done = make()
    (done.folder / "reviewers-guide.md").write_text("Written by hand.")
    with pytest.raises(FaultError, match=r"altered.*reviewers-guide\.md"):
        make()
    assert (done.folder / "reviewers-guide.md").read_text() == "Written by hand."
    assert [one.kind for one in verify(done.folder)] == ["changed"]


@pytest.mark.parametrize(
    "actor",
    [
        staff("statistician", is_unblinded=False),
        staff("viewer"),
        staff("statistician", site="A"),
        staff("coordinator"),
    ],
    ids=["blinded", "viewer", "one site", "coordinator"],
)
def test_who_is_blinded_or_may_not_export_gets_nothing(trial, make, tmp_path, actor):
    with pytest.raises(RefusedError):
        make(actor=actor)
    assert not (tmp_path / "out").exists()
    assert entries(trial) == []


@pytest.mark.parametrize("where", ["write_workbook", "guide", "check"])
def test_a_package_that_fails_leaves_nothing(trial, make, tmp_path, monkeypatch, where):
    from exports.submission import build

    def fails(*_, **__):
        raise OSError("No space left on device")

    monkeypatch.setattr(build, where, fails)
    with pytest.raises(OSError, match="No space"):
        make()
    assert list((tmp_path / "out").iterdir()) == []
    assert entries(trial) == []


def test_a_package_that_the_ledger_cannot_note_is_taken_away(make, tmp_path, monkeypatch):
    def fails(*_, **__):
        raise FaultError("The database went away.")

    monkeypatch.setattr(exporting, "_record", fails)
    with pytest.raises(FaultError):
        make()
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_of_something_else_is_left_alone(make, tmp_path):
    place = tmp_path / "out" / "one"
    place.mkdir(parents=True)
    (place / "mine.txt").write_text("mine")
    with pytest.raises((PackageExistsError, ValueError)):
        make()
    assert [path.name for path in place.iterdir()] == ["mine.txt"]


def test_without_snapshot_or_mapping_the_reason_is_said(trial, make, tmp_path):
    with pytest.raises(NotFoundError, match="no snapshot"):
        make(number=99)
    with pytest.raises(NotFoundError, match="no mapping"):
        export(
            trial.url,
            staff("statistician"),
            study=STUDY,
            marts=trial.folder,
            target=lambda _: tmp_path / "out" / "x",
            standards=lambda: standards("sdtmig", "3.4", rules=tmp_path / "rules"),
            specs=tmp_path / "nothing",
        )


def test_the_command_asks_the_token_for_its_rights(trial, make, home, rules, monkeypatch):
    from metricis.cli import app

    monkeypatch.setenv("METRICIS_DATABASE_URL", trial.url)
    monkeypatch.setenv("METRICIS_TOKEN", trial.person("statistician", is_unblinded=False))
    settings.cache_clear()
    with pytest.raises(RefusedError):
        CliRunner().invoke(app, ["package", STUDY, "--rules", str(rules)], catch_exceptions=False)
    assert not (home / "exports").exists()


def test_the_rules_that_a_study_is_pinned_to_are_those_that_check_it(trial, make, rules, specs, tmp_path):
    shelf = tmp_path / "shelf"
    kept, _, _ = load_rules(Shelf(shelf), rules, version="mine")

    def pin(sha256):
        with unit_of_work(trial.url, trial.service) as unit:
            pin_standards(unit, study=STUDY, terminology=("", ""), rules=("mine", sha256))
        return standards_of(trial.url, trial.service, study=STUDY, shelf=shelf, specs=specs)

    assert len(standards_of(trial.url, trial.service, study=STUDY, shelf=shelf, specs=specs).catalogue.rules) > 200
    assert [one.id for one in pin(kept.sha256).catalogue.rules] == ["TRY-000001"]
    with pytest.raises(FaultError, match="not the one that the study is pinned to"):
        pin("0" * 64)


def test_terms_are_looked_up_in_the_release_that_the_study_is_pinned_to(trial, make, specs, tmp_path):
    (tmp_path / "sdtm-ct-2024-03-29.csv").write_text(
        "codelist_code,codelist_name,extensible,term_code,submission_value,preferred_term,synonyms\n"
        "C67153,Vital Signs Test Name,No,C25298,Systolic Blood Pressure,Systolic Blood Pressure,SYSBP\n"
    )
    document = SPEC["vs.yaml"] | {
        "variables": [
            *SPEC["vs.yaml"]["variables"],
            {"name": "VSTEST", "label": "Test", "origin": "Assigned", "constant": "sysbp", "terminology": "C67153"},
        ]
    }
    (specs / STUDY / "vs.yaml").write_text(yaml.safe_dump(document))
    with pytest.raises(SpecError, match="metricis standards pin"):
        make()
    kept, _ = load_terminology(Shelf(tmp_path / "shelf"), tmp_path / "sdtm-ct-2024-03-29.csv")
    with unit_of_work(trial.url, trial.service) as unit:
        pin_standards(unit, study=STUDY, terminology=(kept.version, kept.sha256), rules=("", ""))
    done = make()
    path = done.folder / f"m5/datasets/{STUDY}/tabulations/sdtm/vs.xpt"
    frame, _ = pyreadstat.read_xport(str(path), output_format="polars")
    assert set(frame["VSTEST"]) == {"Systolic Blood Pressure"}
    assert done.manifest.source.terminology == "SDTM 2024-03-29"


def test_the_summary_that_prefect_keeps_has_counts_and_nobody(trial, make):
    from pipelines.submission.steps import summary

    done = make(actor=trial.service)
    told = summary(done)
    assert done.manifest.sha256 in told
    assert f"| Error | {done.manifest.findings['Error']} |" in told
    assert "| VS | TRY-000001 | Error |" in told
    assert not any(code in told for code in ("S-1", "S-2", "S-3", "S-4", "Zephyrine"))
    assert "| VS |" not in summary(make())  # it was there already


async def test_every_night_the_summary_is_kept_as_an_artifact(make, monkeypatch):
    from pipelines.submission import flow

    kept, done = {}, make()

    async def build(study):
        return done

    async def keep(**given):
        kept.update(given)

    monkeypatch.setattr(flow, "build", build)
    monkeypatch.setattr(flow, "acreate_markdown_artifact", keep)
    monkeypatch.setattr(flow.steps, "has_mapping", lambda _: True)
    monkeypatch.setattr(flow, "get_run_logger", lambda: logging.getLogger("test"))
    assert await flow.submission.fn(STUDY) == done.manifest.findings
    assert kept["key"] == "submission-small"
    assert done.manifest.sha256 in kept["markdown"]
