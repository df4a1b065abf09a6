"""Dataset-JSON that we write is valid against the facts of the published schema and read back equal."""

import json
import re
from datetime import UTC, date, datetime, time
from decimal import Decimal

import jsonschema
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exports.packages import datasetjson
from exports.packages.datasetjson import DatasetJsonError, Field, Header, field_of, write_dataset_json

CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HEADER = Header("LB", "Laboratory “Test” Results", "IG.LB", CREATED, study_oid="ST.1", system=("Metricis", "1.0"))
INSTANT = r"^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?([+-]\d\d:\d\d|Z)?$"
#: The facts of the schema that CDISC publishes for Dataset-JSON 1.1.
COLUMN = {
    "type": "object",
    "additionalProperties": False,
    "required": ["itemOID", "name", "label", "dataType"],
    "properties": {
        "itemOID": {"type": "string"},
        "name": {"type": "string"},
        "label": {"type": "string"},
        "dataType": {
            "enum": ["string", "integer", "decimal", "float", "double", "boolean", "datetime", "date", "time", "URI"]
        },
        "targetDataType": {"enum": ["integer", "decimal"]},
        "length": {"type": "integer", "minimum": 1},
        "displayFormat": {"type": "string"},
        "keySequence": {"type": "integer", "minimum": 1},
    },
}
TEXTS = ("fileOID", "originator", "studyOID", "metaDataVersionOID", "metaDataRef", "itemGroupOID", "name", "label")
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": [
        "datasetJSONCreationDateTime", "datasetJSONVersion", "itemGroupOID", "records", "name", "label", "columns",
    ],
    "properties": {
        **{name: {"type": "string"} for name in TEXTS},
        "datasetJSONCreationDateTime": {"type": "string", "pattern": INSTANT},
        "dbLastModifiedDateTime": {"type": "string", "pattern": INSTANT},
        "datasetJSONVersion": {"type": "string", "pattern": r"^1\.1(\.(0|[1-9]\d*))?$"},
        "sourceSystem": {
            "type": "object",
            "additionalProperties": False,
            "required": ["name", "version"],
            "properties": {"name": {"type": "string"}, "version": {"type": "string"}},
        },
        "records": {"type": "integer", "minimum": 0},
        "columns": {"type": "array", "items": COLUMN},
        "rows": {"type": "array", "items": {"type": "array"}},
    },
}  # fmt: skip

FRAME = pl.DataFrame(
    {
        "USUBJID": ["01-701", 'say "no"\\', None, "Zürich\nline\ttab\x01"],
        "AGE": [63, None, 0, -1],
        "DOSE": [0.1, 1e300, None, -5e-324],
        "DAY": [date(2020, 1, 31), None, date(1, 1, 1), date(9999, 12, 31)],
        "AT": [datetime(2020, 1, 31, 1, 2, 3), None, datetime(2020, 1, 1, 0, 0, 0, 500000), None],  # noqa: DTZ001
        "SEEN": pl.Series([CREATED, None, CREATED, None], dtype=pl.Datetime("us", "UTC")),
        "CLOCK": [time(1, 2, 3), None, None, time(23, 59, 59)],
        "COST": pl.Series([Decimal("1.50"), None, Decimal("0.00"), Decimal("-2.25")], dtype=pl.Decimal(10, 2)),
        "EMPTY": pl.Series([None] * 4, dtype=pl.String),
    }
)


def fields(frame):
    return [field_of(name, dtype, dataset="LB") for name, dtype in frame.schema.items()]


def written(frame, folder, *, form="json", described=None):
    path = folder / f"lb.{form}"
    write_dataset_json(frame, path, header=HEADER, fields=described or fields(frame), form=form)
    text = path.read_text(encoding="utf-8")
    if form == "json":
        return json.loads(text)
    head, *rows = [json.loads(line) for line in text.splitlines() if line]
    return {**head, "rows": rows}


