"""A small study with a mapping of its own: what the engine makes of it, and what it refuses."""

import re
from datetime import UTC, date, datetime

import polars as pl
import pytest
import yaml

from exports.packages.manifest import Provenance, verify_package
from exports.packages.xpt import read_xpt
from exports.sdtm.build import MappingError, build_domains
from exports.sdtm.dataset import write_sdtm
from exports.sdtm.spec import SPECS, SpecError, load_spec

STUDY = {
    "study": "tiny",
    "standard": "SDTMIG",
    "version": "3.4",
    "domains": ["VS", "DM"],
    "visits": {"scr": {"number": 1, "name": "SCREENING"}, "wk2": {"number": 2, "name": "WEEK 2"}},
}
CODELISTS = {"sex": {"1": "M", "2": "F"}, "yes": {"1": "Y", "0": None}}
DM = {
    "domain": "DM",
    "label": "Demographics",
    "structure": "One record per subject",
    "keys": ["USUBJID"],
    "sort": ["USUBJID"],
    "sources": [{"form": "dem", "join": ["end"]}],
    "working": [{"name": "first_dose", "derive": "from_form", "args": {"form": "ex", "field": "start", "take": "min"}}],
    "variables": [
        {"name": "STUDYID", "label": "Study Identifier", "origin": "Protocol", "constant": "TINY"},
        {"name": "USUBJID", "label": "Unique Subject Identifier", "origin": "Derived", "derive": "concat",
         "args": {"parts": ["subject_id"], "prefix": "01-"}},
        {"name": "RFSTDTC", "label": "Start", "origin": "Derived", "field": "first_dose"},
        {"name": "SEX", "label": "Sex", "origin": "CRF", "field": "sex", "codelist": "sex", "length": 1},
        {"name": "AGE", "label": "Age", "type": "num", "origin": "CRF", "field": "age"},
        {"name": "DTHFL", "label": "Death", "origin": "CRF", "field": "died", "codelist": "yes"},
        {"name": "ARMCD", "label": "Arm", "origin": "Assigned", "field": "arm", "otherwise": "SCRNFAIL"},
        {"name": "DTHDTC", "label": "Date of death", "origin": "CRF", "field": "end_date", "only_if": "DTHFL"},
        {"name": "RFICDTC", "label": "Consent", "origin": "Not collected", "missing": "Not asked"},
    ],
}  # fmt: skip
VS = {
    "domain": "VS",
    "label": "Vital Signs",
    "structure": "One record per measurement",
    "keys": ["USUBJID", "VSTESTCD", "VISITNUM"],
    "sort": ["USUBJID", "VSSEQ"],
    "sources": [
        {
            "form": "vitals",
            "where": {"event_id": ["scr", "wk2"]},
            "needs": ["result", "ticked"],
            "rows": [
                {"fields": {"result": "pulse", "ticked": "skipped___1"}, "values": {"test": "PULSE"}},
                {"fields": {"result": "temp"}, "values": {"test": "TEMP"}},
            ],
        }
    ],
    "variables": [
        {"name": "USUBJID", "label": "Unique Subject Identifier", "origin": "Derived", "derive": "concat",
         "args": {"parts": ["subject_id"], "prefix": "01-"}},
        {"name": "VSSEQ", "label": "Sequence Number", "type": "num", "origin": "Derived", "derive": "sequence",
         "args": {"by": ["VSTESTCD", "VISITNUM"]}},
        {"name": "VSTESTCD", "label": "Test", "origin": "Assigned", "field": "test"},
        {"name": "VSORRES", "label": "Result", "origin": "CRF", "field": "result"},
        {"name": "VSSTAT", "label": "Status", "origin": "CRF", "derive": "not_done",
         "args": {"value": "VSORRES", "ticked": "ticked"}},
        {"name": "VISITNUM", "label": "Visit", "type": "num", "origin": "Assigned", "derive": "visit_number"},
        {"name": "VSDTC", "label": "Date", "origin": "CRF", "field": "measured"},
        {"name": "VSDY", "label": "Day", "type": "num", "origin": "Derived", "derive": "study_day",
         "args": {"date": "VSDTC", "reference": "DM.RFSTDTC"}},
    ],
}  # fmt: skip


