"""Dataset-JSON 1.1, as one JSON document or as lines (NDJSON): what a dataset needs to be written so, and the writing.

Rows are made by text expressions on whole columns, a slice at a time, so that memory stays bounded and no Python code
runs for a value. The instant of creation is given by the caller: the same data give the same bytes.

Source: CDISC Dataset-JSON 1.1 and its JSON schema (MIT).
"""

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

import orjson
import polars as pl

from exports.packages.columns import NAMED_ROWS, Fault
from exports.packages.jsonvalues import check_values, json_rows

VERSION: Final = "1.1.0"
#: So many values are text in memory at a time.
CHUNK_VALUES: Final = 2_000_000

Form = Literal["json", "ndjson"]
DataType = Literal["string", "integer", "decimal", "float", "double", "boolean", "datetime", "date", "time", "URI"]


class DatasetJsonError(ValueError):
    """A dataset that Dataset-JSON cannot hold as it was described, with all its `faults`; no file was written."""

    def __init__(self, dataset: str, faults: Sequence[Fault]) -> None:
        self.dataset = dataset
        self.faults = tuple(faults)
        lines = "\n".join(f"  - {fault}" for fault in self.faults)
        super().__init__(
            f"The dataset {dataset!r} was not written as Dataset-JSON:\n{lines}\n"
            "No file was left behind. Correct the data or the variable's metadata and write it again."
        )


@dataclass(frozen=True, slots=True)
class Field:
    """One variable.

    `target` says what a text is where that is not the type itself: `decimal` for a decimal that must keep its digits,
    `integer` for a date that is a number elsewhere. `key` is its place among the dataset's keys, from 1.
    """

    item_oid: str
    name: str
    label: str
    data_type: DataType
    target: Literal["", "integer", "decimal"] = ""
    length: int | None = None
    display_format: str = ""
    key: int | None = None

    def described(self) -> dict[str, Any]:
        """Return it as the file has it: what is not known is left out."""
        whole = {
            "itemOID": self.item_oid,
            "name": self.name,
            "label": self.label,
            "dataType": self.data_type,
            "targetDataType": self.target or None,
            "length": self.length,
            "displayFormat": self.display_format or None,
            "keySequence": self.key,
        }
        return {name: value for name, value in whole.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Header:
    """What the file says of the dataset as a whole; `created` and `modified` are instants of the data, not of the clock."""

    name: str
    label: str
    item_group_oid: str
    created: datetime
    modified: datetime | None = None
    study_oid: str = ""
    metadata_version_oid: str = ""
    metadata_ref: str = ""
    file_oid: str = ""
    originator: str = ""
    system: tuple[str, str] | None = None
    """Name and version of the system that the data come from."""

    def described(self, records: int, fields: Sequence[Field]) -> dict[str, Any]:
        """Return it as the file has it."""
        whole = {
            "datasetJSONCreationDateTime": _instant(self.created),
            "datasetJSONVersion": VERSION,
            "fileOID": self.file_oid or None,
            "dbLastModifiedDateTime": _instant(self.modified) if self.modified else None,
            "originator": self.originator or None,
            "sourceSystem": {"name": self.system[0], "version": self.system[1]} if self.system else None,
            "studyOID": self.study_oid or None,
            "metaDataVersionOID": self.metadata_version_oid or None,
            "metaDataRef": self.metadata_ref or None,
            "itemGroupOID": self.item_group_oid,
            "records": records,
            "name": self.name,
            "label": self.label,
            "columns": [one.described() for one in fields],
        }
        return {name: value for name, value in whole.items() if value is not None}


def field_of(name: str, dtype: pl.DataType, *, dataset: str, label: str = "", length: int | None = None) -> Field:
    """Return the field that suits a column's type: text, whole number, number, date, instant, truth, decimal.

    Raises
    ------
    DatasetJsonError
        When the type is none of these.
    """
    kinds: tuple[tuple[bool, DataType], ...] = (
        (isinstance(dtype, pl.String | pl.Null | pl.Categorical | pl.Enum), "string"),
        (dtype.is_integer(), "integer"),
        (dtype.is_float(), "double"),
        (dtype == pl.Boolean, "boolean"),
        (dtype == pl.Date, "date"),
        (isinstance(dtype, pl.Datetime), "datetime"),
        (dtype == pl.Time, "time"),
        (isinstance(dtype, pl.Decimal), "decimal"),
    )
    found = next((kind for fits, kind in kinds if fits), None)
    if found is None:
        raise DatasetJsonError(dataset, [Fault(name, f"the data are {dtype}, which Dataset-JSON has no type for")])
    target: Literal["", "decimal"] = "decimal" if found == "decimal" else ""
    return Field(f"IT.{dataset}.{name}", name, label or name, found, target, length)


def write_dataset_json(
    frame: pl.DataFrame, path: str | os.PathLike[str], *, header: Header, fields: Sequence[Field], form: Form = "json"
) -> None:
    """Write `frame` as Dataset-JSON 1.1; a missing value is null.

    Raises
    ------
    DatasetJsonError
        With every fault found. Nothing is then left at `path` that was not there before.
    """
    if faults := _faults(frame, header, fields):
        raise DatasetJsonError(header.name, faults)
    target = Path(path)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with partial.open("wb") as out:
            _write(out, frame, orjson.dumps(header.described(frame.height, fields)), fields, form)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _write(out: BinaryIO, frame: pl.DataFrame, head: bytes, fields: Sequence[Field], form: Form) -> None:
    types = [one.data_type for one in fields]
    ordered = frame.select(one.name for one in fields)
    slices = ordered.iter_slices(max(1, CHUNK_VALUES // len(fields))) if frame.height else iter(())
    if form == "ndjson":
        out.write(head + b"\n")
        out.writelines(json_rows(chunk, types) for chunk in slices)
        return
    out.write(head[:-1] + b',"rows":[')
    separator = b"\n"
    for chunk in slices:
        out.write(separator)
        # A line break inside a text is escaped, so that each one here ends a row.
        out.write(json_rows(chunk, types)[:-1].replace(b"]\n[", b"],\n["))
        separator = b",\n"
    out.write(b"\n]}\n")


def _faults(frame: pl.DataFrame, header: Header, fields: Sequence[Field]) -> list[Fault]:
    names = [one.name for one in fields]
    faults = [Fault(name, "is described twice") for name in sorted({one for one in names if names.count(one) > 1})]
    faults += [Fault(name, "is in the data but has no metadata") for name in frame.columns if name not in names]
    faults += [Fault(name, "has metadata but is not in the data") for name in names if name not in frame.columns]
    if not fields:
        faults.append(Fault("(dataset)", "has no variables; at least one is needed"))
    if header.created.tzinfo is None or (header.modified is not None and header.modified.tzinfo is None):
        faults.append(Fault("(dataset)", "its instants must have a time zone"))
    if faults:
        return faults
    for one in fields:
        fault = check_values(frame[one.name], one.data_type)
        if fault is not None:
            reason, rows = fault
            faults.append(Fault(one.name, reason, tuple((rows.head(NAMED_ROWS) + 1).to_list()), rows.len()))
    return faults


def _instant(value: datetime) -> str:
    return value.isoformat(timespec="seconds").replace("+00:00", "Z")
