"""The table that conditions are tested on, and what the names in a condition stand for in it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

#: What stands for the domain's letters in names of variables.
WILDCARD = "--"

#: Operators that look at columns which their conditions do not name.
OPEN = frozenset({"inconsistent_enumerated_columns"})

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


class Seen:
    """What was found out about the columns of one frame, once for all rules that ask.

    `before` is what is known of the frame that this one has columns more than.
    """

    def __init__(self, frame: pl.DataFrame, before: "Seen | None" = None) -> None:
        self.frame = frame
        self.names = frozenset(frame.columns)
        self.before = before
        self.columns: dict[str, pl.Series] = {}
        self.found: dict[tuple[int, str], Any] = {}

    def column(self, name: str) -> pl.Series:
        """A column, the same object each time."""
        if self.before is not None and name in self.before.names:
            return self.before.column(name)
        if name not in self.columns:
            self.columns[name] = self.own(self.frame.get_column(name))
        return self.columns[name]

    def own(self, series: pl.Series) -> pl.Series:
        """The series, marked as one that lives as long as this does; only about such is anything kept."""
        self.found.setdefault((id(series), ""), series)
        return series

    def knows(self, series: pl.Series) -> "Seen | None":
        """Whose the series is."""
        if self.found.get((id(series), "")) is series:
            return self
        return None if self.before is None else self.before.knows(series)


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
    seen: Seen | None = None
    #: Columns that the rule's own operations made, and what conditions on them came to.
    added: frozenset[str] = frozenset()
    added_memo: dict[str, pl.Series] = field(default_factory=dict)

    @property
    def known(self) -> Seen:
        """What was found out about the columns of the frame as it is now."""
        if self.seen is None or self.seen.frame is not self.frame:
            self.seen = Seen(self.frame)
        return self.seen

    def once[T](self, series: pl.Series, what: str, make: Callable[[pl.Series], T]) -> T:
        """What `make` makes of a column, made once; of a series that is no column it is made each time."""
        owner = self.known.knows(series)
        if owner is None:
            return make(series)
        key = (id(series), what)
        if key not in owner.found:
            made = make(series)
            owner.found[key] = owner.own(made) if isinstance(made, pl.Series) else made
        found: T = owner.found[key]
        return found

    def text(self, name: str) -> pl.Series:
        """The values of a variable as text, see `text`."""
        return self.once(self.column(name), "text", text)

    def empty(self, series: pl.Series) -> pl.Series:
        """Where values of a column are missing, see `is_empty`."""
        return self.once(series, "empty", is_empty)

    def memory(self, condition: Condition) -> dict[str, pl.Series]:
        """Where to keep what a condition comes to: for all rules, or for this one where its own columns count."""
        if not self.added:
            return self.memo
        words = str(condition)
        is_open = bool(condition.get("value_is_reference")) or condition.get("operator") in OPEN
        if is_open or (self.beside and "." in words):
            return self.added_memo
        called = words.replace(WILDCARD, self.prefix)
        return self.added_memo if any(name in words or name in called for name in self.added) else self.memo

    def goes_on(self, before: "Table") -> None:
        """Keep what is known of a table whose records these are, one by one, with columns added."""
        self.memo = before.memo
        self.added = before.added | (frozenset(self.frame.columns) - before.known.names)
        self.seen = Seen(self.frame, before.known)

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
        if dot and dataset in self.beside and name not in self.known.names:
            return self.called(column)
        return (
            f"{dataset}.{self.prefix}{column.removeprefix(WILDCARD)}" if dot and column.startswith(WILDCARD) else name
        )

    def has(self, name: str) -> bool:
        """Whether a variable or a result of that name is there."""
        called = self.called(name)
        return called in self.known.names or called in self.constants

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
        if called in self.known.names:
            return self.known.column(called)
        if called in self.constants:
            return repeated(self.constants[called], self.height)
        raise MissingError(called)

    def list_of(self, name: str) -> list[Any] | None:
        """The values of a result that is a list for the whole table; None where the name is none."""
        called = self.called(name)
        found = self.constants.get(called)
        return list(found) if called not in self.known.names and isinstance(found, list | tuple) else None

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
    return sure(series)


def sure(series: pl.Series) -> pl.Series:
    """True and false with what is unknown as false; nothing is done where all is known."""
    return series.fill_null(value=False) if series.null_count() else series


def unblank(series: pl.Series) -> pl.Series:
    """Text with what is missing as text without a character."""
    return series.fill_null("") if series.null_count() else series


def key(table: Table, condition: Condition) -> str:
    """A text that is the same for conditions that come to the same."""
    asks_for_all = str(condition.get("operator")).endswith("exists")
    used = {name: table.constants[name] for name in sorted(table.constants) if asks_for_all or name in str(condition)}
    return json.dumps([condition, used], sort_keys=True, default=str)


#: The number `value` as text: a whole one without a decimal point.
WRITTEN = (
    pl.when((pl.col("value") == pl.col("value").round(0)) & (pl.col("value").abs() < 2**53))
    .then(pl.col("value").cast(pl.Int64, strict=False).cast(pl.String))
    .otherwise(pl.col("value").cast(pl.String))
    .alias("value")
)


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
    return series.cast(pl.Float64).to_frame("value").select(WRITTEN).to_series()


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
    if not series.null_count():
        return series == "" if series.dtype == pl.String else repeated(value=False, height=len(series))
    return series.is_null() | (series == "") if series.dtype == pl.String else series.is_null()


def by_value(
    series: pl.Series, test: Callable[[pl.Series], Sequence[bool] | pl.Series], table: Table | None = None
) -> pl.Series:
    """A test on values of a column, made once for each different value; those are kept if it is one of the table's."""
    values = table.once(series, "different", different) if table else different(series)
    hits = values.filter(pl.Series(test(values), dtype=pl.Boolean))
    if not len(hits) or (len(hits) == len(values) and not series.null_count()):
        return repeated(value=bool(len(hits)), height=len(series))
    return sure(series.is_in(hits.implode()))


def different(series: pl.Series) -> pl.Series:
    """The different values that are not missing."""
    values = series.unique()
    return values.drop_nulls() if values.null_count() else values
