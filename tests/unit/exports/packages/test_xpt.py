"""Written files are read back equal by programs that are not ours, and what cannot be held is refused."""

import math
import string
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyreadstat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exports.packages import ibm
from exports.packages.columns import Column, XptError
from exports.packages.xpt import CARD, read_xpt, write_xpt

INSTANT = datetime(2014, 1, 2, 13, 45, 30)  # noqa: DTZ001 # SAS instants have no zone
PANDAS_ZERO = 16.0**-65
PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F))


def columns_of(frame: pl.DataFrame) -> list[Column]:
    return [Column(name, f"Label of {name}", "char" if t == pl.String else "num") for name, t in frame.schema.items()]


def write(frame: pl.DataFrame, path: Path, columns: list[Column] | None = None, **options) -> Path:
    write_xpt(frame, path, dataset="TEST", label="A test dataset", columns=columns or columns_of(frame), **options)
    return path


def as_sas_keeps(frame: pl.DataFrame) -> pl.DataFrame:
    """Blanks at the end of a text, and empty texts, are what the format forgets."""
    text = pl.col(pl.String).str.strip_chars_end(" ")
    return frame.with_columns(text).with_columns(
        pl.when(pl.col(pl.String) == "").then(None).otherwise(pl.col(pl.String)).name.keep()
    )


def by_pyreadstat(path: Path) -> pl.DataFrame:
    frame, _ = pyreadstat.read_xport(str(path), output_format="polars", disable_datetime_conversion=True)
    return as_sas_keeps(frame)


def by_pandas(path: Path) -> pl.DataFrame:
    frame = pd.read_sas(path, format="xport", encoding="ascii")
    read = pl.DataFrame({name: frame[name].to_list() for name in frame}).with_columns(pl.col(pl.Float64).fill_nan(None))
    # pandas reads the IBM zero as 16^-65 and says so in its notes.
    zero = pl.when(pl.col(pl.Float64) == PANDAS_ZERO).then(0.0).otherwise(pl.col(pl.Float64)).name.keep()
    return as_sas_keeps(read.with_columns(zero))


READERS = {"polars-readstat": read_xpt, "pyreadstat": by_pyreadstat, "pandas": by_pandas}

FRAME = pl.DataFrame(
    {
        "USUBJID": ["01-701-1015", "01-701-1023", None],
        "AGE": [63, 64, None],
        "WEIGHT": [54.43, -0.1, None],
        "COMMENT": [None, " leading, and 'quotes'", "x" * 200],
        "TINY": [5.5e-79, 7.2e75, 0.0],
    }
)


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_sees_the_same_values(tmp_path, reader):
    back = READERS[reader](write(FRAME, tmp_path / "t.xpt"))
    assert back.columns == FRAME.columns
    assert back.rows() == FRAME.with_columns(pl.col("AGE").cast(pl.Float64)).rows()


def test_names_labels_widths_and_formats_are_in_the_file(tmp_path):
    frame = pl.DataFrame({"A": ["x"], "B": [1.5], "C": [date(2014, 1, 2)], "D": [INSTANT]})
    columns = [Column("A", "Ay", length=20, format="$20."), Column("B", "Bee", "num", format="8.2")]
    columns += [Column("C", "Cee", "num"), Column("D", "Dee", "num")]
    back, meta = pyreadstat.read_xport(str(write(frame, tmp_path / "t.xpt", columns)))
    assert (meta.table_name, meta.file_label) == ("TEST", "A test dataset")
    assert meta.column_names_to_labels == {"A": "Ay", "B": "Bee", "C": "Cee", "D": "Dee"}
    assert meta.variable_storage_width == {"A": 20, "B": 8, "C": 8, "D": 8}
    assert meta.original_variable_types == {"A": "$20", "B": "8.2", "C": "DATE9", "D": "DATETIME20"}
    assert back["C"][0] == date(2014, 1, 2)
    assert back["D"][0] == INSTANT


@pytest.mark.parametrize("reader", ["polars-readstat", "pyreadstat"])
def test_a_dataset_without_rows_keeps_its_variables(tmp_path, reader):
    empty = FRAME.clear()
    path = write(empty, tmp_path / "t.xpt")
    back = READERS[reader](path)
    assert (back.height, back.columns) == (0, FRAME.columns)
    assert path.stat().st_size % CARD == 0


