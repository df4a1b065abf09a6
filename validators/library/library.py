"""The metadata of one version of SDTMIG with, if there is any, controlled terminology."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from datamodel.kernel.errors import NotFoundError
from validators.library.facts import DomainFacts, VariableFacts, domains, model
from validators.library.terminology import Terminology

#: Versions of SDTMIG that are packaged, with the version of the model that each belongs to.
VERSIONS: Final = {"3.4": "2.0"}
#: What tells the class of a dataset that the standard does not have: its topic variable.
TOPICS: Final = (("OBJ", "FINDINGS ABOUT"), ("TESTCD", "FINDINGS"), ("TERM", "EVENTS"), ("TRT", "INTERVENTIONS"))
#: Classes whose datasets follow the model: identifiers, their own variables, timing.
GENERAL: Final = ("INTERVENTIONS", "EVENTS", "FINDINGS", "FINDINGS ABOUT")
SUPPLEMENTAL: Final = "SUPPQUAL"
_ASSOCIATED_LENGTH: Final = 4


@dataclass(frozen=True, eq=False)
class Library:
    """What the standard says of datasets, variables and terms; names of datasets are in upper case."""

    version: str
    facts: dict[str, DomainFacts]
    model: dict[str, tuple[VariableFacts, ...]]
    terminology: Terminology | None = None
    made: dict[tuple[str, str], tuple[VariableFacts, ...]] = field(default_factory=dict, repr=False)

    @classmethod
    def bundled(cls, version: str = "3.4", *, terminology: Terminology | None = None) -> "Library":
        """Make the library of a packaged version of SDTMIG.

        Raises
        ------
        NotFoundError
            The version is not packaged.
        """
        if version not in VERSIONS:
            raise NotFoundError(
                f"SDTMIG {version} is not packaged; packaged are: {', '.join(VERSIONS)}. Nothing was checked."
            )
        return cls(version, domains(version), model(VERSIONS[version]), terminology)

    def domain(self, name: str) -> DomainFacts | None:
        """Return the facts of a dataset; SUPPAE has those of SUPPQUAL, APFA those of FA. None for a custom domain."""
        if name in self.facts:
            return self.facts[name]
        if name.startswith(("SUPP", "SQ")):
            return self.facts[SUPPLEMENTAL]
        if len(name) == _ASSOCIATED_LENGTH and name.startswith("AP") and name[2:] in self.facts:
            return _associated(self.facts[name[2:]], name)
        return None

    def domains(self) -> tuple[str, ...]:
        """Names of all datasets of the standard, in its order."""
        return tuple(self.facts)

    def class_of(self, domain: str) -> str:
        """Return the class of a dataset in upper case, "" for one that the standard does not have."""
        found = self.domain(domain)
        return found.class_ if found else ""

    def label(self, domain: str) -> str:
        """Return the label of a dataset, "" for one that the standard does not have."""
        found = self.domain(domain)
        return found.label if found else ""

    def variables(self, domain: str) -> tuple[VariableFacts, ...]:
        """Variables of a dataset in the standard's order; none for a custom domain."""
        found = self.domain(domain)
        return found.variables if found else ()

    def model_variables(self, domain: str, part: Any = None) -> tuple[VariableFacts, ...]:
        """Variables that the model allows in a dataset, in its order, with the domain's letters in their names.

        `domain` may also name a class, and the names then keep `--`. For a custom domain the class is told from `part`,
        which has `prefix` and `frame`, by its topic variable; none where that does not tell it.
        """
        if domain.upper() in GENERAL:
            return self._general(domain.upper(), "--")
        class_ = self.class_of(domain) or _class_by_topic(part)
        prefix = str(getattr(part, "prefix", "") or domain[-2:])
        if class_ in GENERAL:
            return self._general(class_, prefix)
        own = self.variables(domain)
        known = {one.name for one in own}
        more = [one for one in self.model.get(domain, ()) if one.name not in known]
        return numbered([*own, *more])

    def _general(self, class_: str, prefix: str) -> tuple[VariableFacts, ...]:
        """Variables of a general class with a domain's letters, made once: every rule on a dataset asks for them."""
        if (class_, prefix) not in self.made:
            self.made[class_, prefix] = self._make_general(class_, prefix)
        return self.made[class_, prefix]

    def _make_general(self, class_: str, prefix: str) -> tuple[VariableFacts, ...]:
        findings = list(self.model["FINDINGS"])
        if class_ == "FINDINGS ABOUT":
            findings[2:2] = self.model["FINDINGS ABOUT"]
        middle = findings if class_.startswith("FINDINGS") else self.model[class_]
        return numbered([one.named(prefix) for one in (*self.model["IDENTIFIERS"], *middle, *self.model["TIMING"])])


def numbered(variables: Sequence[VariableFacts]) -> tuple[VariableFacts, ...]:
    """Variables counted from 1 in the order they have."""
    return tuple(replace(one, order=place) for place, one in enumerate(variables, start=1))


def _class_by_topic(part: Any) -> str:
    if part is None:
        return ""
    return next((name for topic, name in TOPICS if f"{part.prefix}{topic}" in part.frame.columns), "")


def _associated(facts: DomainFacts, name: str) -> DomainFacts:
    """Return a domain of associated persons: APID is who it is about, and whose subject it is may be left out."""
    person = VariableFacts("APID", "Associated Persons Identifier", "Char", "Identifier", "Req")
    subject = facts.variable("USUBJID")
    others = [person if one is subject else one for one in facts.variables]
    return replace(facts, name=name, variables=numbered(others))
