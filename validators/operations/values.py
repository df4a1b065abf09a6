"""Operations on values: distinct, counts, least and greatest, study days, maps."""

import re
from collections.abc import Mapping
from typing import Any

import polars as pl

from validators.operations.context import Context, Operation, SkipError, Spec, Value
from validators.operators.dates import COMPLETE, dated
from validators.operators.groups import shortened
from validators.operators.table import MissingError, UnsupportedError, number, text

#: Column of a group's result while it is joined to the records.
RESULT = "\x00result"
#: Microseconds of a day.
DAY = 86_400_000_000


def filtered(context: Context, spec: Spec, frame: pl.DataFrame) -> pl.DataFrame:
    """Records that fit an operation's filter; a value that ends in & stands for all that begin like it."""
    for name, wanted in (spec.get("filter") or {}).items():
        called = context.table.called(str(name))
        if called not in frame.columns:
            raise MissingError(called)
        column = text(frame.get_column(called))
        if isinstance(wanted, str) and wanted.endswith("&"):
            frame = frame.filter(column.str.starts_with(wanted[:-1]))
        else:
            values = wanted if isinstance(wanted, list) else [wanted]
            texts = [one if isinstance(one, str) else text(pl.Series([one]))[0] for one in values]
            frame = frame.filter(column.is_in(pl.Series(texts, dtype=pl.String).implode()))
    return frame


def wanted(context: Context, spec: Spec, frame: pl.DataFrame) -> pl.Series:
    """The column that an operation names.

    Raises
    ------
    MissingError
        It is not there.
    """
    name = context.table.called(str(spec.get("name")))
    if name not in frame.columns:
        raise MissingError(name)
    return frame.get_column(name)


def keyed(frame: pl.DataFrame, names: list[str], spec: Spec) -> list[pl.Series]:
    """Grouping columns as text, cut by the operation's pattern if it has one."""
    source = re.compile(str(spec["regex"])) if spec.get("regex") else None
    return [
        text(shortened(frame.get_column(name), source)).fill_null("").alias(f"\x00key{place}")
        for place, name in enumerate(names)
    ]


def grouped(context: Context, spec: Spec, frame: pl.DataFrame, value: pl.Series, result: pl.Expr) -> pl.Series:
    """One result for each group, given to each record of the table whose keys are that group's."""
    names = context.names(spec, "group")
    aliases = context.names(spec, "group_aliases")
    names = [one for one in names if one in frame.columns] if spec.get("operator") == "record_count" else names
    for name in names:
        if name not in frame.columns:
            raise MissingError(name)
    targets = [*aliases, *names[len(aliases) :]][: len(names)]
    for name in targets:
        if name not in context.table.frame.columns:
            raise MissingError(name)
    keys = keyed(frame, names, spec)
    groups = (
        pl.DataFrame([*keys, value.alias(RESULT)])
        .group_by([one.name for one in keys], maintain_order=True)
        .agg(result.alias(RESULT))
    )
    own = pl.DataFrame(keyed(context.table.frame, targets, spec))
    return own.join(groups, on=own.columns, how="left", maintain_order="left").get_column(RESULT)


def distinct(context: Context, spec: Spec) -> Value:
    """The values of a variable, each once; a list for the table, or one for each record's group."""
    frame = filtered(context, spec, context.source(spec))
    if spec.get("value_is_reference"):
        return referenced(context, spec, frame)
    column = wanted(context, spec, frame)
    if spec.get("group"):
        lists = grouped(context, spec, frame, text(column), pl.col(RESULT).unique(maintain_order=True))
        return lists.fill_null(pl.Series([[]], dtype=pl.List(pl.String)))
    return column.unique(maintain_order=True).to_list()


def referenced(context: Context, spec: Spec, frame: pl.DataFrame) -> list[str]:
    """Those variables that a column names which are in the dataset that the record relates to."""
    names = wanted(context, spec, frame)
    domains = (
        frame.get_column("RDOMAIN")
        if "RDOMAIN" in frame.columns
        else pl.Series([context.part.domain]).new_from_index(0, len(names))
    )
    pairs = pl.DataFrame({"name": names, "domain": domains}).unique(maintain_order=True).rows()
    found = []
    for name, domain in pairs:
        related = context.study.frame(str(domain))
        if name and related is not None and name in related.columns:
            found.append(str(name))
    return list(dict.fromkeys(found))


def record_count(context: Context, spec: Spec) -> Value:
    """How many records there are, in the dataset or in each record's group."""
    frame = filtered(context, spec, context.source(spec))
    if not spec.get("group"):
        return frame.height
    ones = pl.Series([1]).new_from_index(0, frame.height)
    counts = grouped(context, spec, frame, ones, pl.len())
    return counts.fill_null(0).cast(pl.Float64)


def aggregate(result: str) -> Operation:
    """The least, greatest or mean number."""

    def run(context: Context, spec: Spec) -> Value:
        frame = filtered(context, spec, context.source(spec))
        column = number(wanted(context, spec, frame))
        expression = getattr(pl.col(RESULT), result)()
        if spec.get("group"):
            return grouped(context, spec, frame, column, expression)
        return pl.DataFrame({RESULT: column}).select(expression).item()

    return run


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
    own = dated(text(context.table.column(str(spec["name"]))))
    reference = dated(text(context.table.column("RFSTDTC")))
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


