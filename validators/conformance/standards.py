"""What rules ask of a standard: another's library in place of one that is not packaged, codelists of its variables."""

from typing import Any

from validators.operations.context import SkipError


class Standin:
    """The library of SDTMIG where a study follows another standard: it tells classes and the model's variables only.

    What else is asked of it is refused, since the other standard may say otherwise.
    """

    def __init__(self, library: Any, standard: str) -> None:
        self.library = library
        self.standard = standard

    def class_of(self, domain: str) -> str:
        """The class of a domain in upper case."""
        return str(self.library.class_of(domain))

    def model_variables(self, domain: str, part: Any = None) -> Any:
        """Variables of the model for a domain."""
        return self.library.model_variables(domain, part)

    @property
    def terminology(self) -> Any:
        """Terminology, which is shared."""
        return self.library.terminology

    def __getattr__(self, name: str) -> Any:
        raise SkipError(f"It needs the metadata of {self.standard}, which are not packaged.")


def assigned(catalogue: Any) -> dict[str, frozenset[str]]:
    """For each variable of the standard the C-codes of its codelists, in whatever dataset.

    Raises
    ------
    SkipError
        No metadata of the standard were given.
    """
    if catalogue is None:
        raise SkipError("It needs the metadata of the standard, and none were given.")
    found: dict[str, set[str]] = {}
    for one in (variable for domain in catalogue.domains() for variable in catalogue.variables(domain)):
        found.setdefault(one.name, set()).update(one.codelists)
    return {name: frozenset(codes) for name, codes in found.items()}
