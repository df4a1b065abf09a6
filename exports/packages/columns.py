"""What a SAS transport version 5 file can hold, and the check of a dataset against it before a byte is written."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import polars as pl

from datamodel.kernel.errors import BadInputError

NAME_LIMIT: Final = 8
LABEL_LIMIT: Final = 40
VALUE_LIMIT: Final = 200
COLUMN_LIMIT: Final = 9999
NUMBER_BYTES: Final = 8
#: A transport file is made of records of so many bytes.
CARD: Final = 80
#: Where a Parquet file keeps what it has no place for: its variables' labels, and its own.
LABELS_KEY: Final = "metricis.labels"
DATASET_LABEL_KEY: Final = "metricis.dataset_label"
# So many row numbers are named in a message; the count is always complete.
NAMED_ROWS: Final = 10

Kind = Literal["num", "char"]
# Regulators take ASCII only. The other two are for exchange between partners who agree on them.
Encoding = Literal["ascii", "cp1252", "utf-8"]

_NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,7}")
_PRINTABLE = re.compile(r"[\x20-\x7e]*")
_FORMAT = re.compile(r"(?P<name>\$?(?:[A-Z_](?:[A-Z0-9_]*[A-Z_])?)?)(?P<width>\d{0,3})(?:\.(?P<decimals>\d{0,2}))?")


class UnreadableXptError(BadInputError, ValueError):
    """A file that is not a SAS transport file, or a damaged one."""


@dataclass(frozen=True, slots=True)
class Column:
    """One variable of a dataset: SAS name, label, kind, and where wanted its width in bytes and its display format.

    Without a `length` a character variable is as wide as its longest value (at least 1). A number always takes 8 bytes.
    `format` is a SAS format such as `DATE9.`, `8.2` or `$20.`; empty for none.
    """

    name: str
    label: str = ""
    kind: Kind = "char"
    length: int | None = None
    format: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """One reason why a dataset cannot be written: the variable, what is wrong, and the rows (from 1) where it is."""

    column: str
    reason: str
    rows: tuple[int, ...] = ()
    count: int = 0

    def __str__(self) -> str:
        """Say the fault in one sentence, without the value itself: it may name a person."""
        if not self.count:
            return f"{self.column}: {self.reason}"
        listed = ", ".join(str(row) for row in self.rows)
        more = f" and {self.count - len(self.rows)} more" if self.count > len(self.rows) else ""
        return f"{self.column}: {self.reason} (row{'' if self.count == 1 else 's'} {listed}{more})"


class XptError(BadInputError, ValueError):
    """A dataset that SAS transport version 5 cannot hold, with all its `faults`; no file was written."""

    def __init__(self, dataset: str, faults: Sequence[Fault]) -> None:
        self.dataset = dataset
        self.faults = tuple(faults)
        lines = "\n".join(f"  - {fault}" for fault in self.faults)
        super().__init__(
            f"The dataset {dataset!r} was not written, because it does not fit SAS transport version 5:\n{lines}\n"
            "No file was left behind. Correct the data or the variable's metadata and write it again."
        )


@dataclass(frozen=True, slots=True)
class Slot:
    """A variable's place in the record: its width in bytes and the offset of its first byte."""

    column: Column
    width: int
    offset: int


def name_fault(name: str, what: str) -> Fault | None:
    """Refuse a name that SAS version 5 does not take."""
    if _NAME.fullmatch(name):
        return None
    return Fault(
        name or "(no name)",
        f"is not a SAS {what} name; allowed are 1 to {NAME_LIMIT} of A-Z, 0-9 and _, not beginning with a digit",
    )


def label_fault(label: str, owner: str) -> Fault | None:
    """Refuse a label that is too long or holds anything but printable ASCII."""
    if not _PRINTABLE.fullmatch(label):
        return Fault(owner, "its label holds characters outside printable ASCII")
    if len(label) > LABEL_LIMIT:
        return Fault(owner, f"its label has {len(label)} bytes; at most {LABEL_LIMIT} are allowed")
    return None


