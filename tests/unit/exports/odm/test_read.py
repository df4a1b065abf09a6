"""Reading ODM: the data as they stand, every departure told, nothing dangerous opened."""

import io
import resource
import tracemalloc

import polars as pl
import pytest
from typer.testing import CliRunner

from datamodel.kernel.errors import BadInputError
from datamodel.study.protocol import Choice, Event, Field, Form, Protocol
from exports.odm.design_in import design_of, is_redcap
from exports.odm.design_out import About, DesignWriter
from exports.odm.load import load
from exports.odm.read import COLUMNS, DEEPEST, OdmFile
from exports.odm.xml import XmlWriter
from metricis.cli import app
from simulators.cdiscpilot.odm import project_xml

HEAD = (
    '<ODM xmlns="http://www.cdisc.org/ns/odm/v1.3" ODMVersion="1.3.2" FileType="Transactional" FileOID="F.1" '
    'CreationDateTime="2026-01-05T08:00:00">'
)
STUDY = """<Study OID="S"><GlobalVariables><StudyName>n</StudyName><StudyDescription>d</StudyDescription>
<ProtocolName>p</ProtocolName></GlobalVariables><MetaDataVersion OID="M" Name="m">
<Protocol><StudyEventRef StudyEventOID="E" Mandatory="Yes"/></Protocol>
<StudyEventDef OID="E" Name="Visit" Repeating="Yes" Type="Scheduled"><FormRef FormOID="F" Mandatory="Yes"/></StudyEventDef>
<FormDef OID="F" Name="Vital signs" Repeating="No"><ItemGroupRef ItemGroupOID="G" Mandatory="Yes"/></FormDef>
<ItemGroupDef OID="G" Name="Vital signs" Repeating="No"><ItemRef ItemOID="sbp" Mandatory="Yes"/><ItemRef ItemOID="sex"
 Mandatory="No"/></ItemGroupDef>
<ItemDef OID="sbp" Name="SBP" DataType="integer"><Question><TranslatedText>Systolic &amp; sitting</TranslatedText></Question>
<RangeCheck Comparator="GE" SoftHard="Soft"><CheckValue>40</CheckValue></RangeCheck></ItemDef>
<ItemDef OID="sex" Name="SEX" DataType="text"><CodeListRef CodeListOID="CL"/></ItemDef>
<CodeList OID="CL" Name="Sex" DataType="text"><CodeListItem CodedValue="F"><Decode><TranslatedText>Woman</TranslatedText>
</Decode></CodeListItem></CodeList>
<MethodDef OID="ME" Name="me" Type="Computation"><Description><TranslatedText>x</TranslatedText></Description></MethodDef>
</MetaDataVersion></Study>"""
AUDIT = (
    '<AuditRecord><UserRef UserOID="{0}"/><LocationRef LocationOID="L"/><DateTimeStamp>2026-01-05T08:00:0{1}</DateTimeStamp>'
    "<ReasonForChange>{2}</ReasonForChange></AuditRecord>"
)


def clinical(inner, *, subject="1"):
    return (
        f'<ClinicalData StudyOID="S" MetaDataVersionOID="M"><SubjectData SubjectKey="{subject}"><StudyEventData '
        f'StudyEventOID="E" StudyEventRepeatKey="2"><FormData FormOID="F">{inner}</FormData></StudyEventData></SubjectData>'
        "</ClinicalData></ODM>"
    )


def group(inner):
    return f'<ItemGroupData ItemGroupOID="G">{inner}</ItemGroupData>'


@pytest.fixture
def read(tmp_path):
    def read(text, **more):
        path = tmp_path / "study.xml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        file = OdmFile(path)
        return file, pl.concat([one.items for one in file.batches(**more)])

    return read


def told(file, kind):
    return [(one.place, one.count) for one in file.departures if one.kind == kind]


