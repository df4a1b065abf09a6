"""Make the archive of a choice."""

import hashlib
import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import polars as pl
import xlsxwriter  # type: ignore[import-untyped] # publishes no types

from datamodel.kernel.errors import BadInputError, NotFoundError
from exports.extracts.choice import FORMATS, POPULATIONS, STANDARDS, Table, subjects, tables_of_forms
from exports.marts.reader import Snapshot
from exports.packages.columns import Column
from exports.packages.datasetjson import write_dataset_json
from exports.packages.xpt import write_xpt
from exports.sdtm.dataset import SdtmDataset
from exports.sdtm.exchange import fields_of, header_of
from exports.sdtm.snapshots import build_snapshot
from exports.sdtm.spec import has_spec
from exports.sdtm.terms import Terms

#: What a sheet holds at most, its titles included.
SHEET_ROWS: Final = 1_048_576
#: The first year that a spreadsheet knows.
FIRST_YEAR: Final = 1900
_README: Final = "READ-ME-FIRST.txt"
_CSV: Final = (
    "The CSV files hold the values exactly as they were collected: UTF-8, commas, quotes where needed, dates as in ISO 8601, an\n"
    "empty cell for no value. A spreadsheet program that opens them by a double click may take a text for a formula or a date\n"
    "and change it. Import them with every column as text, or take the Excel workbooks, whose cells are texts already.\n"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asked for. Without `tables`: all of the standard."""

    standard: str
    form: str
    population: str = "all"
    tables: tuple[str, ...] = ()

    def check(self) -> None:
        """Raise BadInputError with all that is wrong with the choice."""
        faults = []
        if self.standard not in STANDARDS:
            faults.append(f"the standard “{self.standard}” (there are {', '.join(STANDARDS)})")
        if self.form not in FORMATS:
            faults.append(f"the format “{self.form}” (there are {', '.join(FORMATS)})")
        elif self.standard in STANDARDS and self.standard not in FORMATS[self.form][1]:
            faults.append(f"{FORMATS[self.form][0]} for {STANDARDS[self.standard]}, which it cannot hold")
        if self.population not in POPULATIONS:
            faults.append(f"the population “{self.population}” (there are {', '.join(POPULATIONS)})")
        if faults:
            raise BadInputError(f"Nothing was made. Received {'; '.join(faults)}.")


@dataclass(frozen=True, slots=True)
class Part:
    """One table of the archive, with what its columns mean."""

    name: str
    label: str
    frame: pl.DataFrame
    #: column -> label
    labels: Mapping[str, str]
    #: of SDTM, as a transport file describes them
    columns: tuple[Column, ...] = ()
    #: of SDTM, as Dataset-JSON describes it
    dataset: SdtmDataset | None = None


@dataclass(frozen=True, slots=True)
class Archive:
    """A ZIP file, and what the ledger keeps of it."""

    name: str
    content: bytes
    sha256: str
    rows: int
    #: file -> (rows, SHA-256)
    files: dict[str, tuple[int, str]]


def parts(snapshot: Snapshot, asked: Asked, *, terms: Terms | None = None) -> list[Part]:
    """Return the tables that were asked for, with the rows of the population.

    `terms` is the controlled terminology of the study, where its mapping to SDTM looks terms up.

    Raises
    ------
    BadInputError
        When something is asked for that there is not.
    NotFoundError
        When SDTM is asked for and the study has no mapping.
    """
    return list(_parts(snapshot, asked, terms))


def _parts(snapshot: Snapshot, asked: Asked, terms: Terms | None) -> Iterator[Part]:
    """Yield the tables one by one; those of forms are read when they are wanted."""
    asked.check()
    people = subjects(snapshot, asked.population)
    made: Iterable[Part]
    if asked.standard == "sdtm":
        made = _sdtm(snapshot, asked, people, terms)
    else:
        made = (_odm if asked.standard == "odm" else _forms)(snapshot, asked, people)
    yield from (one for one in made if one.frame.width)


def preview(
    snapshot: Snapshot, asked: Asked, *, rows: int = 20, terms: Terms | None = None
) -> tuple[pl.DataFrame, int, Mapping[str, str]]:
    """Return the first rows of the first table that was asked for, how many it has, and its columns' labels."""
    one = next(_parts(snapshot, asked, terms))
    return one.frame.head(rows), one.frame.height, one.labels


def make(
    snapshot: Snapshot,
    asked: Asked,
    *,
    protocol_id: str,
    software: str,
    signatures: pl.DataFrame | None = None,
    terms: Terms | None = None,
) -> Archive:
    """Return the archive of what was asked for, of tables or SDTM (ODM is one file: `exports.odm`).

    Errors as `parts`; BadInputError when a format cannot hold a table.

    `signatures` (of `exports.extracts.signatures`) are written beside the tables, those of the population: who signed which
    form, when, and with which meaning.
    """
    made = parts(snapshot, asked, terms=terms)
    about = _About(snapshot, protocol_id, software)
    files = {f"{one.name}.{asked.form}": (one.frame.height, _WRITERS[asked.form](one, about)) for one in made}
    files["codebook.csv"] = _codebook(made)
    if signatures is not None:
        people = subjects(snapshot, asked.population)
        kept = signatures if people is None else signatures.filter(pl.col("subject_id").is_in(people))
        files["signatures.csv"] = (kept.height, flat_csv(kept))
    if asked.form == "csv":
        files[_README] = (0, _CSV.encode())
    described = {name: (rows, hashlib.sha256(content).hexdigest()) for name, (rows, content) in files.items()}
    manifest = {
        "study": protocol_id,
        "snapshot": snapshot.number,
        "ledger_position": snapshot.position,
        "checkpoint": snapshot.about.get("checkpoint", ""),
        "taken_at": snapshot.taken_at.isoformat(),
        "standard": STANDARDS[asked.standard],
        "format": FORMATS[asked.form][0],
        "population": POPULATIONS[asked.population].sentence,
        "is_blinded": snapshot.is_blinded,
        "site": snapshot.site,
        "software": software,
        "files": [{"name": name, "rows": rows, "sha256": digest} for name, (rows, digest) in described.items()],
    }
    files["manifest.json"] = (0, json.dumps(manifest, indent=2, ensure_ascii=False).encode())
    content = _zipped({name: body for name, (_, body) in files.items()}, snapshot)
    rows = sum(one.frame.height for one in made)
    stem = f"{protocol_id}-snapshot-{snapshot.number}-{asked.standard}-{asked.population}-{asked.form}"
    return Archive(f"{stem}.zip", content, hashlib.sha256(content).hexdigest(), rows, described)


# --- tables ------------------------------------------------------------------------------------------------------------


def _forms(snapshot: Snapshot, asked: Asked, people: frozenset[str] | None) -> Iterator[Part]:
    meanings = snapshot.catalogue()
    for table in _named(tables_of_forms(snapshot), asked.tables):
        frame = snapshot.frame(table.key)
        if people is not None and "subject_id" in frame.columns:
            frame = frame.filter(pl.col("subject_id").is_in(people))
        of_form = meanings.filter(pl.col("form_id") == table.name)
        labels = dict(zip(of_form["column"], of_form["label"], strict=True))
        yield Part(table.name, table.label, frame, labels)


def _sdtm(snapshot: Snapshot, asked: Asked, people: frozenset[str] | None, terms: Terms | None) -> list[Part]:
    if not has_spec(snapshot.study):
        raise NotFoundError(f"The study {snapshot.study} has no mapping to SDTM yet. Take the tables as collected.")
    datasets = build_snapshot(snapshot, terms=terms)
    offered = tuple(Table(name.lower(), one.label) for name, one in datasets.items())
    made = []
    for table in _named(offered, tuple(one.lower() for one in asked.tables)):
        one = datasets[table.name.upper()]
        keyed = one.keyed
        if people is not None and "subject_id" in keyed.columns:
            keyed = keyed.filter(pl.col("subject_id").is_in(people) | pl.col("subject_id").is_null())
        frame = keyed.select(variable.name for variable in one.variables)
        made.append(Part(table.name, one.label, frame, one.labels, one.columns, one))
    return made


def _odm(snapshot: Snapshot, asked: Asked, people: frozenset[str] | None) -> list[Part]:
    """Return what the one file will hold, form by form: it has no tables to choose from."""
    if asked.tables:
        raise BadInputError("Nothing was made. An ODM file holds every form; tables cannot be left out of it.")
    rows = [
        (one.label, one.frame["subject_id"].n_unique(), one.frame.height)
        for one in _forms(snapshot, Asked("forms", "csv", tables=tuple(snapshot.forms)), people)
    ]
    frame = pl.DataFrame(rows, schema={"form": pl.String, "participants": pl.Int64, "entries": pl.Int64}, orient="row")
    labels = {"form": "Form", "participants": "Participants with an entry", "entries": "Entries of the form"}
    return [Part("odm", "What the file holds", frame, labels)]


def _named(offered: Sequence[Table], asked: tuple[str, ...]) -> list[Table]:
    names = {one.name for one in offered}
    if unknown := [one for one in asked if one not in names]:
        raise BadInputError(
            f"Nothing was made. There is no table {', '.join(unknown)}; there are {', '.join(sorted(names))}."
        )
    return [one for one in offered if not asked or one.name in asked]


# --- files -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _About:
    """What files say of where they come from."""

    snapshot: Snapshot
    protocol: str
    software: str


def _csv(part: Part, _: _About) -> bytes:
    return part.frame.with_columns(_flat(part.frame)).write_csv().encode()


def flat_csv(frame: pl.DataFrame) -> bytes:
    """Return a frame as CSV: lists with semicolons, instants as ISO 8601 with their offset."""
    return frame.with_columns(_flat(frame)).write_csv().encode()


def _flat(frame: pl.DataFrame) -> list[pl.Expr]:
    """Columns that CSV and workbooks cannot hold as they are, as texts."""
    lists = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.List)]
    instants = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.Datetime)]
    return [
        *(pl.col(name).list.eval(pl.element().cast(pl.String)).list.join("; ") for name in lists),
        *(pl.col(name).dt.to_string("iso:strict") for name in instants),
    ]