@pytest.mark.parametrize("width", [8, 16, 24, 39, 40, 79, 80, 81])
@pytest.mark.parametrize("rows", [1, 2, 5, 9, 10])
@pytest.mark.parametrize("reader", ["polars-readstat", "pyreadstat"])
def test_padding_is_never_taken_for_rows(tmp_path, width, rows, reader):
    frame = pl.DataFrame({"A": [f"r{number}" for number in range(rows)]})
    path = write(frame, tmp_path / "t.xpt", [Column("A", "A", length=width)])
    assert path.stat().st_size % CARD == 0
    assert READERS[reader](path)["A"].to_list() == frame["A"].to_list()


def test_a_blank_record_in_the_middle_is_kept(tmp_path):
    frame = pl.DataFrame({"A": ["x", None, "y"]})
    assert read_xpt(write(frame, tmp_path / "t.xpt"))["A"].to_list() == ["x", None, "y"]


@pytest.mark.parametrize("width", [8, 80, 100])
def test_a_blank_last_record_is_refused_because_readers_lose_it(tmp_path, width):
    with pytest.raises(XptError, match=r"last record of only missing texts.*row 2"):
        write(pl.DataFrame({"A": ["x", None]}), tmp_path / "t.xpt", [Column("A", "A", length=width)])
    assert list(tmp_path.iterdir()) == []


def test_the_same_data_give_the_same_bytes(tmp_path):
    first, second = write(FRAME, tmp_path / "a.xpt"), write(FRAME.clone(), tmp_path / "b.xpt")
    assert first.read_bytes() == second.read_bytes()


def test_rows_are_the_same_across_chunks(tmp_path, monkeypatch):
    whole = write(FRAME, tmp_path / "a.xpt").read_bytes()
    monkeypatch.setattr("exports.packages.xpt.CHUNK_BYTES", 300)
    in_pieces = pl.concat([FRAME.head(1), FRAME.tail(2)], rechunk=False)
    assert write(in_pieces, tmp_path / "b.xpt").read_bytes() == whole


