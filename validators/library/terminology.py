"""Controlled terminology of one date: codelists and their terms, found by C-code and by submission value."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from datamodel.kernel.errors import BadInputError


@dataclass(frozen=True, slots=True)
class Term:
    """One term: its C-code ("" where the file has none), submission value, preferred term of NCI and synonyms."""

    code: str
    value: str
    preferred: str = ""
    synonyms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Codelist:
    """One codelist: C-code, name, submission value (UNIT), whether a sponsor may add terms, its terms."""

    code: str
    name: str
    submission_value: str
    is_extensible: bool
    terms: tuple[Term, ...]

    @cached_property
    def values(self) -> frozenset[str]:
        """Submission values of its terms."""
        return frozenset(one.value for one in self.terms)

    @cached_property
    def by_value(self) -> dict[str, Term]:
        """Its terms by submission value."""
        return {one.value: one for one in self.terms}

    @cached_property
    def by_code(self) -> dict[str, Term]:
        """Its terms by C-code."""
        return {one.code: one for one in self.terms if one.code}

    def suggestion(self, value: str) -> Term | None:
        """Return the term that a value probably stands for: by letters without case, by synonym, by preferred term."""
        return self._spellings.get(value.strip().casefold())

    @cached_property
    def _spellings(self) -> dict[str, Term]:
        found: dict[str, Term] = {}
        for one in self.terms:
            found.setdefault(one.value.casefold(), one)
        for one in self.terms:
            for spelling in (*one.synonyms, one.preferred):
                found.setdefault(spelling.casefold(), one)
        return found


@dataclass(frozen=True, eq=False)
class Terminology:
    """One package of controlled terminology. `standard` is SDTM, ADaM, SEND ...; `sha256` is of the file it was read from."""

    standard: str
    date: str
    lists: tuple[Codelist, ...]
    sha256: str = ""
    layout: str = ""
    _others: dict[str, "Terminology"] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path | str, *, date: str = "") -> "Terminology":
        """Read a file in one of the layouts that `read_terminology` names.

        Raises
        ------
        BadInputError
            The file has another layout or date.
        """
        from validators.library.reading import read_terminology

        return read_terminology(Path(path), date=date)

    @cached_property
    def _by_code(self) -> dict[str, Codelist]:
        return {one.code: one for one in self.lists}

    @cached_property
    def _by_value(self) -> dict[str, Codelist]:
        return {one.submission_value.upper(): one for one in reversed(self.lists) if one.submission_value}

    @cached_property
    def _by_name(self) -> dict[str, Codelist]:
        return {one.name.upper(): one for one in reversed(self.lists) if one.name}

    def codelist(self, code: str) -> Codelist | None:
        """Return a codelist by its C-code."""
        return self._by_code.get(code.strip().upper())

    def by_value(self, submission_value: str) -> Codelist | None:
        """Return a codelist by its submission value (NY, UNIT)."""
        return self._by_value.get(submission_value.strip().upper())

    def named(self, name: str) -> Codelist | None:
        """Return a codelist by C-code, submission value or name."""
        return self.codelist(name) or self.by_value(name) or self._by_name.get(name.strip().upper())

    def dates(self) -> tuple[str, ...]:
        """Dates of the packages that are here: its own, and those of packages put beside it."""
        return tuple(sorted({self.date, *self._others}))

    def codelists(self, date: str | None = None) -> Sequence[Codelist]:
        """All codelists of this package, or of the one of another date that is beside it.

        Raises
        ------
        BadInputError
            There is no package of that date.
        """
        if date in (None, self.date):
            return self.lists
        if date not in self._others:
            raise BadInputError(f"Terminology of {date} is not here; here is that of {', '.join(self.dates())}.")
        return self._others[str(date)].lists

    def beside(self, *others: "Terminology") -> "Terminology":
        """Return the same with packages of other dates beside it, for data that name a date."""
        return Terminology(
            self.standard, self.date, self.lists, self.sha256, self.layout, {one.date: one for one in others}
        )

    @property
    def name(self) -> str:
        """What it is called in reports: "SDTM CT 2022-09-30"."""
        return f"{self.standard} CT {self.date}"

    @cached_property
    def size(self) -> int:
        """Number of terms."""
        return sum(len(one.terms) for one in self.lists)


def digest(content: bytes) -> str:
    """SHA-256 of a file's content."""
    return hashlib.sha256(content).hexdigest()
