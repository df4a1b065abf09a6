"""Files as others write them: every kind is read, what is odd is told with its record, what is broken ends nothing."""

import json

import polars as pl
import pyreadstat
import pytest

from exports.packages.columns import Column
from exports.packages.xpt import write_xpt
from exports.reports.reading import read_all

FRAME = pl.DataFrame({"USUBJID": ["1", "2", "3"], "AETERM": ["Head ache", "", "Fall"], "AESEQ": [1.0, None, 3.0]})
COLUMNS = [
    Column("USUBJID", "Subject"), Column("AETERM", "Term", length=40), Column("AESEQ", "Number", "num")
]  # fmt: skip


def one(place):
    datasets, unread = read_all(place)
    assert unread == []
    [dataset] = datasets
    return dataset


def test_a_transport_file_keeps_labels_types_and_widths(tmp_path):
    write_xpt(FRAME, tmp_path / "ae.xpt", dataset="AE", label="Adverse Events", columns=COLUMNS)
    made = one(tmp_path)
    assert (made.name, made.label, made.file) == ("AE", "Adverse Events", "ae.xpt")
    assert [(v.name, v.label, v.type, v.length) for v in made.variables] == [
        ("USUBJID", "Subject", "Char", 1), ("AETERM", "Term", "Char", 40), ("AESEQ", "Number", "Num", 8)
    ]  # fmt: skip
    assert made.frame.equals(FRAME)
    assert made.notes == ()


def test_a_byte_of_windows_is_told_with_its_record_and_read(tmp_path):
    odd = FRAME.with_columns(AETERM=pl.Series(["plain", "the patient’s fall", "x"]))
    write_xpt(odd, tmp_path / "ae.xpt", dataset="AE", label="", columns=COLUMNS, encoding="cp1252")
    made = one(tmp_path)
    assert made.frame["AETERM"].to_list() == ["plain", "the patient’s fall", "x"]
    [note] = made.notes
    assert (note.kind, note.variable, note.record) == ("not_ascii", "AETERM", 2)
    assert "cp1252" in note.detail


def test_a_value_of_more_than_200_bytes_is_told(tmp_path):
    pyreadstat.write_xport(
        pl.DataFrame({"AETERM": ["a" * 201, "b" * 200]}),
        str(tmp_path / "ae.xpt"),
        table_name="AE",
        file_format_version=5,
    )
    made = one(tmp_path)
    assert [(note.kind, note.variable, note.record) for note in made.notes] == [("too_long", "AETERM", 1)]


def test_dataset_json_and_its_lines_are_read(tmp_path):
    columns = [
        {"name": "USUBJID", "label": "Subject", "dataType": "string"},
        {"name": "AESEQ", "label": "Number", "dataType": "integer"},
    ]
    head = {"datasetJSONVersion": "1.1.0", "name": "AE", "label": "Adverse Events", "columns": columns}
    rows = [["1", 1], ["2", None]]
    (tmp_path / "ae.json").write_text(json.dumps(head | {"rows": rows}))
    whole = one(tmp_path / "ae.json")
    (tmp_path / "ae.ndjson").write_text("\n".join(json.dumps(line) for line in [head, *rows]))
    lines = one(tmp_path / "ae.ndjson")
    assert whole.frame.equals(lines.frame)
    assert whole.frame.equals(pl.DataFrame({"USUBJID": ["1", "2"], "AESEQ": [1.0, None]}))
    assert (whole.variables, whole.label) == (lines.variables, "Adverse Events")


@pytest.mark.parametrize("rows", [0, 1])
def test_a_dataset_without_rows_is_a_dataset(tmp_path, rows):
    write_xpt(FRAME.head(rows), tmp_path / "ae.xpt", dataset="AE", label="", columns=COLUMNS)
    assert one(tmp_path).frame.height == rows


def test_the_same_dataset_in_two_formats_is_checked_once(tmp_path):
    write_xpt(FRAME, tmp_path / "ae.xpt", dataset="AE", label="", columns=COLUMNS)
    FRAME.write_parquet(tmp_path / "ae.parquet")
    datasets, unread = read_all(tmp_path)
    assert [dataset.file for dataset in datasets] == ["ae.xpt"]
    assert [(each.file, each.reason, each.is_fault) for each in unread] == [
        ("ae.parquet", "ae.xpt holds a dataset of the same name, which was checked instead.", False)
    ]
