"""The mapping specification: its form, its reading from YAML, and its checks.

A study has one folder: `study.yaml` (standard, visits, units), `codelists.yaml` (code to submission value) and one file
for each domain.
"""

import graphlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from datamodel.kernel.errors import BadInputError
from exports.sdtm import derivations as _library  # noqa: F401 # registers the library
from exports.sdtm.registry import argument_faults, references
from exports.sdtm.spec_types import StudyTables, Visit

SPECS: Final = Path(__file__).parent / "specs"
# Columns that every form frame may have beside its fields.
KEY_COLUMNS: Final = frozenset({"subject_id", "site_id", "event_id", "event_repeat", "form_id", "form_repeat"})

Scalar = str | int | float
SasName = Annotated[str, StringConstraints(pattern=r"^[A-Z_][A-Z0-9_]{0,7}$")]
WorkName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]


class SpecError(BadInputError, ValueError):
    """A specification that cannot be used, with all its `faults`, each beginning with its place."""

    def __init__(self, study: str, faults: list[str]) -> None:
        self.faults = tuple(faults)
        listed = "\n".join(f"  - {fault}" for fault in faults)
        super().__init__(f"The mapping specification of {study!r} was refused; nothing was derived:\n{listed}")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Row(_Strict):
    """One line that a wide form is turned into: which fields fill which working columns, and what is constant.

    `unless` leaves the line out where a working column has one of these values.
    """

    fields: dict[str, str]
    values: dict[str, Scalar] = Field(default_factory=dict)
    unless: dict[str, tuple[str, ...]] = Field(default_factory=dict)


class Source(_Strict):
    """A form that gives rows to a domain.

    `where` keeps the rows with these values, `needs` those where at least one of these columns is filled, `join` adds
    the fields of forms that each subject has once, `values` constants. With `rows` each form becomes several lines (wide to
    long); the working columns then hold text.
    """

    form: str
    join: tuple[str, ...] = ()
    where: dict[str, Scalar | tuple[Scalar, ...]] = Field(default_factory=dict)
    needs: tuple[str, ...] = ()
    values: dict[str, Scalar] = Field(default_factory=dict)
    rows: tuple[Row, ...] = ()


class Value(_Strict):
    """What a column is made of: exactly one of constant, field, derive, missing."""

    name: str
    type: Literal["char", "num"] = "char"
    constant: Scalar | None = None
    field: str | None = None
    derive: str | None = None
    args: dict[str, Any] = Field(default_factory=dict)
    missing: str | None = None
    """Why the variable has no value; the variable is kept because the standard or the sponsor expects it."""
    codelist: str | None = None
    """The code list that turns the value into the submission value."""
    otherwise: Scalar | None = None
    """What stands where nothing was given."""
    only_if: str | None = None
    """The variable has a value only where this column has one."""

    @model_validator(mode="after")
    def _one_source(self) -> "Value":
        given = [key for key in ("constant", "field", "derive", "missing") if getattr(self, key) is not None]
        if len(given) != 1:
            found = ", ".join(given) or "none"
            raise ValueError(f"{self.name} must have exactly one of constant, field, derive, missing; it has {found}")
        if self.args and not self.derive:
            raise ValueError(f"{self.name} has args but no derive")
        return self

    def references(self) -> list[str]:
        """Give the columns this value is made from."""
        named = [self.field] if self.field else references(self.derive, self.args) if self.derive else []
        return named + ([self.only_if] if self.only_if else [])


class Working(Value):
    """A column that other columns are made from and that no dataset shows."""

    name: WorkName


class Variable(Value):
    """One SDTM variable with its metadata."""

    name: SasName
    label: Annotated[str, StringConstraints(min_length=1, max_length=40)]
    length: int | None = Field(default=None, ge=1, le=200)
    origin: Literal["CRF", "Derived", "Assigned", "Protocol", "Not collected"]


class Domain(_Strict):
    """One dataset: its sources, its variables in order, and what identifies and orders its rows."""

    domain: SasName
    label: Annotated[str, StringConstraints(max_length=40)]
    structure: str
    keys: tuple[SasName, ...]
    """Natural keys: what a person would call the same row."""
    sort: tuple[SasName, ...]
    sources: tuple[Source, ...]
    working: tuple[Working, ...] = ()
    variables: tuple[Variable, ...]

    @property
    def values(self) -> tuple[Value, ...]:
        """Everything that is made for the domain: its variables and what they need on the way."""
        return (*self.working, *self.variables)


class StudySpec(_Strict):
    """The whole specification of a study."""

    study: str
    standard: str
    version: str
    tables: StudyTables
    domains: tuple[Domain, ...]

    def domain(self, name: str) -> Domain:
        """Give one domain; raises KeyError naming those that exist."""
        for domain in self.domains:
            if domain.domain == name:
                return domain
        raise KeyError(f"No domain {name!r}. There are: {', '.join(domain.domain for domain in self.domains)}.")


