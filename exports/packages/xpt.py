"""SAS transport files, version 5: the format in which regulators take datasets.

The file is a row of 80-byte records: a library header, a member header, one 140-byte description (NAMESTR) per
variable, and the data as fixed-width records, padded with blanks to 80 bytes. Source: SAS Technical Support note
TS-140, "Record Layout of a SAS Version 5 or 6 Data Set in SAS Transport (XPORT) Format".

What the format itself cannot tell apart, it forgets: blanks at the end of a text, an empty text and a missing text are
all the same to a reader.
"""

import os
import secrets
import struct
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt
import polars as pl
import polars_readstat

from exports.packages import ibm
from exports.packages.columns import (
    CARD,
    NAMED_ROWS,
    Column,
    Encoding,
    Fault,
    Slot,
    UnreadableXptError,
    XptError,
    check_columns,
    label_fault,
    lay_out,
    name_fault,
    split_format,
)

LIBRARY_HEADER: Final = b"HEADER RECORD*******LIBRARY HEADER RECORD!!!!!!!" + b"0" * 30 + b"  "
# So much of the data is in the writer's own memory at a time.
CHUNK_BYTES: Final = 16 * 1024 * 1024
# The header holds two instants. They are fixed, so that the same data give the same bytes.
FIXED_INSTANT: Final = datetime(1960, 1, 1)  # noqa: DTZ001 # SAS instants have no zone
EXACT_INTEGER: Final = 2**53 - 1

_BLANK = 0x20
_LAST_PRINTABLE = 0x7E
_SAS_EPOCH_DAYS = 3653  # days from 1 January 1960 to 1 January 1970
_DEFAULT_FORMATS = {pl.Date: "DATE9.", pl.Datetime: "DATETIME20."}
_NAMESTR = struct.Struct(">hhhh8s40s8shhh2s8shhl52x")

Bytes = npt.NDArray[np.uint8]


def write_xpt(
    frame: pl.DataFrame,
    path: str | os.PathLike[str],
    *,
    dataset: str,
    label: str,
    columns: Sequence[Column],
    encoding: Encoding = "ascii",
) -> None:
    """Write `frame` as the one dataset of a SAS transport version 5 file.

    `columns` gives the order and the metadata of the variables and must name exactly the columns of the frame. Dates
    become SAS days and date-times SAS seconds since 1960, with the format that shows them so. A missing value becomes
    the ordinary SAS missing value.

    Raises
    ------
    XptError
        With every fault found. Nothing is then left at `path` that was not there before.
    """
    faults = [f for f in (name_fault(dataset, "dataset"), label_fault(label, dataset)) if f is not None]
    faults += check_columns(frame, columns)
    if faults:
        raise XptError(dataset, faults)
    columns = [_with_format(column, frame.schema[column.name]) for column in columns]
    slots, faults = lay_out(frame, columns, encoding)
    if faults:
        raise XptError(dataset, faults)
    target = Path(path)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with partial.open("wb") as out:
            out.write(_headers(dataset, label, slots))
            faults = _write_rows(out, frame, slots, encoding)
        if faults:
            raise XptError(dataset, faults)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def read_xpt(path: str | os.PathLike[str]) -> pl.DataFrame:
    """Read a SAS transport file into a frame, empty texts as missing.

    Raises
    ------
    UnreadableXptError
        If the file does not begin as a SAS transport file does, or if it cannot be read to its end.
    """
    source = Path(path)
    with source.open("rb") as head:
        start = head.read(CARD)
    if not start.startswith((b"HEADER RECORD*******LIBRARY", b"HEADER RECORD*******LIBV8")):
        raise UnreadableXptError(
            f"{source.name} is not a SAS transport file: it does not begin with the library header record."
        )
    try:
        frame = polars_readstat.read_readstat(str(source), missing_string_as_null=True, preserve_order=True)
    except (RuntimeError, OSError, pl.exceptions.PolarsError) as error:
        raise UnreadableXptError(
            f"{source.name} is damaged or unusual and cannot be read as a SAS transport file: {error}"
        ) from error
    # A column of nothing but missing texts keeps its kind.
    return pl.DataFrame(frame)


