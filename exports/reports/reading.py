"""Datasets of a folder, whoever wrote them; a file that cannot be read is told and never ends a run."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import orjson
import polars as pl
import polars.selectors as cs

from exports.packages.columns import VALUE_LIMIT
from exports.packages.manifest import DATASET_LABEL_KEY, LABELS_KEY
from exports.reports.model import Unread
from validators.datasets.shape import Dataset, Note, Variable

#: Files that stand beside datasets and are none.
_BESIDE: Final = frozenset({"manifest.json", "report.json"})
#: What a Windows program writes where ASCII is asked for.
_FALLBACK: Final = "cp1252"
_OUTSIDE_ASCII: Final = r"[^\x00-\x7f]"
_RECORD: Final = "\x00record"
#: Types of Dataset-JSON that are numbers here.
_NUMBERS: Final = frozenset({"integer", "float", "double", "decimal", "boolean"})


def read_all(place: Path) -> tuple[list[Dataset], list[Unread]]:
    """Return the datasets of a folder (or of one file) by name, and what could not be read.

    Of files of the same name the first kind counts, in the order XPT, Dataset-JSON, Parquet.
    """
    datasets: dict[str, Dataset] = {}
    unread: list[Unread] = []
    for path in _candidates(place):
        try:
            one = _READERS[path.suffix.lower()](path)
        except Exception as error:  # noqa: BLE001 - whatever a damaged file makes a reader raise, the others are read
            unread.append(Unread(path.name, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"))
            continue
        if one.name in datasets:
            first = datasets[one.name].file
            unread.append(
                Unread(
                    path.name, f"{first} holds a dataset of the same name, which was checked instead.", is_fault=False
                )
            )
        else:
            datasets[one.name] = one
    return list(datasets.values()), unread


def _candidates(place: Path) -> Iterator[Path]:
    files = [place] if place.is_file() else sorted(path for path in place.iterdir() if path.is_file())
    for suffix in _READERS:
        yield from (path for path in files if path.suffix.lower() == suffix and path.name not in _BESIDE)


def _transport(path: Path) -> Dataset:
    import polars_readstat
    import pyreadstat

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
    frame = polars_readstat.read_readstat(str(path), preserve_order=True)
    encoding = "utf-8"
    if _any_outside_ascii(frame):
        frame, encoding = _encoded(path)
    name = (meta.table_name or path.stem).upper()
    return _made(name, meta.file_label or "", variables, frame, path, _notes(frame, variables, encoding))


def _any_outside_ascii(frame: pl.DataFrame) -> bool:
    texts = frame.select(cs.string().str.contains(_OUTSIDE_ASCII).any())
    return any(texts.row(0)) if texts.width and texts.height else False


def _encoded(path: Path) -> tuple[pl.DataFrame, str]:
    """Read text as UTF-8, or as Windows writes it when it is not UTF-8."""
    import pyreadstat

    try:
        return pyreadstat.read_xport(str(path), output_format="polars")[0], "utf-8"
    except (pyreadstat.ReadstatError, UnicodeDecodeError):
        return pyreadstat.read_xport(str(path), output_format="polars", encoding=_FALLBACK)[0], _FALLBACK


def _notes(frame: pl.DataFrame, variables: tuple[Variable, ...], encoding: str) -> tuple[Note, ...]:
    """Tell each value outside ASCII, and each that is longer than a transport file may hold, with its record."""
    notes = []
    for name in (one.name for one in variables if one.type == "Char"):
        value = pl.col(name)
        for kind, test, words in (
            ("not_ascii", value.str.contains(_OUTSIDE_ASCII), f"read as {encoding}"),
            ("too_long", value.str.len_bytes() > VALUE_LIMIT, f"more than {VALUE_LIMIT} bytes"),
        ):
            found = frame.select(name).with_row_index(_RECORD, offset=1).filter(test)
            notes += [Note(kind, f"{words}: {text[:100]}", name, record) for record, text in found.iter_rows()]
    return tuple(notes)


def _parquet(path: Path) -> Dataset:
    frame = pl.read_parquet(path)
    about = pl.read_parquet_metadata(path)
    labels = orjson.loads(about.get(LABELS_KEY) or b"{}")
    variables = tuple(
        Variable(name, labels.get(name, ""), "Num" if dtype.is_numeric() or dtype == pl.Boolean else "Char")
        for name, dtype in frame.schema.items()
    )
    return _made(path.stem.upper(), about.get(DATASET_LABEL_KEY, ""), variables, frame, path)


def _dataset_json(path: Path) -> Dataset:
    return _from_columns(path, content := orjson.loads(path.read_bytes()), content.get("rows") or [])


def _dataset_ndjson(path: Path) -> Dataset:
    with path.open("rb") as lines:
        head = orjson.loads(lines.readline())
        return _from_columns(path, head, [orjson.loads(line) for line in lines if line.strip()])


def _from_columns(path: Path, head: dict[str, Any], rows: list[list[Any]]) -> Dataset:
    columns = head["columns"]
    variables = tuple(
        Variable(
            one["name"],
            one.get("label") or "",
            "Num" if one.get("dataType") in _NUMBERS else "Char",
            one.get("length"),
            one.get("displayFormat") or "",
        )
        for one in columns
    )
    cells = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    frame = pl.DataFrame(
        [pl.Series(one.name, values, strict=False) for one, values in zip(variables, cells, strict=True)]
    )
    return _made(str(head.get("name") or path.stem).upper(), head.get("label") or "", variables, frame, path)


def _made(
    name: str,
    label: str,
    variables: tuple[Variable, ...],
    frame: pl.DataFrame,
    path: Path,
    notes: tuple[Note, ...] = (),
) -> Dataset:
    typed = frame.select(
        pl.col(one.name).cast(pl.Float64 if one.type == "Num" else pl.String, strict=False) for one in variables
    )
    return Dataset(name, label, variables, typed, path.name, notes)


_READERS: Final[dict[str, Callable[[Path], Dataset]]] = {
    ".xpt": _transport,
    ".json": _dataset_json,
    ".ndjson": _dataset_ndjson,
    ".parquet": _parquet,
}
