"""What rules ask of a standard, answered by the library: domains, classes, variables, codelists."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from validators.datasets.study import Part, bare
from validators.operations.context import SkipError
from validators.operators.table import WILDCARD

#: Classes whose variables the model has in general form, by the variable that is the domain's topic.
TOPICS = (("OBJ", "FINDINGS ABOUT"), ("TESTCD", "FINDINGS"), ("TERM", "EVENTS"), ("TRT", "INTERVENTIONS"))
OBSERVATIONS = frozenset({"EVENTS", "FINDINGS", "FINDINGS ABOUT", "INTERVENTIONS"})


class Named:
    """A variable of the model with the letters of a domain."""

    __slots__ = ("codelist", "core", "label", "name", "order", "role", "type")

    def __init__(self, facts: Any, prefix: str, order: int) -> None:
        name = str(facts.name)
        self.name = prefix + name.removeprefix(WILDCARD) if name.startswith(WILDCARD) else name
        self.label, self.type, self.role = facts.label, facts.type, facts.role
        self.core = getattr(facts, "core", "")
        self.codelist = getattr(facts, "codelist", "")
        self.order = order


class Catalogue:
    """The library of one standard and version, with terminology if there is one."""

    def __init__(self, library: Any) -> None:
        self.library = library
        self.known: dict[str, Any] = {}
        found = getattr(library, "terminology", None)
        self.terminology = Terms(found) if found is not None else None

    def domain(self, name: str) -> Any:
        """What the standard says of a domain; None where it does not have it."""
        if name not in self.known:
            try:
                self.known[name] = self.library.domain(name)
            except KeyError:
                self.known[name] = None
        return self.known[name]

    def domains(self) -> Sequence[str]:
        """Names of all domains of the standard."""
        return [one if isinstance(one, str) else str(one.name) for one in self.listed]

    @cached_property
    def listed(self) -> Sequence[Any]:
        """All domains as the library lists them."""
        found = self.library.domains
        return list(found() if callable(found) else found)

    def class_of(self, domain: str) -> str:
        """The class of a domain in upper case; "" where the standard does not have it."""
        found = self.domain(domain)
        return str(found.class_).upper().replace("-", " ") if found is not None else ""

    def label(self, domain: str) -> str:
        """The label of a domain.

        Raises
        ------
        SkipError
            The standard does not have the domain.
        """
        found = self.domain(domain)
        if found is None:
            raise SkipError(f"The standard has no domain {domain}.")
        return str(found.label)

    def variables(self, domain: str) -> Sequence[Any]:
        """Variables of a domain in the standard's order; none where it does not have it."""
        found = self.domain(domain)
        return tuple(found.variables) if found is not None else ()

    def model_variables(self, domain: str, part: Part | None) -> Sequence[Any]:
        """Variables that the model allows in a domain, with its letters: those of its class; its own for others."""
        prefix = bare(domain)
        kind = self.class_of(domain) or self.class_of(prefix) or guessed(part)
        if kind not in OBSERVATIONS:
            return self.variables(domain)
        return [Named(one, prefix, order) for order, one in enumerate(self.library.model_variables(kind), start=1)]


def guessed(part: Part | None) -> str:
    """The class of a domain that the standard does not have, by its topic variable."""
    if part is None:
        return ""
    columns = set(part.frame.columns)
    return next((kind for topic, kind in TOPICS if f"{part.prefix}{topic}" in columns), "")


class Terms:
    """Codelists of one release of controlled terminology, by code or submission value."""

    def __init__(self, terminology: Any) -> None:
        self.terminology = terminology

    @cached_property
    def by_value(self) -> dict[str, Any]:
        """Codelists by submission value."""
        return {str(one.submission_value): one for one in self.codelists()}

    def named(self, name: str) -> Any:
        """The codelist of a code or submission value; None where there is none."""
        try:
            found = self.terminology.codelist(name)
        except KeyError:
            found = None
        return found if found is not None else self.by_value.get(name)

    def codelists(self, date: str | None = None) -> Sequence[Any]:
        """All codelists."""
        del date
        found = self.terminology.codelists
        listed = found() if callable(found) else found
        return list(listed.values() if isinstance(listed, dict) else listed)

    def dates(self) -> Sequence[str]:
        """The date of the release."""
        return [str(self.terminology.date)]
