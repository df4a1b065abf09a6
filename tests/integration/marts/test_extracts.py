"""What is taken away: read again with other programs, the same bytes for the same choice, nothing that was not to be seen."""

import csv
import hashlib
import io
import json
import zipfile

import openpyxl
import polars as pl
import pyarrow.parquet as pq
import pytest
import yaml

from datamodel.kernel.errors import BadInputError, NotFoundError
from exports.extracts import make as making
from exports.extracts.choice import tables_of_forms
from exports.extracts.make import Asked, make, parts, preview
from exports.marts.reader import open_snapshot
from exports.packages.read import read_dataset
from exports.sdtm.snapshots import build_snapshot
from exports.sdtm.spec import load_spec
from tests.integration.marts.conftest import ARMS, STUDY


@pytest.fixture
def opened(trial):
    trial.take()

    def opened(*, unblinded=True, site=None):
        return open_snapshot(trial.folder, STUDY, unblinded=unblinded, site=site)

    return opened


def archive(snapshot, **asked):
    made = make(snapshot, Asked("forms", **asked), protocol_id="SMALL-1", software="0.1.0")
    with zipfile.ZipFile(io.BytesIO(made.content)) as file:
        return made, {name: file.read(name) for name in file.namelist()}


@pytest.mark.parametrize("form", ["csv", "xlsx", "parquet"])
def test_every_format_holds_what_the_snapshot_holds(opened, form):
    snapshot = opened()
    made, files = archive(snapshot, form=form, tables=("vitals",))
    wanted = snapshot.form("vitals")
    content = files[f"vitals.{form}"]
    if form == "parquet":
        assert pl.DataFrame(pq.read_table(io.BytesIO(content))).equals(wanted)
    elif form == "csv":
        rows = list(csv.DictReader(io.StringIO(content.decode())))
        assert [one["subject_id"] for one in rows] == wanted["subject_id"].to_list()
        assert list(rows[0]) == wanted.columns
    else:
        sheet = openpyxl.load_workbook(io.BytesIO(content)).active
        rows = list(sheet.iter_rows(values_only=True))
        assert list(rows[0]) == wanted.columns
        assert [one[0] for one in rows[2:]] == wanted["subject_id"].to_list()
    manifest = json.loads(files["manifest.json"])
    assert {one["name"]: one["sha256"] for one in manifest["files"]} == {
        name: hashlib.sha256(body).hexdigest() for name, body in files.items() if name != "manifest.json"
    }
    assert manifest["ledger_position"] == snapshot.position
    assert made.rows == wanted.height


@pytest.mark.parametrize("form", ["csv", "xlsx", "parquet"])
def test_the_same_choice_gives_the_same_bytes(opened, form):
    assert archive(opened(), form=form)[0].sha256 == archive(opened(), form=form)[0].sha256


def test_a_text_that_looks_like_a_formula_stays_a_text(opened, monkeypatch):
    evil = ["=1+1", "@SUM(A1)", "+1", "-2+3", "http://example.org"]
    snapshot = opened()
    frame = pl.DataFrame({"subject_id": ["x"] * len(evil), "said": evil})
    whole = type(snapshot).frame
    monkeypatch.setattr(
        type(snapshot), "frame", lambda self, table: frame if table == "form:vitals" else whole(self, table)
    )
    _, files = archive(snapshot, form="xlsx", tables=("vitals",))
    sheet = openpyxl.load_workbook(io.BytesIO(files["vitals.xlsx"])).active
    cells = [row[1] for row in sheet.iter_rows(min_row=3)]
    assert [(one.value, one.data_type, one.hyperlink) for one in cells] == [(text, "s", None) for text in evil]
    _, files = archive(snapshot, form="csv", tables=("vitals",))
    assert [row["said"] for row in csv.DictReader(io.StringIO(files["vitals.csv"].decode()))] == evil
    assert b"Import them with every column as text" in files["READ-ME-FIRST.txt"]


def test_a_population_has_its_own_people_only(opened):
    snapshot = opened()
    people = snapshot.participants()
    enrolled = set(people.filter(pl.col("enrolled_on").is_not_null())["subject_id"])
    made = parts(snapshot, Asked("forms", "csv", population="enrolled"))
    seen = {one for part in made if "subject_id" in part.frame.columns for one in part.frame["subject_id"]}
    assert seen <= enrolled
    assert {one for part in parts(snapshot, Asked("forms", "csv")) for one in part.frame["subject_id"]} > seen or len(
        enrolled
    ) == people.height


SPEC = {
    "study.yaml": {"study": STUDY, "standard": "SDTMIG", "version": "3.4", "domains": ["DM", "EX"]},
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
            {
                "name": "ARM",
                "label": "Description of Planned Arm",
                "origin": "Derived",
                "derive": "from_form",
                "args": {"form": "drug", "field": "arm"},
                "unblinds": True,
            },
        ],
    },
    "ex.yaml": {
        "domain": "EX",
        "label": "Exposure",
        "structure": "One record per treatment",
        "keys": ["USUBJID"],
        "sort": ["USUBJID"],
        "unblinds": True,
        "sources": [{"form": "drug"}],
        "variables": [
            {"name": "DOMAIN", "label": "Domain Abbreviation", "origin": "Assigned", "constant": "EX"},
            {"name": "USUBJID", "label": "Unique Subject Identifier", "origin": "Derived", "field": "subject_id"},
        ],
    },
}