def frames():
    keys = {"subject_id": ["a", "b", "c"]}
    return {
        "events": pl.DataFrame({"event_id": ["scr", "wk2"], "day": [-7, 14]}),
        "dem": pl.DataFrame(keys | {"sex": ["2", "1", None], "age": [63, 70, None], "arm": ["PBO", None, "ACT"]}),
        "end": pl.DataFrame(keys | {"died": ["1", "0", None], "end_date": [date(2014, 5, 1), date(2014, 6, 1), None]}),
        "ex": pl.DataFrame(
            {"subject_id": ["a", "a", "b"], "start": [date(2014, 1, 9), date(2014, 1, 2), date(2014, 2, 3)]}
        ),
        "vitals": pl.DataFrame(
            {
                "subject_id": ["a", "a", "b", "b"],
                "event_id": ["scr", "wk2", "wk2", "other"],
                "measured": [date(2014, 1, 1), date(2014, 1, 16), date(2014, 2, 3), date(2014, 2, 4)],
                "pulse": [64, None, None, 70],
                "skipped___1": [False, True, False, False],
                "temp": [36.0, 36.55, None, 37.0],
            }
        ),
    }


@pytest.fixture
def folder(tmp_path):
    """Write a specification; `change` may alter any of its parts first."""

    def write(change=None):
        parts = yaml.safe_load(yaml.safe_dump({"study": STUDY, "codelists": CODELISTS, "dm": DM, "vs": VS}))
        if change:
            change(parts)
        (tmp_path / "tiny").mkdir(exist_ok=True)
        for name, content in parts.items():
            (tmp_path / "tiny" / f"{name}.yaml").write_text(yaml.safe_dump(content))
        return tmp_path

    return write


@pytest.fixture
def built(folder):
    return build_domains(frames(), load_spec("tiny", folder=folder()))


def test_domains_come_in_the_order_asked_for_whatever_they_need_of_each_other(built):
    assert list(built) == ["VS", "DM"]


def test_constants_fields_codes_joins_defaults_and_conditions(built):
    rows = {row["USUBJID"]: row for row in built["DM"].frame.to_dicts()}
    assert list(rows) == ["01-a", "01-b", "01-c"]
    assert rows["01-a"] == {
        "STUDYID": "TINY", "USUBJID": "01-a", "RFSTDTC": "2014-01-02", "SEX": "F", "AGE": 63.0, "DTHFL": "Y", "ARMCD": "PBO",
        "DTHDTC": "2014-05-01", "RFICDTC": None,
    }  # fmt: skip
    assert (rows["01-b"]["ARMCD"], rows["01-b"]["DTHFL"], rows["01-b"]["DTHDTC"]) == ("SCRNFAIL", None, None)
    assert rows["01-c"]["RFSTDTC"] is None


def test_a_wide_form_becomes_one_row_per_test(built):
    assert built["VS"].frame.rows() == [
        ("01-a", 1.0, "PULSE", "64", None, 1.0, "2014-01-01", -1.0),
        ("01-a", 2.0, "PULSE", None, "NOT DONE", 2.0, "2014-01-16", 15.0),
        ("01-a", 3.0, "TEMP", "36", None, 1.0, "2014-01-01", -1.0),
        ("01-a", 4.0, "TEMP", "36.55", None, 2.0, "2014-01-16", 15.0),
    ]


def test_datasets_know_their_metadata(built):
    assert built["DM"].labels["SEX"] == "Sex"
    assert [column.length for column in built["DM"].columns if column.name == "SEX"] == [1]
    assert "first_dose" not in built["DM"].frame.columns


