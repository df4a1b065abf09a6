"""The engine: from the frames of a study and a specification to the datasets of SDTM."""

from collections.abc import Mapping

import polars as pl

from exports.sdtm.dataset import SdtmDataset
from exports.sdtm.registry import Study, call
from exports.sdtm.spec import KEY_COLUMNS, Domain, Source, SpecError, StudySpec, Variable, build_order, variable_order

_TICK_COLUMNS = pl.String


class MappingError(ValueError):
    """Data that the specification has no answer for; no dataset was made."""


def build_domains(frames: Mapping[str, pl.DataFrame], spec: StudySpec) -> dict[str, SdtmDataset]:
    """Derive every domain of the specification.

    `frames` holds one tidy frame per form, as the marts give them, and `events`.

    Raises
    ------
    SpecError
        If the specification names a form or a field that the frames do not have.
    MappingError
        If the data hold a code that its code list does not know.
    """
    if faults := _frame_faults(frames, spec):
        raise SpecError(spec.study, faults)
    study = Study(frames, spec.tables)
    built: dict[str, SdtmDataset] = {}
    for domain in build_order(spec):
        built[domain.domain] = _build(domain, study, built)
    return {domain.domain: built[domain.domain] for domain in spec.domains}


def _build(domain: Domain, study: Study, built: Mapping[str, SdtmDataset]) -> SdtmDataset:
    frame = pl.concat([_rows(source, study.frames) for source in domain.sources], how="diagonal_relaxed")
    frame = _with_other_domains(frame, domain, built)
    for variable in variable_order(domain):
        frame = frame.with_columns(_value(variable, frame, domain, study).alias(variable.name))
    names = [variable.name for variable in domain.variables]
    return SdtmDataset(domain, frame.sort(domain.sort, maintain_order=True).select("subject_id", *names))


# --- rows --------------------------------------------------------------------------------------------------------------


