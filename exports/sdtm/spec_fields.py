"""Whether a specification fits a study: every form, table and field that it names is there, and is of the right kind."""

from collections.abc import Collection, Mapping, Sequence

import polars as pl

from exports.sdtm.spec_expand import RELATED_COLUMNS
from exports.sdtm.spec_types import EVENTS, KEY_COLUMNS, Domain, Source, StudySpec, Value, table_frame

#: What a source may be called in a fault.
_LINE = frozenset({"line"})


def frame_faults(
    frames: Mapping[str, pl.DataFrame],
    spec: StudySpec,
    *,
    domains: Sequence[Domain],
    hidden: Mapping[str, Collection[str]],
    terms: bool,
) -> list[str]:
    """Return every way in which the specification does not fit the frames; what is `hidden` is not looked for."""
    faults = [] if EVENTS in frames else ["study.yaml: the frame of events is missing"]
    for domain in domains:
        place = f"{domain.domain.lower()}.yaml"
        wanted = _wanted(domain, hidden.get(domain.domain, ()))
        absent = sorted(_frames(domain, wanted) - set(frames))
        faults += [f"{place}: {_no_frame(name, frames)}" for name in absent]
        if not absent:
            faults += [f"{place}: {fault}" for fault in _field_faults(frames, domain, wanted, spec)]
        if not terms:
            faults += [
                f"{place}: {value.name}: terms of {value.terminology} are looked up, but no controlled terminology was given; "
                "load one with `metricis ct load` and pin the study to it with `metricis standards pin`"
                for value in wanted
                if value.terminology
            ]
    return faults


def _wanted(domain: Domain, hidden: Collection[str]) -> list[Value]:
    return [value for value in domain.values if value.name not in hidden]


def _frames(domain: Domain, values: Sequence[Value]) -> set[str]:
    named = {source.frame for source in domain.sources if source.frame}
    named |= {join.frame for source in domain.sources for join in source.joins}
    named |= {table_frame(v.args["table"]) for v in values if v.derive and isinstance(v.args.get("table"), str)}
    return named | {v.args["form"] for v in values if v.derive and isinstance(v.args.get("form"), str)}


def _no_frame(name: str, frames: Mapping[str, pl.DataFrame]) -> str:
    kind, _, table = name.partition(":")
    if table and kind == "table":
        there = sorted(one.removeprefix("table:") for one in frames if one.startswith("table:"))
        return f"there is no table {table!r}; there are {', '.join(there)}"
    return f"there is no form {name!r}; there are {', '.join(sorted(one for one in frames if ':' not in one))}"


def _field_faults(
    frames: Mapping[str, pl.DataFrame], domain: Domain, values: Sequence[Value], spec: StudySpec
) -> list[str]:
    known = {value.name for value in domain.values} | KEY_COLUMNS | _LINE
    known |= set(RELATED_COLUMNS) if domain.relationships else set()
    faults = []
    for source in domain.sources:
        present = _present(source, frames, spec)
        blanks = {name for row in source.rows for name in row.empty}
        asked = {*_row_fields(source, values), *blanks, *source.where, *source.unless, *source.first_by}
        faults += [f"{_called(source)} has no field {name!r}" for name in sorted(asked - present)]
        for join in source.joins:
            on = set(join.on) - set(frames[join.frame].columns)
            faults += [f"{join.frame} has no field {name!r}, by which it is joined" for name in sorted(on)]
        known |= present.union(
            source.values, *(row.fields for row in source.rows), *(row.values for row in source.rows)
        )
        faults += [
            f"{_called(source)}: needs {name!r}, which nothing fills" for name in source.needs if name not in known
        ]
    for value in values:
        missing = [name for name in value.references() if name not in known and "." not in name]
        faults += [f"{value.name}: no form of the domain has {name!r}" for name in missing]
        faults += [f"{value.name}: {fault}" for fault in _kind_faults(frames, domain, value)]
        if value.derive and isinstance(value.args.get("form"), str):
            faults += [f"{value.name}: {fault}" for fault in _lookup_faults(frames[value.args["form"]], value)]
    return faults


def _present(source: Source, frames: Mapping[str, pl.DataFrame], spec: StudySpec) -> set[str]:
    """Give the columns that the rows of a source have before they are turned."""
    if source.domain:
        own = {value.name for value in spec.domain(source.domain).values} | {"subject_id"}
    elif source.records is not None:
        own = {key for record in source.records for key in record}
    else:
        own = set(frames[source.frame or ""].columns)
    return own.union(*(frames[join.frame].columns for join in source.joins))


def _row_fields(source: Source, values: Sequence[Value]) -> set[str]:
    """Give the fields that lines take; those that only hidden values are made from are not asked for."""
    needed = {name for value in values for name in value.references()} | set(source.needs)
    return {
        field
        for row in source.rows
        for name, field in row.fields.items()
        if name in needed or name in row.unless or name in row.only
    }


def _called(source: Source) -> str:
    return source.form or source.table or source.domain or "the records"


def _kind_faults(frames: Mapping[str, pl.DataFrame], domain: Domain, value: Value) -> list[str]:
    """Say when a variable is a number and its field holds dates or ticked boxes."""
    if value.type != "num" or value.field is None or value.codelist:
        return []
    names = [name for one in domain.sources if one.frame for name in (one.frame, *(join.frame for join in one.joins))]
    types = {frames[name].schema[value.field] for name in names if value.field in frames[name].columns}
    wrong = sorted(str(one) for one in types if one.is_temporal())
    return [f"is of type num, but {value.field!r} holds {', '.join(wrong)}"] if wrong else []


def _lookup_faults(frame: pl.DataFrame, value: Value) -> list[str]:
    """Check the fields that a value takes from another form."""
    named = [
        value.args.get("field"),
        value.args.get("order"),
        *value.args.get("where", {}),
        *value.args.get("unless", {}),
    ]
    return [f"{value.args['form']} has no field {name!r}" for name in named if name and name not in frame.columns]
