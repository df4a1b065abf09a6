"""The mapping specification: its reading from YAML, and its checks as a whole.

A study has one folder: `study.yaml` (standard, visits, units, relationships), `codelists.yaml` (code to submission value) and
one file for each domain.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from datamodel.kernel.errors import BadInputError
from datamodel.kernel.settings import settings
from exports.sdtm import derivations as _library  # noqa: F401 # registers the library
from exports.sdtm.spec_check import build_order, check, check_spec, value_order
from exports.sdtm.spec_expand import expanded
from exports.sdtm.spec_read import Document, digest, note, read_document, read_domain
from exports.sdtm.spec_tables import StudyTables, Visit
from exports.sdtm.spec_types import KEY_COLUMNS, Domain, Qualifier, Row, Source, StudySpec, Value, Variable, Working

SPECS: Final = Path(__file__).parent / "specs"
#: Folder in the installation's home with mappings of its own; one there stands before the program's of the same study.
OWN: Final = "mappings"


class SpecError(BadInputError, ValueError):
    """A specification that cannot be used, with all its `faults`, each beginning with its place."""

    def __init__(self, study: str, faults: list[str]) -> None:
        self.faults = tuple(faults)
        listed = "\n".join(f"  - {fault}" for fault in faults)
        super().__init__(f"The mapping specification of {study!r} was refused; nothing was derived:\n{listed}")


def specs_of(study: str) -> Path:
    """Return the folder that the mapping of a study is in: the installation's own `mappings`, else the program's."""
    own = settings().home / OWN
    return own if (own / study / "study.yaml").is_file() else SPECS


def has_spec(study: str, *, folder: Path | None = None) -> bool:
    """Return whether a mapping to SDTM was written for this study."""
    return ((folder or specs_of(study)) / study / "study.yaml").is_file()


def load_spec(study: str, *, folder: Path | None = None) -> StudySpec:
    """Read and check the specification of a study, from `folder` or else from where `specs_of` finds it.

    Raises
    ------
    SpecError
        With every fault, each with the file, the line and the variable it is in.
    """
    folder = folder or specs_of(study)
    root = folder / study
    if not (root / "study.yaml").is_file():
        there = sorted(path.parent.name for path in folder.glob("*/study.yaml"))
        raise SpecError(study, [f"there is no specification of this name; there are {', '.join(there) or 'none'}"])
    head, codelists = read_document(root / "study.yaml"), read_document(root / "codelists.yaml")
    order = head.content.get("domains")
    if not isinstance(order, list) or not all(isinstance(one, str) for one in order):
        head.fault(("domains",), "domains: must be a list of names of domains, such as [DM, AE]")
        order = []
    files = {name.upper(): read_document(root / f"{name.lower()}.yaml") for name in order}
    read = {name: read_domain(document) for name, document in files.items()}
    for name, (domain, _) in read.items():
        if domain is not None and domain.domain != name:
            files[name].fault(("domain",), f"domain: says {domain.domain}, but the file is that of {name}")
    domains = [domain for domain, _ in read.values() if domain is not None]
    spec = _spec(head, codelists, domains, sha256=_digest(root, [head, codelists, *files.values()]))
    if spec is not None:
        documents = files | {"study": head}
        check(
            spec,
            lambda domain, path, text: _tell(documents[domain], path, text),
            faulty={name: bad for name, (domain, bad) in read.items() if bad or domain is None},
        )
    if faults := [fault for one in (head, codelists, *files.values()) for fault in one.faults]:
        raise SpecError(study, faults)
    if spec is None:
        raise SpecError(study, ["study.yaml: the specification cannot be put together"])
    return spec


def _spec(head: Document, codelists: Document, domains: list[Domain], *, sha256: str) -> StudySpec | None:
    """Put the files together, with the datasets that follow from them; None when that is impossible."""
    content = {key: value for key, value in head.content.items() if key != "domains"}
    tables: dict[str, Any] = {key: content.pop(key) for key in ("visits", "conversions") if key in content}
    tables = _sound(head, tables) | _sound(codelists, {"codelists": codelists.content})
    content["studyid"] = content.get("studyid") or next(
        (str(v.constant) for one in domains for v in one.variables if v.name == "STUDYID" and v.constant), ""
    )
    try:
        spec = StudySpec.model_validate({**content, "sha256": sha256, "tables": tables, "domains": domains})
    except ValidationError as error:
        note(head, error)
        return None
    whole = expanded(spec.domains, spec.relationships, studyid=spec.studyid)
    return spec.model_copy(update={"domains": tuple(whole)})


def _sound(document: Document, tables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tables, emptied where they are not as they must be; what is wrong with them is noted in the file."""
    kept: dict[str, Any] = {}
    for key, named in tables.items():
        if not isinstance(named, dict):
            document.fault((key,), f"{key}: must be a mapping of names")
            continue
        kept[key] = {}
        for name, value in named.items():
            kept[key][name] = value
            try:
                StudyTables.model_validate({key: {name: value}})
            except ValidationError as error:
                # It stays known by its name, so that naming it elsewhere is no second fault.
                kept[key][name] = {}
                note(document, error, below=key if key in document.content else "")
    return kept


def _tell(document: Document, path: Any, text: str) -> None:
    document.fault(_steps(document, path), text)


def _steps(document: Document, path: Any) -> list[str | int]:
    """Turn `name=AETERM` into the place in the list at which that name stands."""
    steps: list[str | int] = []
    for step in path:
        if isinstance(step, str) and step.startswith("name=") and steps:
            items = document.content.get(str(steps[-1]), [])
            names = [one.get("name") if isinstance(one, dict) else None for one in items]
            steps.append(names.index(step.removeprefix("name=")))
        else:
            steps.append(step)
    return steps


def _digest(root: Path, documents: list[Document]) -> str:
    return digest(path for path in (root / one.name for one in documents) if path.is_file())


__all__ = [
    "KEY_COLUMNS",
    "OWN",
    "SPECS",
    "Domain",
    "Qualifier",
    "Row",
    "Source",
    "SpecError",
    "StudySpec",
    "StudyTables",
    "Value",
    "Variable",
    "Visit",
    "Working",
    "build_order",
    "check_spec",
    "has_spec",
    "load_spec",
    "specs_of",
    "value_order",
]
