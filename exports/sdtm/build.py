"""The engine: from the frames of a study and a specification to the datasets of SDTM."""

from collections.abc import Collection, Mapping

import polars as pl
import polars.selectors as cs

from datamodel.kernel.errors import BadInputError
from exports.sdtm.dataset import PLACES, SOURCE, SdtmDataset
from exports.sdtm.registry import Study, call
from exports.sdtm.spec import KEY_COLUMNS, Domain, Source, SpecError, StudySpec, Value, build_order, value_order

# A working column of this name holds a ticked box (1) or an unticked one (0).
TICKED = "ticked"


class MappingError(BadInputError, ValueError):
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
    study = Study({name: _coded(frame) for name, frame in frames.items()}, spec.tables)
    built: dict[str, SdtmDataset] = {}
    for domain in build_order(spec):
        built[domain.domain] = _build(domain, study, built)
    return {domain.domain: built[domain.domain] for domain in spec.domains}


def _coded(frame: pl.DataFrame) -> pl.DataFrame:
    """Give ticked boxes the codes they have in a dictionary: 1 and 0."""
    return frame.with_columns(cs.boolean().cast(pl.Int8).cast(pl.String))


def _build(domain: Domain, study: Study, built: Mapping[str, SdtmDataset]) -> SdtmDataset:
    keep = KEY_COLUMNS.union(*(value.references() for value in domain.values))
    sources = [
        _rows(source, study.frames, keep).with_columns(pl.lit(number).alias(SOURCE))
        for number, source in enumerate(domain.sources)
    ]
    frame = pl.concat(sources, how="diagonal_relaxed")
    frame = _with_other_domains(frame, domain, built)
    for value in value_order(domain):
        try:
            frame = frame.with_columns(_column(value, frame, study).alias(value.name))
        except (ValueError, pl.exceptions.PolarsError) as error:
            # What polars says may quote the data; it stays in the chained error.
            why = str(error) if isinstance(error, ValueError) else f"The data do not fit a {value.type} variable."
            raise MappingError(f"{domain.domain}.{value.name} could not be made; no dataset was made. {why}") from error
    names = [value.name for value in domain.values]
    ordered = frame.sort(domain.sort, maintain_order=True)
    places = ordered.select(cs.by_name(*PLACES, require_all=False))
    return SdtmDataset(domain, ordered.select("subject_id", *names), places)


# --- rows --------------------------------------------------------------------------------------------------------------


def _rows(source: Source, frames: Mapping[str, pl.DataFrame], keep: Collection[str]) -> pl.DataFrame:
    """Give the rows that a form brings: joined, filtered, and turned from wide to long if asked."""
    frame = frames[source.form]
    for other in source.join:
        frame = frame.join(_once(other, frames[other], frame.columns), on="subject_id", how="left", validate="m:1")
    for column, wanted in source.where.items():
        allowed = [str(one) for one in (wanted if isinstance(wanted, tuple) else (wanted,))]
        frame = frame.filter(pl.col(column).cast(pl.String).is_in(allowed))
    if source.rows:
        frame = _long(source, frame, [column for column in frame.columns if column in keep])
    frame = frame.with_columns(pl.lit(value).alias(name) for name, value in source.values.items())
    if source.needs:
        frame = frame.filter(pl.any_horizontal(_given(column) for column in source.needs))
    return frame


def _once(form: str, frame: pl.DataFrame, present: list[str]) -> pl.DataFrame:
    """Give the fields of a form that each subject has once."""
    if frame["subject_id"].is_duplicated().any():
        raise MappingError(f"The form {form!r} is joined by subject, but some subjects have it more than once.")
    return frame.select("subject_id", pl.exclude("subject_id", *present, *KEY_COLUMNS))


def _given(column: str) -> pl.Expr:
    """Say whether something was entered; an unticked box (0) is nothing."""
    return pl.col(column).eq_missing("1") if column == TICKED else pl.col(column).is_not_null()


