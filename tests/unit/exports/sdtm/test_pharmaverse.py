"""Raw extracts come out as the SDTM that others made of them: measured cell by cell, and every difference explained."""

import importlib.util
import sys
from pathlib import Path

import pytest

from exports.sdtm.agreement import unexplained


@pytest.fixture(scope="module")
def extracts():
    place = Path(__file__).with_name("pharmaverse.py")
    wanted = importlib.util.spec_from_file_location("pharmaverse_extracts", place)
    module = importlib.util.module_from_spec(wanted)
    sys.modules[wanted.name] = module
    wanted.loader.exec_module(module)
    if not module.is_there():
        pytest.skip("The raw extracts are not beside the project (../shared/data/pharmaverseraw and cdisc-ct).")
    return module


def test_every_difference_is_explained_and_every_explanation_needed(extracts):
    assert unexplained(extracts.agreements(), extracts.explanations()) == []


def test_every_variable_of_the_answer_is_there(extracts):
    assert {one.name: one.only_theirs for one in extracts.agreements() if one.only_theirs} == {}


def test_what_the_extracts_hold_is_all_there(extracts):
    """Cells that differ, less those that are in no extract."""
    measured = {one.name: {v.name: v.differing for v in one.variables if v.differing} for one in extracts.agreements()}
    assert measured == {
        "DM": {"RFPENDTC": 80},
        "DS": {"DSSPID": 95},
        "AE": {"AESEQ": 231, "AESPID": 1191, "AESTDTC": 15, "AESTDY": 1},
        "SUPPAE": {"IDVARVAL": 230},
        "EX": {},
        "VS": {"VSSEQ": 64},
    }


def test_the_document_is_up_to_date(extracts):
    assert extracts.DOCUMENT.read_text(encoding="utf-8") == extracts.page()
