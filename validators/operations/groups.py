"""What operations share: records that fit a filter, a variable of them, one result for each group."""

import re

import polars as pl

from validators.operations.context import Context, Spec
from validators.operators.groups import shortened
from validators.operators.table import MissingError, text

#: Column of a group's result while it is joined to the records.
RESULT = "\x00result"


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
    name = context.table.called(str(spec["name"]))
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
    group = spec.get("group") or []
    asked_for = {context.table.called(str(one)) for one in (group if isinstance(group, list) else [group])}
    is_count = spec.get("operator") == "record_count"
    names = [one for one in names if one in frame.columns or (one in asked_for and not is_count)]
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
