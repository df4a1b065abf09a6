"""Operators on the order of records: sorted, next record, all but the last."""

from typing import Any

import polars as pl

from validators.operators.dates import dated
from validators.operators.groups import codes, regex, shortened
from validators.operators.table import Condition, Operator, Table, is_empty, number


def rank(series: pl.Series) -> pl.Series:
    """Values as something that sorts: numbers as numbers, text as text."""
    return series


def empty_but_last(*, wanted: bool) -> Operator:
    """Whether the value is empty on a record that is not the last of its group in a given order."""

    def test(table: Table, condition: Condition) -> pl.Series:
        group = codes(table, table.names(condition["value"]))
        ordering = condition.get("ordering")
        frame = pl.DataFrame(
            {
                "place": range(table.height),
                "group": group,
                "order": table.column(str(ordering)) if ordering else range(table.height),
                "empty": table.empty(table.column(str(condition["name"]))),
            }
        ).sort("group", "order", maintain_order=True)
        last = (frame["group"] != frame["group"].shift(-1)).fill_null(value=True)
        hit = ~last & (frame["empty"] if wanted else ~frame["empty"])
        return frame.with_columns(hit.alias("hit")).sort("place")["hit"]

    return test


def next_record(*, wanted: bool) -> Operator:
    """Whether the value equals another variable's on the next record of the group; the last record has no next."""

    def test(table: Table, condition: Condition) -> pl.Series:
        frame = pl.DataFrame(
            {
                "place": range(table.height),
                "group": codes(table, table.names(condition.get("within") or [])),
                "order": table.column(str(condition["ordering"])),
                "value": table.text(str(condition["name"])).fill_null(""),
                "other": table.text(str(condition["value"])).fill_null(""),
            }
        ).sort("group", "order", maintain_order=True)
        same = (frame["value"] == frame["other"].shift(-1)).fill_null(value=True)
        last = (frame["group"] != frame["group"].shift(-1)).fill_null(value=True)
        hit = (same | last) if wanted else (~same & ~last)
        return frame.with_columns(hit.alias("hit")).sort("place")["hit"]

    return test


def ordered_by(*, wanted: bool) -> Operator:
    """Whether each record is where sorting by the variable would put it."""

    def test(table: Table, condition: Condition) -> pl.Series:
        series = table.column(str(condition["name"]))
        down = str(condition.get("order", "asc")).lower().startswith("d")
        hits = (series == series.sort(descending=down, nulls_last=True)).fill_null(value=True)
        return hits if wanted else ~hits

    return test


def ordered_set(*, wanted: bool) -> Operator:
    """Whether each record has the value that sorting its group would put there; those that are out of place are flagged."""

    def test(table: Table, condition: Condition) -> pl.Series:
        frame = pl.DataFrame(
            {
                "group": codes(table, table.names(condition["value"])),
                "value": table.column(str(condition["name"])),
            }
        )
        in_place = frame.select(
            pl.col("value").eq_missing(pl.col("value").sort(nulls_last=True).over("group"))
        ).to_series()
        return in_place if wanted else ~in_place

    return test


def sortable(series: pl.Series, *, descending: bool) -> pl.Series:
    """Values as numbers that sort: instants for dates, ranks for other text; null where missing."""
    if series.dtype == pl.String:
        parts = dated(series)
        dates = parts["instant"]
        filled = ~is_empty(series)
        if filled.any() and bool((dates.is_not_null() == filled).all()):
            found = dates.cast(pl.Float64)
        else:
            numbers = number(series)
            found = (
                numbers
                if bool((numbers.is_not_null() == filled).all())
                else series.set(~filled, None).rank("dense").cast(pl.Float64)
            )
    else:
        found = series.cast(pl.Float64)
    return -found if descending else found


