"""Operations on values: distinct, counts, least and greatest, maps, facts of datasets."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from validators.operations.context import Context, Operation, SkipError, Spec, Value
from validators.operations.groups import RESULT, filtered, grouped, wanted
from validators.operators.table import MissingError, UnsupportedError, number, text

#: Column that numbers the records of a dataset from 0.
PLACE = "\x00place"


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
    """How many records there are, in the dataset or in each record's group.

    A group that the dataset has, but with no record that fits the filter, counts 0; one that it does not have is empty, so that
    a rule tells the two apart.
    """
    whole = context.source(spec)
    if not spec.get("group"):
        return filtered(context, spec, whole).height
    kept = filtered(context, spec, whole.with_row_index(PLACE)).get_column(PLACE)
    counted = pl.Series(range(whole.height), dtype=pl.UInt32).is_in(kept.implode())
    return grouped(context, spec, whole, counted, pl.col(RESULT).sum()).cast(pl.Float64)


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


def variable_count(context: Context, spec: Spec) -> Value:
    """In how many domains of the study a variable is, `--` standing for each one's own letters."""
    name = str(spec.get("name", ""))
    return len(
        {
            one.name if one.is_supplemental else one.domain
            for one in context.study.parts
            if (one.prefix + name[2:] if name.startswith("--") else name) in one.frame.columns
        }
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
    """What is in one list and not in another; a value that is missing is in neither."""
    held, taken = one_list(context, spec["name"]), one_list(context, spec.get("subtract") or "")
    if held is None:
        raise MissingError(str(spec["name"]))
    return [one for one in held if one not in {*(taken or ()), "", None}]


def one_list(context: Context, name: object) -> list[Any] | None:
    """A result as a list; of one that differs by record, what the first record has; None where there is none."""
    listed = context.table.list_of(str(name))
    if listed is not None or not context.table.has(str(name)):
        return listed
    values = context.table.column(str(name)).head(1).to_list()
    return [one for value in values for one in (value if isinstance(value, list) else [value])]


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
        "domain": part.stated,
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
    "map": mapped,
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
