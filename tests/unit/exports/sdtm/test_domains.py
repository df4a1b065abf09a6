"""A small study whose forms exercise what the pilot has not: IE, DV, FA, PR, CO, FT, actors, versions, splits, blinding."""

import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from exports.packages.manifest import Provenance, verify_package
from exports.sdtm.build import MappingError, build_domains
from exports.sdtm.dataset import SplitError, split_datasets, write_sdtm
from exports.sdtm.spec import SpecError, load_spec
from exports.sdtm.trace import origins
from exports.sdtm.unblinding import unblinding

SPECS = Path(__file__).parent / "specs"
LONG = "The rash began behind both ears after the second patch and spread to the neck within a day. " * 3


@dataclass(frozen=True)
class Term:
    value: str
    preferred: str = ""
    synonyms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Codelist:
    terms: tuple[Term, ...]
    is_extensible: bool = False


class Terms:
    def codelist(self, code):
        return {"C66731": Codelist((Term("F", "Female", ("Woman",)), Term("M", "Male")))}[code]


def frames():
    at = [datetime(2026, 1, 5, 9, tzinfo=UTC), datetime(2026, 2, 5, 9, tzinfo=UTC)]
    keys = {"subject_id": ["1", "1"]}
    return {
        "events": pl.DataFrame({"event_id": ["screening", "week_4"], "day": [-7, 28]}),
        "enrolment": pl.DataFrame({"subject_id": ["1", "2"], "first_dose": ["2026-01-10", None], "arm": ["act", "pbo"], "sex": ["female", "Male"]}),
        "eligibility": pl.DataFrame({"subject_id": ["1", "2"], "checked": ["03/01/2026", "UN/01/2026"], "not_met___1": [False, False], "not_met___2": [False, True]}),
        "deviations": pl.DataFrame({"subject_id": ["2"], "form_repeat": [1], "deviation": ["Visit out of window"], "happened": ["2026-02-UN"]}),
        "events_log": pl.DataFrame(keys | {"form_repeat": [1, 2], "line": ["E01", "E02"], "term": ["RASH", "HEADACHE"], "category": ["SKIN", "OTHER"],
                                           "started": ["2026-01-12", "2026-02-10"], "comment": [LONG, None], "reported_by": ["2", "1"]}),
        "procedures": pl.DataFrame({"subject_id": ["1"], "form_repeat": [1], "procedure": ["BIOPSY"], "for_event": ["E01"]}),
        "phenotypes": pl.DataFrame(keys | {"event_id": ["screening", "week_4"], "hpo_ataxia": ["Yes", "Yes"], "hpo_tremor": ["No", None], "reader": ["1", "2"]}),
        "table:consents": pl.DataFrame(keys | {"version": ["1", "2"], "at": at, "state": ["signed", "signed"]}),
        "table:sessions": pl.DataFrame(keys | {"session_id": [7, 8], "state": ["scored", "void"], "started_at": at, "actor": ["caregiver", "participant"],
                                               "consent_version": ["1", "2"], "battery_version": [1, 2]}),
        "table:scores": pl.DataFrame({"subject_id": ["1"] * 3, "session_id": [7, 7, 8], "score": ["mean_rt", "lapses", "n"], "value": [312.5, 2.0, 9.0], "unit": ["ms", "count", "count"]}),
    }  # fmt: skip


@pytest.fixture(scope="module")
def built():
    return build_domains(frames(), load_spec("small", folder=SPECS), terms=Terms())


def test_all_domains_are_made_with_what_follows_from_them(built):
    assert list(built) == [
        "DM", "TI", "IE", "DV", "AE", "SUPPAE", "PR", "FA", "SUPPFA", "EX", "FT", "SUPPFT", "CO", "RELREC",
    ]  # fmt: skip


def test_terms_are_found_whatever_their_letters(built):
    assert built["DM"].frame["SEX"].to_list() == ["F", "M"]


def test_a_text_that_is_no_term_of_a_closed_list_stops_the_build():
    given = frames()
    given["enrolment"] = given["enrolment"].with_columns(sex=pl.lit("unclear"))
    with pytest.raises(MappingError, match=r"DM\.SEX could not be made; .* hold unclear, which the code list C66731"):
        build_domains(given, load_spec("small", folder=SPECS), terms=Terms())