def overlapping(series: pl.Series, group: pl.Series) -> pl.Series:
    """Dates of different precision of which one begins like the other: their order cannot be told."""
    if series.dtype != pl.String:
        return pl.Series([False]).new_from_index(0, len(series))
    frame = pl.DataFrame({"group": group, "value": series, "place": range(len(series))}).filter(pl.col("value") != "")
    lengths = frame["value"].str.len_chars()
    if frame.is_empty() or lengths.n_unique() <= 1:
        return pl.Series([False]).new_from_index(0, len(series))
    hit: set[int] = set()
    for length in lengths.unique():
        short = frame.filter(lengths == length)
        longer = frame.filter(lengths > length).with_columns(pl.col("value").str.head(int(length)).alias("start"))
        pairs = short.join(longer, left_on=["group", "value"], right_on=["group", "start"], how="inner")
        hit |= set(pairs["place"]) | set(pairs["place_right"])
    return pl.Series(range(len(series))).is_in(list(hit))


def sorted_by(*, wanted: bool) -> Operator:
    """Whether the target has the order that other variables give within each group."""

    def test(table: Table, condition: Condition) -> pl.Series:
        target = shortened(table.column(str(condition["name"])), regex(condition))
        group = codes(table, table.names(condition.get("within") or []))
        hits = pl.Series([True]).new_from_index(0, table.height)
        for one in condition.get("value") or []:
            hits = hits & in_order(table, target, group, one)
        return hits if wanted else ~hits

    return test


def in_order(table: Table, target: pl.Series, group: pl.Series, order: dict[str, Any]) -> pl.Series:
    """Where the target's place in its group is the place that one variable gives the record.

    Records without a value of that variable must be all at the end, or all at the start; the others are placed among themselves, and
    one that comes between two that it does not fit is out of place too.
    """
    name = str(order["name"])
    column = table.column(name)
    down = str(order.get("sort_order", "asc")).lower().startswith("d")
    last = str(order.get("null_position", "last")).lower() != "first"
    frame = pl.DataFrame(
        {
            "place": range(table.height),
            "group": group,
            "target": sortable(target, descending=False),
            "key": sortable(column, descending=down),
        }
    ).sort("group", "target", nulls_last=[False, True], maintain_order=True)
    filled = frame.filter(pl.col("key").is_not_null())
    by_key = filled.sort("group", "key", "target", nulls_last=[False, False, True], maintain_order=True)
    before, after = pl.col("key").shift(1).over("group"), pl.col("key").shift(-1).over("group")
    misfit = (pl.col("key") < before).fill_null(value=False) | (pl.col("key") > after).fill_null(value=False)
    placed = filled.with_columns(
        (pl.lit((filled["target"] == by_key["target"]).fill_null(value=True)) & ~misfit).alias("same")
    )
    empty = frame.with_columns(settled(frame, last=last).alias("same")).filter(pl.col("key").is_null())
    return pl.concat([placed, empty]).sort("place")["same"] & ~overlapping(column, group)


def settled(frame: pl.DataFrame, *, last: bool) -> pl.Series:
    """Whether the records without a key are all after, or all before, the others of their group."""
    empty = pl.col("key").is_null()
    numbered = frame.with_row_index("row")
    apart = (
        pl.col("row").filter(empty).min() > pl.col("row").filter(~empty).max()
        if last
        else pl.col("row").filter(empty).max() < pl.col("row").filter(~empty).min()
    )
    return numbered.select(apart.over("group").fill_null(value=True)).to_series()


ORDER: dict[str, Operator] = {
    "empty_within_except_last_row": empty_but_last(wanted=True),
    "non_empty_within_except_last_row": empty_but_last(wanted=False),
    "has_next_corresponding_record": next_record(wanted=True),
    "does_not_have_next_corresponding_record": next_record(wanted=False),
    "is_ordered_by": ordered_by(wanted=True),
    "is_not_ordered_by": ordered_by(wanted=False),
    "is_ordered_set": ordered_set(wanted=True),
    "is_not_ordered_set": ordered_set(wanted=False),
    "target_is_sorted_by": sorted_by(wanted=True),
    "target_is_not_sorted_by": sorted_by(wanted=False),
}
