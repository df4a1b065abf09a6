"""An installation's own mapping stands before the program's, and the command tells what it makes or every fault."""

import shutil

import pytest
from typer.testing import CliRunner

from datamodel.kernel.settings import Settings
from exports.sdtm import spec as reading
from exports.sdtm.spec import SPECS, SpecError, has_spec, load_spec, specs_of
from metricis.terms import pins


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "settings", lambda: Settings(home=tmp_path))
    shutil.copytree(SPECS / "cdiscpilot", tmp_path / "mappings" / "own")
    return tmp_path


def test_the_homes_mapping_comes_first(home):
    assert has_spec("own")
    assert specs_of("own") == home / "mappings"
    assert specs_of("cdiscpilot") == SPECS
    shutil.copytree(SPECS / "cdiscpilot", home / "mappings" / "cdiscpilot")
    (home / "mappings" / "cdiscpilot" / "sc.yaml").write_text("domain: SC\n")
    with pytest.raises(SpecError, match=r"sc\.yaml"):
        load_spec("cdiscpilot")


def test_the_command_lists_the_domains_and_refuses_with_the_place(home):
    told = CliRunner().invoke(pins, ["mapping", "own"])
    assert told.exit_code == 0
    assert f"{load_spec('own').sha256}\n" in told.output
    assert any(line.startswith("SC ") for line in told.output.splitlines())
    file = home / "mappings" / "own" / "sc.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("derive: study_day", "derive: study_days"))
    refused = CliRunner().invoke(pins, ["mapping", "own"])
    assert "sc.yaml line 23: SCDY: there is no derivation 'study_days'" in str(refused.exception)
