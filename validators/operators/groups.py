"""Operators on records that belong together: unique, one to one, the same throughout, present more than once."""

import re
from collections.abc import Sequence
from itertools import pairwise

import polars as pl

from validators.operators.strings import part, pattern
from validators.operators.table import Condition, MissingError, Operator, Table, repeated, text

#: Greatest number that a combination of values is told by before combinations are counted anew.
LARGEST = 2**63


def coded(series: pl.Series) -> pl.Series:
    """A number for each different value."""
    return series.rank("dense") if series.dtype != pl.String else series.cast(pl.Categorical).to_physical()


def codes(table: Table, names: Sequence[str], *, source: re.Pattern[str] | None = None) -> pl.Series:
    """One number for each different combination of values of these variables."""
    combined = pl.Series([0], dtype=pl.UInt32).new_from_index(0, table.height)
    most = 0
    for name in names:
        one = code_of(table, name, source)
        size = int(str(one.max() or 0)) + 1
        if combined.max() == combined.min():
            combined, most = one, size - 1
            continue
        if (most + 1) * size > LARGEST:
            combined = combined.rank("dense").cast(pl.UInt64)
            most = int(str(combined.max() or 0))
        combined, most = combined.cast(pl.UInt64) * size + one.cast(pl.UInt64), (most + 1) * size - 1
    return combined


def code_of(table: Table, name: str, source: re.Pattern[str] | None = None) -> pl.Series:
    """One number for each different value of a variable; missing is one of them."""
    remembered = f"\x00code {table.called(name)} {source.pattern if source else ''}"
    if remembered not in table.memo:
        series = shortened(table.column(name), source)
        filled = text(series).fill_null("") if series.dtype != pl.Float64 else series
        known = coded(filled).cast(pl.UInt32)
        table.memo[remembered] = (known + 1).fill_null(0)
    return table.memo[remembered]


def shortened(series: pl.Series, source: re.Pattern[str] | None) -> pl.Series:
    """What a pattern takes out of values; those that it does not fit stay as they are."""
    if source is None or series.dtype != pl.String:
        return series
    taken = {one: part(source, one) for one in series.unique().drop_nulls()}
    return (
        series.replace_strict({a: b if b is not None else a for a, b in taken.items()}, return_dtype=pl.String)
        if taken
        else series
    )


def present(table: Table, names: Sequence[str]) -> list[str]:
    """Those of the variables that are there."""
    return [one for one in names if table.has(one)]


def times(group: pl.Series) -> pl.Series:
    """How often each record's combination is there."""
    return pl.DataFrame({"group": group}).select(pl.len().over("group")).to_series()


def regex(condition: Condition) -> re.Pattern[str] | None:
    """The pattern that cuts values before they are compared, if one is given."""
    return pattern(condition, "regex") if condition.get("regex") else None


def unique_set(*, wanted: bool) -> Operator:
    """Whether the combination of variables is there once only."""

    def test(table: Table, condition: Condition) -> pl.Series:
        names = table.names(condition["name"])
        for name in names:
            if not table.has(name):
                raise MissingError(name)
        value = condition.get("value")
        others = present(table, table.names(value)) if value is not None else []
        once = times(codes(table, list(dict.fromkeys([*names, *others])), source=regex(condition))) == 1
        return once if wanted else ~once

    return test


def relationship(*, wanted: bool) -> Operator:
    """Whether each value of one variable goes with one value of the other, and the other way round."""

    def test(table: Table, condition: Condition) -> pl.Series:
        name, other = str(condition["name"]), table.names(condition["value"])
        none, lacking = table.empty(table.column(name)), some_empty(table, other)
        frame = pl.DataFrame(
            {
                "left": pl.DataFrame({"code": code_of(table, name)}).select(pl.when(~none).then("code")).to_series(),
                "right": pl.DataFrame({"code": codes(table, other)}).select(pl.when(~lacking).then("code")).to_series(),
            }
        )
        several = frame.select(
            (pl.col("right").n_unique().over("left") > 1) & ~none,
            ((pl.col("left").n_unique().over("right") > 1) & ~lacking).alias("other"),
        ).max_horizontal()
        return ~several if wanted else several

    return test


def some_empty(table: Table, names: Sequence[str]) -> pl.Series:
    """Records on which one of these variables is empty, so that there is no whole combination."""
    found = repeated(value=False, height=table.height)
    for name in names:
        found = found | table.empty(table.column(name))
    return found


def multiple(*, wanted: bool) -> Operator:
    """Whether the value is on more records of a group than allowed; one, unless the condition gives a number."""

    def test(table: Table, condition: Condition) -> pl.Series:
        within = table.names(condition.get("within") or [])
        limit = int(condition.get("value") or 1)
        hits = times(codes(table, [str(condition["name"]), *within])) > limit
        return hits if wanted else ~hits

    return test


def inconsistent(table: Table, condition: Condition) -> pl.Series:
    """Records of groups in which a variable has more than one value."""
    value = code_of(table, str(condition["name"]), regex(condition))
    group = codes(table, present(table, table.names(condition.get("value") or [])))
    return (
        pl.DataFrame({"group": group, "value": value}).select(pl.col("value").n_unique().over("group") > 1).to_series()
    )


def same_values(*, wanted: bool) -> Operator:
    """Whether all records have one value."""

    def test(table: Table, condition: Condition) -> pl.Series:
        alike = table.column(str(condition["name"])).n_unique() <= 1
        return repeated(value=alike is wanted, height=table.height)

    return test