def _long(source: Source, frame: pl.DataFrame, keep: list[str]) -> pl.DataFrame:
    """Turn each form into one line per row of the specification; fields become text, numbers in their shortest form.

    `line` numbers the rows of the specification, which is the order of the questions on the form.
    """
    lines = []
    for number, row in enumerate(source.rows, start=1):
        fields = [_text(frame, field).alias(name) for name, field in row.fields.items()]
        values = [pl.lit(value).alias(name) for name, value in row.values.items()]
        line = frame.select(*keep, *fields, *values, pl.lit(number).alias("line"))
        for name, unwanted in row.unless.items():
            line = line.filter(~pl.col(name).is_in(unwanted).fill_null(value=False))
        lines.append(line)
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


def _column(value: Value, frame: pl.DataFrame, study: Study) -> pl.Expr:
    """Give the expression of one column: its raw value, typed, decoded, filled and restricted."""
    dtype = pl.Float64 if value.type == "num" else pl.String
    if value.field is not None:
        raw = pl.col(value.field)
    elif value.derive is not None:
        raw = call(value.derive, value.args, study)
    else:
        constant = value.constant if value.constant is None or dtype is pl.Float64 else str(value.constant)
        raw = pl.lit(constant, dtype=dtype)
    made = frame.with_columns(raw.alias(":made")).select(pl.col(":made").alias("value"))
    column = made.select(_text(made, "value") if dtype is pl.String else pl.col("value").cast(dtype)).to_series()
    if value.codelist is not None:
        column = _decoded(column, value, study)
    result: pl.Expr = pl.lit(column)
    if value.otherwise is not None:
        result = result.fill_null(value.otherwise)
    if value.only_if is not None:
        result = pl.when(pl.col(value.only_if).is_not_null()).then(result)
    return result


def _decoded(codes: pl.Series, value: Value, study: Study) -> pl.Series:
    """Turn codes into submission values; a code that the list does not know stops the build."""
    table = study.tables.codelists[value.codelist or ""]
    unknown = codes.drop_nulls().unique().sort()
    unknown = unknown.filter(~unknown.is_in(list(table)))
    if not unknown.is_empty():
        raise MappingError(
            f"The data hold {', '.join(unknown.to_list())}, which the code list {value.codelist!r} does not have; "
            f"it has {', '.join(table)}. "
            "Add the code to the list, or correct the record."
        )
    return codes.replace_strict(list(table), list(table.values()), default=None, return_dtype=pl.String)


def _with_other_domains(frame: pl.DataFrame, domain: Domain, built: Mapping[str, SdtmDataset]) -> pl.DataFrame:
    """Bring in the variables of other domains (such as DM.RFSTDTC) that this one refers to, by subject."""
    wanted = sorted({name for value in domain.values for name in value.references() if "." in name})
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
        forms |= {v.args["form"] for v in domain.values if v.derive == "from_form"}
        if absent := sorted(forms - set(frames)):
            faults += [f"{place}: there is no form {form!r}; there are {', '.join(sorted(frames))}" for form in absent]
            continue
        faults += [f"{place}: {fault}" for fault in _field_faults(frames, domain)]
    return faults


def _field_faults(frames: Mapping[str, pl.DataFrame], domain: Domain) -> list[str]:
    known = {value.name for value in domain.values} | KEY_COLUMNS | {"line"}
    faults = []
    for source in domain.sources:
        present = {column for form in (source.form, *source.join) for column in frames[form].columns}
        absent = sorted({*_row_fields(source), *source.where} - present)
        faults += [f"{source.form} has no field {name!r}" for name in absent]
        known |= present.union(
            source.values, *(row.fields for row in source.rows), *(row.values for row in source.rows)
        )
        faults += [f"{source.form}: needs {name!r}, which nothing fills" for name in source.needs if name not in known]
    for value in domain.values:
        missing = [name for name in value.references() if name not in known and "." not in name]
        faults += [f"{value.name}: no form of the domain has {name!r}" for name in missing]
        if value.derive == "from_form":
            faults += [f"{value.name}: {fault}" for fault in _lookup_faults(frames[value.args["form"]], value)]
    return faults


def _lookup_faults(frame: pl.DataFrame, value: Value) -> list[str]:
    """Check the fields that a value takes from another form."""
    named = [value.args["field"], value.args.get("order"), *value.args.get("where", {}), *value.args.get("unless", {})]
    return [f"{value.args['form']} has no field {name!r}" for name in named if name and name not in frame.columns]
