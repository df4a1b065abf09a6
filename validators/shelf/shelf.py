"""The shelf: content by its hash, an index entry for each kind and version."""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

from datamodel.kernel.clock import system_clock
from datamodel.kernel.errors import BadInputError, FaultError, NotFoundError

Kind = Literal["ct", "rules"]
VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


@dataclass(frozen=True, slots=True)
class Kept:
    """One entry: what it is, where its files came from, when they were loaded (UTC), how many terms or rules it has."""

    kind: Kind
    version: str
    sha256: str
    source: str
    loaded_at: str
    licence: str
    count: int
    standard: str = "SDTM"


class Shelf:
    """Standards' files below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def entries(self, kind: Kind | None = None) -> list[Kept]:
        """Return what is kept, by kind and version."""
        found = [self._entry(path) for path in sorted((self._folder / "index").glob("*.json"))]
        return [one for one in found if kind in (None, one.kind)]

    def get(self, kind: Kind, version: str) -> Kept:
        """Return one entry.

        Raises
        ------
        NotFoundError
            That version is not kept.
        """
        for one in self.entries(kind):
            if one.version == version:
                return one
        have = ", ".join(one.version for one in self.entries(kind)) or "none"
        command = "ct" if kind == "ct" else "rules"
        raise NotFoundError(
            f"There is no {_named(kind)} of version {version} here; there is: {have}. "
            f"Load it with `metricis {command} load`. Nothing was changed."
        )

    def files(self, kept: Kept) -> dict[str, bytes]:
        """Return the files of an entry by name, checked against their hash.

        Raises
        ------
        FaultError
            They were changed or removed since they were loaded.
        """
        place = self._content(kept.sha256)
        found = {path.relative_to(place).as_posix(): path.read_bytes() for path in place.rglob("*") if path.is_file()}
        if hashed(found) != kept.sha256:
            raise FaultError(
                f"The files of the {_named(kept.kind)} {kept.version} in {place} are not those that were loaded. "
                "Remove that folder and its entry in the index, and load the files again."
            )
        return found

    def folder_of(self, kept: Kept) -> Path:
        """Return the folder with the files of an entry, checked against their hash; errors as `files`."""
        self.files(kept)
        return self._content(kept.sha256)

    def keep(self, entry: Kept, files: Mapping[str, bytes]) -> bool:
        """Keep files under the entry's version; False when exactly these are kept already.

        Raises
        ------
        BadInputError
            Other files are kept under that version, or the version is no name.
        """
        if not VERSION.fullmatch(entry.version):
            raise BadInputError(
                f"Received the version “{entry.version[:50]}”; a version has 1 to 40 letters, digits, dots, - or _. "
                "Nothing was loaded."
            )
        for one in self.entries(entry.kind):
            if (one.version, one.standard) == (entry.version, entry.standard):
                if one.sha256 == entry.sha256:
                    return False
                raise BadInputError(
                    f"The {_named(entry.kind)} {entry.version} is kept already with other content (SHA-256 {one.sha256[:12]}…, "
                    f"loaded {one.loaded_at}); this has {entry.sha256[:12]}…. What is kept is never changed. Nothing was loaded."
                )
        self._write_content(entry.sha256, files)
        self._write_entry(entry)
        return True

    def _content(self, sha256: str) -> Path:
        return self._folder / "content" / sha256

    def _write_content(self, sha256: str, files: Mapping[str, bytes]) -> None:
        place = self._content(sha256)
        if place.exists():
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=place.parent))
        try:
            for name, content in files.items():
                path = draft / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            draft.replace(place)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise

    def _write_entry(self, entry: Kept) -> None:
        place = self._folder / "index" / f"{entry.kind}-{entry.standard.lower()}-{entry.version}.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = place.with_suffix(f".{os.getpid()}.draft")
        draft.write_text(json.dumps(asdict(entry), indent=1) + "\n", encoding="utf-8")
        draft.replace(place)

    @staticmethod
    def _entry(path: Path) -> Kept:
        try:
            return Kept(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise FaultError(
                f"The index entry {path} cannot be read: {error}. Remove it and load the file again."
            ) from error


def hashed(files: Mapping[str, bytes]) -> str:
    """Return the SHA-256 of files: of the content of one alone, else of all names and their hashes in order."""
    if len(files) == 1:
        return hashlib.sha256(next(iter(files.values()))).hexdigest()
    lines = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def now() -> str:
    """Return the present moment in UTC, to the second."""
    return system_clock().strftime("%Y-%m-%dT%H:%M:%SZ")


def _named(kind: Kind) -> str:
    return "controlled terminology" if kind == "ct" else "set of rules"
