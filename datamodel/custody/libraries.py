"""Other people's packages beside ours, held against the lists that came with them (`RECORD`, the wheel format's own).

Those lists are on the same disk, so they count only because their hashes are among the files that `custody.files` records. Reading
every file takes seconds: this is asked on the command line, not at a start. Compiled copies are not looked at.
"""

import base64
import csv
import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from datamodel.custody.files import LIBRARIES, LISTS, Change

#: Ends of what Python would load although no list names it.
_LOADED: Final = (".py", ".so", ".pyd", ".pyc", ".pth")
_CHUNK: Final = 1 << 20


def changes(folder: Path) -> tuple[int, list[Change]]:
    """Return how many files the lists in a folder of libraries name, and how what is there differs from them."""
    named = dict(_named(folder))
    with ThreadPoolExecutor() as pool:  # hashing leaves other threads alone
        found = pool.map(lambda item: _judged(folder, *item), sorted(named.items()))
        wrong = [one for one in found if one is not None]
    known = {os.path.normpath(path) for path in _paths(folder)}
    wrong += [Change("extra", f"{LIBRARIES}/{path}") for path in sorted(_loaded(folder) - known)]
    return len(named), wrong


def _lines(folder: Path) -> Iterator[list[str]]:
    for record in sorted(folder.glob(f"*{LISTS[0]}/{LISTS[1]}")):
        with record.open(encoding="utf-8", newline="") as file:
            yield from csv.reader(file)


def _paths(folder: Path) -> Iterator[str]:
    return (line[0] for line in _lines(folder) if line)


def _named(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the files with a hash; a list has none for itself and for what an installer made."""
    for line in _lines(folder):
        if len(line) > 1 and line[1].startswith("sha256="):
            yield line[0], line[1].removeprefix("sha256=")


def _judged(folder: Path, path: str, wanted: str) -> Change | None:
    digest = hashlib.sha256()
    try:
        with (folder / path).open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError:
        return Change("missing", f"{LIBRARIES}/{path}")
    found = base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()
    return None if found == wanted.rstrip("=") else Change("altered", f"{LIBRARIES}/{path}")


def _loaded(folder: Path) -> set[str]:
    found = set()
    for place, folders, names in os.walk(folder):
        folders[:] = [one for one in folders if one != "__pycache__"]
        inside = os.path.relpath(place, folder)
        found |= {os.path.normpath(f"{inside}/{name}") for name in names if name.endswith(_LOADED)}
    return found
