"""Whatever lies in a folder is read or told: a bad file never ends the reading of the others."""

from datetime import UTC, date, datetime, time

import pandas as pd
import polars as pl
import pyreadstat
import pytest

from exports.packages.columns import Column
from exports.packages.datasetjson import Header, field_of, write_dataset_json
from exports.packages.read import read_datasets, write_csv
from exports.packages.xpt import write_xpt
from validators.datasets.shape import Dataset, Variable

FRAME = pl.DataFrame({"USUBJID": ["01", "02", None], "AGE": [63.0, None, 1.5]})
NAMES = {"USUBJID": "Unique Subject Identifier", "AGE": "Age"}
HEADER = Header("DM", "Demographics", "IG.DM", datetime(2026, 1, 1, tzinfo=UTC))


def xpt(path, frame=FRAME):
    columns = [Column(n, NAMES.get(n, n), "char" if t == pl.String else "num") for n, t in frame.schema.items()]
    write_xpt(frame, path, dataset=path.stem.upper(), label="Demographics", columns=columns)


def dataset_json(path, form):
    fields = [field_of(n, t, dataset="DM", label=NAMES[n]) for n, t in FRAME.schema.items()]
    write_dataset_json(FRAME, path, header=HEADER, fields=fields, form=form)


def csv(path):
    variables = (Variable("USUBJID", NAMES["USUBJID"]), Variable("AGE", NAMES["AGE"], "Num"))
    write_csv(Dataset("DM", "Demographics", variables, FRAME), path.parent)


WRITERS = {
    "dm.xpt": xpt,
    "dm.json": lambda path: dataset_json(path, "json"),
    "dm.ndjson": lambda path: dataset_json(path, "ndjson"),
    "dm.csv": csv,
}


@pytest.mark.parametrize("name", WRITERS)
def test_what_we_write_is_read_with_labels_and_types(tmp_path, name):
    WRITERS[name](tmp_path / name)
    reading = read_datasets(tmp_path)
    assert not reading.unreadable
    (one,) = reading.datasets
    assert (one.name, one.label, one.file, one.notes) == ("DM", "Demographics", name, ())
    assert [(v.name, v.label, v.type) for v in one.variables] == [
        ("USUBJID", "Unique Subject Identifier", "Char"),
        ("AGE", "Age", "Num"),
    ]
    assert one.frame.with_columns(pl.col("USUBJID").replace("", None)).equals(FRAME)


def test_bad_files_are_told_and_the_others_are_read(tmp_path):
    xpt(tmp_path / "dm.xpt")
    (tmp_path / "ae.xpt").write_bytes(b"not transport")
    (tmp_path / "lb.json").write_text("{")
    (tmp_path / "vs.json").write_text("[1]")
    (tmp_path / "ex.json").write_text('{"columns": [{"name": "A", "dataType": "string"}], "rows": [["a"], []]}')
    (tmp_path / "cm.parquet").write_bytes(b"PAR1")
    (tmp_path / "qs.csv").write_text("A\n1\n")
    (tmp_path / "mh.xpt").write_bytes((tmp_path / "dm.xpt").read_bytes()[:300])
    (tmp_path / "sv.ndjson").write_bytes(b"")
    reading = read_datasets(tmp_path)
    assert [one.name for one in reading.datasets] == ["DM"]
    told = {one.file: one.reason for one in reading.unreadable}
    assert set(told) == {"ae.xpt", "lb.json", "vs.json", "ex.json", "cm.parquet", "qs.csv", "mh.xpt", "sv.ndjson"}
    assert "row 2 has 0 values" in told["ex.json"]
    assert "qs.csv.json" in told["qs.csv"]


