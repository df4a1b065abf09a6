"""The table that conditions are tested on, and what the names in a condition stand for in it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

#: What stands for the domain's letters in names of variables.
WILDCARD = "--"

type Condition = Mapping[str, Any]
type Outcome = pl.Series | pl.Expr | bool
type Operator = Callable[["Table", Condition], Outcome]


class MissingError(LookupError):
    """A condition needs a variable that the table lacks."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The variable {name} is not in the dataset.")
        self.name = name


class UnsupportedError(NotImplementedError):
    """A condition asks for something that this engine does not do; the message says what."""


@dataclass(eq=False)
class Table:
    """Records to test, with what `--` and `$name` stand for.

    `constants` holds results of operations that are the same for every record: a value or a list of values. Results
    that differ by record are columns of `frame`. `memo` keeps what a condition came to, so that rules that share a
    condition share the work.
    """

    frame: pl.DataFrame
    prefix: str = ""
    constants: dict[str, Any] = field(default_factory=dict)
    memo: dict[str, pl.Series] = field(default_factory=dict)
    #: Columns that are there but do not count as variables of the dataset.
    hidden: frozenset[str] = frozenset()
    #: Datasets whose columns are here too; `TV.VISITDY` is TV's column also where no other column has that name.
    beside: frozenset[str] = frozenset()
    #: Variables that conditions asked for in vain.
    missing: set[str] = field(default_factory=set)

    @property
    def height(self) -> int:
        """Number of records."""
        return self.frame.height

    def called(self, name: str) -> str:
        """The name with the domain's letters in it: AETERM for --TERM."""
        if name.startswith(WILDCARD):
            return self.prefix + name.removeprefix(WILDCARD)
        if name.endswith(WILDCARD):
            return name.removesuffix(WILDCARD) + self.prefix
        dataset, dot, column = name.partition(".")
        if dot and dataset in self.beside and name not in self.frame.columns:
            return self.called(column)
        return (
            f"{dataset}.{self.prefix}{column.removeprefix(WILDCARD)}" if dot and column.startswith(WILDCARD) else name
        )

    def has(self, name: str) -> bool:
        """Whether a variable or a result of that name is there."""
        called = self.called(name)
        return called in self.frame.columns or called in self.constants

    def kind(self, name: str) -> pl.DataType:
        """The type of a column."""
        return self.frame.schema[self.called(name)]

    def column(self, name: str) -> pl.Series:
        """The values of a variable; a result that is one value is repeated.

        Raises
        ------
        MissingError
            There is no such variable.
        """
        called = self.called(name)
        if called in self.frame.columns:
            return self.frame.get_column(called)
        if called in self.constants:
            return repeated(self.constants[called], self.height)
        raise MissingError(called)

    def list_of(self, name: str) -> list[Any] | None:
        """The values of a result that is a list for the whole table; None where the name is none."""
        called = self.called(name)
        found = self.constants.get(called)
        return list(found) if called not in self.frame.columns and isinstance(found, list | tuple) else None

    def names(self, value: Any) -> list[str]:
        """Names of variables that a condition lists, results that are lists of names spelled out."""
        found: list[str] = []
        for one in value if isinstance(value, list | tuple) else [value]:
            listed = self.list_of(str(one))
            found += [str(name) for name in listed] if listed is not None else [self.called(str(one))]
        return list(dict.fromkeys(found))


def repeated(value: Any, height: int) -> pl.Series:
    """One value for every record."""
    if isinstance(value, bool):
        return pl.Series([value], dtype=pl.Boolean).new_from_index(0, height)
    if isinstance(value, int | float):
        return pl.Series([float(value)], dtype=pl.Float64).new_from_index(0, height)
    if isinstance(value, list | tuple):
        return pl.Series([[str(one) for one in value]], dtype=pl.List(pl.String)).new_from_index(0, height)
    return pl.Series(["" if value is None else str(value)], dtype=pl.String).new_from_index(0, height)


def mask(table: Table, outcome: Outcome) -> pl.Series:
    """What an operator returned as one true or false for each record."""
    if isinstance(outcome, bool):
        return repeated(outcome, table.height)
    series = table.frame.select(outcome.alias("mask")).to_series() if isinstance(outcome, pl.Expr) else outcome
    if len(series) != table.height:
        series = series.new_from_index(0, table.height)
    return series.fill_null(value=False)


def key(table: Table, condition: Condition) -> str:
    """A text that is the same for conditions that come to the same."""
    used = {name: table.constants[name] for name in sorted(table.constants) if name in str(condition)}
    return json.dumps([condition, used], sort_keys=True, default=str)


def text(series: pl.Series) -> pl.Series:
    """Values as text: whole numbers without a decimal point, missing as null."""
    if series.dtype == pl.String:
        return series
    if isinstance(series.dtype, pl.List):
        raise UnsupportedError("A list is compared as if it were one value; this operator has no meaning for lists.")
    if series.dtype == pl.Boolean:
        return series.replace_strict({True: "True", False: "False"}, return_dtype=pl.String)
    if not series.dtype.is_numeric():
        return series.cast(pl.String)
    whole = (series == series.round(0)) & (series.abs() < 2**53)
    frame = pl.DataFrame({"value": series.cast(pl.Float64), "whole": whole})
    return frame.select(
        pl.when("whole")
        .then(pl.col("value").cast(pl.Int64, strict=False).cast(pl.String))
        .otherwise(pl.col("value").cast(pl.String))
    ).to_series()


def number(series: pl.Series) -> pl.Series:
    """Values as numbers; what is no number is null."""
    if series.dtype.is_numeric() or series.dtype == pl.Boolean:
        return series.cast(pl.Float64)
    if series.dtype != pl.String:
        raise UnsupportedError("A list is compared as if it were a number; this operator has no meaning for lists.")
    return series.str.strip_chars().cast(pl.Float64, strict=False).fill_nan(None)


def is_empty(series: pl.Series) -> pl.Series:
    """Where a value is missing: null, or text without a character."""
    if isinstance(series.dtype, pl.List):
        return series.is_null() | (series.list.len() == 0)
    return series.is_null() | (series == "") if series.dtype == pl.String else series.is_null()


def by_value(series: pl.Series, test: Callable[[pl.Series], Sequence[bool] | pl.Series]) -> pl.Series:
    """A test on values of a column, made once for each different value."""
    values = series.unique().drop_nulls()
    hits = values.filter(pl.Series(test(values), dtype=pl.Boolean))
    if not len(hits):
        return repeated(value=False, height=len(series))
    return series.is_in(hits.implode()).fill_null(value=False)