def _parquet(part: Part, _: _About) -> bytes:
    out = io.BytesIO()
    part.frame.write_parquet(
        out, metadata={"metricis.label": part.label, "metricis.labels": json.dumps(dict(part.labels))}
    )
    return out.getvalue()


def _xpt(part: Part, _: _About) -> bytes:
    with tempfile.TemporaryDirectory(prefix="metricis-extract-") as folder:
        path = Path(folder) / f"{part.name}.xpt"
        write_xpt(part.frame, path, dataset=part.name.upper(), label=part.label, columns=part.columns)
        return path.read_bytes()


def _xlsx(part: Part, about: _About) -> bytes:
    """Return a workbook of one sheet: names, labels, then rows; texts are texts, whatever they begin with."""
    if part.frame.height + 2 > SHEET_ROWS:
        raise BadInputError(
            f"{part.label} has {part.frame.height:,} rows, and a sheet holds {SHEET_ROWS - 2:,}. Nothing was made. Take CSV "
            "or Parquet, or fewer participants."
        )
    out = io.BytesIO()
    frame = part.frame.with_columns(_flat(part.frame))
    with xlsxwriter.Workbook(out, {"constant_memory": True, "in_memory": False}) as book:
        book.set_properties({"title": part.label, "created": about.snapshot.taken_at.replace(tzinfo=None)})
        bold, day = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd"})
        sheet = book.add_worksheet(part.name[:31])
        sheet.freeze_panes(2, 1)
        for place, name in enumerate(frame.columns):
            sheet.set_column(place, place, max(10, min(28, len(name) + 2)))
            sheet.write_string(0, place, name, bold)
        for place, name in enumerate(frame.columns):
            sheet.write_string(1, place, part.labels.get(name, ""))
        writers = [_cell(sheet, dtype, day) for dtype in frame.dtypes]
        for number, row in enumerate(frame.iter_rows(), start=2):
            for place, value in enumerate(row):
                if value is not None:
                    writers[place](number, place, value)
    return out.getvalue()


