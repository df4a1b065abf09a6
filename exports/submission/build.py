"""Write a package: datasets, metadata, validation report, guide, manifest; all of it or nothing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from exports.extracts.make import flat_csv
from exports.packages.read import read_dataset
from exports.reports.check import Asked, Catalogue, check
from exports.reports.document import to_json
from exports.reports.model import Report
from exports.reports.page import to_html
from exports.reports.workbook import write_workbook
from exports.sdtm.dataset import SdtmDataset
from exports.submission.files import write_exchange, write_transport
from exports.submission.guide import guide
from exports.submission.manifest import MANIFEST, File, Manifest, Source, described
from exports.submission.place import appearing
from validators.conformance.define import read_define
from validators.library import Library

GUIDE: Final = "reviewers-guide.md"
DEFINE: Final = "define.xml"
SIGNATURES: Final = "signatures.csv"
_HEAD: Final = (("Study", "protocol"), ("Snapshot", "snapshot"), ("Ledger position", "ledger_position"))


@dataclass(frozen=True, slots=True)
class Contents:
    """Everything that a package is made of."""

    source: Source
    title: str
    datasets: Mapping[str, SdtmDataset]
    catalogue: Catalogue
    library: Library | None = None
    #: writes the Define-XML, and what belongs to it, into the datasets' folder; returns the files with what each is
    define: Callable[[Path], Sequence[tuple[Path, str]]] | None = None
    #: the signatures of forms as of the snapshot (`exports.extracts.signatures`)
    signatures: pl.DataFrame | None = None


@dataclass(frozen=True, slots=True)
class Package:
    """A package that was written."""

    folder: Path
    manifest: Manifest
    report: Report


def build_package(target: Path, contents: Contents) -> Package:
    """Write the package into `target`.

    Raises
    ------
    exports.packages.manifest.PackageExistsError
        When `target` is there already.
    exports.packages.columns.XptError
        When a dataset does not fit a transport file.
    """
    with appearing(target) as root:
        files = _data(root, contents)
        report = _validated(contents, _place(root, contents))
        files += _told(root, report)
        files += _signed(root, contents)
        files.append(_guide(root, contents, report, files))
        manifest = Manifest(
            source=contents.source,
            findings=report.by_severity,
            rules_that_did_not_run=report.did_not_run,
            files=tuple(sorted(files, key=lambda one: one.path)),
        )
        (root / MANIFEST).write_bytes(manifest.to_bytes())
    return Package(folder=target, manifest=manifest, report=report)


def _place(root: Path, contents: Contents) -> Path:
    return root / "m5" / "datasets" / contents.source.study / "tabulations" / "sdtm"


def _data(root: Path, contents: Contents) -> list[File]:
    place = _place(root, contents)
    files = []
    for name, path in write_transport(place, contents.datasets).items():
        one = contents.datasets[name]
        files.append(described(root, path, what=f"{one.label} ({name}), SAS transport", rows=one.frame.height))
    exchange = write_exchange(root / "dataset-json", contents.datasets, contents.source)
    for name, path in exchange.items():
        one = contents.datasets[name]
        files.append(described(root, path, what=f"{one.label} ({name}), Dataset-JSON 1.1", rows=one.frame.height))
    if contents.define:
        files += [described(root, path, what=what) for path, what in contents.define(place)]
    return files


def _validated(contents: Contents, place: Path) -> Report:
    """Run the rules on the transport files as they were written."""
    source = contents.source
    asked = Asked(
        standard=source.standard,
        version=source.standard_version,
        generated=source.created,
        listed=None,
        # Seconds differ from run to run; the same snapshot gives the same bytes.
        is_timed=False,
        define=DEFINE if contents.define else "",
        terminology=source.terminology,
        more=tuple((words, str(getattr(source, name))) for words, name in _HEAD),
    )
    return check(
        [read_dataset(place / f"{name.lower()}.xpt") for name in contents.datasets],
        contents.catalogue,
        asked,
        library=contents.library,
        define=read_define(place / DEFINE) if contents.define else None,
    )


def _told(root: Path, report: Report) -> list[File]:
    place = root / "validation"
    place.mkdir()
    write_workbook(report, place / "report.xlsx")
    (place / "report.html").write_text(to_html(report), encoding="utf-8")
    (place / "report.json").write_bytes(to_json(report))
    return [
        described(root, place / "report.xlsx", what="Validation report, workbook"),
        described(root, place / "report.html", what="Validation report, page"),
        described(root, place / "report.json", what="Validation report, for programs"),
    ]


def _signed(root: Path, contents: Contents) -> list[File]:
    """Write who signed which version of which form, when and with what meaning (21 CFR 11.50(b))."""
    if contents.signatures is None:
        return []
    (root / SIGNATURES).write_bytes(flat_csv(contents.signatures))
    what = "Electronic signatures of forms: signer, instant with zone, meaning, what they cover, whether they stand"
    return [described(root, root / SIGNATURES, what=what, rows=contents.signatures.height)]


def _guide(root: Path, contents: Contents, report: Report, files: list[File]) -> File:
    what = "Reviewer's guide, a skeleton with the real counts"
    listed = sorted([(one.path, one.what) for one in files] + [(GUIDE, what)])
    text = guide(
        contents.source,
        contents.datasets,
        report,
        title=contents.title,
        files=listed,
        has_define=contents.define is not None,
    )
    (root / GUIDE).write_text(text, encoding="utf-8")
    return described(root, root / GUIDE, what=what)
