"""What a report of broken contracts is made of."""

from dataclasses import dataclass

import pandera.polars as pa
import polars as pl
from pandera.errors import SchemaErrors


@dataclass(frozen=True, slots=True)
class Breach:
    """One broken rule of one table: which column, how often, and what to look at first (pseudonyms and codes only)."""

    table: str
    column: str
    rule: str
    count: int
    example: str = ""

    @property
    def sentence(self) -> str:
        """The breach in words."""
        first = f", first: {self.example}" if self.example else ""
        return f"{self.table}.{self.column}: {self.rule} ({self.count}{first})"


def breaches(table: str, frame: pl.DataFrame, contract: pa.DataFrameSchema) -> list[Breach]:
    """Return what in `frame` breaks `contract`."""
    try:
        contract.validate(frame, lazy=True)
    except SchemaErrors as error:
        found = error.failure_cases.group_by("column", "check", maintain_order=True).agg(
            pl.len().alias("count"), pl.col("failure_case").cast(pl.String).first().alias("first")
        )
        return [
            Breach(table, str(row["column"]), str(row["check"]), int(row["count"]), str(row["first"] or ""))
            for row in found.iter_rows(named=True)
        ]
    return []


def duplicates(table: str, frame: pl.DataFrame, key: list[str]) -> list[Breach]:
    """Return a breach when rows of `frame` share a key or a key is empty."""
    lacking = [name for name in key if name not in frame.columns]
    if lacking:
        return [Breach(table, ", ".join(lacking), "key columns are there", len(lacking))]
    if not key:
        return []
    found = []
    empty = frame.filter(pl.any_horizontal(pl.col(name).is_null() for name in key))
    if empty.height:
        found.append(Breach(table, ", ".join(key), "key is never empty", empty.height))
    double = frame.filter(frame.select(key).is_duplicated())
    if double.height:
        example = " ".join(str(value) for value in double.select(key).row(0))
        found.append(Breach(table, ", ".join(key), "key is unique", double.height, example))
    return found
