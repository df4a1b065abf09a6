"""What a rule is tested on: records, values, facts of variables and datasets, rows of the Define-XML, by rule type."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import polars as pl

from validators.datasets.study import ROW, Part, Study, stacked
from validators.operations.context import SkipError
from validators.operators.table import UnsupportedError, text, unblank

#: Column that says which of a unit's parts a record is from.
PART = "\x00part"
#: What findings on the study as a whole are reported under.
STUDY = "STUDY"
#: Columns of a table of values that has none.
VALUES = {"variable_value": pl.String, "variable_name": pl.String, PART: pl.Int32, ROW: pl.Int64}


def fact_table(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Rows of facts as a frame: booleans and lists stay, numbers are Float64, the rest is text without nulls."""
    columns: list[pl.Series] = []
    for name in rows[0] if rows else ():
        values = [row.get(name) for row in rows]
        known = [one for one in values if one is not None]
        if known and all(isinstance(one, bool) for one in known):
            columns.append(pl.Series(name, values, dtype=pl.Boolean))
        elif known and all(isinstance(one, int | float) for one in known):
            columns.append(pl.Series(name, [None if one is None else float(one) for one in values], dtype=pl.Float64))
        elif known and all(isinstance(one, list | tuple) for one in known):
            columns.append(pl.Series(name, [[str(v) for v in one or ()] for one in values], dtype=pl.List(pl.String)))
        else:
            columns.append(pl.Series(name, ["" if one is None else str(one) for one in values], dtype=pl.String))
    frame = pl.DataFrame(columns)
    return frame.with_columns(pl.Series(ROW, range(1, len(rows) + 1), dtype=pl.Int64), pl.lit(0).alias(PART))


def records(parts: Sequence[Part]) -> pl.DataFrame:
    """The records of a domain, its parts below each other."""
    marked = [one.frame.with_columns(pl.lit(place).alias(PART)) for place, one in enumerate(parts)]
    return marked[0] if len(marked) == 1 else stacked(marked)


def dataset_facts(part: Part) -> dict[str, Any]:
    """What is known of a dataset as a whole."""
    return {
        "dataset_name": part.name,
        "dataset_label": part.dataset.label,
        "dataset_location": part.dataset.file or f"{part.name.lower()}.xpt",
        "dataset_size": float(part.frame.estimated_size()),
        "dataset_domain": part.domain,
        "dataset_columns": part.variables,
        "domain": part.stated,
        "is_ap": part.is_associated,
        "ap_suffix": part.domain[2:] if part.is_associated else "",
        "record_count": float(part.frame.height),
    }


def variable_facts(part: Part) -> list[dict[str, Any]]:
    """What is known of each variable of a dataset, found out once."""
    if "variables" not in part.known:
        part.known["variables"] = measured(part)
    return list(part.known["variables"])


def measured(part: Part) -> list[dict[str, Any]]:
    """What is known of each variable of a dataset."""
    found = []
    facts = blanks(part)
    for place, one in enumerate(part.dataset.variables, start=1):
        empty, filled, longest = facts[one.name]
        found.append(
            {
                "variable_name": one.name,
                "variable_order_number": place,
                "variable_label": one.label,
                "variable_size": one.length,
                "variable_data_type": one.type,
                "variable_format": one.format,
                "variable_has_empty_values": empty,
                "variable_is_empty": not filled,
                "variable_max_size": float(longest),
            }
        )
    return found


def blanks(part: Part) -> dict[str, tuple[bool, bool, int]]:
    """For each variable: whether it has values that are missing, others, and the bytes of the longest as text."""
    empty = {
        one: (pl.col(one) == "") | pl.col(one).is_null()
        if part.frame.schema[one] == pl.String
        else pl.col(one).is_null()
        for one in part.variables
    }
    sizes = {one: as_text(part, one).str.len_bytes().max() for one in part.variables}
    asked = [(empty[one].any(), (~empty[one]).any(), sizes[one]) for one in part.variables]
    if not asked:
        return {}
    row = iter(part.frame.select(one.alias(str(place)) for place, one in enumerate(chain.from_iterable(asked))).row(0))
    return {
        name: (bool(some_empty), bool(filled), int(longest or 0))
        for name, some_empty, filled, longest in zip(part.variables, row, row, row, strict=True)
    }


