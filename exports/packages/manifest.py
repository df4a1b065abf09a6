"""A package: a folder with every dataset as XPT and Parquet, and a manifest that says what each file is.

The folder is written beside its place under another name and renamed when it is whole, so that whoever finds it finds
all of it. The manifest names the snapshot and the ledger position that the data were made from; its own hash is what
the ledger keeps of an export.
"""

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from datamodel.kernel.errors import BadInputError
from exports.packages.columns import DATASET_LABEL_KEY, LABELS_KEY, Column
from exports.packages.xpt import read_xpt, write_xpt

MANIFEST: Final = "manifest.json"

FaultKind = Literal["missing", "changed", "unlisted", "unreadable"]


@dataclass(frozen=True, slots=True)
class PackageDataset:
    """One dataset to be packed: its name (`DM`), label, rows, and the metadata of its variables in order."""

    name: str
    label: str
    frame: pl.DataFrame
    columns: tuple[Column, ...]


class Provenance(BaseModel):
    """Where the data of a package come from: enough to make the same package again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    study: str
    snapshot: int = Field(ge=0)
    ledger_position: int = Field(ge=0)
    #: the study's newest signed head when the data were read (C2SP checkpoint); empty when none was signed yet
    checkpoint: str = ""
    standard: str
    standard_version: str
    software_version: str
    #: version and hash of the mapping specification, and the version of the study design; empty where there is none
    mapping_revision: str = ""
    mapping_sha256: str = ""
    design_version: int | None = None
    created: datetime


class PackageFile(BaseModel):
    """One file of a package."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)
    rows: int = Field(ge=0)
    columns: tuple[str, ...]


class Manifest(BaseModel):
    """What `manifest.json` holds: where the data come from, and every other file of the folder by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provenance: Provenance
    files: tuple[PackageFile, ...]

    def to_bytes(self) -> bytes:
        """Give the manifest as it stands in the file: sorted keys, so that the same content has the same hash."""
        return (json.dumps(self.model_dump(mode="json"), indent=2, sort_keys=True) + "\n").encode()

    @property
    def sha256(self) -> str:
        """The hash that stands for the whole package."""
        return hashlib.sha256(self.to_bytes()).hexdigest()


@dataclass(frozen=True, slots=True)
class PackageFault:
    """One way in which a package is not what its manifest says."""

    kind: FaultKind
    file: str
    detail: str


class PackageError(BadInputError, ValueError):
    """A folder that is not a package."""


class PackageExistsError(BadInputError, FileExistsError):
    """The folder is there already, and replacing it was not asked for; it is untouched."""


def write_package(
    folder: str | os.PathLike[str],
    datasets: Sequence[PackageDataset],
    *,
    provenance: Provenance,
    replace: bool = False,
) -> Manifest:
    """Write all datasets and the manifest into `folder`, or nothing at all.

    Raises
    ------
    PackageExistsError
        If the folder exists and `replace` is not set.
    exports.packages.columns.XptError
        If a dataset does not fit the transport format.
    """
    target = Path(folder)
    if target.exists() and not replace:
        raise PackageExistsError(
            f"A package named {target.name!r} exists already and was left as it is. "
            "Choose another name, or ask for it to be replaced."
        )
    if provenance.created.tzinfo is None:
        raise ValueError("The instant of creation has no time zone. Pass one with a zone, such as UTC.")
    target.parent.mkdir(parents=True, exist_ok=True)
    building = target.with_name(f".{target.name}.{secrets.token_hex(4)}.building")
    building.mkdir()
    try:
        files = [file for dataset in datasets for file in _write_dataset(building, dataset)]
        stamp = provenance.model_copy(update={"created": provenance.created.astimezone(UTC)})
        manifest = Manifest(provenance=stamp, files=tuple(sorted(files, key=lambda file: file.name)))
        (building / MANIFEST).write_bytes(manifest.to_bytes())
        _settle(building)
        _put_in_place(building, target)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return manifest


def read_manifest(folder: str | os.PathLike[str]) -> Manifest:
    """Read the manifest of a package.

    Raises
    ------
    PackageError
        If there is none or it is not of this form.
    """
    path = Path(folder) / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise PackageError(f"The folder {path.parent.name!r} is not a package: it holds no {MANIFEST}.") from error
    except ValidationError as error:
        raise PackageError(
            f"The {MANIFEST} of {path.parent.name!r} is not of the form that packages have: {error}"
        ) from error


def verify_package(folder: str | os.PathLike[str]) -> tuple[PackageFault, ...]:
    """Recompute every file's hash, size, rows and columns; empty when the package is what its manifest says.

    Raises
    ------
    PackageError
        If the folder has no readable manifest.
    """
    root = Path(folder)
    manifest = read_manifest(root)
    faults = [fault for file in manifest.files if (fault := _check_file(root, file)) is not None]
    listed = {file.name for file in manifest.files} | {MANIFEST}
    strangers = sorted(path.name for path in root.iterdir() if path.name not in listed)
    faults += [PackageFault("unlisted", name, "is in the folder but not in the manifest") for name in strangers]
    return tuple(faults)


def _write_dataset(folder: Path, dataset: PackageDataset) -> list[PackageFile]:
    stem = dataset.name.lower()
    frame = dataset.frame.select([column.name for column in dataset.columns])
    xpt, parquet = folder / f"{stem}.xpt", folder / f"{stem}.parquet"
    write_xpt(frame, xpt, dataset=dataset.name, label=dataset.label, columns=dataset.columns)
    labels = {column.name: column.label for column in dataset.columns}
    frame.write_parquet(parquet, metadata={LABELS_KEY: json.dumps(labels), DATASET_LABEL_KEY: dataset.label})
    return [_describe(path, rows=frame.height, columns=frame.columns) for path in (parquet, xpt)]


def _describe(path: Path, *, rows: int, columns: Sequence[str]) -> PackageFile:
    return PackageFile(name=path.name, sha256=_hash(path), bytes=path.stat().st_size, rows=rows, columns=tuple(columns))


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_file(root: Path, file: PackageFile) -> PackageFault | None:
    path = root / file.name
    if not path.is_file():
        return PackageFault("missing", file.name, "is in the manifest but not in the folder")
    if path.stat().st_size != file.bytes:
        return PackageFault("changed", file.name, f"has {path.stat().st_size} bytes; the manifest says {file.bytes}")
    if _hash(path) != file.sha256:
        return PackageFault("changed", file.name, "has another content than the manifest says (SHA-256 differs)")
    try:
        frame = read_xpt(path) if path.suffix == ".xpt" else pl.read_parquet(path)
    except (ValueError, pl.exceptions.PolarsError) as error:
        return PackageFault("unreadable", file.name, str(error))
    if (frame.height, tuple(frame.columns)) != (file.rows, file.columns):
        return PackageFault("changed", file.name, "has other rows or columns than the manifest says")
    return None


def _settle(folder: Path) -> None:
    """Bring every file to the disk before the rename, so that a power cut leaves the whole package or none."""
    for path in (*folder.iterdir(), folder):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _put_in_place(building: Path, target: Path) -> None:
    """Rename the finished folder to its place; an older one steps aside first and is deleted last."""
    if not target.exists():
        building.rename(target)
        return
    aside = target.with_name(f".{target.name}.{secrets.token_hex(4)}.replaced")
    target.rename(aside)
    try:
        building.rename(target)
    except OSError:
        aside.rename(target)
        raise
    shutil.rmtree(aside)
