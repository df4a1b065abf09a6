"""The packaged metadata of SDTMIG 3.4."""

import polars as pl
import pytest

from datamodel.kernel.errors import NotFoundError
from validators.datasets.shape import Dataset, Variable
from validators.datasets.study import Study
from validators.library import Library


@pytest.fixture(scope="module")
def library() -> Library:
    return Library.bundled("3.4")


def test_all_datasets_and_variables_are_there_in_order(library):
    assert len(library.domains()) == 63
    assert sum(len(library.variables(one)) for one in library.domains()) == 1917
    for one in library.domains():
        assert [each.order for each in library.variables(one)] == list(range(1, len(library.variables(one)) + 1)), one


def test_facts_of_one_dataset(library):
    ae = library.domain("AE")
    assert (ae.label, ae.class_) == ("Adverse Events", "EVENTS")
    assert ae.names("Req") == ("STUDYID", "DOMAIN", "USUBJID", "AESEQ", "AETERM", "AEDECOD")
    severity = ae.variable("AESEV")
    assert (severity.role, severity.core, severity.codelists) == ("Record Qualifier", "Perm", ("C66769",))
    assert ae.variable("AESTDTC").format == "ISO 8601 datetime or interval"
    assert ae.variable("AEFOO") is None


@pytest.mark.parametrize(
    ("name", "class_", "first"),
    [
        ("SUPPAE", "RELATIONSHIP", "RDOMAIN"),
        ("APMH", "EVENTS", "APID"),
        ("DM", "SPECIAL PURPOSE", "USUBJID"),
        ("TS", "TRIAL DESIGN", "TSSEQ"),
    ],
)
def test_datasets_that_are_called_otherwise_are_found(library, name, class_, first):
    assert library.class_of(name) == class_
    assert first in library.domain(name).names()


def test_labels_have_at_most_40_characters_and_names_8(library):
    variables = [one for each in library.domains() for one in library.variables(each)]
    assert [one.name for one in variables if not 0 < len(one.label) <= 40] == []
    assert [one.name for one in variables if len(one.name) > 8] == []


def test_the_model_has_every_variable_of_the_general_classes(library):
    for name in library.domains():
        if library.class_of(name) in {"INTERVENTIONS", "EVENTS", "FINDINGS", "FINDINGS ABOUT"}:
            allowed = {one.name for one in library.model_variables(name)}
            assert set(library.domain(name).names()) - allowed == set(), name


def test_the_model_of_a_class_keeps_its_wildcards(library):
    names = [one.name for one in library.model_variables("FINDINGS ABOUT")]
    assert names.index("--TESTCD") < names.index("--OBJ") < names.index("--ORRES") < names.index("--DTC")
    assert names[0] == "STUDYID"


def test_the_class_of_a_custom_domain_is_told_from_its_topic(library):
    frame = pl.DataFrame({"DOMAIN": ["XX"], "XXTESTCD": ["A"]})
    part = Study.of([Dataset("XX", "", (Variable("DOMAIN"), Variable("XXTESTCD")), frame)]).parts[0]
    assert library.domain("XX") is None
    assert library.model_variables("XX") == ()
    assert "XXORRES" in [one.name for one in library.model_variables("XX", part)]


def test_a_version_that_is_not_packaged_is_refused():
    with pytest.raises(NotFoundError, match=r"SDTMIG 2\.0 is not packaged; packaged are: 3\.4"):
        Library.bundled("2.0")
