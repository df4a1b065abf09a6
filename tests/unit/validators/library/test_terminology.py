"""Files of controlled terminology in three layouts, and those that are refused."""

from pathlib import Path

import pytest

from datamodel.kernel.errors import BadInputError
from validators.library import Terminology, read_terminology

CSV = """codelist_code,codelist_name,extensible,term_code,submission_value,preferred_term,synonyms
C66742,No Yes Response,false,C49487,N,No,No
C66742,No Yes Response,false,C49488,Y,Yes,Yes; Ja
C71620,Unit,true,C28253,mg,Milligram,"Milligram; mg, metric"
"""
HEAD = (
    "Code\tCodelist Code\tCodelist Extensible (Yes/No)\tCodelist Name\tCDISC Submission Value\tCDISC Synonym(s)"
    "\tCDISC Definition\tNCI Preferred Term\tStandard and Date\n"
)
TEXT = HEAD + (
    "C66742\t\tNo\tNo Yes Response\tNY\tNo Yes Response\tA term\tCDISC NY\tSDTM CT 2022-09-30\n"
    "C49487\tC66742\t\tNo Yes Response\tN\tNo\tThe non-affirmative\tNo\tSDTM CT 2022-09-30\n"
    'C49488\tC66742\t\tNo Yes Response\tY\tYes; Ja\tThe "affirmative\tYes\tSDTM CT 2022-09-30\n'
    "C71620\t\tYes\tUnit\tUNIT\tUnit\tA unit\tCDISC Unit\tSDTM CT 2022-09-30\n"
    "C28253\tC71620\t\tUnit\tmg\tMilligram\tA unit\tMilligram\tSDTM CT 2022-09-30\n"
)
ODM = """<?xml version="1.0" encoding="UTF-8"?>
<ODM xmlns="http://www.cdisc.org/ns/odm/v1.3" xmlns:nciodm="http://ncicb.nci.nih.gov/xml/odm/EVS/CDISC"
 FileType="Snapshot" FileOID="CDISC_CT.SDTM.2022-09-30" ODMVersion="1.3.2">
<Study OID="CDISC_CT.SDTM.2022-09-30"><MetaDataVersion OID="CDISC_CT_MetaDataVersion.SDTM.2022-09-30" Name="SDTM">
<CodeList OID="CL.C66742.NY" Name="No Yes Response" DataType="text" nciodm:ExtCodeID="C66742" nciodm:CodeListExtensible="No">
<EnumeratedItem CodedValue="N" nciodm:ExtCodeID="C49487"><nciodm:CDISCSynonym>No</nciodm:CDISCSynonym>
<nciodm:PreferredTerm>No</nciodm:PreferredTerm></EnumeratedItem>
<EnumeratedItem CodedValue="Y" nciodm:ExtCodeID="C49488"><nciodm:CDISCSynonym>Yes</nciodm:CDISCSynonym>
<nciodm:CDISCSynonym>Ja</nciodm:CDISCSynonym><nciodm:PreferredTerm>Yes</nciodm:PreferredTerm></EnumeratedItem>
<nciodm:CDISCSubmissionValue>NY</nciodm:CDISCSubmissionValue></CodeList>
<CodeList OID="CL.C71620.UNIT" Name="Unit" DataType="text" nciodm:ExtCodeID="C71620" nciodm:CodeListExtensible="Yes">
<EnumeratedItem CodedValue="mg" nciodm:ExtCodeID="C28253"><nciodm:PreferredTerm>Milligram</nciodm:PreferredTerm></EnumeratedItem>
<nciodm:CDISCSubmissionValue>UNIT</nciodm:CDISCSubmissionValue></CodeList>
</MetaDataVersion></Study></ODM>
"""


def read(folder: Path, name: str, content: str | bytes, **given: str) -> Terminology:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_terminology(path, **given)


