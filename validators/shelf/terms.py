"""Controlled terminology on the shelf, by date."""

from pathlib import Path
from typing import Final

from validators.library import Terminology, read_terminology
from validators.library.reading import read_content
from validators.shelf.shelf import Kept, Shelf, now

LICENCE: Final = "NCI and CDISC controlled terminology, obtained by the user; see NCI EVS for its terms of use."


def load_terminology(shelf: Shelf, path: Path, *, date: str = "") -> tuple[Kept, bool]:
    """Read a file of controlled terminology and keep it; say whether it is new. Errors as `read_terminology`."""
    found = read_terminology(path, date=date)
    content = {path.name: path.read_bytes()}
    entry = Kept(
        kind="ct",
        version=found.date,
        sha256=found.sha256,
        source=path.name,
        loaded_at=now(),
        licence=LICENCE,
        count=found.size,
        standard=found.standard,
    )
    return entry, shelf.keep(entry, content)


def read_kept_terminology(shelf: Shelf, date: str) -> Terminology:
    """Return the terminology of a date that is kept.

    Raises
    ------
    NotFoundError
        None of that date is kept.
    """
    kept = shelf.get("ct", date)
    ((name, content),) = shelf.files(kept).items()
    return read_content(content, name=name, date=date)
