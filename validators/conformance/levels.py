"""Values under the where clauses of a Define-XML: what a rule on value-level metadata is tested on."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import reduce
from operator import and_, ge, gt, le, lt, or_
from typing import Any, Final

import polars as pl

from validators.conformance.define import Comparison, Level
from validators.conformance.tables import PART, Source, fact_table
from validators.datasets.study import ROW, Part
from validators.operations.context import SkipError
from validators.operators.table import UnsupportedError, number, text, unblank

#: The rule type, as the open format calls it.
VALUE_LEVEL: Final = "Value Check against Define XML VLM"
#: Column that says which of a dataset's levels a value is under.
LEVEL: Final = "\x00level"
_SUBJECT: Final = "USUBJID"
_DATE: Final = r"\d{4}-\d\d-\d\d"
_TIME: Final = r"\d\d:\d\d(:\d\d(\.\d+)?)?([+-]\d\d:\d\d|Z)?"
#: A date or time of which parts are missing at the end, or are a hyphen in between.
_PARTIAL: Final = r"(\d{4}|-)(-(\d\d|-)(-(\d\d|-)(T(\d\d|-)(:(\d\d|-)(:(\d\d(\.\d+)?|-))?)?)?)?)?([+-]\d\d:\d\d|Z)?"
_DURATION: Final = r"-?P(\d+W|(\d+([.,]\d+)?Y)?(\d+([.,]\d+)?M)?(\d+([.,]\d+)?D)?(T(\d+([.,]\d+)?H)?(\d+([.,]\d+)?M)?(\d+([.,]\d+)?S)?)?)"
_PARTIAL_TIME: Final = r"(\d\d|-)(:(\d\d|-)(:(\d\d(\.\d+)?|-))?)?([+-]\d\d:\d\d|Z)?"
#: type of Define-XML -> what its values look like; other types, such as text, take any
LOOKS: Final[Mapping[str, str]] = {
    "integer": r"[+-]?\d+",
    "float": r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?",
    "date": _DATE,
    "time": _TIME,
    "datetime": f"{_DATE}T{_TIME}",
    **dict.fromkeys(("partialDate", "incompleteDate"), r"(\d{4}|-)(-(\d\d|-)(-(\d\d|-))?)?"),
    **dict.fromkeys(("partialTime", "incompleteTime"), _PARTIAL_TIME),
    **dict.fromkeys(("partialDatetime", "incompleteDatetime"), _PARTIAL),
    "durationDatetime": _DURATION,
    "intervalDatetime": f"({_PARTIAL}|{_DURATION})/({_PARTIAL}|{_DURATION})",
}
_ORDER: Final[Mapping[str, Callable[[Any, Any], pl.Expr]]] = {
    "LT": lt,
    "LE": le,
    "GT": gt,
    "GE": ge,
}
_NUMBERS: Final = ("integer", "float")


def value_levels(source: Source, parts: Sequence[Part]) -> pl.DataFrame:
    """One row for each different value of a variable under each of its where clauses, with what the Define-XML says of it there.

    Raises
    ------
    SkipError
        Without a Define-XML, without value-level metadata of the dataset, or when a clause cannot be tested on it.
    UnsupportedError
        When a clause is on a variable of another dataset that does not say one thing of each subject.
    """
    part, levels = parts[0], _levels(source, parts[0])
    found = [
        _values(source, part, one)
        .unique()
        .sort()
        .to_frame("variable_value")
        .with_columns(
            pl.lit(place, dtype=pl.Int32).alias(LEVEL),
            pl.lit(one.variable).alias("variable_name"),
            pl.lit(one.variable).alias("define_variable_name"),
        )
        for place, one in enumerate(levels)
    ]
    facts = fact_table([one.facts for one in levels]).drop(PART, ROW)
    facts = facts.with_columns(pl.int_range(pl.len(), dtype=pl.Int32).alias(LEVEL))
    return (
        pl.concat(found)
        .join(facts, on=LEVEL, how="left", maintain_order="left")
        .with_columns(
            pl.lit(0, dtype=pl.Int32).alias(PART),
            pl.lit(None, dtype=pl.Int64).alias(ROW),
            _length(),
            _is_of_type(set(facts.get_column("define_vlm_data_type"))),
        )
        .with_columns(_is_short_enough())
    )


def level_holders(hits: pl.DataFrame, source: Source, parts: Sequence[Part]) -> pl.DataFrame:
    """The records that hold values under their clauses: one row for each record, variable and clause."""
    part, levels = parts[0], _levels(source, parts[0])
    found: list[pl.DataFrame] = []
    for (place,), rows in hits.partition_by(LEVEL, as_dict=True, maintain_order=True).items():
        one = levels[int(str(place))]
        records = part.frame.get_column(ROW).filter(_under(source, part, one))
        held = pl.DataFrame([records, _values(source, part, one).alias("variable_value")])
        found.append(rows.drop(ROW).join(held, on="variable_value", how="inner", maintain_order="right"))
    numbered = pl.concat(found).with_columns(pl.col(ROW).cast(pl.Float64).alias("row_number"))
    return numbered.select(*hits.columns, "row_number")


def _levels(source: Source, part: Part) -> list[Level]:
    """The levels of a dataset whose variables it has."""
    if source.define is None:
        raise SkipError("It needs a Define-XML, and none was given.")
    levels: list[Level] = [one for one in source.define.level_rows(part.name) if one.variable in part.variables]
    if not levels:
        raise SkipError(f"The Define-XML has no value-level metadata of variables of {part.name}.")
    if faults := [fault for one in levels for fault in one.faults]:
        raise SkipError(f"{faults[0]} Nothing under it can be tested.")
    return levels


def _column(part: Part, name: str) -> pl.Series:
    """A variable as text without nulls, made once for all rules."""
    key = f"text of {name}"
    if key not in part.known:
        part.known[key] = unblank(text(part.frame.get_column(name)))
    column: pl.Series = part.known[key]
    return column


def _values(source: Source, part: Part, level: Level) -> pl.Series:
    return _column(part, level.variable).filter(_under(source, part, level))


def _under(source: Source, part: Part, level: Level) -> pl.Series:
    """Which records are under any of the clauses; without a clause, and under one without conditions, all are."""
    if not level.clauses or not all(level.clauses):
        return pl.repeat(value=True, n=part.frame.height, dtype=pl.Boolean, eager=True)
    clauses = [reduce(and_, (_met(source, part, one) for one in clause)) for clause in level.clauses]
    return reduce(or_, clauses)


def _met(source: Source, part: Part, test: Comparison) -> pl.Series:
    key = f"met {test}"
    if key not in part.known:  # the results of a test share their clause
        values = _tested(source, part, test)
        part.known[key] = compared(values, unblank(text(values)), test)
    met: pl.Series = part.known[key]
    return met


def _tested(source: Source, part: Part, test: Comparison) -> pl.Series:
    """The variable that a condition is on, one value a record; of another dataset, what it says of the record's subject."""
    other = part if test.dataset == part.name else source.study.by_name.get(test.dataset)
    said = f"A where clause of {part.name} is on {test.variable} of {test.dataset}"
    if other is None:
        raise SkipError(f"{said}, which is not there.")
    if test.variable not in other.variables:
        raise SkipError(f"{said}, which the dataset does not have.")
    if other is part:
        return part.frame.get_column(test.variable)
    if _SUBJECT not in part.variables or _SUBJECT not in other.variables:
        raise UnsupportedError(f"{said}, and the two have no {_SUBJECT} in common.")
    facts = other.frame.select(_SUBJECT, pl.col(test.variable).alias("value"))
    if facts.get_column(_SUBJECT).is_duplicated().any():
        raise UnsupportedError(
            f"{said}, which has several records of a subject; which of them is meant cannot be known."
        )
    return part.frame.select(_SUBJECT).join(facts, on=_SUBJECT, how="left", maintain_order="left").get_column("value")