def _rows(source: Source, frames: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Give the rows that a form brings: joined, filtered, and turned from wide to long if asked."""
    frame = frames[source.form]
    for other in source.join:
        frame = frame.join(_once(other, frames[other], frame.columns), on="subject_id", how="left", validate="m:1")
    for column, wanted in source.where.items():
        allowed = [str(one) for one in (wanted if isinstance(wanted, tuple) else (wanted,))]
        frame = frame.filter(pl.col(column).cast(pl.String).is_in(allowed))
    if source.rows:
        frame = _long(source, frame)
    if source.needs:
        frame = frame.filter(pl.any_horizontal(_given(pl.col(column)) for column in source.needs))
    return frame


def _once(form: str, frame: pl.DataFrame, present: list[str]) -> pl.DataFrame:
    """Give the fields of a form that each subject has once."""
    if frame["subject_id"].is_duplicated().any():
        raise MappingError(f"The form {form!r} is joined by subject, but some subjects have it more than once.")
    return frame.select("subject_id", pl.exclude("subject_id", *present, *KEY_COLUMNS))


def _given(column: pl.Expr) -> pl.Expr:
    """Say whether something was entered; an unticked box (0) is nothing."""
    text = column.cast(pl.String)
    return text.is_not_null() & (text != "0") if column.meta.output_name() in TICKS else text.is_not_null()


# Working columns of this name hold a ticked box (1) or an unticked one (0).
TICKS = frozenset({"ticked"})


def _long(source: Source, frame: pl.DataFrame) -> pl.DataFrame:
    """Turn each form into one line per row of the specification; fields become text, numbers in their shortest form."""
    keys = [column for column in frame.columns if column not in _row_fields(source)]
    lines = []
    for row in source.rows:
        fields = [_text(frame, field).alias(name) for name, field in row.fields.items()]
        lines.append(frame.select(*keys, *fields, *(pl.lit(value).alias(name) for name, value in row.values.items())))
    return pl.concat(lines, how="diagonal_relaxed")


def _row_fields(source: Source) -> set[str]:
    return {field for row in source.rows for field in row.fields.values()}


def _text(frame: pl.DataFrame, column: str) -> pl.Expr:
    """Give a column as text: ISO dates, numbers without needless zeros, nothing for an empty text."""
    text = pl.col(column).cast(pl.String)
    if frame.schema[column].is_float():
        text = text.str.replace(r"\.0$", "")
    return pl.when(text != "").then(text)


# --- values ------------------------------------------------------------------------------------------------------------


def _value(variable: Variable, frame: pl.DataFrame, domain: Domain, study: Study) -> pl.Expr:
    dtype = pl.Float64 if variable.type == "num" else pl.String
    if variable.constant is not None:
        raw = pl.Series("value", [variable.constant], dtype=dtype).new_from_index(0, frame.height)
    elif variable.field is not None:
        raw = frame.select(value=pl.col(variable.field)).to_series()
    elif variable.derive is not None:
        raw = frame.select(value=call(variable.derive, variable.args, study)).to_series()
    else:
        raw = pl.Series("value", [None], dtype=dtype).new_from_index(0, frame.height)
    value = raw.to_frame().select(_cast(raw.to_frame(), dtype)).to_series()
    if variable.codelist is not None:
        value = _decoded(value, variable, domain, study)
    result: pl.Expr = pl.lit(value)
    if variable.otherwise is not None:
        result = result.fill_null(variable.otherwise)
    if variable.only_if is not None:
        result = pl.when(pl.col(variable.only_if).is_not_null()).then(result)
    return result


def _cast(frame: pl.DataFrame, dtype: type[pl.DataType]) -> pl.Expr:
    return _text(frame, "value") if dtype is pl.String else pl.col("value").cast(pl.Float64)


def _decoded(value: pl.Series, variable: Variable, domain: Domain, study: Study) -> pl.Series:
    """Turn codes into submission values; a code that the list does not know stops the build."""
    table = study.tables.codelists[variable.codelist or ""]
    unknown = value.drop_nulls().unique().sort()
    unknown = unknown.filter(~unknown.is_in(list(table)))
    if not unknown.is_empty():
        raise MappingError(
            f"{domain.domain}.{variable.name}: the data hold {', '.join(unknown.to_list())}, which the code list "
            f"{variable.codelist!r} does not have; it has {', '.join(table)}. No dataset was made. "
            "Add the code to the list, or correct the record."
        )
    return value.replace_strict(list(table), list(table.values()), default=None, return_dtype=pl.String)


def _with_other_domains(frame: pl.DataFrame, domain: Domain, built: Mapping[str, SdtmDataset]) -> pl.DataFrame:
    """Bring in the variables of other domains (such as DM.RFSTDTC) that this one refers to, by subject."""
    wanted = sorted({name for variable in domain.variables for name in variable.references() if "." in name})
    for name in wanted:
        other, _, column = name.partition(".")
        values = built[other].keyed.select("subject_id", pl.col(column).alias(name))
        if values["subject_id"].is_duplicated().any():
            raise MappingError(f"{domain.domain} refers to {name}, but {other} has several rows for some subjects.")
        frame = frame.join(values, on="subject_id", how="left", validate="m:1", maintain_order="left")
    return frame


# --- checks ------------------------------------------------------------------------------------------------------------


def _frame_faults(frames: Mapping[str, pl.DataFrame], spec: StudySpec) -> list[str]:
    """Check that every form and field that the specification names is there."""
    faults = [] if "events" in frames else ["study.yaml: the frame of events is missing"]
    for domain in spec.domains:
        place = f"{domain.domain.lower()}.yaml"
        forms = {form for source in domain.sources for form in (source.form, *source.join)}
        forms |= {v.args["form"] for v in domain.variables if v.derive == "from_form"}
        if absent := sorted(forms - set(frames)):
            faults += [f"{place}: there is no form {form!r}; there are {', '.join(sorted(frames))}" for form in absent]
            continue
        faults += [f"{place}: {fault}" for fault in _field_faults(frames, domain)]
    return faults


def _field_faults(frames: Mapping[str, pl.DataFrame], domain: Domain) -> list[str]:
    known = {variable.name for variable in domain.variables}
    faults = []
    for source in domain.sources:
        present = {column for form in (source.form, *source.join) for column in frames[form].columns}
        faults += [f"{source.form} has no field {name!r}" for name in sorted({*_row_fields(source), *source.where} - present)]
        working = {name for row in source.rows for name in (*row.fields, *row.values)}
        known |= present | working | KEY_COLUMNS
    for variable in domain.variables:
        faults += [f"{variable.name}: no form of the domain has {n!r}" for n in variable.references() if n not in known and "." not in n]
        if variable.derive == "from_form":
            other = frames[variable.args["form"]].columns
            needed = [variable.args["field"], variable.args.get("order"), *variable.args.get("where", {})]
            faults += [f"{variable.name}: {variable.args['form']} has no field {n!r}" for n in needed if n and n not in other]
    return faults