def _cell(sheet: Any, dtype: pl.DataType, day: Any) -> Callable[[int, int, Any], Any]:
    if dtype.is_numeric():
        return sheet.write_number  # type: ignore[no-any-return] # of a library without types
    if dtype == pl.Boolean:
        return sheet.write_boolean  # type: ignore[no-any-return]
    if dtype == pl.Date:
        return lambda row, place, value: (
            sheet.write_datetime(row, place, value, day)
            if value.year >= FIRST_YEAR
            else sheet.write_string(row, place, value.isoformat())
        )
    return lambda row, place, value: sheet.write_string(row, place, str(value))


def _exchange(form: Literal["json", "ndjson"]) -> Callable[[Part, _About], bytes]:
    def write(part: Part, about: _About) -> bytes:
        assert part.dataset is not None  # noqa: S101 - only SDTM is offered in this format
        header = header_of(
            part.dataset, created=about.snapshot.taken_at, protocol=about.protocol, software=about.software
        )
        with tempfile.TemporaryDirectory(prefix="metricis-extract-") as folder:
            path = Path(folder) / f"{part.name}.{form}"
            write_dataset_json(part.frame, path, header=header, fields=fields_of(part.dataset), form=form)
            return path.read_bytes()

    return write


_WRITERS: Final[dict[str, Callable[[Part, _About], bytes]]] = {
    "csv": _csv,
    "parquet": _parquet,
    "xpt": _xpt,
    "xlsx": _xlsx,
    "json": _exchange("json"),
    "ndjson": _exchange("ndjson"),
}


def _codebook(made: Sequence[Part]) -> tuple[int, bytes]:
    rows = [
        (one.name, one.label, name, one.labels.get(name, ""), str(dtype))
        for one in made
        for name, dtype in one.frame.schema.items()
    ]
    schema = ["table", "table_label", "column", "label", "type"]
    return len(rows), pl.DataFrame(rows, schema=schema, orient="row").write_csv().encode()


def _zipped(files: Mapping[str, bytes], snapshot: Snapshot) -> bytes:
    out = io.BytesIO()
    at = snapshot.taken_at
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(
                name, (max(1980, at.year), at.month, at.day, at.hour, at.minute, at.second // 2 * 2)
            )
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return out.getvalue()