@pytest.fixture
def mapped(tmp_path, monkeypatch):
    """The small study with a mapping to SDTM."""
    folder = tmp_path / "specs" / STUDY
    folder.mkdir(parents=True)
    for name, content in SPEC.items():
        (folder / name).write_text(yaml.safe_dump(content))
    spec = load_spec(STUDY, folder=tmp_path / "specs")
    monkeypatch.setattr(making, "has_spec", lambda study: study == STUDY)
    monkeypatch.setattr(making, "build_snapshot", lambda snapshot, terms: build_snapshot(snapshot, spec, terms=terms))


def test_who_is_blinded_takes_no_arm(opened):
    _, files = archive(opened(unblinded=False), form="csv")
    everything = b"".join(files.values()).decode()
    assert not [word for word in ARMS.values() if word in everything]


@pytest.mark.parametrize("form", ["csv", "xlsx", "parquet", "xpt", "json", "ndjson"])
def test_who_is_blinded_takes_sdtm_without_what_tells_the_treatment(opened, mapped, form):
    def taken(*, unblinded):
        made = make(opened(unblinded=unblinded), Asked("sdtm", form), protocol_id="SMALL-1", software="0.1.0")
        with zipfile.ZipFile(io.BytesIO(made.content)) as file:
            return {name: file.read(name) for name in file.namelist()}

    blinded, whole = taken(unblinded=False), taken(unblinded=True)
    assert {f"dm.{form}", f"ex.{form}"} <= set(whole)
    assert f"dm.{form}" in blinded
    assert f"ex.{form}" not in blinded
    frames = [one for unblinded in (True, False) for one in parts(opened(unblinded=unblinded), Asked("sdtm", form))]
    arms = [one.frame["ARM"].drop_nulls().to_list() for one in frames if one.name == "dm"]
    assert arms[0]
    assert not [one for one in arms[1] if one]
    if form != "xlsx":
        told = b"".join(blinded.values())
        assert not [word for word in (*ARMS.values(), *arms[0]) if len(word) > 2 and word.encode() in told]


@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_dataset_json_is_read_back_equal(opened, mapped, tmp_path, form):
    snapshot = opened()
    made = make(snapshot, Asked("sdtm", form, tables=("dm",)), protocol_id="SMALL-1", software="0.1.0")
    with zipfile.ZipFile(io.BytesIO(made.content)) as file:
        (tmp_path / f"dm.{form}").write_bytes(file.read(f"dm.{form}"))
    found = read_dataset(tmp_path / f"dm.{form}")
    wanted = parts(snapshot, Asked("sdtm", form, tables=("dm",)))[0]
    assert found.name == "DM"
    assert found.frame["USUBJID"].to_list() == wanted.frame["USUBJID"].to_list()
    assert found.frame["AGE"].to_list() == wanted.frame["AGE"].to_list()
    assert [one.label for one in found.variables] == [wanted.labels[name] for name in wanted.frame.columns]


def test_what_an_odm_file_will_hold_is_shown_form_by_form(opened):
    snapshot = opened()
    frame, rows, _ = preview(snapshot, Asked("odm", "odm-1.3.2"))
    assert rows == len(snapshot.forms)
    told = dict(frame.select("form", "entries").iter_rows())
    assert told["About the participant"] == snapshot.form("about").height
    with pytest.raises(BadInputError, match="cannot be left out"):
        parts(snapshot, Asked("odm", "odm-2.0", tables=("vitals",)))


def test_a_form_called_as_a_list_is_a_file_of_its_own(opened):
    snapshot = opened()
    _, files = archive(snapshot, form="csv")
    assert len(list(csv.DictReader(io.StringIO(files["scores.csv"].decode())))) == snapshot.form("scores").height > 0
    assert list(csv.DictReader(io.StringIO(files["list_scores.csv"].decode()))) == []


def test_one_site_takes_its_own_rows(opened):
    made = parts(opened(site="A"), Asked("forms", "csv"))
    assert {one for part in made if "site_id" in part.frame.columns for one in part.frame["site_id"]} == {"A"}


def test_a_choice_that_there_is_not_is_refused_with_what_there_is(opened):
    snapshot = opened()
    for asked, words in (
        (Asked("forms", "xpt"), "which it cannot hold"),
        (Asked("odm", "csv"), "which it cannot hold"),
        (Asked("adam", "csv"), "the standard “adam”"),
        (Asked("forms", "sas7bdat"), "the format “sas7bdat”"),
        (Asked("forms", "csv", population="some"), "the population “some”"),
        (Asked("forms", "csv", tables=("nothing",)), "There is no table nothing"),
    ):
        with pytest.raises(BadInputError, match=words):
            parts(snapshot, asked)


def test_a_study_without_mapping_has_no_sdtm(opened):
    with pytest.raises(NotFoundError, match="no mapping to SDTM"):
        parts(opened(), Asked("sdtm", "xpt"))


def test_the_preview_is_the_first_rows_of_the_first_table(opened):
    snapshot = opened()
    frame, rows, labels = preview(snapshot, Asked("forms", "csv", tables=("vitals",)), rows=2)
    assert frame.equals(snapshot.form("vitals").head(2))
    assert rows == snapshot.form("vitals").height
    assert set(labels) <= set(snapshot.form("vitals").columns)
    assert tables_of_forms(snapshot)[0].label == "About the participant"