def _with_format(column: Column, dtype: pl.DataType) -> Column:
    """Give a date or date-time the SAS format that shows it as one, unless the metadata say how."""
    default = _DEFAULT_FORMATS.get(dtype.base_type())
    if column.format or default is None:
        return column
    return Column(column.name, column.label, column.kind, column.length, default)


# --- headers -----------------------------------------------------------------------------------------------------------


def _headers(dataset: str, label: str, slots: Sequence[Slot]) -> bytes:
    instant = FIXED_INSTANT.strftime("%d%b%y:%H:%M:%S").upper().encode()
    software = b"9.4".ljust(8) + b" " * 8 + b" " * 24 + instant
    described = b"".join(_namestr(number, slot) for number, slot in enumerate(slots, start=1))
    return b"".join(
        (
            LIBRARY_HEADER,
            b"SAS     SAS     SASLIB  " + software,
            instant.ljust(CARD),
            b"HEADER RECORD*******MEMBER  HEADER RECORD!!!!!!!" + b"000000000000000001600000000140  ",
            b"HEADER RECORD*******DSCRPTR HEADER RECORD!!!!!!!" + b"0" * 30 + b"  ",
            b"SAS     " + dataset.encode().ljust(8) + b"SASDATA " + software,
            instant + b" " * 16 + label.encode().ljust(40) + b" " * 8,
            b"HEADER RECORD*******NAMESTR HEADER RECORD!!!!!!!"
            + f"000000{len(slots):04d}".encode()
            + b"0" * 20
            + b"  ",
            _padded(described),
            b"HEADER RECORD*******OBS     HEADER RECORD!!!!!!!" + b"0" * 30 + b"  ",
        )
    )


def _namestr(number: int, slot: Slot) -> bytes:
    """Describe one variable in 140 bytes."""
    column = slot.column
    name, width, decimals = split_format(column.format) or ("", 0, 0)
    return _NAMESTR.pack(
        1 if column.kind == "num" else 2,
        0,
        slot.width,
        number,
        column.name.encode().ljust(8),
        column.label.encode().ljust(40),
        name.encode().ljust(8),
        width,
        decimals,
        0,
        b"\0\0",
        b" " * 8,
        0,
        0,
        slot.offset,
    )


def _padded(data: bytes) -> bytes:
    return data + b" " * (-len(data) % CARD)


# --- rows --------------------------------------------------------------------------------------------------------------