def as_text(part: Part, name: str) -> pl.Expr:
    """A column as text, see `text`; numbers are written once for each different one."""
    return pl.col(name) if part.frame.schema[name] == pl.String else pl.lit(text(part.frame.get_column(name).unique()))


def library_rows(catalogue: Any, part: Part) -> dict[str, dict[str, Any]]:
    """What the standard says of the variables of a domain, by name."""
    if catalogue is None:
        raise SkipError("It needs the metadata of the standard, and none were given.")
    return {
        one.name: {
            "library_variable_name": one.name,
            "library_variable_label": one.label,
            "library_variable_data_type": one.type,
            "library_variable_role": one.role,
            "library_variable_core": one.core,
            "library_variable_order_number": one.order,
            "library_variable_ccode": one.codelist,
            "library_variable_has_codelist": bool(one.codelist),
        }
        for one in catalogue.variables(part.domain)
    }


def define_rows(define: Any, part: Part) -> dict[str, dict[str, Any]]:
    """What the Define-XML says of the variables of a dataset, by name."""
    if define is None:
        raise SkipError("It needs a Define-XML, and none was given.")
    return {str(row["define_variable_name"]): dict(row) for row in define.variable_rows(part.name)}


def beside(rows: Iterable[Mapping[str, Any]], key: str, facts: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows with what is known under the name in one of their columns; empty where nothing is."""
    names = list(dict.fromkeys(name for one in facts.values() for name in one))
    return [{**row, **{name: facts.get(str(row[key]), {}).get(name) for name in names}} for row in rows]


def joined_rows(
    rows: Sequence[Mapping[str, Any]], key: str, facts: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """As `beside`, with what is known of names that no row has."""
    found = beside(rows, key, facts)
    held = {str(row[key]) for row in rows}
    names = list(rows[0]) if rows else []
    return found + [{**dict.fromkeys(names), **facts[name]} for name in facts if name not in held]


def values(parts: Sequence[Part]) -> pl.DataFrame:
    """One row for each different value of each variable; which records hold it is found when a rule hits it."""
    facts = [
        fact_table(variable_facts(part)).with_columns(pl.lit(place).alias(PART)) for place, part in enumerate(parts)
    ]
    found = []
    for place, part in enumerate(parts):
        different = part.frame.select(pl.col(part.variables).unique().implode())
        for name in part.variables:
            held = unblank(text(different.get_column(name)[0]))
            found.append(
                pl.DataFrame(
                    [
                        held.alias("variable_value"),
                        pl.Series("variable_name", [name], dtype=pl.String).new_from_index(0, len(held)),
                        pl.Series(PART, [place], dtype=pl.Int32).new_from_index(0, len(held)),
                    ]
                )
            )
    if not found:
        return pl.DataFrame(schema=VALUES)
    known = pl.concat(facts, how="diagonal_relaxed").drop(ROW)
    return (
        pl.concat(found)
        .join(known, on=[PART, "variable_name"], how="left", maintain_order="left")
        .with_columns(
            pl.lit(None, dtype=pl.Int64).alias(ROW),
            pl.col("variable_value").str.len_chars().cast(pl.Float64).alias("variable_value_length"),
        )
    )


def holders(hits: pl.DataFrame, parts: Sequence[Part]) -> pl.DataFrame:
    """The records that hold values: one row for each record and variable."""
    found: list[pl.DataFrame] = []
    for (place, name), rows in hits.partition_by(PART, "variable_name", as_dict=True, maintain_order=True).items():
        frame = parts[int(str(place))].frame
        column = unblank(text(frame.get_column(str(name))))
        held = pl.DataFrame([frame.get_column(ROW), column.alias("variable_value")])
        found.append(rows.drop(ROW).join(held, on="variable_value", how="inner", maintain_order="right"))
    if not found:
        return hits
    numbered = pl.concat(found).with_columns(pl.col(ROW).cast(pl.Float64).alias("row_number"))
    return numbered.select(*hits.columns, "row_number")


def presence(study: Study) -> pl.DataFrame:
    """One row with a column for each domain and dataset: the name of its file."""
    names = {one.domain: one for one in reversed(study.parts)} | dict(study.by_name)
    return fact_table([{name: one.dataset.file or f"{one.name.lower()}.xpt" for name, one in names.items()}])


def with_attributes(rows: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows with the same facts beside each."""
    return [{**row, **facts} for row in rows]


def define_dataset(define: Any, part: Part) -> dict[str, Any]:
    """What the Define-XML says of a dataset; all None where it does not have it."""
    if define is None:
        raise SkipError("It needs a Define-XML, and none was given.")
    row = define.dataset_row(part.name)
    return dict(row) if row else {"define_dataset_name": None, "define_dataset_label": None}


@dataclass(frozen=True)
class Source:
    """Where tables come from: the study, the standard's catalogue, the Define-XML."""

    study: Study
    catalogue: Any
    define: Any


def plain(source: Source, parts: Sequence[Part]) -> pl.DataFrame:
    """Records."""
    del source
    return records(parts)


def of_datasets(source: Source, parts: Sequence[Part]) -> pl.DataFrame:
    """Facts of one dataset."""
    del source
    return fact_table([dataset_facts(parts[0])])


def of_variables(source: Source, parts: Sequence[Part]) -> pl.DataFrame:
    """Facts of the variables of one dataset."""
    del source
    return fact_table(with_attributes(variable_facts(parts[0]), dataset_facts(parts[0])))


def variables_library(source: Source, parts: Sequence[Part]) -> pl.DataFrame:
    """Facts of variables beside what the standard says of them."""
    return fact_table(joined_rows(variable_facts(parts[0]), "variable_name", library_rows(source.catalogue, parts[0])))


def variables_define(source: Source, parts: Sequence[Part]) -> pl.DataFrame:
    """Facts of variables beside what the Define-XML says of them."""
    return fact_table(joined_rows(variable_facts(parts[0]), "variable_name", define_rows(source.define, parts[0])))


def variables_both(source: Source, parts: Sequence[Part]) -> pl.DataFrame:
    """Facts of variables beside what the Define-XML and the standard say of them."""
    rows = joined_rows(variable_facts(parts[0]), "variable_name", define_rows(source.define, parts[0]))
    return fact_table(beside(rows, "variable_name", library_rows(source.catalogue, parts[0])))


def of_define(source: Source, parts: Sequence[Part]) -> pl.DataFrame:
    """Variables as the Define-XML has them."""
    rows = list(define_rows(source.define, parts[0]).values())
    if not rows:
        raise SkipError(f"The Define-XML does not have the dataset {parts[0].name}.")
    return fact_table(rows)


def define_library(source: Source, parts: Sequence[Part]) -> pl.DataFrame:
    """Variables as the Define-XML has them beside what the standard says of them."""
    rows = list(define_rows(source.define, parts[0]).values())
    if not rows:
        raise SkipError(f"The Define-XML does not have the dataset {parts[0].name}.")
    return fact_table(beside(rows, "define_variable_name", library_rows(source.catalogue, parts[0])))


def define_groups(source: Source, parts: Sequence[Part]) -> pl.DataFrame:
    """The dataset as the Define-XML has it."""
    return fact_table([define_dataset(source.define, parts[0])])


def datasets_define(source: Source, parts: Sequence[Part]) -> pl.DataFrame:
    """Facts of a dataset beside what the Define-XML says of it."""
    return fact_table([{**dataset_facts(parts[0]), **define_dataset(source.define, parts[0])}])


def contents_metadata(source: Source, parts: Sequence[Part]) -> pl.DataFrame:
    """Records; what the Define-XML says of variables is had by operations."""
    if source.define is None:
        raise SkipError("It needs a Define-XML, and none was given.")
    return records(parts)


def of_values(source: Source, parts: Sequence[Part]) -> pl.DataFrame:
    """Values with the facts of their variables."""
    del source
    return values(parts)


def defined_datasets(source: Source, parts: Sequence[Part]) -> pl.DataFrame:
    """Datasets as the Define-XML has them, with the file of each that is there."""
    del parts
    if source.define is None:
        raise SkipError("It needs a Define-XML, and none was given.")
    known = source.study.by_name
    rows = [
        {
            "domain": known[name].domain if name in known else None,
            "filename": (known[name].dataset.file or f"{name.lower()}.xpt") if name in known else None,
            **row,
        }
        for name, row in source.define.datasets.items()
    ]
    return fact_table(rows)


def values_define(source: Source, parts: Sequence[Part]) -> pl.DataFrame:
    """Values with what the Define-XML says of their variables."""
    known = define_rows(source.define, parts[0])
    if not known:
        raise SkipError(f"The Define-XML does not have variables of the dataset {parts[0].name}.")
    facts = fact_table(list(known.values())).drop(ROW, PART)
    return values(parts[:1]).join(
        facts,
        left_on="variable_name",
        right_on="define_variable_name",
        how="left",
        coalesce=False,
        maintain_order="left",
    )


#: The rule type that tests which datasets of the Define-XML are there.
DEFINED = "Domain Presence Check against Define XML"
#: Rule types that test records, so that all parts of a domain are tested at once.
WHOLE = frozenset(
    {
        "Record Data",
        "Dataset Contents Check against Define XML and Library Metadata",
        "Value Check with Variable Metadata",
    }
)

TYPES: Mapping[str, Callable[[Source, Sequence[Part]], pl.DataFrame]] = {
    "Record Data": plain,
    "Dataset Metadata Check": of_datasets,
    "Variable Metadata Check": of_variables,
    "Variable Metadata Check against Library Metadata": variables_library,
    "Variable Metadata Check against Define XML": variables_define,
    "Variable Metadata Check against Define XML and Library Metadata": variables_both,
    "Variables Metadata Check against Define XML and Library Metadata": variables_both,
    "Define Item Metadata Check": of_define,
    "Define Item Metadata Check against Library Metadata": define_library,
    "Define Item Group Metadata Check": define_groups,
    "Dataset Metadata Check against Define XML": datasets_define,
    "Dataset Contents Check against Define XML": contents_metadata,
    "Dataset Contents Check against Define XML and Library Metadata": contents_metadata,
    "Value Check with Variable Metadata": of_values,
    "Value Check with Dataset Metadata": of_values,
    DEFINED: defined_datasets,
    "Value Check against Define XML Variable": values_define,
}


def evaluated(kind: str, source: Source, parts: Sequence[Part]) -> pl.DataFrame:
    """The table that a rule type is tested on.

    Raises
    ------
    UnsupportedError
        The rule type is not one that this engine has.
    """
    build = TYPES.get(kind)
    if build is None:
        raise UnsupportedError(f"The rule type {kind} is not one that this engine has.")
    return build(source, parts)


def attributes(kind: str, source: Source, parts: Sequence[Part]) -> dict[str, Any]:
    """What is the same for every record of a table: facts of its dataset, for rule types that have them."""
    if kind == "Dataset Contents Check against Define XML":
        return {**dataset_facts(parts[0]), **define_dataset(source.define, parts[0])}
    return dataset_facts(parts[0]) if kind == "Value Check with Dataset Metadata" else {}