def local(parts: pl.DataFrame) -> pl.DataFrame:
    """Dates as their day says, without their zone."""
    day = pl.datetime(pl.col("year"), pl.col("month"), pl.col("day")).cast(pl.Int64)
    return parts.select(pl.when(pl.col("known") >= COMPLETE).then(day).alias("instant"), "known")


def mapped(context: Context, spec: Spec) -> Value:
    """A value looked up by the values of other variables."""
    entries = spec.get("map") or []
    result = pl.Series([None] * context.table.height, dtype=pl.String)
    for entry in reversed(entries):
        hit = pl.Series([True]).new_from_index(0, context.table.height)
        for name, value in entry.items():
            if name != "output":
                hit = hit & (text(context.table.column(str(name))) == str(value)).fill_null(value=False)
        result = pl.Series([str(entry.get("output"))]).new_from_index(0, context.table.height).zip_with(hit, result)
    return result.fill_null("")


def split_by(context: Context, spec: Spec) -> Value:
    """Values cut at a separator."""
    column = text(context.table.column(str(spec["name"]))).fill_null("")
    return column.str.split(str(spec.get("delimiter", ","))).list.eval(pl.element().str.strip_chars())


def variable_count(context: Context, spec: Spec) -> Value:
    """In how many datasets of the study a variable is, `--` standing for each one's own letters."""
    name = str(spec.get("name", ""))
    return sum(
        (one.prefix + name[2:] if name.startswith("--") else name) in one.frame.columns for one in context.study.parts
    )


def value_count(context: Context, spec: Spec) -> Value:
    """For each value of a variable, in how many datasets of the study it is."""
    name = str(spec.get("name", ""))
    counts: dict[str, int] = {}
    for one in context.study.parts:
        called = one.prefix + name[2:] if name.startswith("--") else name
        if called in one.frame.columns:
            for value in text(one.frame.get_column(called)).drop_nulls().unique():
                counts[value] = counts.get(value, 0) + 1
    return counts


def variable_exists(context: Context, spec: Spec) -> Value:
    """Whether the dataset that is checked has a variable, whatever the table of the rule is."""
    return context.table.called(str(spec["name"])) in context.part.frame.columns


def variable_is_null(context: Context, spec: Spec) -> Value:
    """Whether a variable is not there, or empty on every record."""
    name = context.table.called(str(spec["name"]))
    frame = context.part.frame if spec.get("source") == "submission" else context.table.frame
    if name not in frame.columns:
        return True
    column = text(frame.get_column(name)).fill_null("")
    return bool((column == "").all())


def minus(context: Context, spec: Spec) -> Value:
    """What is in one list and not in another."""
    held = context.table.list_of(str(spec["name"]))
    if held is None:
        raise MissingError(str(spec["name"]))
    taken = context.table.list_of(str(spec.get("subtract", ""))) or []
    return [one for one in held if one not in set(taken)]


def study_domains(context: Context, spec: Spec) -> Value:
    """The domains of the study."""
    del spec
    return list(context.study.domains)


def dataset_names(context: Context, spec: Spec) -> Value:
    """The names of the study's datasets."""
    del spec
    return [one.name for one in context.study.parts]


def dataset_columns(context: Context, spec: Spec) -> Value:
    """The variables of the dataset that is checked, in their order."""
    del spec
    return context.part.variables


def extract_metadata(context: Context, spec: Spec) -> Value:
    """One fact of the dataset that is checked."""
    part = context.part
    facts: Mapping[str, Any] = {
        "dataset_name": part.name,
        "dataset_label": part.dataset.label,
        "dataset_location": part.dataset.file or part.name,
        "dataset_size": part.frame.estimated_size(),
        "domain": part.domain,
        "is_ap": part.is_associated,
        "ap_suffix": part.domain[2:] if part.is_associated else "",
    }
    name = str(spec.get("name"))
    if name not in facts:
        raise UnsupportedError(f"extract_metadata knows {', '.join(facts)}; the rule asks for {name}.")
    return facts[name]


def external(context: Context, spec: Spec) -> Value:
    """Operations on dictionaries that their owners license."""
    del context
    kind = spec.get("external_dictionary_type") or str(spec["operator"]).split("_")[1]
    raise SkipError(f"It needs the external dictionary {kind}, and none was given.")


VALUES: dict[str, Operation] = {
    "distinct": distinct,
    "record_count": record_count,
    "max": aggregate("max"),
    "min": aggregate("min"),
    "mean": aggregate("mean"),
    "max_date": date_aggregate(last=True),
    "min_date": date_aggregate(last=False),
    "dy": study_day,
    "map": mapped,
    "split_by": split_by,
    "variable_count": variable_count,
    "variable_value_count": value_count,
    "variable_exists": variable_exists,
    "variable_is_null": variable_is_null,
    "minus": minus,
    "study_domains": study_domains,
    "dataset_names": dataset_names,
    "get_column_order_from_dataset": dataset_columns,
    "extract_metadata": extract_metadata,
    **dict.fromkeys(
        (
            "valid_define_external_dictionary_version",
            "valid_external_dictionary_value",
            "valid_external_dictionary_code",
            "valid_external_dictionary_code_term_pair",
            "valid_meddra_code_references",
            "valid_meddra_code_term_pairs",
            "valid_meddra_term_references",
            "valid_whodrug_references",
            "whodrug_code_hierarchy",
        ),
        external,
    ),
}
