"""Datasets of a folder, whoever wrote them; a file that cannot be read is told and never ends a run."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import orjson
import polars as pl

from exports.packages.manifest import DATASET_LABEL_KEY, LABELS_KEY
from exports.reports.model import Unread
from validators.datasets.shape import Dataset, Note, Variable

#: Files that stand beside datasets and are none.
_BESIDE: Final = frozenset({"manifest.json", "report.json"})
#: What a Windows program writes where ASCII is asked for.
_FALLBACK: Final = "cp1252"
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
            unread.append(Unread(path.name, f"{first} holds a dataset of the same name, which was checked instead."))
        else:
            datasets[one.name] = one
    return list(datasets.values()), unread


def _candidates(place: Path) -> Iterator[Path]:
    files = [place] if place.is_file() else sorted(path for path in place.iterdir() if path.is_file())
    for suffix in _READERS:
        yield from (path for path in files if path.suffix.lower() == suffix and path.name not in _BESIDE)


def _transport(path: Path) -> Dataset:
    import pyreadstat

    notes: tuple[Note, ...] = ()
    try:
        frame, meta = pyreadstat.read_xport(str(path), output_format="polars")
    except (pyreadstat.ReadstatError, UnicodeDecodeError):
        frame, meta = pyreadstat.read_xport(str(path), output_format="polars", encoding=_FALLBACK)
        notes = (Note("not_ascii", f"The text is not UTF-8; it was read as {_FALLBACK}."),)
    kinds = meta.readstat_variable_types
    variables = tuple(
        Variable(
            name,
            meta.column_names_to_labels.get(name) or "",
            "Char" if kinds[name] == "string" else "Num",
            meta.variable_storage_width.get(name),
            meta.original_variable_types.get(name, "") or "",
        )
        for name in meta.column_names
    )
    name = (meta.table_name or path.stem).upper()
    return _made(name, meta.file_label or "", variables, frame, path, notes)


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