def test_values_have_their_keys_and_the_nearest_audit_record(read):
    inner = AUDIT.format("U1", 1, "First") + group(
        '<ItemData ItemOID="sbp" Value="120"/>'
        f'<ItemData ItemOID="sbp" Value="121" TransactionType="Update">{AUDIT.format("U2", 2, "Typo &lt;1&gt;")}</ItemData>'
        "<ItemDataString ItemOID=\"sex\">F</ItemDataString><ItemData ItemOID='sbp' IsNull='Yes'/>"
    )
    file, items = read(HEAD + STUDY + clinical(inner))
    assert tuple(items.columns) == COLUMNS
    assert items.select("subject", "event", "event_repeat", "form", "form_repeat", "group").unique().rows() == [
        ("1", "E", "2", "F", None, "G")
    ]
    assert items.select("item", "value", "transaction", "audit_user", "audit_reason").rows() == [
        ("sbp", "120", None, "U1", "First"),
        ("sbp", "121", "Update", "U2", "Typo <1>"),
        ("sex", "F", None, "U1", "First"),
        ("sbp", None, None, "U1", "First"),
    ]
    assert file.subjects == 1


def test_types_codes_and_identifiers_are_held_to_the_definitions_and_no_value_is_named(read):
    items = "".join(
        f'<ItemData ItemOID="{oid}" Value="{value}"/>'
        for oid, value in [
            ("sbp", "Wilhelmina"),
            ("sbp", "120"),
            ("sex", "M"),
            ("sex", "F"),
            ("nobody", "1"),
            ("nobody", "2"),
        ]
    )
    file, _ = read(HEAD + STUDY + clinical(group(items)))
    assert told(file, "type") == [("sbp", 1)]
    assert told(file, "code") == [("sex", 1)]
    assert told(file, "unknown OID") == [("nobody", 2)]
    assert not any("Wilhelmina" in str(one) for one in file.departures)


def test_the_design_is_made_and_what_has_no_place_in_it_is_told(read):
    file, _ = read(HEAD + STUDY + "</ODM>")
    design = design_of(file)
    (form,), (event,) = design.forms, design.events
    assert (event.label, event.is_repeating, event.forms) == ("Visit", True, ("F",))
    assert [(one.name, one.kind, one.label, one.minimum) for one in form.fields] == [
        ("SBP", "integer", "Systolic & sitting", "40"),
        ("SEX", "choice", "SEX", ""),
    ]
    assert [(one.code, one.label) for one in form.fields[1].choices] == [("F", "Woman")]
    assert form.fields[0].is_required
    assert told(file, "not brought in") == [("MethodDef", 1)]
    assert told(file, "missing") == [("Protocol", 1)]


def test_the_one_event_of_a_study_without_a_schedule_comes_back(read):
    form = Form("log", "Log", (Field("record_id", "Participant", "text"), Field("said", "What was said", "notes")))
    design = Protocol(
        "record_id", (Choice("1", "Arm 1"),), (Event("", "", "1", 1, None, 0, 0, ("log",), ("log",)),), (form,)
    )
    out = io.StringIO()
    DesignWriter(XmlWriter(out), About("plain", "P-1", "A plain study", 1, design), "1.3.2").write()
    file, _ = read(HEAD + out.getvalue().partition("?>")[2] + "</ODM>")
    assert design_of(file) == design
    assert not file.departures


def test_data_of_a_study_or_a_design_that_the_file_does_not_define_are_told(read):
    file, _ = read(HEAD + STUDY + clinical("").replace('StudyOID="S"', 'StudyOID="T"'))
    assert told(file, "unknown OID") == [("T", 1)]
    file, _ = read(HEAD + STUDY + clinical("").replace('MetaDataVersionOID="M"', 'MetaDataVersionOID="N"'))
    assert told(file, "unknown OID") == [("N", 1)]


def test_batches_give_the_same_as_the_whole(read):
    many = "".join(group(f'<ItemData ItemOID="sbp" Value="{n}"/>') for n in range(20_000))
    file, items = read(HEAD + STUDY + clinical(many), rows=1_000)
    assert items["value"].to_list() == [str(n) for n in range(20_000)]
    assert file.items == 20_000