def contains_all(*, wanted: bool) -> Operator:
    """Whether a variable, over all records, or a list holds each value of another list."""

    def test(table: Table, condition: Condition) -> pl.Series:
        held, asked = elements(table, condition["name"]), elements(table, condition.get("value"))
        if held is None or asked is None:
            return in_each_row(table, condition, wanted=wanted)
        complete = set(asked) <= set(held)
        return repeated(value=complete is wanted, height=table.height)

    return test


def in_each_row(table: Table, condition: Condition, *, wanted: bool) -> pl.Series:
    """`contains_all` record by record."""
    held, asked = rows(table, condition["name"]), rows(table, condition.get("value"))
    return pl.Series([(set(b) <= set(a)) is wanted for a, b in zip(held, asked, strict=True)], dtype=pl.Boolean)


def rows(table: Table, value: object) -> list[list[str]]:
    """A list of texts for each record."""
    if isinstance(value, str) and table.list_of(value) is None and table.has(value):
        column = table.column(value)
        if isinstance(column.dtype, pl.List):
            return [list(map(str, one or [])) for one in column.to_list()]
        return [[one] for one in text(column).fill_null("").to_list()]
    return [elements(table, value) or []] * table.height


def elements(table: Table, value: object) -> list[str] | None:
    """Values as one list: of a result that is a list, of a literal list, of a variable over all records."""
    if isinstance(value, list):
        return [str(one) for part_ in value for one in (table.list_of(str(part_)) or [part_])]
    listed = table.list_of(str(value))
    if listed is not None:
        return [str(one) for one in listed]
    column = table.column(str(value)) if table.has(str(value)) else None
    if column is None:
        return [str(value)]
    return (
        None
        if isinstance(column.dtype, pl.List)
        else [one for one in text(column).unique().to_list() if one is not None]
    )


def shared(least: int, most: int | None) -> Operator:
    """Whether two lists have as many values in common: none, one, or at least one."""

    def count(table: Table, condition: Condition) -> pl.Series:
        pairs = zip(rows(table, condition["name"]), rows(table, condition.get("value")), strict=True)
        found = [len(set(a) & set(b)) for a, b in pairs]
        return pl.Series([one >= least and (most is None or one <= most) for one in found], dtype=pl.Boolean)

    return count


def ordered_subset(*, wanted: bool) -> Operator:
    """Whether the values of a list that another holds too are in the same order there."""

    def test(table: Table, condition: Condition) -> pl.Series:
        pairs = zip(rows(table, condition["name"]), rows(table, condition.get("value")), strict=True)
        return pl.Series([in_order(a, b) is wanted for a, b in pairs], dtype=pl.Boolean)

    return test


def in_order(listed: Sequence[str], order: Sequence[str]) -> bool:
    """Whether all of one list is in the other, and in the order it has there."""
    places = {name: place for place, name in enumerate(order)}
    found = [places[one] for one in listed if one in places]
    return len(found) == len(listed) and found == sorted(found)


def enumerated(table: Table, condition: Condition) -> pl.Series:
    """TSVAL2 is filled where TSVAL1 is not, and so on."""
    return gaps(table, table.called(str(condition["name"])), digits=r"\d*")


def additional(*, wanted: bool) -> Operator:
    """`enumerated` for the numbered variables only: whether TSVAL2 is filled where TSVAL1 is not."""

    def test(table: Table, condition: Condition) -> pl.Series:
        hits = gaps(table, table.called(str(condition["name"])), digits=r"\d+")
        return hits if wanted else ~hits

    return test


def gaps(table: Table, name: str, *, digits: str) -> pl.Series:
    """Records on which one of the variables of a numbered name is filled and the one before it is not."""
    found = sorted(
        (one for one in table.frame.columns if re.fullmatch(re.escape(name) + digits, one)),
        key=lambda one: int(one[len(name) :] or 0),
    )
    hits = repeated(value=False, height=table.height)
    for before, after in pairwise(found):
        hits = hits | (table.empty(table.column(before)) & ~table.empty(table.column(after)))
    return hits


def references(*, wanted: bool) -> Operator:
    """Whether the value is counted more than once in a result that counts values."""

    def test(table: Table, condition: Condition) -> pl.Series:
        counts = table.constants.get(str(condition.get("value")))
        if not isinstance(counts, dict):
            raise MissingError(str(condition.get("value")))
        several = pl.Series([name for name, count in counts.items() if count > 1], dtype=pl.String)
        hits = table.text(str(condition["name"])).is_in(several.implode()).fill_null(value=False)
        return hits if wanted else ~hits

    return test


GROUPS: dict[str, Operator] = {
    "is_unique_set": unique_set(wanted=True),
    "is_not_unique_set": unique_set(wanted=False),
    "is_unique_relationship": relationship(wanted=True),
    "is_not_unique_relationship": relationship(wanted=False),
    "present_on_multiple_rows_within": multiple(wanted=True),
    "not_present_on_multiple_rows_within": multiple(wanted=False),
    "is_inconsistent_across_dataset": inconsistent,
    "has_same_values": same_values(wanted=True),
    "has_different_values": same_values(wanted=False),
    "contains_all": contains_all(wanted=True),
    "not_contains_all": contains_all(wanted=False),
    "shares_no_elements_with": shared(0, 0),
    "shares_exactly_one_element_with": shared(1, 1),
    "shares_at_least_one_element_with": shared(1, None),
    "is_ordered_subset_of": ordered_subset(wanted=True),
    "is_not_ordered_subset_of": ordered_subset(wanted=False),
    "inconsistent_enumerated_columns": enumerated,
    "additional_columns_empty": additional(wanted=True),
    "additional_columns_not_empty": additional(wanted=False),
    "value_has_multiple_references": references(wanted=True),
    "value_does_not_have_multiple_references": references(wanted=False),
}