@pytest.mark.parametrize(
    ("name", "content", "layout"),
    [
        ("sdtmct-2022-09-30.csv", CSV, "CSV"),
        ("SDTM Terminology.txt", TEXT, "NCI text"),
        ("SDTM Terminology.odm.xml", ODM, "NCI ODM XML"),
    ],
)
def test_three_layouts_say_the_same(tmp_path, name, content, layout):
    found = read(tmp_path, name, content)
    assert (found.layout, found.name, found.size) == (layout, "SDTM CT 2022-09-30", 3)
    yes_no = found.codelist("C66742")
    assert found.by_value("NY") is yes_no is found.named("No Yes Response")
    assert (yes_no.is_extensible, found.named("UNIT").is_extensible) == (False, True)
    assert yes_no.values == {"N", "Y"}
    assert yes_no.by_code["C49488"].value == "Y"
    assert yes_no.by_value["Y"].synonyms == ("Yes", "Ja")
    assert yes_no.suggestion(" ja ").value == "Y"
    assert yes_no.suggestion("perhaps") is None
    assert found.codelist("C1") is None


@pytest.mark.parametrize(
    ("name", "content", "given", "says"),
    [
        ("ct-2022-09-30.csv", "", {}, "is empty"),
        ("ct-2022-09-30.csv", "a,b\n1,2\n", {}, "no file of terminology: it starts with 'a,b'"),
        ("ct-2022-09-30.csv", b"PK\x03\x04\x00\x01", {}, "no file of terminology"),
        ("ct-2022-09-30.csv", CSV.splitlines()[0] + "\n", {}, "no term"),
        ("ct-2022-09-30.csv", CSV + "C1,cut\n", {}, "line 5: 2 values where the header has 7"),
        ("ct-2022-09-30.csv", CSV.replace("true", "maybe"), {}, "says of being extensible 'maybe'"),
        ("ct.csv", CSV, {}, "does not say which date"),
        ("ct-2022-09-31.csv", CSV, {}, "2022-09-31 is no date"),
        ("ct-2999-01-01.csv", CSV, {}, "packages are dated from 2004-01-01 to today"),
        ("ct-2022-09-30.csv", CSV, {"date": "2023-01-01"}, "more than one date: 2022-09-30 in its name, 2023-01-01 as asked"),
        ("ct-2021-01-01.txt", TEXT, {}, "2022-09-30 in the file, 2021-01-01 in its name"),
        ("ct.txt", HEAD + TEXT.splitlines()[2] + "\n", {}, "which has no row of its own before it"),
        ("ct-2022-09-30.xml", "<ODM>", {}, "is not XML that can be read"),
        ("ct-2022-09-30.xml", "<other/>", {}, "without codelists of ODM 1.3"),
        ("ct-2022-09-30.xml", '<!DOCTYPE ODM [<!ENTITY a "b">]>' + ODM.partition("?>")[2].strip(), {}, "DOCTYPE"),
    ],
)  # fmt: skip
def test_another_layout_or_date_is_refused(tmp_path, name, content, given, says):
    with pytest.raises(BadInputError, match="Nothing was loaded") as refused:
        read(tmp_path, name, content, **given)
    assert says in str(refused.value)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(BadInputError, match=r"none\.csv cannot be read"):
        read_terminology(tmp_path / "none.csv")


def test_a_date_may_be_given_where_the_file_has_none(tmp_path):
    assert read(tmp_path, "ct.csv", CSV, date="2022-09-30").date == "2022-09-30"


def test_packages_of_other_dates_stand_beside(tmp_path):
    old = read(tmp_path, "ct.csv", CSV, date="2021-01-01")
    both = read(tmp_path, "ct.csv", CSV, date="2022-09-30").beside(old)
    assert both.dates() == ("2021-01-01", "2022-09-30")
    assert both.codelists("2021-01-01") == old.lists
    with pytest.raises(BadInputError, match="Terminology of 2020-01-01 is not here"):
        both.codelists("2020-01-01")
