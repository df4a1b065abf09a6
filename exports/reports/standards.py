"""What a standard brings to a run: its rules, its metadata, the terminology and the Define-XML of the datasets."""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final

from datamodel.kernel.errors import BadInputError, NotFoundError
from exports.reports.check import Catalogue
from exports.reports.model import Unread
from validators import sdtm
from validators.conformance.define import DefineError, DefineFacts, read_define
from validators.conformance.rule import read_rules
from validators.library import VERSIONS, Library, Terminology, read_terminology

#: Standards that we have metadata of, as people write them.
STANDARDS: Final = ("sdtmig",)


@dataclass(frozen=True, slots=True)
class Standards:
    """What datasets are checked with; `unread` are files that were named and could not be used as they should."""

    catalogue: Catalogue
    library: Library | None = None
    terminology: str = ""
    define: DefineFacts | None = None
    unread: tuple[Unread, ...] = ()


def standards(
    standard: str,
    version: str,
    *,
    rules: Path | None = None,
    ct: Path | None = None,
    define: Path | None = None,
) -> Standards:
    """Return what a run needs; with `rules`, a folder in the open CORE format stands in for the built-in catalogue.

    Raises
    ------
    BadInputError
        When the standard or its version is not one that we have, the terminology cannot be read, or a folder holds no rules.
    NotFoundError
        When a file or folder is not there.

    A Define-XML that cannot be read is told in `unread`.
    """
    for path in (rules, ct, define):
        if path is not None and not path.exists():
            raise NotFoundError(f"There is no {path}; nothing was checked.")
    found = made(
        standard,
        version,
        catalogue=folder_of_rules(rules) if rules else None,
        terminology=read_terminology(ct) if ct else None,
    )
    if define is None:
        return found
    try:
        return replace(found, define=read_define(define))
    except DefineError as error:
        # The datasets are checked all the same; the report names the file and why.
        return replace(found, unread=(Unread(define.name, str(error)),))


def made(
    standard: str,
    version: str,
    *,
    catalogue: Catalogue | None = None,
    terminology: Terminology | None = None,
) -> Standards:
    """Return what a run needs of a standard; without a catalogue the built-in one. Errors as `standards`."""
    if standard.lower() not in STANDARDS or version not in VERSIONS:
        have = ", ".join(f"{one} {number}" for one in STANDARDS for number in VERSIONS)
        raise BadInputError(f"Received the standard {standard} {version}; there are {have}. Nothing was checked.")
    return Standards(
        catalogue=catalogue or builtin(standard.upper(), version),
        library=Library.bundled(version, terminology=terminology),
        terminology=f"{terminology.standard} {terminology.date}" if terminology else "",
    )


def folder_of_rules(folder: Path) -> Catalogue:
    """Return the rules of a folder, and what in it is none; BadInputError when it has no rule."""
    found, faults = read_rules(folder)
    if not found:
        raise BadInputError(f"The folder {folder} holds no rule that can be read; nothing was checked.")
    unread = tuple((where, what) for where, _, what in (fault.partition(": ") for fault in faults))
    return Catalogue(f"rules of the folder {folder.name}", tuple(found), unread)


@cache
def builtin(standard: str, version: str) -> Catalogue:
    """Return the built-in checks of a standard, with the ids of others that they answer to."""
    entries = sdtm.entries()
    name = f"built-in checks of {standard.upper()} {version}"
    return Catalogue(name, sdtm.rules(), answers_to={one.rule.id: one.answers_to for one in entries})
