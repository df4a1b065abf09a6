"""Datasets of a file or a folder, whoever wrote them; a file that cannot be read is told and never ends a run.

XPT, Dataset-JSON 1.1 (JSON and NDJSON), Parquet, and CSV with a sidecar (`NAME.csv.json`) that says labels and types.
What is odd but readable is a note of the dataset: text outside ASCII, values over 200 bytes, numbers stored as text,
a file that ends in the middle of a record.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import starmap
from pathlib import Path
from typing import Any, Final

import orjson
import polars as pl
import polars.selectors as cs

from datamodel.kernel.errors import BadInputError
from exports.packages.columns import CARD, DATASET_LABEL_KEY, LABELS_KEY, VALUE_LIMIT, UnreadableXptError
from exports.packages.values import as_stored, as_text, decimals, is_plain
from validators.datasets.shape import Dataset, Note, Variable

SIDECAR: Final = ".json"
#: Files that stand beside datasets and are none.
_BESIDE: Final = frozenset({"manifest.json", "report.json"})
_FALLBACK: Final = "cp1252"
_OUTSIDE_ASCII: Final = r"[^\x00-\x7f]"
_RECORD: Final = "\x00record"
#: Types of Dataset-JSON that are numbers here.
_NUMBERS: Final = frozenset({"integer", "float", "double", "decimal", "boolean"})
#: Columns of a dataset; SDTM's have some tens. Values that are read whatever the file's size, and for each of its bytes.
MOST_COLUMNS: Final = 10_000
_CELLS_READ: Final = 20_000_000
_CELLS_A_BYTE: Final = 20
_LIBRARY: Final = b"HEADER RECORD*******LIB"
#: What programs call a dataset for which they were given no name; the file's name is then the better one.
_NAMELESS: Final = frozenset({"", "DATASET", "DATA"})
#: The index that pandas puts beside the columns of a file; no variable of the dataset.
_INDEX: Final = r"^__index_level_\d+__$"
_MARK: Final = b"\xef\xbb\xbf"


class UnreadableDatasetError(BadInputError, ValueError):
    """A file that does not hold a dataset of the kind that its name says."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that could not be read, and why."""

    file: str
    reason: str
    is_fault: bool = True
    """False where nothing is wrong with the file itself: another one holds the same dataset."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file or folder held."""

    datasets: tuple[Dataset, ...]
    unreadable: tuple[Unreadable, ...] = ()


