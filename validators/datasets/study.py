"""The datasets of one study, found by name, by domain and by class; values prepared once for all rules."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import polars as pl

from validators.datasets.shape import Dataset

#: Column that counts the records of a file from 1; never a variable of a study.
ROW = "\x00row"
#: Names of datasets that hold supplemental qualifiers.
SUPPLEMENTAL = ("SUPP", "SQ")
#: Letters that a domain of associated persons starts with.
ASSOCIATED = "AP"
CODE = 2
#: Variables that say which record is meant: text, also where a file has them as numbers.
IDENTIFIERS = frozenset({"STUDYID", "DOMAIN", "RDOMAIN", "USUBJID", "POOLID", "IDVAR", "IDVARVAL", "RELID"})


@dataclass(frozen=True, eq=False)
class Part:
    """One dataset with what the rules ask of it.

    `stated` is the value of DOMAIN, "" without one; `domain` is that or else the name; `related` is the value of RDOMAIN; `frame` has
    text without nulls and the column ROW.
    """

    dataset: Dataset
    domain: str
    related: str
    stated: str
    frame: pl.DataFrame
    #: What was found out about it once for all rules.
    known: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The dataset's name, as its file is called."""
        return self.dataset.name

    @property
    def is_supplemental(self) -> bool:
        """Whether it holds supplemental qualifiers."""
        return self.name.startswith("SUPP") or (self.name.startswith("SQ") and "QNAM" in self.frame.columns)

    @property
    def is_associated(self) -> bool:
        """Whether its domain is one of associated persons (APFA, not APOE)."""
        return len(self.domain) == 2 * CODE and self.domain.startswith(ASSOCIATED)

    @property
    def prefix(self) -> str:
        """What `--` stands for in names of its variables."""
        if self.is_supplemental:
            return bare(self.related or self.name.removeprefix("SUPP").removeprefix("SQ"))
        return bare(self.domain)

    @property
    def variables(self) -> list[str]:
        """Names of its variables in their order."""
        return [one.name for one in self.dataset.variables]

    @property
    def is_split(self) -> bool:
        """Whether it is one part of a domain that is kept in several files (LBCH of LB)."""
        if self.is_supplemental:
            return len(self.name) > len("SUPP") + CODE
        return self.name != self.domain and self.name.startswith(self.domain)


def bare(domain: str) -> str:
    """The letters that variables of a domain start with: FA for APFA."""
    return domain[CODE:] if len(domain) == 2 * CODE and domain.startswith(ASSOCIATED) else domain


def prepared_column(name: str, kind: pl.DataType) -> pl.Expr:
    """One column as checks want it."""
    if kind == pl.String or not kind.is_numeric():
        return pl.col(name).cast(pl.String).fill_null("")
    number = pl.col(name).cast(pl.Float64).fill_nan(None)
    if name not in IDENTIFIERS:
        return number
    is_whole = (number == number.round(0)) & (number.abs() < 2**53)
    whole = pl.when(is_whole).then(number).cast(pl.Int64).cast(pl.String)
    return pl.coalesce(whole, number.cast(pl.String)).fill_null("").alias(name)


def prepared(dataset: Dataset) -> pl.DataFrame:
    """Values as checks want them: text without nulls, numbers as Float64, identifiers as text, records counted."""
    columns = [prepared_column(name, kind) for name, kind in dataset.frame.schema.items()]
    return dataset.frame.select(columns).with_row_index(ROW, offset=1).with_columns(pl.col(ROW).cast(pl.Int64))


def first(frame: pl.DataFrame, name: str) -> str:
    """The first value that is filled in a text column, "" without one."""
    if name not in frame.columns or frame.schema[name] != pl.String:
        return ""
    filled = frame.get_column(name).filter(frame.get_column(name) != "")
    return str(filled[0]) if len(filled) else ""


def part(dataset: Dataset) -> Part:
    """A dataset with its domain."""
    frame = prepared(dataset)
    related = first(frame, "RDOMAIN")
    name = dataset.name
    stated = first(frame, "DOMAIN")
    return Part(dataset=dataset, domain=stated or name, related=related, stated=stated, frame=frame)


@dataclass(frozen=True, eq=False)
class Study:
    """All datasets of one study."""

    parts: tuple[Part, ...]
    joined: dict[str, pl.DataFrame] = field(default_factory=dict)
    #: Which records of two frames go with each other, kept for all rules that join them.
    links: dict[Any, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, datasets: Iterable[Dataset]) -> "Study":
        """A study of these datasets."""
        return cls(tuple(part(one) for one in datasets))

    @cached_property
    def by_name(self) -> Mapping[str, Part]:
        """Datasets by name."""
        return {one.name: one for one in self.parts}

    @cached_property
    def domains(self) -> Sequence[str]:
        """Values of DOMAIN, each once, in order of the datasets; a dataset without one has none."""
        return list(dict.fromkeys(one.stated for one in self.parts if one.stated))

    def parts_of(self, name: str) -> list[Part]:
        """Datasets of a domain or of a name: all parts of QS for "QS", one for "QSCG"."""
        if name in self.by_name:
            own = self.by_name[name]
            return [one for one in self.parts if one is own or (one.domain == name and not one.is_supplemental)]
        same = [one for one in self.parts if one.domain == name and not one.is_supplemental]
        if same or not name.startswith("SUPP"):
            return same
        return [one for one in self.parts if one.is_supplemental and one.name.startswith(name)]

    def frame(self, name: str) -> pl.DataFrame | None:
        """All records of a domain, its parts below each other; None where the study has none."""
        if name not in self.joined:
            found = [one.frame for one in self.parts_of(name)]
            if not found:
                return None
            self.joined[name] = found[0] if len(found) == 1 else stacked(found)
        return self.joined[name]


def stacked(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Frames below each other; text where parts disagree on the type; missing columns are empty."""
    kinds: dict[str, set[pl.DataType]] = {}
    for frame in frames:
        for name, kind in frame.schema.items():
            kinds.setdefault(name, set()).add(kind)
    same = [
        frame.with_columns(pl.col(name).cast(pl.String).fill_null("") for name in frame.columns if len(kinds[name]) > 1)
        for frame in frames
    ]
    whole = pl.concat(same, how="diagonal")
    return whole.with_columns(pl.col(pl.String).fill_null(""))
