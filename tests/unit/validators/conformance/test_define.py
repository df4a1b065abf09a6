"""What rules ask of a Define comes from the one reader, and from files that say less than they should too."""

import pytest

from exports.define.write import define_bytes
from tests.unit.exports.define.test_define import WHOLE
from validators.conformance.define import DefineError, facts, read_define
from validators.library.define_names import DEF, DEF_2_0
from validators.library.define_read import UnreadableDefineError, parse_define


@pytest.fixture
def read(tmp_path):
    def read(*changes):
        text = define_bytes(WHOLE).decode()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "define.xml").write_text(text)
        return read_define(tmp_path / "define.xml")

    return read


def test_facts_of_a_file_are_those_of_what_people_read(read):
    assert read() == facts(parse_define(define_bytes(WHOLE)))
    table = read().dataset_row("VS")
    assert table["define_dataset_location"] == "vs.xpt"
    assert table["define_dataset_variables"] == ["VSTESTCD", "VSORRES", "VSSEV"]
    assert table["define_dataset_key_sequence"] == ["VSTESTCD"]
    test, result, _ = read().variable_rows("VS")
    assert (test["define_variable_ccode"], test["define_variable_codelist_coded_values"]) == ("C66741", ["HR", "X"])
    assert (test["define_variable_codelist_coded_codes"], test["define_variable_mandatory"]) == (["C49677"], "Yes")
    assert (result["define_variable_has_method"], result["define_variable_length"]) == (True, 20)
    assert read().extensions(["C66741"]) == ["X"]


def test_labels_of_an_indented_file_are_on_one_line(read):
    found = read((">Vital Signs<", ">\n  Vital\n  Signs\n<"))
    assert found.dataset_row("VS")["define_dataset_label"] == "Vital Signs"


@pytest.mark.parametrize(
    "changes",
    [
        [('def:DefineVersion="2.1.0"', "")],
        [(DEF, DEF.replace("v2.1", "v1.0"))],
        [('xmlns="http://www.cdisc.org/ns/odm/v1.3"', 'xmlns="http://www.cdisc.org/ns/odm/v1.2"')],
    ],
    ids=["no version", "another version", "another ODM"],
)
def test_what_people_are_refused_is_still_checked(read, tmp_path, changes):
    assert read(*changes) == read()
    text = define_bytes(WHOLE).decode()
    for old, new in changes:
        text = text.replace(old, new)
    with pytest.raises(UnreadableDefineError):
        parse_define(text.encode())


def test_the_word_of_version_2_0_for_an_origin_is_the_file_s_own(read):
    old = (DEF, DEF_2_0), ('DefineVersion="2.1.0"', 'DefineVersion="2.0.0"')
    (variable, *_) = read(*old, ('Type="Assigned"', 'Type="CRF"')).variable_rows("VS")
    assert (variable["define_variable_origin_type"], variable["define_variable_is_collected"]) == ("CRF", True)
    (variable, *_) = read(*old, ('Type="Assigned"', 'Type="eDT"')).variable_rows("VS")
    assert (variable["define_variable_origin_type"], variable["define_variable_is_collected"]) == ("eDT", False)


def test_the_file_of_a_dataset_is_found_where_it_is_named(read):
    whole = define_bytes(WHOLE).decode()
    leaf = whole[whole.index('<def:leaf ID="LF.VS"') :].partition("</def:leaf>")[0] + "</def:leaf>"
    found = read((leaf, ""), ("</MetaDataVersion>", f"{leaf}</MetaDataVersion>"))
    assert found.dataset_row("VS")["define_dataset_location"] == "vs.xpt"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("<a/>", "is not a Define-XML"),
        (define_bytes(WHOLE).decode().replace('OrderNumber="2"', 'OrderNumber="two"'), "a number that is none"),
    ],
)
def test_a_file_without_metadata_or_with_damaged_numbers_is_never_a_silent_pass(tmp_path, content, told):
    (tmp_path / "define.xml").write_text(content)
    with pytest.raises(DefineError, match=told):
        read_define(tmp_path / "define.xml")
    with pytest.raises(DefineError, match="is not there"):
        read_define(tmp_path / "nothing.xml")
