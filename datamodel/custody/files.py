"""Which files of the program are here, and what they hold. Pure but for reading them.

What counts: every file of our packages, and beside them what Python or Prefect would run without being asked (`.py`, `.pth`,
compiled modules, `prefect.yaml`), there and where the libraries are, with the libraries' own lists of files. Compiled copies (`__pycache__`) count too: Python runs them
in place of their source. One that is unknown is held against its source, so that Python may make them anew.
"""

import hashlib
import importlib.util
import marshal
import os
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Final, Literal

PACKAGES: Final = ("apps", "datamodel", "exports", "metricis", "pipelines", "simulators", "validators")
#: Where the libraries are, in the names of a list.
LIBRARIES: Final = "site-packages"
#: Where each library's own list of files is: the end of its folder's name, and the file. See `custody.libraries`.
LISTS: Final = (".dist-info", "RECORD")
_CACHE: Final = "__pycache__"
#: Bytes before the code in a compiled copy: they say of which source it is, and nothing else.
_HEADER: Final = 16
_RUN: Final = (".py", ".pth", ".pyc")
_ALSO_RUN: Final = ("prefect.yaml",)
#: Compiled modules beside our packages are other people's, and large: their sizes count, not what they hold.
_COMPILED: Final = (".so", ".pyd")
#: Changes that one sentence names.
_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class Change:
    """A file that is not as it was recorded."""

    kind: Literal["altered", "missing", "extra"]
    path: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where the program is: the folder that holds our packages, and the libraries' folder."""

    root: Path
    libraries: Path


def here() -> Place:
    """Return where the running program is."""
    return Place(Path(__file__).resolve().parents[2], Path(sysconfig.get_path("purelib")))


def listed(place: Place) -> dict[str, str]:
    """Return every file that counts: its path -> SHA-256 of what it holds (of a link to a folder: of where it leads)."""
    found: dict[str, str] = {}
    for package in PACKAGES:
        _walk(str(place.root / package), package, found)
    _beside(place.root, "", found)
    if place.libraries != place.root:
        _beside(place.libraries, f"{LIBRARIES}/", found)
    return found


def changes(recorded: Mapping[str, str], place: Place) -> list[Change]:
    """Return how the files that are here differ from those that were recorded."""
    found = listed(place)
    copies = [path for path in found if _is_copy(path) and recorded.get(path) != found[path]]
    wrong = [Change("altered", path) for path in sorted(copies) if not _is_true(path, place)]
    return [*differences(recorded, found), *wrong]


def differences(recorded: Mapping[str, str], found: Mapping[str, str]) -> list[Change]:
    """Return how two lists differ, compiled copies left out."""
    here = {path for path in found if not _is_copy(path)}
    gone = {path for path in recorded.keys() - found.keys() if not _is_copy(path)}
    return [
        *(
            Change("altered" if path in recorded else "extra", path)
            for path in sorted(here)
            if recorded.get(path) != found[path]
        ),
        *(Change("missing", path) for path in sorted(gone)),
    ]


def elsewhere() -> list[Change]:
    """Return the folders from which a package of ours would be imported although it is not the one beside this file."""
    root, found = here().root, []
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        places = list(spec.submodule_search_locations or []) if spec else []
        found += [Change("extra", one) for one in places if Path(one).resolve() != root / package]
    return found


def written(files: Mapping[str, str]) -> str:
    """Return a list as text, in the form of `sha256sum`."""
    return "".join(f"{digest}  {path}\n" for path, digest in sorted(files.items()))


def packaged(files: Mapping[str, str]) -> dict[str, str]:
    """Return the part of a list that is files of our packages: what `sha256sum --check` can check from outside."""
    return {path: one for path, one in files.items() if path.partition("/")[0] in PACKAGES and not _is_copy(path)}


def read(text: str) -> dict[str, str]:
    """Return the files of a list that `written` wrote."""
    return {path: digest for digest, _, path in (line.partition("  ") for line in text.splitlines())}


def in_words(found: list[Change]) -> str:
    """Return the first changes in one line."""
    first = ", ".join(f"{one.path} ({one.kind})" for one in found[:_NAMED])
    return f"{first} and {len(found) - _NAMED} more" if len(found) > _NAMED else first


def _walk(folder: str, name: str, found: dict[str, str]) -> None:
    # os.scandir and plain text: this runs at every start, and paths as objects take longer than the hashes
    with os.scandir(folder) as entries:
        for entry in entries:
            path = f"{name}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                if entry.name == _CACHE:
                    _copies(entry.path, path, found)
                else:
                    _walk(entry.path, path, found)
            elif entry.is_dir():
                found[path] = _hash(b"link to " + bytes(Path(entry.path).readlink()))
            else:
                found[path] = _of_file(entry.path)


def _copies(folder: str, name: str, found: dict[str, str]) -> None:
    """Take in what this Python would run from a folder of compiled copies, without their headers."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".pyc"):
                if _level(entry.name) is not None:
                    found[f"{name}/{entry.name}"] = _of_file(entry.path, after=_HEADER)
            elif entry.is_file():
                found[f"{name}/{entry.name}"] = _of_file(entry.path)


def _beside(folder: Path, name: str, found: dict[str, str]) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                listing = f"{entry.path}/{LISTS[1]}"
                if entry.name.endswith(LISTS[0]) and os.path.exists(listing):  # noqa: PTH110 - as in _walk
                    found[f"{name}{entry.name}/{LISTS[1]}"] = _of_file(listing)
            elif entry.name.endswith(_RUN) or entry.name in _ALSO_RUN:
                found[f"{name}{entry.name}"] = _of_file(entry.path)
            elif entry.name.endswith(_COMPILED):
                found[f"{name}{entry.name}"] = _hash(b"%d bytes" % entry.stat().st_size)


def _of_file(path: str, *, after: int = 0) -> str:
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - as in _walk
            return _hash(file.read()[after:])
    except FileNotFoundError:
        return "a link to nothing"


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _is_copy(path: str) -> bool:
    return f"/{_CACHE}/" in path and path.endswith(".pyc")


def _level(name: str) -> int | None:
    """Return the optimization level of a compiled copy that this Python would run; None for another's."""
    stem, tag = name.removesuffix(".pyc"), sys.implementation.cache_tag
    for level, end in ((0, f".{tag}"), (1, f".{tag}.opt-1"), (2, f".{tag}.opt-2")):
        if stem.endswith(end):
            return level
    return None


def _is_true(path: str, place: Place) -> bool:
    """Answer whether a compiled copy holds what its source compiles to."""
    copy = place.root / path
    source = copy.parents[1] / f"{copy.name.split('.')[0]}.py"
    try:
        made = compile(source.read_bytes(), str(source), "exec", dont_inherit=True, optimize=_level(copy.name) or 0)
        kept = marshal.loads(copy.read_bytes()[_HEADER:])  # noqa: S302 - Python itself would load it next
    except (OSError, SyntaxError, ValueError, EOFError, TypeError):
        return False
    return isinstance(kept, CodeType) and kept == made and copy.read_bytes()[:4] == importlib.util.MAGIC_NUMBER