def _write_rows(out: BinaryIO, frame: pl.DataFrame, slots: Sequence[Slot], encoding: Encoding) -> list[Fault]:
    """Write all rows, padded to whole cards; return what could not be written."""
    record = slots[-1].offset + slots[-1].width
    found: dict[tuple[str, str], list[npt.NDArray[np.int64]]] = {}
    last = b""
    start = 0
    for chunk in frame.iter_slices(max(1, CHUNK_BYTES // record)) if frame.height else ():
        block = np.full((chunk.height, record), _BLANK, dtype=np.uint8)
        for slot in slots:
            for reason, rows in _fill(block, chunk[slot.column.name], slot, encoding):
                found.setdefault((slot.column.name, reason), []).append(rows + start + 1)
        out.write(block.data)
        start += chunk.height
        last = block[-1].tobytes()
    out.write(b" " * (-(frame.height * record) % CARD))
    faults = [_fault(column, reason, np.concatenate(rows)) for (column, reason), rows in found.items()]
    return faults or _blank_end(last, frame.height)


def _fault(column: str, reason: str, rows: npt.NDArray[np.int64]) -> Fault:
    return Fault(column, reason, tuple(int(row) for row in rows[:NAMED_ROWS]), int(rows.size))


def _blank_end(last: bytes, rows: int) -> list[Fault]:
    """Refuse an all-blank last record: readers cannot tell it from the padding of the last card, and drop it."""
    if not last or last.strip(b" "):
        return []
    reason = (
        "has a last record of only missing texts, which readers take for padding and lose. "
        "Add a variable that always has a value, or leave the row out"
    )
    return [Fault("(dataset)", reason, (rows,), 1)]


def _fill(
    block: Bytes, values: pl.Series, slot: Slot, encoding: Encoding
) -> Iterator[tuple[str, npt.NDArray[np.int64]]]:
    """Put one variable of a chunk into its place in the records; yield what is wrong, with row offsets."""
    place = block[:, slot.offset : slot.offset + slot.width]
    if slot.column.kind == "num":
        yield from _fill_numbers(place, values)
    else:
        yield from _fill_text(place, values, encoding)


def _fill_numbers(place: Bytes, values: pl.Series) -> Iterator[tuple[str, npt.NDArray[np.int64]]]:
    missing = values.is_null().to_numpy()
    if values.dtype.is_integer():
        inexact = (values.cast(pl.Float64).abs() > EXACT_INTEGER).fill_null(value=False).to_numpy()
        if inexact.any():
            yield f"holds whole numbers beyond {EXACT_INTEGER}, which a SAS number cannot hold exactly", _where(inexact)
            return
    numbers = _sas_numbers(values).fill_null(0.0).to_numpy()
    not_a_number = ~np.isfinite(numbers)
    if not_a_number.any():
        yield "holds NaN or infinity; a missing number must be null", _where(not_a_number)
    outside = ~ibm.representable(numbers) & ~not_a_number
    if outside.any():
        allowed = f"allowed are 0 and sizes from {ibm.SMALLEST:.2e} to {ibm.LARGEST:.2e}"
        yield f"holds numbers outside the range of SAS transport; {allowed}", _where(outside)
    if not (not_a_number | outside).any():
        place[:] = ibm.to_ibm(numbers, missing).byteswap().view(np.uint8).reshape(-1, 8)


def _sas_numbers(values: pl.Series) -> pl.Series:
    """Bring dates to days and date-times to seconds since 1 January 1960; leave numbers as they are."""
    if values.dtype == pl.Date:
        return (values.cast(pl.Int64) + _SAS_EPOCH_DAYS).cast(pl.Float64)
    if values.dtype == pl.Datetime:
        return values.dt.epoch("us").cast(pl.Float64) / 1e6 + _SAS_EPOCH_DAYS * 86_400.0
    return values.cast(pl.Float64)


def _fill_text(place: Bytes, values: pl.Series, encoding: Encoding) -> Iterator[tuple[str, npt.NDArray[np.int64]]]:
    text = values.cast(pl.String).fill_null("").rechunk()
    width = place.shape[1]
    plain = bool((text.str.len_bytes() == text.str.len_chars()).all())
    if plain:
        # One pass in polars: every value padded to the width, so that the buffer is the block itself.
        buffer = text.str.pad_end(width).to_arrow(compat_level=pl.CompatLevel.oldest()).buffers()[2]
        padded = np.frombuffer(buffer, dtype=np.uint8, count=place.size).reshape(place.shape)
        place[:] = padded
        if padded.size and (padded.min() < _BLANK or padded.max() > _LAST_PRINTABLE):
            rows = _where(((padded < _BLANK) | (padded > _LAST_PRINTABLE)).any(axis=1))
            yield "holds control characters (such as a line break or a tab); only printable ones are allowed", rows
        return
    if encoding == "ascii":
        odd_text = (~text.str.contains(r"^[\x20-\x7e]*$")).to_numpy()
        yield "holds characters outside printable ASCII", _where(odd_text)
        return
    yield from _fill_encoded(place, text, encoding)


def _fill_encoded(place: Bytes, text: pl.Series, encoding: Encoding) -> Iterator[tuple[str, npt.NDArray[np.int64]]]:
    """Encode value by value: the slow way, for the few columns that hold more than ASCII."""
    refused = []
    for row, value in enumerate(text):
        try:
            raw = value.encode(encoding)
        except UnicodeEncodeError:
            refused.append(row)
            continue
        if any(byte < _BLANK for byte in raw):
            refused.append(row)
        place[row, : len(raw)] = np.frombuffer(raw, dtype=np.uint8)
    if refused:
        yield f"holds control characters or characters that {encoding} does not have", np.array(refused, dtype=np.int64)


def _where(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    return np.flatnonzero(mask).astype(np.int64)
