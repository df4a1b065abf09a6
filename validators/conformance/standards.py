"""The library of one standard in place of another's."""

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