def read_datasets(place: Path) -> Reading:
    """Read all datasets of a folder, or one file.

    Of files that hold a dataset of the same name the first kind counts, in the order XPT, Dataset-JSON, Parquet, CSV; the others
    are among the unreadable, with the reason.
    """
    datasets: dict[str, Dataset] = {}
    unreadable: list[Unreadable] = []
    for path in _candidates(place):
        try:
            one = read_dataset(path)
        except Exception as error:  # noqa: BLE001 - whatever a damaged file makes a reader raise, the others are read
            unreadable.append(Unreadable(path.name, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"))
            continue
        if one.name in datasets:
            first = datasets[one.name].file
            unreadable.append(
                Unreadable(
                    path.name, f"{first} holds a dataset of the same name, which was checked instead.", is_fault=False
                )
            )
        else:
            datasets[one.name] = one
    return Reading(tuple(datasets.values()), tuple(unreadable))


def read_dataset(path: Path) -> Dataset:
    """Read one file.

    Raises
    ------
    UnreadableDatasetError, UnreadableXptError
        When the file is damaged, of another kind, or would swell in memory.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise UnreadableDatasetError(f"{path.name} is none of {', '.join(_READERS)}; it was not read.")
    try:
        return reader(path)
    except (BadInputError, OSError):
        raise
    except Exception as error:
        words = " ".join(str(error).split())[:300]
        raise UnreadableDatasetError(
            f"{path.name} is damaged or not what its name says, and was not read ({type(error).__name__}: {words})."
        ) from error


def _fits(path: Path, *, rows: int, columns: int) -> None:
    """Refuse a file that would swell: more columns than any dataset has, or far more cells than its bytes can hold."""
    if columns > MOST_COLUMNS:
        raise UnreadableDatasetError(f"{path.name} has {columns:,} columns; at most {MOST_COLUMNS:,} are read.")
    cells = rows * columns
    if cells > max(_CELLS_READ, _CELLS_A_BYTE * path.stat().st_size):
        raise UnreadableDatasetError(
            f"{path.name} says that its {path.stat().st_size:,} bytes hold {cells:,} values; it was not read."
        )


def _candidates(place: Path) -> Iterator[Path]:
    files = [place] if place.is_file() else sorted(path for path in place.iterdir() if path.is_file())
    sidecars = {f"{path.name}{SIDECAR}" for path in files}
    for suffix in _READERS:
        for path in files:
            if path.suffix.lower() == suffix and path.name not in _BESIDE | sidecars:
                yield path


# --- SAS transport -----------------------------------------------------------------------------------------------------


def _transport(path: Path) -> Dataset:
    import polars_readstat
    import pyreadstat

    with path.open("rb") as head:
        if not head.read(CARD).startswith(_LIBRARY):
            raise UnreadableXptError(
                f"{path.name} is not a SAS transport file: it does not begin with the library header record."
            )
    _, meta = pyreadstat.read_xport(str(path), metadataonly=True, encoding=_FALLBACK, output_format="polars")
    kinds = meta.readstat_variable_types
    variables = tuple(
        Variable(
            name,
            meta.column_names_to_labels.get(name) or "",
            "Char" if kinds[name] == "string" else "Num",
            meta.variable_storage_width.get(name),
            meta.original_variable_types.get(name) or "",
        )
        for name in meta.column_names
    )
    # The fast reader knows no encodings: what is outside ASCII is read again by the other one, and told.
    frame = pl.DataFrame(polars_readstat.read_readstat(str(path), preserve_order=True))
    encoding = "utf-8"
    if _any_outside_ascii(frame):
        frame, encoding = _encoded(path)
    notes: tuple[Note, ...] = ()
    if path.stat().st_size % CARD:
        notes = (
            Note("truncated", f"the file ends in the middle of a record of {CARD} bytes; rows at its end are lost"),
        )
    stated = (meta.table_name or "").upper()
    name = path.stem.upper() if stated in _NAMELESS else stated
    frame = frame.with_columns(as_stored(one, dtype) for one, dtype in frame.schema.items() if dtype.is_temporal())
    return _made(name, meta.file_label or "", variables, frame, path, encoding=encoding, notes=notes)


def _any_outside_ascii(frame: pl.DataFrame) -> bool:
    texts = frame.select((cs.string().str.len_bytes() != cs.string().str.len_chars()).any())
    return any(texts.row(0)) if texts.width and texts.height else False


def _encoded(path: Path) -> tuple[pl.DataFrame, str]:
    """Read text as UTF-8, or as Windows writes it when it is not UTF-8."""
    import pyreadstat

    try:
        return pyreadstat.read_xport(str(path), output_format="polars")[0], "utf-8"
    except (pyreadstat.ReadstatError, UnicodeDecodeError):
        return pyreadstat.read_xport(str(path), output_format="polars", encoding=_FALLBACK)[0], _FALLBACK


# --- Parquet and CSV ---------------------------------------------------------------------------------------------------


def _parquet(path: Path) -> Dataset:
    lazy = pl.scan_parquet(path)
    _fits(path, rows=lazy.select(pl.len()).collect().item(), columns=len(lazy.collect_schema()))
    frame = lazy.collect().select(~cs.matches(_INDEX))
    notes = tuple(
        Note("odd_type", f"holds values of type {dtype}, which no dataset has; read as text", name)
        for name, dtype in frame.schema.items()
        if dtype.is_nested() or dtype == pl.Object
    )
    frame = frame.with_columns(as_text(name, dtype) for name, dtype in frame.schema.items() if not is_plain(dtype))
    about = pl.read_parquet_metadata(path)
    labels = orjson.loads(about.get(LABELS_KEY) or b"{}")
    variables = tuple(
        Variable(name, labels.get(name, ""), "Num" if dtype.is_numeric() or dtype == pl.Boolean else "Char")
        for name, dtype in frame.schema.items()
    )
    return _made(path.stem.upper(), about.get(DATASET_LABEL_KEY, ""), variables, frame, path, notes=notes)


def _csv(path: Path) -> Dataset:
    beside = path.with_name(f"{path.name}{SIDECAR}")
    if not beside.is_file():
        raise UnreadableDatasetError(f"{path.name} has no {beside.name} beside it, which says labels and types.")
    about = orjson.loads(beside.read_bytes())
    with path.open("rb") as file:
        _fits(path, rows=0, columns=file.readline().count(b",") + 1)
    frame = pl.read_csv(path, infer_schema=False)
    variables = tuple(starmap(_of_sidecar, ((one, path) for one in about["variables"])))
    numbers = [one.name for one in variables if one.type == "Num"]
    # In CSV every number is text, which is no finding; a column whose texts are not all numbers stays as it is.
    frame = frame.with_columns(
        pl.col(name).cast(pl.Float64)
        for name in numbers
        if frame[name].cast(pl.Float64, strict=False).null_count() == frame[name].null_count()
    )
    return _made(str(about.get("name") or path.stem).upper(), str(about.get("label") or ""), variables, frame, path)


def _of_sidecar(one: dict[str, Any], path: Path) -> Variable:
    if one.get("type") not in {"Char", "Num"}:
        raise UnreadableDatasetError(
            f"The sidecar of {path.name} gives {one.get('name')} a type other than Char and Num."
        )
    return Variable(one["name"], one.get("label") or "", one["type"], one.get("length"), one.get("format") or "")


def write_csv(dataset: Dataset, folder: Path) -> Path:
    """Write a dataset as CSV (UTF-8, a missing value empty, an empty text in quotes) with its sidecar; return the CSV."""
    path = folder / f"{dataset.name.lower()}.csv"
    dataset.frame.write_csv(path)
    about = {
        "name": dataset.name,
        "label": dataset.label,
        "variables": [
            {"name": v.name, "label": v.label, "type": v.type, "length": v.length, "format": v.format}
            for v in dataset.variables
        ],
    }
    path.with_name(f"{path.name}{SIDECAR}").write_bytes(orjson.dumps(about, option=orjson.OPT_INDENT_2))
    return path


# --- Dataset-JSON ------------------------------------------------------------------------------------------------------


def _dataset_json(path: Path) -> Dataset:
    content = orjson.loads(path.read_bytes().removeprefix(_MARK))
    return _from_columns(path, content, content.get("rows") or [] if isinstance(content, dict) else [])


def _dataset_ndjson(path: Path) -> Dataset:
    with path.open("rb") as lines:
        head = orjson.loads(lines.readline().removeprefix(_MARK))
        width = len(head["columns"]) if isinstance(head, dict) and isinstance(head.get("columns"), list) else 0
        rows = []
        for line in lines:
            if line.strip():
                rows.append(orjson.loads(line))
                if len(rows[-1]) != width:
                    break  # told below, without reading on
        return _from_columns(path, head, rows)


def _from_columns(path: Path, head: Any, rows: list[list[Any]]) -> Dataset:
    if isinstance(head, dict) and ("clinicalData" in head or "referenceData" in head):
        raise UnreadableDatasetError(f"{path.name} is of Dataset-JSON 1.0, which is not read; 1.1 is.")
    if not isinstance(head, dict) or not isinstance(head.get("columns"), list):
        raise UnreadableDatasetError(f"{path.name} is JSON, but no Dataset-JSON: it has no columns.")
    _fits(path, rows=0, columns=len(head["columns"]))
    variables = tuple(
        Variable(
            one["name"],
            one.get("label") or "",
            "Num" if one.get("dataType") in _NUMBERS else "Char",
            one.get("length"),
            one.get("displayFormat") or "",
        )
        for one in head["columns"]
    )
    odd = next((number for number, row in enumerate(rows, 1) if len(row) != len(variables)), None)
    if odd is not None:
        raise UnreadableDatasetError(
            f"{path.name}: row {odd} has {len(rows[odd - 1])} values, and there are {len(variables)} columns."
        )
    cells = list(zip(*rows, strict=True)) if rows else [()] * len(variables)
    frame = pl.DataFrame([pl.Series(v.name, values, strict=False) for v, values in zip(variables, cells, strict=True)])
    frame = frame.with_columns(decimals(frame, head["columns"]))
    notes: tuple[Note, ...] = ()
    if (records := head.get("records")) not in {None, len(rows)}:
        notes = (Note("truncated", f"the file says {records} records and holds {len(rows)}"),)
    return _made(
        str(head.get("name") or path.stem).upper(), head.get("label") or "", variables, frame, path, notes=notes
    )


# --- what all have in common -------------------------------------------------------------------------------------------


def _made(
    name: str,
    label: str,
    variables: tuple[Variable, ...],
    frame: pl.DataFrame,
    path: Path,
    *,
    encoding: str = "utf-8",
    notes: tuple[Note, ...] = (),
) -> Dataset:
    typed = frame.select(
        pl.col(one.name).cast(pl.Float64 if one.type == "Num" else pl.String, strict=False) for one in variables
    )
    found = (*notes, *_texts(typed, variables, encoding), *_numbers(frame, variables))
    return Dataset(name, label, variables, typed, path.name, found)


def _texts(frame: pl.DataFrame, variables: tuple[Variable, ...], encoding: str) -> Iterator[Note]:
    """Tell each value outside ASCII, and each that is longer than a transport file may hold, with its record."""
    names = [one.name for one in variables if one.type == "Char"]
    # Text outside ASCII takes more bytes than characters; nearly always no column has any, which one look tells.
    value = pl.col(names)
    wide = frame.select((value.str.len_bytes() != value.str.len_chars()).any()).row(0) if names else ()
    long = frame.select((value.str.len_bytes() > VALUE_LIMIT).any()).row(0) if names else ()
    for name, is_wide, is_long in zip(names, wide, long, strict=True):
        value = pl.col(name)
        for kind, test, words in (
            *([("not_ascii", value.str.contains(_OUTSIDE_ASCII), f"read as {encoding}")] if is_wide else []),
            *([("too_long", value.str.len_bytes() > VALUE_LIMIT, f"more than {VALUE_LIMIT} bytes")] if is_long else []),
        ):
            found = frame.select(name).with_row_index(_RECORD, offset=1).filter(test)
            for record, text in found.iter_rows():
                yield Note(kind, f"{words}: {text[:100]}", name, record)


def _numbers(frame: pl.DataFrame, variables: tuple[Variable, ...]) -> Iterator[Note]:
    """Tell each variable whose numbers the file stores as text, and each such text that is no number."""
    if frame.is_empty():
        return
    for name in (one.name for one in variables if one.type == "Num" and frame.schema[one.name] == pl.String):
        stored = frame.select(name).with_row_index(_RECORD, offset=1).filter(pl.col(name).fill_null("") != "")
        if not stored.is_empty():
            yield Note("number_as_text", f"declared a number, and the file stores {stored.height} texts", name)
        lost = stored.filter(pl.col(name).cast(pl.Float64, strict=False).is_null())
        for record, text in lost.iter_rows():
            yield Note("not_a_number", f"declared a number, and holds {text[:100]}; read as missing", name, record)


_READERS: Final[dict[str, Callable[[Path], Dataset]]] = {
    ".xpt": _transport,
    ".json": _dataset_json,
    ".ndjson": _dataset_ndjson,
    ".parquet": _parquet,
    ".csv": _csv,
}
