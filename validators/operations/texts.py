"""Operations on texts and dates: first and last dates, study days, values cut and replaced."""

import re
from collections.abc import Mapping

import polars as pl

from validators.operations.context import Context, Operation, SkipError, Spec, Value
from validators.operations.groups import RESULT, filtered, grouped, wanted
from validators.operators.dates import COMPLETE, dated
from validators.operators.table import UnsupportedError, text


def date_aggregate(*, last: bool) -> Operation:
    """The first or last date, as it is written."""

    def run(context: Context, spec: Spec) -> Value:
        frame = filtered(context, spec, context.source(spec))
        column = text(wanted(context, spec, frame))
        order = dated(column).get_column("instant")
        pairs = (
            pl.DataFrame({"order": order, "value": column})
            .select(pl.struct("order", "value").alias(RESULT))
            .to_series()
        )
        known = pl.col(RESULT).filter(pl.col(RESULT).struct.field("order").is_not_null())
        place = known.struct.field("order")
        chosen = known.struct.field("value").get(place.arg_max() if last else place.arg_min(), null_on_oob=True)
        if spec.get("group"):
            return grouped(context, spec, frame, pairs, chosen).fill_null("")
        found = pl.DataFrame({RESULT: pairs}).select(chosen)
        return found.item() if found.height and found.item() is not None else ""

    return run


def study_day(context: Context, spec: Spec) -> Value:
    """The study day of a date: from RFSTDTC, without a day 0; null where one of the two is not complete."""
    own = dated(context.table.text(str(spec["name"])), context.table)
    reference = dated(first_dates(context), context.table)
    days = [
        pl.DataFrame({"instant": one["instant"], "known": one["known"]})
        .select(
            pl.when(pl.col("known") >= COMPLETE).then(pl.datetime(1970, 1, 1) + pl.duration(microseconds="instant"))
        )
        .to_series()
        .dt.date()
        for one in (local(own), local(reference))
    ]
    difference = (days[0] - days[1]).dt.total_days().cast(pl.Float64)
    return difference + (difference >= 0).cast(pl.Float64)


def first_dates(context: Context) -> pl.Series:
    """RFSTDTC of each record's subject, as DM says; of the table itself where it is there beside the records.

    Raises
    ------
    SkipError
        The study has no DM, or DM has no such dates.
    """
    if context.table.has("RFSTDTC"):
        return text(context.table.column("RFSTDTC"))
    found = context.study.frame("DM")
    if found is None or not {"USUBJID", "RFSTDTC"} <= set(found.columns):
        raise SkipError("It needs USUBJID and RFSTDTC of DM, and they are not there.")
    known = found.select(text(found["USUBJID"]), text(found["RFSTDTC"])).unique("USUBJID", keep="first")
    own = pl.DataFrame({"USUBJID": text(context.table.column("USUBJID"))})
    return own.join(known, on="USUBJID", how="left", maintain_order="left").get_column("RFSTDTC")


def local(parts: pl.DataFrame) -> pl.DataFrame:
    """Dates as their day says, without their zone."""
    day = pl.datetime(pl.col("year"), pl.col("month"), pl.col("day")).cast(pl.Int64)
    return parts.select(pl.when(pl.col("known") >= COMPLETE).then(day).alias("instant"), "known")


def split_by(context: Context, spec: Spec) -> Value:
    """Values cut at a separator."""
    column = text(context.table.column(str(spec["name"]))).fill_null("")
    return column.str.split(str(spec.get("delimiter", ","))).list.eval(pl.element().str.strip_chars())


#: What becomes of a value that a pattern does not fit.
UNFIT: Mapping[str, str | None] = {"set_null": None, "set_empty": ""}
FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE, "a": re.ASCII}


def find_replace(context: Context, spec: Spec) -> Value:
    """Values with what a pattern describes replaced; those that it does not fit are kept, or emptied if that is asked."""
    column = text(context.table.column(str(spec["name"])))
    source = spec.get("find") or spec.get("regex")
    flags, policy = str(spec.get("flags") or ""), str(spec.get("on_no_match") or "keep_original")
    unknown = [one for one in flags if one not in FLAGS]
    if unknown or policy not in {"keep_original", *UNFIT} or not source or spec.get("replace") is None:
        raise UnsupportedError(
            "regex_find_replace needs find and replace; flags may be of "
            f"{', '.join(FLAGS)}, on_no_match keep_original or one of {', '.join(UNFIT)}; the rule says {dict(spec)}."
        )
    wanted_flags = 0
    for one in flags:
        wanted_flags |= FLAGS[one]
    try:
        pattern = re.compile(str(source), wanted_flags)
        known = column.unique().drop_nulls().to_list()
        new = {
            one: pattern.sub(str(spec["replace"]), one) if pattern.search(one) else UNFIT.get(policy, one)
            for one in known
        }
    except re.error as error:
        raise UnsupportedError(f"The pattern {source!r} cannot be applied: {error}.") from error
    return column.replace_strict(new, return_dtype=pl.String, default=None) if new else column


TEXTS: Mapping[str, Operation] = {
    "max_date": date_aggregate(last=True),
    "min_date": date_aggregate(last=False),
    "dy": study_day,
    "split_by": split_by,
    "regex_find_replace": find_replace,
}