def test_terms_without_terminology_are_refused_with_what_to_do():
    with pytest.raises(SpecError, match=r"dm.yaml: SEX: terms of C66731 are looked up, .* load one with"):
        build_domains(frames(), load_spec("small", folder=SPECS))


def test_only_criteria_that_were_not_met_have_rows(built):
    assert built["IE"].frame.drop("STUDYID").rows() == [
        ("S-2", 1.0, "IE02", "No other study", "EXCLUSION", "Y", "2026-01"),
    ]
    assert built["TI"].frame["IECAT"].to_list() == ["INCLUSION", "EXCLUSION"]


def test_deviations_and_phenotypes(built):
    assert built["DV"].frame.select("DVTERM", "DVSTDTC", "DVSTDY").rows() == [("Visit out of window", "2026-02", None)]
    assert built["FA"].frame.select("FASEQ", "FAOBJ", "FAORRES", "FAEVAL", "VISITNUM").rows() == [
        (1.0, "ATAXIA", "PRESENT", "INVESTIGATOR", 1.0),
        (2.0, "TREMOR", "ABSENT", "INVESTIGATOR", 1.0),
        (3.0, "ATAXIA", "PRESENT", "CAREGIVER", 2.0),
    ]
    assert built["SUPPFA"].frame["QVAL"].to_list() == ["HP:0001251", "HP:0001337", "HP:0001251"]


def test_a_comment_points_at_its_record_and_is_cut_between_words(built):
    (row,) = built["CO"].frame.to_dicts()
    assert (row["RDOMAIN"], row["IDVAR"], row["IDVARVAL"], row["USUBJID"]) == ("AE", "AESEQ", "1", "S-1")
    assert f"{row['COVAL']} {row['COVAL1']}" == LONG.strip()
    assert len(row["COVAL"]) <= 200


def test_who_did_it_and_under_which_version_is_exported(built):
    said = {(row["IDVARVAL"], row["QNAM"]): (row["QVAL"], row["QEVAL"]) for row in built["SUPPAE"].frame.to_dicts()}
    assert said == {
        ("1", "AEREP"): ("CAREGIVER", "CAREGIVER"),
        ("2", "AEREP"): ("INVESTIGATOR", "INVESTIGATOR"),
        ("1", "AECONSV"): ("1", None),
        ("2", "AECONSV"): ("2", None),
    }
    assert built["FT"].frame.select("FTSEQ", "FTTESTCD", "FTSTRESN", "FTSTRESU", "FTDTC").rows() == [
        (1.0, "SRTLAPSE", 2.0, None, "2026-01-05T09:00:00Z"),
        (2.0, "SRTMEAN", 312.5, "ms", "2026-01-05T09:00:00Z"),
    ]
    session = {row["QNAM"]: row["QVAL"] for row in built["SUPPFT"].frame.to_dicts() if row["IDVARVAL"] == "1"}
    assert session == {"FTACTOR": "CAREGIVER", "FTCONSV": "1", "FTDSGNV": "1"}


def test_a_domain_without_rows_is_left_out_if_it_says_so():
    given = frames()
    given["table:scores"] = given["table:scores"].clear()
    assert not {"FT", "SUPPFT"} & set(build_domains(given, load_spec("small", folder=SPECS), terms=Terms()))


def test_related_records_and_related_datasets(built):
    assert built["RELREC"].frame.drop("STUDYID").rows() == [
        ("AE", None, "AETERM", None, "ONE", "AEFA"),
        ("AE", "S-1", "AESEQ", "1", None, "PR-E01"),
        ("FA", None, "FAOBJ", None, "MANY", "AEFA"),
        ("PR", "S-1", "PRSEQ", "1", None, "PR-E01"),
    ]


def test_one_domain_can_be_made_alone_with_what_it_looks_into():
    assert list(build_domains(frames(), load_spec("small", folder=SPECS), only=["dv"], terms=Terms())) == ["DV"]


# --- split -------------------------------------------------------------------------------------------------------------


def test_a_split_domain_is_divided_with_its_supplemental_values(built):
    parts = split_datasets(built)
    assert [name for name in parts if "AE" in name] == ["AESK", "AEOT", "SUPPAESK", "SUPPAEOT"]
    assert parts["AESK"].frame["AETERM"].to_list() == ["RASH"]
    assert set(parts["SUPPAEOT"].frame["IDVARVAL"]) == {"2"}
    assert all(one.places.height == one.keyed.height for one in parts.values())
    ((of_supp,), (of_record,)) = (
        origins(parts, frames(), dataset=name, record=1, variables=[variable])
        for name, variable in [("SUPPAEOT", "QVAL"), ("AEOT", "AETERM")]
    )
    assert (of_supp.field, of_record.field) == ("started", "term")
    assert replace(of_supp, field="", variable="") == replace(of_record, field="", variable="")


