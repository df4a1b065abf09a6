"""The Define of derived datasets says what they are: made from the mapping, valid, read back equal."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
from lxml import etree

from exports.define.build import define_of
from exports.define.write import define_bytes
from exports.sdtm.dataset import SdtmDataset
from exports.sdtm.spec import load_spec
from tests.unit.exports.define.test_define import schema
from validators.library import Library, Terminology
from validators.library.define_read import parse_define
from validators.library.terminology import Codelist, Term

CREATED = datetime(2026, 1, 2, tzinfo=UTC)
UNITS = Codelist("C66770", "Units for Vital Signs Results", "VSRESU", True, (Term("C49670", "mmHg", "mmHg"),))


def made():
    spec = load_spec("cdiscpilot")
    vs = spec.domain("VS")
    rows = {
        "DOMAIN": ["VS", "VS", "VS"],
        "VSTESTCD": ["PULSE", "PULSE", "SYSBP"],
        "VSORRES": ["60", "101", "120.25"],
        "VSSTRESN": [60.0, 101.0, 120.25],
        "VSORRESU": ["BEATS", "BEATS", "mmHg"],
        "VSDTC": ["2014-01-01", "2014-01-02", "2014-01"],
    }
    empty = {v.name: pl.Series([None] * 3, dtype=pl.Float64 if v.type == "num" else pl.String) for v in vs.variables}
    frame = pl.DataFrame(empty).with_columns(**{name: pl.Series(values) for name, values in rows.items()})
    library = Library.bundled("3.4", terminology=Terminology("SDTM", "2022-09-30", (UNITS,)))
    return define_of(spec, {"VS": SdtmDataset(vs, frame)}, created=CREATED, library=library)


def test_it_is_valid_and_read_back_equal():
    define = made()
    valid = schema()
    assert valid.validate(etree.fromstring(define_bytes(define))), valid.error_log
    assert parse_define(define_bytes(define)) == define


def test_types_lengths_keys_and_codelists_follow_from_values_and_mapping():
    define = made()
    assert define.item_of["IT.VS.VSDTC"].data_type == "incompleteDate"
    value = define.item_of["IT.VS.VSSTRESN.SYSBP"]
    assert (value.data_type, value.length, value.significant_digits) == ("float", 5, 2)
    assert define.item_of["IT.VS.VSORRES.PULSE"].length == 3
    assert define.item_of["IT.VS.VSSTRESN.PULSE"].data_type == "integer"
    assert [(t.value, t.code, t.is_extended) for t in define.codelist_of["CL.VS.VSORRESU"].terms] == [
        ("BEATS", "", True),
        ("mmHg", "C49670", False),
    ]
    table = define.table("VS")
    keyed = {ref.item.rpartition(".")[2]: ref.key for ref in table.refs if ref.key}
    assert tuple(sorted(keyed, key=keyed.get)) == load_spec("cdiscpilot").domain("VS").keys
    assert table.class_ == "FINDINGS"
    assert {one.oid for one in define.methods} == {ref.method for ref in table.refs if ref.method}


def test_odmlib_reads_and_writes_it_and_nothing_is_lost(tmp_path):
    """By a process of its own: odmlib wants a package whose name is one of our folders'."""
    define = made()
    (tmp_path / "define.xml").write_bytes(define_bytes(define))
    (tmp_path / "through.py").write_text(
        "from odmlib.define_loader import XMLDefineLoader\n"
        "from odmlib.loader import ODMLoader\n"
        'loader = ODMLoader(XMLDefineLoader(model_package="define_2_1", ns_uri="http://www.cdisc.org/ns/def/v2.1"))\n'
        'loader.open_odm_document("define.xml")\n'
        'loader.root().write_xml("back.xml")\n'
    )
    oracles = Path(__file__).parents[3] / "support" / "oracles"
    subprocess.run(
        [sys.executable, "through.py"], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(oracles)}, check=True
    )
    assert parse_define((tmp_path / "back.xml").read_bytes(), "back.xml") == define