def test_windows_bytes_and_long_values_are_notes(tmp_path):
    frame = pl.DataFrame({"TSVAL": ["a~b", "x" * 201]})
    pyreadstat.write_xport(frame, str(tmp_path / "ts.xpt"), table_name="TS", file_format_version=5)
    raw = (tmp_path / "ts.xpt").read_bytes()
    (tmp_path / "ts.xpt").write_bytes(raw.replace(b"a~b", b"a\x92b"))
    (one,) = read_datasets(tmp_path).datasets
    assert one.frame["TSVAL"][0] == "a’b"
    assert [(note.kind, note.variable, note.record) for note in one.notes] == [
        ("not_ascii", "TSVAL", 1),
        ("too_long", "TSVAL", 2),
    ]


def test_a_cut_file_and_a_number_that_is_none_are_notes(tmp_path):
    xpt(tmp_path / "dm.xpt", pl.DataFrame({"A": ["x" * 60] * 40}))
    (tmp_path / "dm.xpt").write_bytes((tmp_path / "dm.xpt").read_bytes()[:-30])
    text = '{"name": "LB", "records": 3, "columns": [{"name": "N", "dataType": "double"}], "rows": [["1.5"], ["<2"]]}'
    (tmp_path / "lb.json").write_text(text)
    found = {one.name: one for one in read_datasets(tmp_path).datasets}
    assert [note.kind for note in found["DM"].notes] == ["truncated"]
    assert [(note.kind, note.record) for note in found["LB"].notes] == [
        ("truncated", None),
        ("number_as_text", None),
        ("not_a_number", 2),
    ]
    assert found["LB"].frame["N"].to_list() == [1.5, None]


def test_datasets_without_rows_keep_their_variables(tmp_path):
    xpt(tmp_path / "dm.xpt", FRAME.head(0))
    (one,) = read_datasets(tmp_path).datasets
    assert one.frame.schema == FRAME.schema
    assert not one.frame.height


def test_files_of_other_programs_keep_what_they_say(tmp_path):
    frame = pd.DataFrame(
        {
            "EXTRT": pd.Categorical(["A", None]),
            "EXSTDTC": pd.to_datetime(["2024-01-01T08:30", None]),
            "EXUTC": pd.to_datetime(["2024-01-01T08:30+02:00", None], utc=True),
            "EXDUR": pd.to_timedelta([90, 5], unit="min"),
            "EXLIST": [["a", "b"], ["c"]],
        },
        index=pd.Index([5, 9]),
    )
    frame.to_parquet(tmp_path / "ex.parquet")
    (one,) = read_datasets(tmp_path).datasets
    assert one.frame.rows() == [
        ("A", "2024-01-01T08:30:00", "2024-01-01T06:30:00Z", "PT1H30M", '["a","b"]'),
        (None, None, None, "PT5M", '["c"]'),
    ]
    assert [(note.kind, note.variable) for note in one.notes] == [("odd_type", "EXLIST")]


def test_dates_of_a_transport_file_are_the_numbers_that_it_holds_and_a_nameless_one_is_called_like_its_file(tmp_path):
    frame = pd.DataFrame(
        {"ADT": [date(1960, 1, 2)], "ADTM": pd.to_datetime(["1970-01-01T00:00:01"]), "ATM": [time(0, 1)]}
    )
    for name, version in (("adsl", 5), ("adae", 8)):
        pyreadstat.write_xport(frame, str(tmp_path / f"{name}.xpt"), file_format_version=version)
    found = {one.name: one.frame.rows() for one in read_datasets(tmp_path).datasets}
    seconds_to_1970 = 3653 * 86_400
    kept = [(1.0, seconds_to_1970 + 1.0, 60.0)]
    assert found == {"ADAE": kept, "ADSL": kept}


def test_decimals_as_texts_and_a_byte_order_mark_are_as_dataset_json_allows(tmp_path):
    head = '{"name": "LB", "records": 2, "columns": [{"name": "LBSTRESN", "dataType": "decimal", "targetDataType": "decimal"}]}'
    (tmp_path / "lb.ndjson").write_bytes(b"\xef\xbb\xbf" + head.encode() + b'\r\n["12.50"]\r\n[null]\r\n')
    (one,) = read_datasets(tmp_path).datasets
    assert one.frame["LBSTRESN"].to_list() == [12.5, None]
    assert not one.notes
