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
            return self.table.frame
        found = self.study.frame(self.table.called(str(domain)))
        if found is None:
            raise SkipError(
                f"The dataset {self.table.called(str(domain))} is not there; the operation {spec.get('operator')} needs it."
            )
        return found

    def names(self, spec: Spec, key: str) -> list[str]:
        """Names of variables that an operation lists, `--` and results of operations spelled out."""
        return self.table.names(spec.get(key) or [])


type Operation = Callable[[Context, Spec], Value]
