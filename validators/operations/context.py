"""What an operation may ask: the study, the dataset that is checked, the standard's catalogue, the Define-XML."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from validators.datasets.study import Part, Study
from validators.operators.table import Table

type Spec = Mapping[str, Any]
type Value = Any


class SkipError(Exception):
    """A rule cannot be run on a dataset; the message says what it would need."""


@dataclass(eq=False)
class Context:
    """The surroundings of one rule on one dataset."""

    study: Study
    part: Part
    table: Table
    catalogue: Any = None
    define: Any = None

    def source(self, spec: Spec) -> pl.DataFrame:
        """The records that an operation works on: those of its domain, or of the dataset that is checked.

        Raises
        ------
        SkipError
            The study has no dataset of that name.
        """
        domain = spec.get("domain")
        if not domain or self.table.called(str(domain)) in {self.part.name, self.part.domain}:
            return self.table.frame if self.has_records else self.submitted
        found = self.study.frame(self.table.called(str(domain)))
        if found is None:
            raise SkipError(
                f"The dataset {self.table.called(str(domain))} is not there; the operation {spec.get('operator')} needs it."
            )
        return found

    @property
    def has_records(self) -> bool:
        """Whether the table holds the dataset's records, and not facts about it."""
        return not self.part.variables or not set(self.part.variables).isdisjoint(self.table.frame.columns)

    @property
    def submitted(self) -> pl.DataFrame:
        """The records of the dataset that is checked, all parts of a split one."""
        found = None if self.part.is_supplemental else self.study.frame(self.part.domain)
        return self.part.frame if found is None else found

    def names(self, spec: Spec, key: str) -> list[str]:
        """Names of variables that an operation lists, `--` and results of operations spelled out."""
        return self.table.names(spec.get(key) or [])


type Operation = Callable[[Context, Spec], Value]
