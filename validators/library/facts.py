"""Facts of datasets and variables, read from the packaged tables."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

#: What stands for the domain's letters in names of the model.
WILDCARD = "--"


@dataclass(frozen=True, slots=True)
class VariableFacts:
    """What the standard says of one variable.

    `core` is Req, Exp or Perm ("" in the model, which has none), `codelist` the C-codes of its codelists with a space
    between them, `format` the ISO 8601 format it asks for, `order` its place in the dataset, counted from 1.
    """

    name: str
    label: str
    type: str
    role: str
    core: str = ""
    codelist: str = ""
    order: int = 0
    format: str = ""

    @property
    def codelists(self) -> tuple[str, ...]:
        """C-codes of its codelists, most have one or none."""
        return tuple(self.codelist.split())

    def named(self, prefix: str) -> "VariableFacts":
        """Return the same with a domain's letters in place of `--`."""
        return replace(self, name=self.name.replace(WILDCARD, prefix, 1)) if self.name.startswith(WILDCARD) else self


@dataclass(frozen=True, slots=True)
class DomainFacts:
    """What the standard says of one dataset; `class_` is in upper case (FINDINGS, SPECIAL PURPOSE)."""

    name: str
    label: str
    class_: str
    structure: str
    variables: tuple[VariableFacts, ...]

    def variable(self, name: str) -> VariableFacts | None:
        """Return the facts of one variable, None where the standard does not have it here."""
        return next((one for one in self.variables if one.name == name), None)

    def names(self, *cores: str) -> tuple[str, ...]:
        """Names of its variables in order; only those of the kinds of Core that are named, if any are."""
        return tuple(one.name for one in self.variables if not cores or one.core in cores)


def rows(name: str) -> Iterator[dict[str, str]]:
    """Rows of one packaged table."""
    text = files("validators.library").joinpath("data", name).read_text(encoding="utf-8")
    yield from csv.DictReader(text.splitlines())


@cache
def domains(version: str) -> dict[str, DomainFacts]:
    """All datasets of one version of SDTMIG, in its order."""
    variables: dict[str, list[VariableFacts]] = {}
    for row in rows(f"sdtmig-{version}-variables.csv"):
        variables.setdefault(row["dataset"], []).append(
            VariableFacts(
                name=row["variable"],
                label=row["label"],
                type=row["type"],
                role=row["role"],
                core=row["core"],
                codelist=row["codelists"],
                order=int(row["order"]),
                format=row["format"],
            )
        )
    return {
        row["dataset"]: DomainFacts(
            name=row["dataset"],
            label=row["label"],
            class_=row["class"],
            structure=row["structure"],
            variables=tuple(variables[row["dataset"]]),
        )
        for row in rows(f"sdtmig-{version}-datasets.csv")
    }


@cache
def model(version: str) -> dict[str, tuple[VariableFacts, ...]]:
    """Parts of the model (IDENTIFIERS, FINDINGS, TIMING, DM ...) with their variables, in its order."""
    parts: dict[str, list[VariableFacts]] = {}
    for row in rows(f"sdtm-{version}-model.csv"):
        parts.setdefault(row["part"], []).append(
            VariableFacts(row["variable"], row["label"], row["type"], row["role"], order=int(row["order"]))
        )
    return {name: tuple(found) for name, found in parts.items()}


@cache
def codelist_names() -> dict[str, tuple[str, str]]:
    """Submission value and name of the codelists that SDTMIG assigns, by C-code; some files of terms lack them."""
    return {row["code"]: (row["submission_value"], row["name"]) for row in rows("codelist-names.csv")}
