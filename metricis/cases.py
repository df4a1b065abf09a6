"""Running the cases of open rules with the standard, terminology and Define-XML that each case names."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from datamodel.kernel.errors import BadInputError, NotFoundError
from exports.packages.read import read_dataset
from validators.conformance.casefiles import Case
from validators.conformance.cases import Outcome, Surroundings
from validators.conformance.cases import outcomes as run_outcomes
from validators.conformance.standards import Standin
from validators.library.library import VERSIONS, Library
from validators.library.terminology import Terminology

SDTM = "SDTMIG"
#: The newest packaged version; its facts stand for versions that are not packaged, and the outcome says so.
NEWEST = max(VERSIONS)


def outcomes(folder: Path, ct: Path | None) -> list[Outcome]:
    """What this engine says of every case of a folder; `ct` is a folder of terminology, one file for each date.

    Raises
    ------
    NotFoundError
        A folder is not there.
    """
    for path in (folder, ct):
        if path is not None and not path.exists():
            raise NotFoundError(f"There is no {path}; no case was run. Name a folder with a folder for each rule.")
    return list(run_outcomes(folder, surroundings(ct), read_dataset))


def surroundings(ct: Path | None) -> Callable[[Case], Surroundings]:
    """For a case, the metadata of its standard, its terminology and its Define-XML; None for what is not there."""
    files = terminologies(ct)

    def of(case: Case) -> Surroundings:
        named = case.settings.get("CT", "")
        terminology, told = chosen(files, named)
        library = library_of(terminology, tuple(one for one in files.values() if one != terminology))
        define, fault = define_of(case)
        note = "; ".join(one for one in (standin(case.settings), told, fault) if one)
        return Surroundings(library=borrowed(library, case.settings), define=define, note=note)

    return of


@cache
def read(path: Path) -> Terminology:
    """One release of terminology."""
    return Terminology.read(path)


@cache
def library_of(terminology: Path | None, others: tuple[Path, ...]) -> Library:
    """The packaged metadata with one release of terminology, and others beside it for data that name their date."""
    known = read(terminology).beside(*readable(others)) if terminology else None
    return Library.bundled(NEWEST, terminology=known)


def readable(paths: Iterable[Path]) -> Iterator[Terminology]:
    """Releases that can be read; one that cannot is only missed by the data that name its date, and they say so."""
    for one in paths:
        try:
            yield read(one)
        except BadInputError:
            continue


def terminologies(folder: Path | None) -> Mapping[str, Path]:
    """Files of terminology by their date; files that are none are passed over.

    Raises
    ------
    BadInputError
        None of the files is one of terminology.
    """
    if folder is None:
        return {}
    found = (
        [folder]
        if folder.is_file()
        else sorted(one for one in folder.iterdir() if one.suffix.lower() in {".csv", ".txt", ".xml"})
    )
    dated = {date: one for one in found if (date := date_of(one))}
    if found and not dated:
        read(found[0])  # says what is wrong with it
    return dated


def date_of(path: Path) -> str:
    """The date of a file of terminology, as its name or else the file itself says; "" where it is no such file."""
    named = re.search(r"\d{4}-\d{2}-\d{2}", path.stem)
    if named:
        return named.group()
    try:
        return read(path).date
    except BadInputError:
        return ""


def chosen(files: Mapping[str, Path], named: str) -> tuple[Path | None, str]:
    """The release that a case names, or else the newest one; with a note where it stands for another."""
    if not files:
        return None, ""
    dates = re.findall(r"(?:sdtmct-)?(\d{4}-\d{2}-\d{2})", named.lower())
    date = next((one for one in dates if one in files), None)
    if date is not None:
        return files[date], ""
    newest = max(files)
    return files[newest], f"terminology of {newest} stood for {named}" if named else ""


def standard(settings: Mapping[str, str]) -> tuple[str, str]:
    """The standard and version of a case: SDTMIG and 3.4."""
    product = settings.get("SUBSTANDARD") or settings.get("PRODUCT") or SDTM
    return product.upper(), settings.get("VERSION", NEWEST).replace("-", ".")


def standin(settings: Mapping[str, str]) -> str:
    """What is said where the metadata are not those of the case's own standard and version."""
    product, version = standard(settings)
    return (
        "" if product == SDTM and version in VERSIONS else f"metadata of {SDTM} {NEWEST} stood for {product} {version}"
    )


def borrowed(library: Library, settings: Mapping[str, str]) -> Any:
    """The library; for another standard only its classes and general variables."""
    product, version = standard(settings)
    return library if product in {SDTM, "SDTM"} else Standin(library, f"{product} {version}")


def define_of(case: Case) -> tuple[Any, str]:
    """The Define-XML that a case names or has beside its data, and why it cannot be read; None without one."""
    from validators.conformance.define import DefineError, read_define

    name = case.settings.get("DEFINE_XML", "")
    path = case.folder / name if name else next(iter(sorted(case.folder.glob("[dD]efine*.xml"))), None)
    if path is None:
        return None, ""
    try:
        return read_define(path), ""
    except DefineError as error:
        return None, str(error).rstrip(".")