@pytest.mark.parametrize("form", ["json", "ndjson"])
@pytest.mark.parametrize("extra", [False, True], ids=["plain", "with truth values"])
def test_every_type_is_written_as_the_standard_says(tmp_path, form, extra):
    frame = FRAME.with_columns(OK=pl.Series([True, None, False, True])) if extra else FRAME
    document = written(frame, tmp_path, form=form)
    jsonschema.validate(document, SCHEMA)
    assert document["records"] == len(document["rows"]) == 4
    columns = {one["name"]: [row[place] for row in document["rows"]] for place, one in enumerate(document["columns"])}
    assert columns["USUBJID"] == FRAME["USUBJID"].to_list()
    assert columns["AGE"] == [63, None, 0, -1]
    assert columns["DOSE"] == FRAME["DOSE"].to_list()
    assert columns["DAY"] == ["2020-01-31", None, "0001-01-01", "9999-12-31"]
    assert columns["AT"] == ["2020-01-31T01:02:03", None, "2020-01-01T00:00:00.500", None]
    assert columns["SEEN"] == ["2026-01-02T03:04:05Z", None] * 2
    assert columns["CLOCK"] == ["01:02:03", None, None, "23:59:59"]
    assert columns["COST"] == ["1.50", None, "0.00", "-2.25"]
    assert {one["name"]: one.get("targetDataType") for one in document["columns"]}["COST"] == "decimal"
    assert not extra or columns["OK"] == [True, None, False, True]


@pytest.mark.parametrize("form", ["json", "ndjson"])
@pytest.mark.parametrize("only", ["text", "number"])
@pytest.mark.parametrize("count", [0, 1, 2])
def test_datasets_of_one_variable_with_and_without_rows(tmp_path, form, only, count):
    dtype = pl.String if only == "text" else pl.Float64
    document = written(pl.DataFrame({"A": pl.Series([None] * count, dtype=dtype)}), tmp_path, form=form)
    jsonschema.validate(document, SCHEMA)
    assert document["rows"] == [[None]] * count


def test_rows_are_the_same_across_slices_and_the_bytes_too(tmp_path, monkeypatch):
    whole = written(FRAME, tmp_path)
    first = (tmp_path / "lb.json").read_bytes()
    monkeypatch.setattr(datasetjson, "CHUNK_VALUES", 1)
    assert written(FRAME, tmp_path) == whole
    assert (tmp_path / "lb.json").read_bytes() == first


REFUSED = {
    "NaN": (pl.DataFrame({"A": [1.0, float("nan")]}), "double", r"A: holds NaN or infinity.*row 2"),
    "a fraction": (pl.DataFrame({"A": [1.0, 2.5]}), "integer", r"A: is declared integer.*row 2"),
    "a text for a number": (pl.DataFrame({"A": ["1"]}), "double", r"A: is declared double but the data are String"),
    "a partial date": (pl.DataFrame({"A": ["2020-01", "2020-01-02"]}), "date", r"A: is declared date.*row 1"),
    "an odd decimal": (pl.DataFrame({"A": ["1,5"]}), "decimal", r"A: is declared decimal.*row 1"),
    "a number for a text": (pl.DataFrame({"A": [1]}), "string", r"A: is declared string but the data are Int64"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_type_does_not_allow_is_refused_and_nothing_is_left(tmp_path, case):
    frame, kind, message = REFUSED[case]
    with pytest.raises(DatasetJsonError) as refused:
        written(frame, tmp_path, described=[Field("IT.A", "A", "A", kind)])
    assert re.search(message, str(refused.value))
    assert not list(tmp_path.iterdir())


@given(
    rows=st.lists(
        st.tuples(
            st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
            st.none() | st.floats(allow_nan=False, allow_infinity=False),
            st.none() | st.integers(-(2**63), 2**63 - 1),
        ),
        max_size=6,
    )
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_values_come_back(tmp_path, rows):
    frame = pl.DataFrame(rows, schema={"T": pl.String, "F": pl.Float64, "I": pl.Int64}, orient="row")
    document = written(frame, tmp_path)
    assert [tuple(row) for row in document["rows"]] == rows