def test_redcaps_dialect_is_read_and_told(read):
    data = (
        '<ClinicalData StudyOID="S" MetaDataVersionOID="M"><SubjectData SubjectKey="01-701" redcap:RecordIdField="x">'
        '<FormData FormOID="Form.x" FormRepeatKey="1"><ItemGroupData ItemGroupOID="g" ItemGroupRepeatKey="1">'
        '<ItemDataBase64Binary ItemOID="scan" redcap:DocName="a.png">aGVsbG8=</ItemDataBase64Binary>'
        "</ItemGroupData></FormData></SubjectData></ClinicalData></ODM>"
    )
    file, items = read(project_xml().replace(b"</ODM>", data.encode()))
    design = design_of(file)
    assert is_redcap(file)
    assert design.record_field
    assert len(design.events) > 5
    assert any(one.repeating_forms or one.is_repeating for one in design.events)
    boxes = [one for form in design.forms for one in form.fields if one.kind == "checkbox"]
    assert boxes
    assert all(len(one.choices) > 1 or one.choices[0].label != "Checked" for one in boxes)
    assert items.select("subject", "event", "value").rows() == [("01-701", None, "aGVsbG8=")]
    places = {place for place, _ in told(file, "REDCap")}
    assert {"redcap:Variable", "redcap:FieldType", "redcap:RepeatingInstrumentsAndEvents", "SubjectData"} <= places
    assert ("FormData", 1) in told(file, "missing")
    assert told(file, "version") == [("ODM", 1)]


BOMB = '<!DOCTYPE ODM [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB + HEAD + "&b;</ODM>", "document type"),
        ('<!DOCTYPE ODM SYSTEM "file:///etc/passwd">' + HEAD + "</ODM>", "document type"),
        ('<!DOCTYPE ODM [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x"> %x;]>' + HEAD + "</ODM>", "document type"),
        (HEAD + STUDY + "<ClinicalData>", "not well-formed"),
        ("", "not well-formed"),
        ("<html/>", "What is read"),
        ('<ODM xmlns="http://www.cdisc.org/ns/odm/v2.0"/>', "written and not read"),
        (HEAD + "<a>" * 1_000_000, "deep"),
        (HEAD + "<Study OID='S'>" + "<a>" * 1_000_000, "deep"),
        (HEAD + "&unknown;</ODM>", "not well-formed"),
    ],
)
def test_what_is_dangerous_or_broken_is_refused(read, text, said):
    with pytest.raises(BadInputError, match=said):
        read(text)


def test_what_nests_as_deep_as_allowed_is_read_and_a_longer_value_than_allowed_is_not(read, monkeypatch):
    read(HEAD + "<x>" * (DEEPEST - 1) + "</x>" * (DEEPEST - 1) + "</ODM>")
    monkeypatch.setattr("exports.odm.read.LONGEST", 1_000_000)
    with pytest.raises(BadInputError, match="longer"):
        read(HEAD + STUDY + clinical(group(f'<ItemData ItemOID="sex" Value="{"x" * 2_000_000}"/>')))


def test_memory_does_not_grow_with_the_file(tmp_path):
    peaks = []
    for times in (1, 8):
        path = tmp_path / f"{times}.xml"
        with path.open("w") as file:
            file.write(HEAD + STUDY + '<ClinicalData StudyOID="S" MetaDataVersionOID="M">')
            items = "".join(f'<ItemData ItemOID="sbp" Value="{n}"/>' for n in range(20))
            for n in range(1_000 * times):
                file.write(
                    f'<SubjectData SubjectKey="{n}"><StudyEventData StudyEventOID="E"><FormData FormOID="F"><ItemGroupData '
                    f'ItemGroupOID="G">{items}</ItemGroupData></FormData></StudyEventData></SubjectData>'
                )
            file.write("</ClinicalData></ODM>")
        tracemalloc.start()
        assert sum(one.items.height for one in OdmFile(path).batches(rows=2_000)) == 20_000 * times
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def test_a_folder_of_parquet_and_json_is_whole_or_absent(tmp_path):
    good, bad = tmp_path / "good.xml", tmp_path / "bad.xml"
    text = HEAD + STUDY + clinical(group('<ItemData ItemOID="sbp" Value="120"/>'))
    good.write_text(text)
    bad.write_text(text.removesuffix("</ODM>"))
    found = CliRunner().invoke(app, ["odm", "read", str(good), "--out", str(tmp_path / "out")])
    assert found.exit_code == 0, found.output
    assert "1 items" in found.output
    assert pl.read_parquet(tmp_path / "out" / "items.parquet")["value"].to_list() == ["120"]
    assert (tmp_path / "out" / "design.json").stat().st_size > 100
    with pytest.raises(BadInputError, match="not well-formed"):
        load(bad, out=tmp_path / "none")
    with pytest.raises(BadInputError, match="exists"):
        load(good, out=tmp_path / "out")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["bad.xml", "good.xml", "out"]