def test_a_form_without_rows_makes_a_dataset_without_rows(folder):
    empty = {name: frame if name == "events" else frame.clear() for name, frame in frames().items()}
    built = build_domains(empty, load_spec("tiny", folder=folder()))
    assert {name: one.frame.height for name, one in built.items()} == {"VS": 0, "DM": 0}
    assert built["DM"].frame.schema["AGE"] == pl.Float64


def test_the_datasets_are_written_as_a_package(built, tmp_path):
    instant = datetime(2026, 3, 1, tzinfo=UTC)
    provenance = Provenance(study="TINY", snapshot=1, ledger_position=5, standard="SDTMIG", standard_version="3.4",
                            software_version="0", created=instant)  # fmt: skip
    manifest = write_sdtm(built, tmp_path / "out", provenance=provenance)
    assert [file.name for file in manifest.files] == ["dm.parquet", "dm.xpt", "vs.parquet", "vs.xpt"]
    assert verify_package(tmp_path / "out") == ()
    assert read_xpt(tmp_path / "out" / "dm.xpt")["ARMCD"].to_list() == ["PBO", "SCRNFAIL", "ACT"]


# --- what is refused ---------------------------------------------------------------------------------------------------


def variable(parts, domain, name):
    return next(one for one in parts[domain]["variables"] if one["name"] == name)