def test_a_value_that_no_part_takes_is_refused():
    given = frames()
    given["events_log"] = given["events_log"].with_columns(category=pl.Series(["SKIN", "HEART"]))
    made = build_domains(given, load_spec("small", folder=SPECS), terms=Terms())
    with pytest.raises(SplitError, match="AE is split by AECAT, but 1 rows have a value that no dataset takes: HEART"):
        split_datasets(made)


def test_parts_are_written_and_the_manifest_names_the_mapping(built, tmp_path):
    spec = load_spec("small", folder=SPECS)
    provenance = Provenance(
        study="SMALL", snapshot=1, ledger_position=5, standard=spec.standard, standard_version=spec.version,
        software_version="0", mapping_revision=spec.revision, mapping_sha256=spec.sha256, design_version=spec.design_version,
        created=datetime(2026, 3, 1, tzinfo=UTC),
    )  # fmt: skip
    manifest = write_sdtm(built, tmp_path / "out", provenance=provenance)
    names = {file.name for file in manifest.files}
    assert {"aesk.xpt", "suppaesk.parquet", "relrec.xpt", "co.xpt", "ft.parquet"} <= names
    assert "ae.xpt" not in names
    assert verify_package(tmp_path / "out") == ()
    assert (manifest.provenance.mapping_revision, manifest.provenance.design_version) == ("3", 2)
    assert len(manifest.provenance.mapping_sha256) == 64


# --- blinding ----------------------------------------------------------------------------------------------------------


def test_a_blinded_reader_gets_nothing_that_tells_the_treatment():
    given = frames()
    given["enrolment"] = given["enrolment"].drop("arm")  # as the blinded snapshot has it
    made = build_domains(given, load_spec("small", folder=SPECS), blinded=True, terms=Terms())
    assert "EX" not in made
    assert made["DM"].frame["ARMCD"].null_count() == made["DM"].frame["ACTARM"].null_count() == 2
    assert made["DM"].frame["SEX"].to_list() == ["F", "M"]


def test_blinding_holds_even_when_the_frames_hold_the_arm():
    made = build_domains(frames(), load_spec("small", folder=SPECS), blinded=True, terms=Terms())
    texts = {
        text for one in made.values() for column in one.frame.select(pl.col(pl.String)) for text in column.to_list()
    }
    assert not {"act", "pbo", "ACT", "PBO"} & texts
    assert "EX" not in made


def test_a_value_that_nobody_marked_is_refused_when_its_field_is_blinded(copy):
    dm = copy / "small" / "dm.yaml"
    dm.write_text(dm.read_text().replace(", unblinds: true", ""))
    given = frames()
    given["enrolment"] = given["enrolment"].drop("arm")
    with pytest.raises(SpecError, match=r"ARMCD: no form of the domain has 'arm'"):
        build_domains(given, load_spec("small", folder=copy), blinded=True, terms=Terms())


def test_the_pilot_marks_arm_and_treatment():
    hidden = unblinding(load_spec("cdiscpilot"))
    assert {"ARMCD", "ARM", "ACTARMCD", "ACTARM"} <= hidden["DM"]
    assert {"EXTRT", "EXDOSE"} <= hidden["EX"]
    assert "ETCD" in hidden["SE"]
    assert not {"RFSTDTC", "AGE", "SEX"} & hidden["DM"]
    assert "AETRTEM" not in hidden["AE"]


def test_the_pilot_without_its_blinded_fields_gives_the_rest(pilot):
    given = dict(pilot.frames())
    given["randomization"] = given["randomization"].drop("arm_planned", "arm_actual")
    given["exposure"] = given["exposure"].drop("ex_drug", "ex_dose")
    made = build_domains(given, load_spec("cdiscpilot"), only=["DM", "EX", "SE", "SUPPDM"], blinded=True)
    assert set(made) == {"DM", "EX", "SUPPDM"}
    assert made["DM"].frame["ARMCD"].null_count() == 306
    assert made["EX"].frame["EXTRT"].null_count() == made["EX"].frame["EXDOSE"].null_count() == 591
    assert made["EX"].frame["EXSTDTC"].null_count() == 0


