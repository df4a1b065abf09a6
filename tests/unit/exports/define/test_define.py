"""A Define is valid, read back equal, shown as HTML, and hostile or broken XML is refused."""

import importlib.util
from pathlib import Path

import pytest
from lxml import etree

from exports.define.page import define_html
from exports.define.write import define_bytes, write_define
from validators.library.define import (
    CodedTerm,
    Condition,
    Define,
    DefineCodelist,
    DefineComment,
    Document,
    DocumentRef,
    Item,
    Method,
    Origin,
    Pages,
    Ref,
    Standard,
    Table,
    ValueList,
    WhereClause,
)
from validators.library.define_names import DEF, DEF_2_0
from validators.library.define_read import UnreadableDefineError, parse_define, read_define

CRF = DocumentRef("LF.CRF", (Pages(numbers=("7", "9")),))
WHOLE = Define(
    file_oid="DEF.1",
    created="2026-01-02T03:04:05Z",
    study_oid="ST.1",
    study_name="T-1",
    study_description="A trial of <something> & more",
    protocol="T-1",
    oid="MDV.1",
    name="Datasets of T-1",
    originator="Metricis",
    comment="COM.1",
    standards=(
        Standard("STD.1", "SDTMIG", "IG", "3.4"),
        Standard("STD.2", "CDISC/NCI", "CT", "2022-09-30", publishing_set="SDTM", comment="COM.1"),
    ),
    tables=(
        Table(
            "IG.VS",
            "VS",
            "Vital Signs",
            (
                Ref("IT.VS.VSTESTCD", 1, is_mandatory=True, key=1, role="Topic"),
                Ref("IT.VS.VSORRES", 2, method="MT.1", is_non_standard=True),
                Ref("IT.VS.VSSEV", 3, has_no_data=True),
            ),
            domain="VS",
            structure="One record per test",
            class_="FINDINGS",
            standard="STD.1",
            sas_name="VS",
            comment="COM.1",
            parent_label="Vital Signs",
            document=Document("LF.VS", "vs.xpt", "vs.xpt"),
        ),
        Table("IG.TS", "TS", "Trial Summary", (Ref("IT.VS.VSTESTCD"),), domain="TS", structure="One", has_no_data=True,
              class_="TRIAL DESIGN", is_repeating=False, is_reference_data=True, is_non_standard=True),
    ),
    items=(
        Item("IT.VS.VSTESTCD", "VSTESTCD", "text", "Test", 8, codelist="CL.1", origins=(Origin("Assigned", "Sponsor"),)),
        Item("IT.VS.VSORRES", "VSORRES", "text", "Result", 20, value_list="VL.1", sas_name="VSORRES"),
        Item(
            "IT.VS.VSORRES.HR", "VSORRES", "float", "Rate", 5, 2, display_format="5.2", comment="COM.1",
            origins=(Origin("Collected", "Investigator", "As the monitor shows it", (CRF,)),),
        ),
        Item("IT.VS.VSSEV", "VSSEV", "text", "Severity", 1, codelist="CL.2"),
    ),
    value_lists=(ValueList("VL.1", (Ref("IT.VS.VSORRES.HR", 1, where=("WC.1",)),), "By test"),),
    where_clauses=(
        WhereClause("WC.1", (Condition("IT.VS.VSTESTCD", "IN", ("HR", "PULSE")), Condition("IT.VS.VSSEV", "NE", ("",))), "COM.1"),
    ),
    codelists=(
        DefineCodelist("CL.1", "Test", terms=(CodedTerm("HR", code="C49677", order=1), CodedTerm("X", is_extended=True)),
                       code="C66741", standard="STD.2", sas_format="$VS"),
        DefineCodelist("CL.2", "Severity", terms=(CodedTerm("1", "Mild"), CodedTerm("2", "Bad & worse")), is_non_standard=True),
        DefineCodelist("CL.3", "MedDRA", dictionary="MedDRA", dictionary_version="27.0", comment="COM.1"),
    ),
    methods=(Method("MT.1", "Rounded", "Rounded to whole numbers.", expressions=(("SAS", "round(x)"),), documents=(CRF,)),),
    comments=(DefineComment("COM.1", "See the guide.", (DocumentRef("LF.G", (Pages(first=1, last=3, title="Here"),)),)),),
    annotated_crf=(DocumentRef("LF.CRF"),),
    supplements=(DocumentRef("LF.G"),),
    documents=(Document("LF.CRF", "acrf.pdf", "Annotated CRF"), Document("LF.G", "guide.pdf", "Guide")),
)  # fmt: skip


def schema():
    folder = Path(importlib.util.find_spec("odmlib").submodule_search_locations[0]) / "schemas"
    return etree.XMLSchema(etree.parse(folder / "define" / "2.1" / "define2-1-0.xsd"))


def test_what_is_written_is_valid():
    valid = schema()
    assert valid.validate(etree.fromstring(define_bytes(WHOLE))), valid.error_log


def test_what_is_written_is_read_back_equal_and_has_the_same_bytes(tmp_path):
    write_define(WHOLE, tmp_path / "define.xml")
    assert read_define(tmp_path / "define.xml") == WHOLE
    assert (tmp_path / "define.xml").read_bytes() == define_bytes(WHOLE)
    assert [one.name for one in tmp_path.iterdir()] == ["define.xml"]


def test_the_page_shows_datasets_variables_and_codelists_and_asks_for_nothing_else():
    page = define_html(WHOLE).decode()
    for text in ("Vital Signs", "VSORRES", "Bad &amp; worse", "Rounded to whole numbers", "C49677"):
        assert text in page
    assert "<script src" not in page
    assert "<link" not in page


def test_version_2_0_is_read():
    text = (
        define_bytes(WHOLE)
        .decode()
        .replace(DEF, DEF_2_0)
        .replace(
            'DefineVersion="2.1.0"', 'DefineVersion="2.0.0" def:StandardName="SDTM-IG" def:StandardVersion="3.1.2"'
        )
    )
    text = text.replace('Type="Collected"', 'Type="CRF"').replace(
        'def:Structure="One"', 'def:Structure="One" def:Class="TRIAL DESIGN"'
    )
    read = parse_define(text.encode())
    assert read.standards == (Standard("STD.1", "SDTMIG", "IG", "3.1.2", ""),)
    assert [one.class_ for one in read.tables] == ["FINDINGS", "TRIAL DESIGN"]
    assert read.item_of["IT.VS.VSORRES.HR"].origins[0].type == "Collected"


REFUSED = {
    "no XML": (b"STUDYID,DOMAIN\n", "is not XML"),
    "cut off": (define_bytes(WHOLE)[:2000], "is not XML"),
    "a document type": (b'<!DOCTYPE ODM [<!ENTITY a "b">]><ODM/>', "document type"),
    "an outside file": (b'<!DOCTYPE ODM SYSTEM "file:///etc/passwd"><ODM/>', "document type"),
    "another XML": (b"<a/>", "not a Define-XML"),
    "an odd number": (define_bytes(WHOLE).replace(b'OrderNumber="2"', b'OrderNumber="two"'), "number"),
    "another version": (define_bytes(WHOLE).replace(b"ns/def/v2.1", b"ns/def/v1.0"), "no def:DefineVersion"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_hostile_and_broken_files_are_refused(case):
    content, message = REFUSED[case]
    with pytest.raises(UnreadableDefineError, match=message):
        parse_define(content)