def compared(values: pl.Series, texts: pl.Series, test: Comparison) -> pl.Series:
    """Where values, given as they are and as text, meet a condition; what is missing is equal to an empty text only."""
    is_number = values.dtype.is_numeric()
    wanted = number(pl.Series(test.values, dtype=pl.String))
    if test.comparator in {"EQ", "IN", "NE", "NOTIN"}:
        same = texts.is_in([one for one in test.values if not is_number or not one])
        same |= values.is_in(wanted.drop_nulls().to_list()) if is_number else same
        same = same.fill_null(value=False)
        return same if test.comparator in {"EQ", "IN"} else ~same
    if test.comparator not in _ORDER:
        there = ", ".join(("EQ", "NE", "IN", "NOTIN", *_ORDER))
        raise UnsupportedError(f"A where clause compares by “{test.comparator}”; there are {there}.")
    limit = test.values[0] if test.values else ""
    compare = _ORDER[test.comparator]
    # numbers by their value; dates in ISO 8601 and other texts by their letters
    column = pl.col("value") if wanted.null_count() else pl.col("number")
    bound = pl.lit(limit) if wanted.null_count() else pl.lit(wanted[0], dtype=pl.Float64)
    frame = pl.DataFrame({"value": texts, "number": number(values)})
    return frame.select(compare(column, bound).fill_null(value=False) & (pl.col("value") != "")).to_series()


def _length() -> pl.Expr:
    """Characters of a text, digits of a number; of dates there is no length."""
    kind, value = pl.col("define_vlm_data_type"), pl.col("variable_value")
    digits = value.str.replace(r"[eE].*$", "").str.replace_all(r"[^0-9]", "").str.strip_chars_start("0").str.len_chars()
    length = pl.when(kind.is_in(_NUMBERS)).then(digits).when(kind == "text").then(value.str.len_chars())
    return length.cast(pl.Float64).alias("variable_value_length")


def _is_of_type(types: Collection[str]) -> pl.Expr:
    """Whether a value is of the type that it has under its clause; what is missing is of any."""
    kind, value = pl.col("define_vlm_data_type"), pl.col("variable_value")
    fits = pl.lit(value=True)
    for one, looks in LOOKS.items():
        if one not in types:
            continue
        fits = pl.when(kind == one).then(value.str.contains(f"^({looks})$")).otherwise(fits)
    return ((value == "") | fits).alias("type_check")


def _is_short_enough() -> pl.Expr:
    """Whether a value is no longer than its clause allows; where there is no length every value is."""
    longest = pl.col("define_vlm_length").cast(pl.Float64, strict=False)
    return (pl.col("variable_value_length") <= longest).fill_null(value=True).alias("length_check")