# --- faults ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(SPECS / "small", tmp_path / "small")
    return tmp_path


def test_every_fault_of_every_file_is_told_at_once_with_its_line(copy):
    def change(name, old, new):
        path = copy / "small" / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    change("fa.yaml", "codelist: present", "codelist: presence")
    change("fa.yaml", "label: HPO Code", "label: " + "H" * 41)
    change("ie.yaml", "derive: sequence", "derive: sequense")
    change(
        "ae.yaml",
        "type: num, origin: Assigned, field: form_repeat",
        "type: number, origin: Assigned, field: form_repeat",
    )
    change("dv.yaml", "reference: DM.RFSTDTC", "reference: DM.RFSTDT")
    change(
        "pr.yaml",
        "name: PRTRT, label: Reported Name of Procedure, origin: CRF, field: procedure",
        "name: PRTRT, label: Name, origin: CRF, derive: study_day, args: {date: PRSTDTC, reference: DM.RFSTDTC}",
    )
    change("co.yaml", "domain: AE,", "domain: AX,")
    change("study.yaml", "number: 2, name: WEEK 4", "number: two, name: WEEK 4")
    change("ft.yaml", "keys: [USUBJID, FTGRPID, FTTESTCD]", "keys: [USUBJID, FTNUM]")
    change("ft.yaml", "optional: true", "optional: true\noptional: false")
    change("study.yaml", "match: [event]", "match: [events]")
    change("codelists.yaml", "score_unit: {ms: ms, count: null}", "score_unit: [ms]")
    with pytest.raises(SpecError) as refused:
        load_spec("small", folder=copy)
    told = "\n".join(refused.value.faults)
    for sentence in (
        "fa.yaml line 21: FAORRES: there is no code list or conversion 'presence'",
        "fa.yaml line 25: FAHPO: label: String should have at most 40 characters",
        "ie.yaml line 18: IESEQ: there is no derivation 'sequense'",
        "ae.yaml line 13: AESEQ: type: Input should be 'char' or 'num' (it is 'number')",
        "dv.yaml line 13: DVSTDY: DM.RFSTDT is no variable of another domain",
        "pr.yaml line 13: PRTRT: is of type char, but study_day gives a number",
        "pr.yaml line 13: PRTRT: PRSTDTC is no variable of this domain",
        "co.yaml line 7: sources: there is no domain 'AX'",
        "study.yaml line 10: visits.week_4.number: Input should be a valid number",
        "ft.yaml line 6: keys name FTNUM, which is no variable of the domain",
        "ft.yaml line 5: 'optional' stands here for the second time",
        "study.yaml line 13: relationships: events is no variable or working column of PR",
        "codelists.yaml line 8: score_unit: Input should be a valid dictionary",
    ):
        assert sentence in told, told
    assert len(refused.value.faults) == 13, told  # what has a fault already is no second fault elsewhere


def test_words_that_yaml_takes_for_others_stay_words(copy):
    spec = load_spec("small", folder=copy)
    assert spec.tables.codelists["present"] == {"No": "ABSENT", "Yes": "PRESENT"}


def test_the_hash_follows_the_files(copy):
    before = load_spec("small", folder=copy).sha256
    assert before == load_spec("small", folder=SPECS).sha256
    (copy / "small" / "ti.yaml").write_text((copy / "small" / "ti.yaml").read_text() + "\n# a remark\n")
    assert load_spec("small", folder=copy).sha256 != before


def test_fields_that_the_forms_do_not_have_are_told_together():
    given = frames()
    given["phenotypes"] = given["phenotypes"].drop("hpo_tremor")
    given["deviations"] = given["deviations"].drop("deviation")
    given["table:sessions"] = given["table:sessions"].drop("actor")
    del given["table:consents"]
    with pytest.raises(SpecError) as refused:
        build_domains(given, load_spec("small", folder=SPECS), terms=Terms())
    told = "\n".join(refused.value.faults)
    for sentence in ("phenotypes has no field 'hpo_tremor'", "DVTERM: no form of the domain has 'deviation'",
                     "FTACTOR: no form of the domain has 'actor'", "there is no table 'consents'"):  # fmt: skip
        assert sentence in told
