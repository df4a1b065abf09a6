"""Take in an ODM file: a summary, the data as Parquet and the design as JSON."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq

from datamodel.kernel.errors import BadInputError
from datamodel.study.protocol import Protocol
from exports.odm.design_in import design_of, is_redcap
from exports.odm.read import Batch, OdmFile


@dataclass(frozen=True, slots=True)
class Loaded:
    """An ODM file that was read to its end."""

    file: OdmFile
    design: Protocol | None
    notes: int

    def summary(self) -> dict[str, Any]:
        """Return counts and departures as plain data."""
        versions = [one for study in self.file.studies for one in study.all("MetaDataVersion")]
        names = ("StudyEventDef", "FormDef", "ItemGroupDef", "ItemDef", "CodeList", "ConditionDef", "MethodDef")
        return {
            "file": self.file.path.name,
            "odm": self.file.about,
            "dialect": "REDCap" if is_redcap(self.file) else "ODM",
            "metadata": {name: sum(len(one.all(name)) for one in versions) for name in names},
            "design": None
            if self.design is None
            else {
                "events": len(self.design.events),
                "forms": len(self.design.forms),
                "fields": sum(len(form.fields) for form in self.design.forms),
            },
            "clinical": {"subjects": self.file.subjects, "items": self.file.items, "notes": self.notes},
            "departures": [asdict(one) for one in self.file.departures],
        }

    def lines(self) -> Iterator[str]:
        """Yield the summary in words."""
        found = self.summary()
        yield f"{found['file']}: {found['dialect']} {self.file.about.get('ODMVersion', '')}".rstrip()
        yield "Metadata: " + ", ".join(f"{count:,} {name}" for name, count in found["metadata"].items() if count)
        if found["design"]:
            yield "Design: " + ", ".join(f"{count:,} {name}" for name, count in found["design"].items())
        yield "Clinical data: " + ", ".join(f"{count:,} {name}" for name, count in found["clinical"].items())
        yield f"{len(found['departures']):,} departures" + (":" if found["departures"] else ".")
        for one in self.file.departures:
            yield f"  {one}"


def load(path: Path, *, out: Path | None = None, then: Callable[[Loaded], None] = lambda _: None) -> Loaded:
    """Read an ODM file to its end; with `out`, a new folder gets items.parquet, notes.parquet, design.json, summary.json.

    `then` is given what was read before the folder is there: what it raises leaves no folder.

    Raises
    ------
    BadInputError
        As `OdmFile.batches`, and when `out` exists. Nothing is left behind then.
    """
    file = OdmFile(path)
    notes = 0
    if out is None:
        for batch in file.batches():
            notes += batch.notes.height
        loaded = Loaded(file, design_of(file), notes)
        then(loaded)
        return loaded
    if out.exists():
        raise BadInputError(f"{out.name} exists and was left as it is. Name a new folder.")
    part = out.with_name(f".{out.name}.part")
    part.mkdir(parents=True)
    try:
        notes = _written(file, part)
        loaded = Loaded(file, design_of(file), notes)
        design = loaded.design.as_document() if loaded.design else None
        (part / "design.json").write_bytes(orjson.dumps(design, option=orjson.OPT_INDENT_2))
        (part / "summary.json").write_bytes(orjson.dumps(loaded.summary(), option=orjson.OPT_INDENT_2))
        then(loaded)
        part.rename(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)  # gone already when all went well
    return loaded


def _written(file: OdmFile, folder: Path) -> int:
    """Write the batches one after the other; return how many notes there were."""
    notes = 0
    batches = file.batches()
    first: Batch = next(batches)
    tables = first.items.to_arrow(), first.notes.to_arrow()
    with (
        pq.ParquetWriter(folder / "items.parquet", tables[0].schema) as items,
        pq.ParquetWriter(folder / "notes.parquet", tables[1].schema) as others,
    ):
        batch: Batch | None = first
        while batch is not None:
            items.write_table(batch.items.to_arrow())
            others.write_table(batch.notes.to_arrow())
            notes += batch.notes.height
            batch = next(batches, None)
    return notes