REFUSED_ON_LOAD = {
    "unknown derivation": (lambda p: variable(p, "vs", "VSDY").update(derive="studyday"), "vs.yaml: VSDY: there is no derivation 'studyday'"),
    "argument missing": (lambda p: variable(p, "vs", "VSDY").update(args={"date": "VSDTC"}), "vs.yaml: VSDY: study_day needs the argument 'reference'"),
    "unknown variable": (lambda p: variable(p, "vs", "VSDY")["args"].update(date="VSSTDTC"), "VSDY: VSSTDTC is no variable of this domain"),
    "unknown domain": (lambda p: variable(p, "vs", "VSDY")["args"].update(reference="DM.RFXX"), "VSDY: DM.RFXX is no variable of another domain"),
    "unknown code list": (lambda p: variable(p, "dm", "SEX").update(codelist="gender"), "dm.yaml: SEX: there is no code list or conversion 'gender'"),
    "two origins": (lambda p: variable(p, "dm", "SEX").update(constant="F"), "SEX must have exactly one of constant, field, derive, missing; it has constant, field"),
    "label too long": (lambda p: variable(p, "dm", "SEX").update(label="s" * 41), "dm.yaml: SEX: label: String should have at most 40 characters"),
    "name too long": (lambda p: variable(p, "dm", "SEX").update(name="SEXSEXSEX"), "dm.yaml: SEXSEXSEX: name: String should match pattern"),
    "a key it does not know": (lambda p: variable(p, "dm", "SEX").update(fields="sex"), "dm.yaml: SEX: fields: Extra inputs are not permitted"),
    "described twice": (lambda p: p["dm"]["variables"].append(variable(p, "dm", "SEX")), "dm.yaml: SEX is described twice"),
    "sorted by nothing": (lambda p: p["dm"].update(sort=["DMSEQ"]), "dm.yaml: sort name DMSEQ"),
    "made from itself": (lambda p: variable(p, "dm", "SEX").update(only_if="SEX"), "dm.yaml: made from itself: SEX from SEX"),
    "file missing": (lambda p: p["study"]["domains"].append("AE"), "ae.yaml: the file is missing"),
    "study.yaml": (lambda p: p["study"].update(visits={"scr": {"nr": 1}}), "study.yaml: visits.scr.nr: Extra inputs"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED_ON_LOAD)
def test_a_faulty_specification_is_refused_on_load(folder, case):
    change, sentence = REFUSED_ON_LOAD[case]
    with pytest.raises(SpecError) as refused:
        load_spec("tiny", folder=folder(change))
    assert any(sentence in without_line(fault) for fault in refused.value.faults), refused.value.faults


def without_line(fault):
    """The place of a fault without its line, which a test of its own checks."""
    return re.sub(r"^(\S+) line \d+:", r"\1:", fault)


def test_domains_that_need_each_other_are_refused(folder):
    def change(parts):
        variable(parts, "dm", "SEX").update(only_if="VS.VSDTC")

    with pytest.raises(SpecError, match="domains: made from itself"):
        load_spec("tiny", folder=folder(change))


def test_all_faults_are_told_at_once(folder):
    def change(parts):
        variable(parts, "dm", "SEX").update(codelist="gender")
        variable(parts, "vs", "VSDY").update(derive="studyday")

    with pytest.raises(SpecError) as refused:
        load_spec("tiny", folder=folder(change))
    assert len(refused.value.faults) == 2


def test_a_file_that_is_not_yaml_and_a_study_that_is_not_there(folder):
    root = folder()
    (root / "tiny" / "dm.yaml").write_text("a: [")
    with pytest.raises(SpecError, match=r"dm\.yaml: is not YAML"):
        load_spec("tiny", folder=root)
    with pytest.raises(SpecError, match="no specification of this name; there are tiny"):
        load_spec("other", folder=root)


REFUSED_ON_BUILD = {
    "form": (lambda f: f.pop("vitals"), "vs.yaml: there is no form 'vitals'"),
    "field": (lambda f: f.update(vitals=f["vitals"].drop("pulse")), "vs.yaml: vitals has no field 'pulse'"),
    "field of a variable": (
        lambda f: f.update(dem=f["dem"].drop("sex")),
        "dm.yaml: SEX: no form of the domain has 'sex'",
    ),
    "field of a look-up": (
        lambda f: f.update(ex=f["ex"].drop("start")),
        "dm.yaml: first_dose: ex has no field 'start'",
    ),
    "events": (lambda f: f.pop("events"), "the frame of events is missing"),
}


@pytest.mark.parametrize("case", REFUSED_ON_BUILD)
def test_a_specification_that_does_not_fit_the_study_is_refused(folder, case):
    change, sentence = REFUSED_ON_BUILD[case]
    given = frames()
    change(given)
    with pytest.raises(SpecError) as refused:
        build_domains(given, load_spec("tiny", folder=folder()))
    assert any(sentence in fault for fault in refused.value.faults), refused.value.faults


def test_a_code_that_its_list_does_not_know_stops_the_build(folder):
    given = frames()
    given["dem"] = given["dem"].with_columns(sex=pl.Series(["2", "7", "9"]))
    with pytest.raises(
        MappingError, match=r"DM\.SEX could not be made; .* hold 7, 9, which the code list 'sex' .* it has 1, 2"
    ):
        build_domains(given, load_spec("tiny", folder=folder()))


def test_a_derivation_that_fails_names_its_place(folder):
    def change(parts):
        parts["dm"]["working"][0]["args"]["take"] = "only"

    with pytest.raises(MappingError, match=r"DM\.first_dose could not be made; .* but 1 subjects have several"):
        build_domains(frames(), load_spec("tiny", folder=folder(change)))


def test_data_of_the_wrong_type_name_their_place(folder):
    given = frames()
    given["dem"] = given["dem"].with_columns(age=pl.Series(["63", "old", None]))
    with pytest.raises(MappingError, match=r"DM\.AGE could not be made; .* do not fit a num variable\.$"):
        build_domains(given, load_spec("tiny", folder=folder()))


def test_a_joined_form_that_repeats_is_refused(folder):
    given = frames()
    given["end"] = pl.concat([given["end"], given["end"]])
    with pytest.raises(MappingError, match="'end' is joined by subject, but some subjects have it more than once"):
        build_domains(given, load_spec("tiny", folder=folder()))


@pytest.mark.parametrize("study", sorted(path.parent.name for path in SPECS.glob("*/study.yaml")))
def test_every_specification_that_comes_with_the_product_loads(study):
    assert load_spec(study).domains