REFUSED = {
    "name too long": (pl.DataFrame({"TOOLONGNAME": ["x"]}), None, "is not a SAS variable name; allowed are 1 to 8"),
    "lower case": (pl.DataFrame({"age": ["x"]}), None, "is not a SAS variable name"),
    "leading digit": (pl.DataFrame({"1A": ["x"]}), None, "is not a SAS variable name"),
    "label too long": (pl.DataFrame({"A": ["x"]}), [Column("A", "l" * 41)], "label has 41 bytes; at most 40"),
    "label not ASCII": (pl.DataFrame({"A": ["x"]}), [Column("A", "Größe")], "label holds characters outside"),
    "value too long": (pl.DataFrame({"A": ["x", "y" * 201]}), None, r"up to 201 bytes; at most 200 .* \(row 2\)"),
    "wider than declared": (pl.DataFrame({"A": ["xyz"]}), [Column("A", "A", length=2)], "at most 2 are allowed"),
    "length of 201": (pl.DataFrame({"A": ["x"]}), [Column("A", "A", length=201)], "allowed are 1 to 200 bytes"),
    "number in 4 bytes": (pl.DataFrame({"A": [1]}), [Column("A", "A", "num", 4)], "a number takes 8 bytes"),
    "not ASCII": (pl.DataFrame({"A": ["x", "é", "ü"]}), None, r"outside printable ASCII \(rows 2, 3\)"),
    "line break": (pl.DataFrame({"A": ["x\ny"]}), None, "holds control characters"),
    "NaN": (pl.DataFrame({"A": [1.0, math.nan]}), None, r"NaN or infinity; .* must be null \(row 2\)"),
    "infinity": (pl.DataFrame({"A": [math.inf]}), None, "NaN or infinity"),
    "too large": (pl.DataFrame({"A": [1.0, 1e76]}), None, r"outside the range of SAS transport.*\(row 2\)"),
    "too small": (pl.DataFrame({"A": [1e-80]}), None, "outside the range of SAS transport"),
    "whole number too large": (pl.DataFrame({"A": [2**53]}), None, "cannot hold exactly"),
    "text declared a number": (pl.DataFrame({"A": ["1"]}), [Column("A", "A", "num")], "declared num but the data are"),
    "number declared text": (pl.DataFrame({"A": [1]}), [Column("A", "A")], "declared char but the data are Int64"),
    "truth value": (pl.DataFrame({"A": [True]}), [Column("A", "A", "num")], "declared num but the data are Boolean"),
    "unknown format": (pl.DataFrame({"A": [1]}), [Column("A", "A", "num", format="8,2")], "is not a SAS format"),
    "text format on a number": (pl.DataFrame({"A": [1]}), [Column("A", "A", "num", format="$8.")], "does not suit"),
    "no metadata": (pl.DataFrame({"A": [1], "B": [2]}), [Column("A", "A", "num")], "B: is in the data but has no"),
    "no data": (pl.DataFrame({"A": [1]}), [Column("A", "", "num"), Column("B")], "B: has metadata but is not in"),
    "twice": (pl.DataFrame({"A": ["x"]}), [Column("A"), Column("A")], "A: is described twice"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_format_cannot_hold_is_refused_and_nothing_is_left(tmp_path, case):
    frame, columns, sentence = REFUSED[case]
    with pytest.raises(XptError, match=sentence):
        write(frame, tmp_path / "t.xpt", columns)
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_leaves_the_earlier_file_and_never_shows_the_value(tmp_path):
    path = write(FRAME, tmp_path / "t.xpt")
    before = path.read_bytes()
    with pytest.raises(XptError) as refused:
        write(pl.DataFrame({"A": ["Zoë Müller"]}), path)
    assert path.read_bytes() == before
    assert "Zo" not in str(refused.value)


def test_all_faults_are_told_at_once_with_few_rows_and_the_full_count(tmp_path):
    frame = pl.DataFrame({"A": ["é"] * 25, "B": [math.nan] * 25})
    with pytest.raises(XptError) as refused:
        write(frame, tmp_path / "t.xpt")
    faults = {fault.column: fault for fault in refused.value.faults}
    assert {name: fault.count for name, fault in faults.items()} == {"A": 25, "B": 25}
    assert faults["A"].rows == tuple(range(1, 11))
    assert "and 15 more" in str(refused.value)


@pytest.mark.parametrize(("encoding", "width"), [("cp1252", 6), ("utf-8", 8)])
def test_partners_may_agree_on_another_encoding(tmp_path, encoding, width):
    frame = pl.DataFrame({"A": ["it’s é", "plain"]})
    path = write(frame, tmp_path / "t.xpt", encoding=encoding)
    code = {"cp1252": "WINDOWS-1252", "utf-8": "UTF-8"}[encoding]
    back, meta = pyreadstat.read_xport(str(path), encoding=code)
    assert back["A"].to_list() == frame["A"].to_list()
    assert meta.variable_storage_width["A"] >= width


def test_an_encoding_that_lacks_the_character_refuses_it(tmp_path):
    with pytest.raises(XptError, match=r"characters that cp1252 does not have \(row 1\)"):
        write(pl.DataFrame({"A": ["日本"]}), tmp_path / "t.xpt", encoding="cp1252")


def test_what_is_not_a_transport_file_is_refused(tmp_path):
    path = tmp_path / "t.xpt"
    path.write_text("<html>not found</html>")
    with pytest.raises(ValueError, match="not a SAS transport file"):
        read_xpt(path)


# --- properties --------------------------------------------------------------------------------------------------------

in_range = st.floats(allow_nan=False, allow_infinity=False, width=64).filter(
    lambda x: x == 0 or ibm.SMALLEST <= abs(x) <= ibm.LARGEST
)
texts = st.text(alphabet=PRINTABLE, max_size=200)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.none() | in_range, st.none() | texts, st.integers(1, 9)), min_size=1, max_size=40))
def test_any_numbers_and_texts_come_back(tmp_path, rows):
    schema = {"N": pl.Float64, "T": pl.String, "K": pl.Int64}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    path = write(frame, tmp_path / "t.xpt")
    expected = as_sas_keeps(frame.with_columns(pl.col("K").cast(pl.Float64))).rows()
    assert read_xpt(path).rows() == expected
    assert by_pyreadstat(path).rows() == expected


@settings(max_examples=300, deadline=None)
@given(st.lists(in_range, min_size=1))
def test_the_conversion_is_exact(values):
    numbers = np.array(values)
    words = ibm.to_ibm(numbers, np.zeros(len(values), dtype=bool))
    for value, word in zip(values, words.tolist(), strict=True):
        sign, power, fraction = word >> 63, ((word >> 56) & 0x7F) - 64, word & (2**56 - 1)
        # Whole numbers only, so that the check itself does not round.
        numerator, denominator = abs(value).as_integer_ratio()
        assert numerator * 16 ** max(0, 14 - power) == fraction * 16 ** max(0, power - 14) * denominator
        assert value == 0 or (sign == (value < 0) and fraction >> 52)


@given(st.text(alphabet=string.ascii_letters + string.digits + "_-$. é", max_size=10))
def test_a_name_is_taken_only_as_sas_takes_it(name):
    legal = 1 <= len(name) <= 8 and not name[0].isdigit() and set(name) <= set(string.ascii_uppercase + "0123456789_")
    from exports.packages.columns import name_fault

    assert (name_fault(name, "variable") is None) == legal