def split_format(format_: str) -> tuple[str, int, int] | None:
    """Split `DATE9.` into name, width and decimals; None when it is not a SAS format."""
    match = _FORMAT.fullmatch(format_)
    if match is None or len(match["name"]) > NAME_LIMIT:
        return None
    return match["name"], int(match["width"] or 0), int(match["decimals"] or 0)


def check_columns(frame: pl.DataFrame, columns: Sequence[Column]) -> list[Fault]:
    """Check names, labels, kinds, widths and formats, and that metadata and frame speak of the same variables."""
    faults = [fault for column in columns for fault in _faults_of(column, frame)]
    names = [column.name for column in columns]
    faults += [Fault(name, "is described twice") for name in sorted({n for n in names if names.count(n) > 1})]
    faults += [Fault(name, "is in the data but has no metadata") for name in frame.columns if name not in names]
    if not columns:
        faults.append(Fault("(dataset)", "has no variables; at least one is needed"))
    if len(columns) > COLUMN_LIMIT:
        faults.append(Fault("(dataset)", f"has {len(columns)} variables; at most {COLUMN_LIMIT} are allowed"))
    return faults


def _faults_of(column: Column, frame: pl.DataFrame) -> list[Fault]:
    """Check one variable's metadata, and its data type against its kind."""
    found = [name_fault(column.name, "variable"), label_fault(column.label, column.name), _length_fault(column)]
    parts = split_format(column.format)
    if parts is None:
        found.append(
            Fault(column.name, f"its format {column.format!r} is not a SAS format such as DATE9., 8.2 or $20.")
        )
    elif column.format and parts[0].startswith("$") != (column.kind == "char"):
        found.append(Fault(column.name, f"its format {column.format!r} does not suit a {column.kind} variable"))
    if column.name not in frame.columns:
        found.append(Fault(column.name, "has metadata but is not in the data"))
    else:
        found.append(_type_fault(column, frame.schema[column.name]))
    return [fault for fault in found if fault is not None]


def _length_fault(column: Column) -> Fault | None:
    if column.kind == "num" and column.length not in {None, NUMBER_BYTES}:
        return Fault(column.name, f"its length is {column.length}; a number takes {NUMBER_BYTES} bytes")
    if column.kind == "char" and column.length is not None and not 1 <= column.length <= VALUE_LIMIT:
        return Fault(column.name, f"its length is {column.length}; allowed are 1 to {VALUE_LIMIT} bytes")
    return None


def _type_fault(column: Column, dtype: pl.DataType) -> Fault | None:
    if column.kind == "num":
        fits = dtype.is_integer() or dtype.is_float() or isinstance(dtype, pl.Date | pl.Datetime | pl.Null)
        allowed = "integers, floating-point numbers, dates and date-times"
    else:
        fits = isinstance(dtype, pl.String | pl.Null | pl.Categorical | pl.Enum)
        allowed = "text"
    if fits:
        return None
    return Fault(column.name, f"is declared {column.kind} but the data are {dtype}; allowed are {allowed}")


def lay_out(frame: pl.DataFrame, columns: Sequence[Column], encoding: Encoding) -> tuple[list[Slot], list[Fault]]:
    """Give each variable its width and offset, from its metadata or else from its longest value."""
    slots: list[Slot] = []
    faults: list[Fault] = []
    offset = 0
    for column in columns:
        width = NUMBER_BYTES
        if column.kind == "char":
            text = frame[column.name].cast(pl.String).str
            sizes = text.len_chars() if encoding == "cp1252" else text.len_bytes()
            longest = int(sizes.max() or 0)  # type: ignore[arg-type] # the length of text is an integer
            width = column.length or max(1, longest)
            limit = min(width, VALUE_LIMIT)
            if longest > limit:
                rows = (sizes > limit).arg_true() + 1
                reason = f"holds values of up to {longest} bytes; at most {limit} are allowed"
                faults.append(Fault(column.name, reason, tuple(rows.head(NAMED_ROWS).to_list()), rows.len()))
        slots.append(Slot(column, width, offset))
        offset += width
    return slots, faults