def load_spec(study: str, *, folder: Path = SPECS) -> StudySpec:
    """Read and check the specification of a study.

    Raises
    ------
    SpecError
        With every fault, each with the file and the variable it is in.
    """
    root = folder / study
    if not (root / "study.yaml").is_file():
        there = sorted(path.parent.name for path in folder.glob("*/study.yaml"))
        raise SpecError(study, [f"there is no specification of this name; there are {', '.join(there) or 'none'}"])
    faults: list[str] = []
    head = _read(root / "study.yaml", faults)
    codelists = _read(root / "codelists.yaml", faults)
    order = head.pop("domains", [])
    domains = [_domain(root / f"{name.lower()}.yaml", faults) for name in order]
    if faults:
        raise SpecError(study, faults)
    tables = {key: head.pop(key) for key in ("visits", "conversions") if key in head} | {"codelists": codelists}
    try:
        spec = StudySpec.model_validate({**head, "tables": tables, "domains": domains})
    except ValidationError as error:
        raise SpecError(study, _told("study.yaml", error)) from error
    if faults := check_spec(spec):
        raise SpecError(study, faults)
    return spec


def check_spec(spec: StudySpec) -> list[str]:
    """Check that everything a specification names is there, and that nothing is made from itself."""
    faults = [fault for domain in spec.domains for fault in _domain_faults(spec, domain)]
    if not faults:
        graph = {domain.domain: {other for other, _ in _elsewhere(domain)} for domain in spec.domains}
        faults += _cycle("domains", graph)
    return faults


def build_order(spec: StudySpec) -> list[Domain]:
    """Give the domains so that each comes after those it looks into."""
    graph = {domain.domain: {other for other, _ in _elsewhere(domain)} for domain in spec.domains}
    return [spec.domain(name) for name in graphlib.TopologicalSorter(graph).static_order()]


def value_order(domain: Domain) -> list[Value]:
    """Give the variables and working columns of a domain so that each comes after those it is made from."""
    by_name = {value.name: value for value in domain.values}
    graph = {name: by_name.keys() & set(value.references()) for name, value in by_name.items()}
    return [by_name[name] for name in graphlib.TopologicalSorter(graph).static_order()]


def _read(path: Path, faults: list[str]) -> dict[str, Any]:
    try:
        with path.open(encoding="utf-8") as handle:
            content = yaml.safe_load(handle)
    except FileNotFoundError:
        faults.append(f"{path.name}: the file is missing")
        return {}
    except yaml.YAMLError as error:
        faults.append(f"{path.name}: is not YAML ({str(error).replace(chr(10), ' ')})")
        return {}
    if not isinstance(content, dict):
        faults.append(f"{path.name}: must be a mapping of names to values")
        return {}
    return content


def _domain(path: Path, faults: list[str]) -> Domain | None:
    before = len(faults)
    content = _read(path, faults)
    if len(faults) > before:
        return None
    try:
        return Domain.model_validate(content)
    except ValidationError as error:
        faults += _told(path.name, error)
        return None


def _told(place: str, error: ValidationError) -> list[str]:
    return [f"{place}: {'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()]


def _domain_faults(spec: StudySpec, domain: Domain) -> Iterator[str]:
    place = f"{domain.domain.lower()}.yaml"
    names = [value.name for value in domain.values]
    yield from (f"{place}: {name} is described twice" for name in sorted({n for n in names if names.count(n) > 1}))
    for key in (*domain.keys, *domain.sort):
        if key not in names:
            yield f"{place}: keys and sort name {key}, which is no variable of the domain"
    for value in domain.values:
        yield from (f"{place}: {value.name}: {fault}" for fault in _value_faults(spec, domain, value))
    sound = [value for value in domain.values if not _bad_call(value)]
    if len(names) == len(set(names)):
        yield from _cycle(place, {value.name: set(names).intersection(value.references()) for value in sound})


def _bad_call(value: Value) -> bool:
    return bool(value.derive and argument_faults(value.derive, value.args))


def _value_faults(spec: StudySpec, domain: Domain, value: Value) -> Iterator[str]:
    if value.derive:
        yield from (faults := argument_faults(value.derive, value.args))
        if faults:
            return
    yield from (f"there is no code list or conversion {name!r}" for name in _tables(value) if name not in _known(spec))
    for name in value.references():
        if "." in name:
            other, _, column = name.partition(".")
            if not any(d.domain == other and column in {v.name for v in d.values} for d in spec.domains):
                yield f"{name} is no variable of another domain"
        elif name.isupper() and name not in {v.name for v in domain.variables}:
            yield f"{name} is no variable of this domain"


def _tables(value: Value) -> list[str]:
    """Give the code lists and conversions that a value names."""
    named = [value.codelist] if value.codelist else []
    named += [value.args[key] for key in ("codelist", "conversion") if key in value.args]
    return named + list(value.args.get("codelists", {}).values())


def _known(spec: StudySpec) -> set[str]:
    return {*spec.tables.codelists, *spec.tables.conversions}


def _elsewhere(domain: Domain) -> Iterator[tuple[str, str]]:
    """Give the variables of other domains that a domain refers to."""
    for value in domain.values:
        for name in value.references():
            if "." in name:
                other, _, column = name.partition(".")
                yield other, column


def _cycle(place: str, graph: dict[str, set[str]]) -> list[str]:
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return [f"{place}: made from itself: {' from '.join(error.args[1])}"]
    return []


__all__ = [
    "Domain",
    "Row",
    "Source",
    "SpecError",
    "StudySpec",
    "StudyTables",
    "Value",
    "Variable",
    "Visit",
    "load_spec",
]
