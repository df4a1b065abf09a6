"""The manifest: where a package comes from, and every file of it with its hash."""

import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from exports.packages.manifest import PackageError, PackageFault

MANIFEST: Final = "manifest.json"


class _Fixed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Fixed):
    """Where the package comes from: enough to make the same again."""

    study: str
    protocol: str
    snapshot: int = Field(ge=1)
    ledger_position: int = Field(ge=0)
    #: the study's newest signed head when the data were read (C2SP checkpoint); empty when none was signed yet
    checkpoint: str = ""
    design_version: int
    #: version of the study's mapping, and the hash of its files
    mapping_version: str
    mapping_sha256: str
    standard: str
    standard_version: str
    #: date of the controlled terminology, and what catalogue of rules checked the data
    terminology: str
    rules: str
    software_version: str
    #: the instant of the snapshot, not of the writing
    created: datetime


class File(_Fixed):
    """One file by its place in the package."""

    path: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)
    what: str
    #: rows of a dataset; None for what is none
    rows: int | None = None


class Manifest(_Fixed):
    """What `manifest.json` holds."""

    source: Source
    findings: dict[str, int]
    rules_that_did_not_run: int
    files: tuple[File, ...]

    def to_bytes(self) -> bytes:
        """Give the manifest as it stands in the file."""
        return (json.dumps(self.model_dump(mode="json"), indent=2, sort_keys=True) + "\n").encode()

    @property
    def sha256(self) -> str:
        """The hash that stands for the whole package."""
        return hashlib.sha256(self.to_bytes()).hexdigest()


def described(root: Path, path: Path, *, what: str, rows: int | None = None) -> File:
    """Describe a file of the package below `root`."""
    with path.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    place = path.relative_to(root).as_posix()
    return File(path=place, sha256=digest, bytes=path.stat().st_size, what=what, rows=rows)


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a package; PackageError when there is none or it is not of this form."""
    try:
        return Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except FileNotFoundError as error:
        raise PackageError(f"The folder {folder.name!r} is not a package: it holds no {MANIFEST}.") from error
    except ValidationError as error:
        raise PackageError(
            f"The {MANIFEST} of {folder.name!r} is not of the form that packages have: {error}"
        ) from error


def verify(folder: Path) -> tuple[PackageFault, ...]:
    """Recompute every file's hash; empty when the package is what its manifest says.

    Raises
    ------
    PackageError
        If the folder has no readable manifest.
    """
    manifest = read_manifest(folder)
    faults = []
    for file in manifest.files:
        path = folder / file.path
        if not path.is_file():
            faults.append(PackageFault("missing", file.path, "is in the manifest but not in the folder"))
        elif described(folder, path, what=file.what, rows=file.rows) != file:
            faults.append(PackageFault("changed", file.path, "has another content than the manifest says"))
    listed = {file.path for file in manifest.files} | {MANIFEST}
    there = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    faults += [
        PackageFault("unlisted", path, "is in the folder but not in the manifest")
        for path in there
        if path not in listed
    ]
    return tuple(faults)
