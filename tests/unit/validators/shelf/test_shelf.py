"""What a user obtained is kept whole, once, unchanged."""

import zipfile

import pytest

from datamodel.kernel.errors import BadInputError, FaultError, NotFoundError
from validators.shelf import Shelf, load_rules, load_terminology, pinned_files, read_kept_terminology, read_ruleset

CT = "codelist_code,extensible,submission_value,preferred_term,synonyms\nC66742,false,Y,Yes,\n"
RULE = """Core: {Id: %s}
Check: {all: [{name: AETERM, operator: empty}]}
Outcome: {Message: No term}
"""


@pytest.fixture
def shelf(tmp_path) -> Shelf:
    return Shelf(tmp_path / "home" / "standards")


@pytest.fixture
def ct(tmp_path):
    path = tmp_path / "sdtmct-2022-09-30.csv"
    path.write_text(CT)
    return path


@pytest.fixture
def folder(tmp_path):
    for name in ("R-1", "R-2"):
        (tmp_path / "rules" / name / "positive" / "01").mkdir(parents=True)
        (tmp_path / "rules" / name / "rule.yml").write_text(RULE % name)
    return tmp_path / "rules"


def test_terminology_is_kept_by_date_and_loading_again_changes_nothing(shelf, ct):
    kept, is_new = load_terminology(shelf, ct)
    again, is_new_again = load_terminology(shelf, ct)
    assert (is_new, is_new_again) == (True, False)
    assert (kept.version, kept.count, kept.source, again.sha256) == ("2022-09-30", 1, ct.name, kept.sha256)
    assert shelf.entries() == [kept]
    assert read_kept_terminology(shelf, "2022-09-30").named("NY").values == {"Y"}


def test_other_content_under_the_same_date_is_refused(shelf, ct):
    load_terminology(shelf, ct)
    ct.write_text(CT + "C66742,false,N,No,\n")
    with pytest.raises(BadInputError, match="kept already with other content"):
        load_terminology(shelf, ct)
    assert read_kept_terminology(shelf, "2022-09-30").size == 1


def test_a_file_that_is_refused_leaves_nothing(shelf, tmp_path, ct):
    ct.write_text("nonsense")
    with pytest.raises(BadInputError):
        load_terminology(shelf, ct)
    assert shelf.entries() == []
    assert not (tmp_path / "home").exists()


def test_a_failed_write_leaves_nothing_half_written(shelf, ct, tmp_path, monkeypatch):
    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(OSError, match="No space"):
        load_terminology(shelf, ct)
    assert shelf.entries() == []
    assert list((tmp_path / "home" / "standards" / "content").iterdir()) == []


def test_rules_of_a_folder_and_of_its_zip_are_the_same(shelf, folder, tmp_path):
    kept, is_new, faults = load_rules(shelf, folder, version="2026-08-22")
    assert (kept.count, is_new, faults) == (2, True, ())
    archive = tmp_path / "rules.zip"
    with zipfile.ZipFile(archive, "w") as target:
        for name in ("R-1", "R-2"):
            target.writestr(f"Published/{name}/rule.yml", RULE % name)
        target.writestr("../../outside.yml", "not: a rule")
    again, is_new, faults = load_rules(shelf, archive, version="2026-08-22")
    assert (again.sha256, is_new) == (kept.sha256, False)
    assert len(faults) == 1
    assert faults[0].startswith("../../outside.yml:")
    assert [one.id for one in read_ruleset(shelf, "2026-08-22")] == ["R-1", "R-2"]


def test_rules_without_a_version_are_called_by_their_hash(shelf, folder):
    kept, _, _ = load_rules(shelf, folder)
    assert kept.sha256.startswith(kept.version)


@pytest.mark.parametrize(
    "content", ["", "a: [", "Core: {Id: ../x}\nCheck: {all: [{name: A, operator: empty}]}\nOutcome: {}\n"]
)
def test_a_folder_without_a_rule_is_refused(shelf, tmp_path, content):
    (tmp_path / "rule.yml").write_text(content)
    with pytest.raises(BadInputError, match="has no rule"):
        load_rules(shelf, tmp_path)


def test_two_rules_of_one_id_are_refused(shelf, folder):
    (folder / "R-2" / "rule.yml").write_text((RULE % "R-1") + "# another\n")
    with pytest.raises(BadInputError, match="two rules with the id R-1"):
        load_rules(shelf, folder)


def test_what_is_neither_folder_nor_zip_is_refused(shelf, ct, tmp_path):
    with pytest.raises(BadInputError, match="neither a folder nor a zip"):
        load_rules(shelf, ct)
    with pytest.raises(BadInputError, match="There is no"):
        load_rules(shelf, tmp_path / "none.zip")


def test_a_version_that_is_not_here_is_told_with_those_that_are(shelf, ct):
    load_terminology(shelf, ct)
    with pytest.raises(NotFoundError, match=r"2020-01-01 here; there is: 2022-09-30.*metricis ct load"):
        shelf.get("ct", "2020-01-01")


def test_a_version_must_be_a_name(shelf, folder):
    with pytest.raises(BadInputError, match=r"a version has 1 to 40"):
        load_rules(shelf, folder, version="../up")


def test_pinned_files_are_those_of_the_pinned_hash(shelf, ct, folder):
    terms, _ = load_terminology(shelf, ct)
    rules, _, _ = load_rules(shelf, folder, version="v1")
    file, place = pinned_files(shelf, terminology=(terms.version, terms.sha256), rules=(rules.version, rules.sha256))
    assert file.read_text() == CT
    assert (place / "R-1" / "rule.yml").is_file()
    assert pinned_files(shelf) == (None, None)
    with pytest.raises(FaultError, match="is pinned to 2022-09-30"):
        pinned_files(shelf, terminology=(terms.version, "0" * 64))
    file.write_text("changed")
    with pytest.raises(FaultError, match="are not those that were loaded"):
        pinned_files(shelf, terminology=(terms.version, terms.sha256))
