"""Controlled terminology as the mapping needs it: from what was entered to the submission value of the term it is."""

from collections.abc import Sequence
from typing import Protocol

import polars as pl


class Term(Protocol):
    """One term of a code list."""

    @property
    def value(self) -> str:
        """The submission value."""

    @property
    def preferred(self) -> str:
        """The preferred term."""

    @property
    def synonyms(self) -> Sequence[str]:
        """Other names."""


class Codelist(Protocol):
    """One code list."""

    @property
    def is_extensible(self) -> bool:
        """Whether a study may add terms."""

    @property
    def terms(self) -> Sequence[Term]:
        """Its terms."""


class Terms(Protocol):
    """A release of controlled terminology."""

    def codelist(self, code: str) -> Codelist | None:
        """Return a code list by its code; None when there is none."""


class TermError(ValueError):
    """What was entered is no term of the code list."""


def submission_values(entered: pl.Series, terms: Terms, code: str) -> pl.Series:
    """Turn texts into submission values: by value, preferred term or synonym, whatever the case of the letters.

    A text that an extensible list does not know stays as it is.

    Raises
    ------
    TermError
        When there is no such list, or one that may not be extended does not know a text; it names the texts.
    """
    codelist = terms.codelist(code)
    if codelist is None:
        raise TermError(
            f"The controlled terminology has no code list {code}. Correct the code in the mapping, or pin the study to a "
            "release that has it."
        )
    table: dict[str, str] = {}
    for said in (_synonyms, _preferred, _values):  # the surest last: it wins
        for term in codelist.terms:
            table |= dict.fromkeys((one.casefold() for one in said(term)), term.value)
    texts = [text for text in entered.unique().to_list() if text is not None]
    found = {text: table.get(text.strip().casefold()) for text in texts}
    unknown = sorted(text for text, term in found.items() if term is None)
    if unknown and not codelist.is_extensible:
        raise TermError(
            f"The data hold {', '.join(unknown[:10])}, which the code list {code} of the controlled terminology does not have, "
            "and it may not be extended. Translate the texts with a code list of the study, or correct the records."
        )
    return entered.replace_strict(
        list(found), [term or text for text, term in found.items()], default=None, return_dtype=pl.String
    )


def _values(term: Term) -> list[str]:
    return [term.value]


def _preferred(term: Term) -> list[str]:
    return [term.preferred] if term.preferred else []


def _synonyms(term: Term) -> list[str]:
    return [one for one in term.synonyms if one]
