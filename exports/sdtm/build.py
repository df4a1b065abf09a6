"""The engine: from the frames of a study and a specification to the datasets of SDTM."""

from collections.abc import Collection, Iterable, Mapping

import polars as pl
import polars.selectors as cs

from exports.sdtm.dataset import SdtmDataset
from exports.sdtm.registry import Study, call
from exports.sdtm.rows import PLACES, MappingError, as_text, rows_of
from exports.sdtm.spec import SpecError, build_order, value_order
from exports.sdtm.spec_fields import frame_faults
from exports.sdtm.spec_types import EVENTS, Domain, StudySpec, Value
from exports.sdtm.terms import TermError, Terms, submission_values
from exports.sdtm.unblinding import unblinding

__all__ = ["MappingError", "build_domains", "looked_into"]


def build_domains(
    frames: Mapping[str, pl.DataFrame],
    spec: StudySpec,
    *,
    only: Collection[str] = (),
    blinded: bool = False,
    terms: Terms | None = None,
) -> dict[str, SdtmDataset]:
    """Derive every domain of the specification.

    Parameters
    ----------
    frames
        One tidy frame per form, as the marts give them; tables of Metricis are called `table:scores`. The schedule is
        `table:events`, or `events` where no form is called so.
    only
        The domains that are wanted; what they look into is made too. All when it is empty.
    blinded
        Whether the reader is blinded: what tells the treatment is empty, and datasets that tell it are not made.
    terms
        The controlled terminology, where the specification looks terms up.

    Raises
    ------
    SpecError
        If the specification names a form or a field that the frames do not have.
    MappingError
        If the data hold a code that its code list does not know.
    """
    if EVENTS not in frames and "events" in frames:
        frames = {**frames, EVENTS: frames["events"]}
    hidden = unblinding(spec) if blinded else {}
    domains = [one for one in _wanted(spec, only) if not (blinded and one.unblinds)]
    if faults := frame_faults(frames, spec, domains=domains, hidden=hidden, terms=terms is not None):
        raise SpecError(spec.study, faults)
    made: dict[str, pl.DataFrame] = {}
    study = Study({name: _coded(frame) for name, frame in frames.items()}, spec.tables, made)
    built: dict[str, SdtmDataset] = {}
    for domain in domains:
        built[domain.domain] = _build(domain, study, hidden=hidden.get(domain.domain, frozenset()), terms=terms)
        made[domain.domain] = built[domain.domain].keyed
    asked = {name.upper() for name in only}
    return {
        one.domain: built[one.domain]
        for one in spec.domains
        if one.domain in built
        and (not asked or one.domain in asked)
        and not (_is_optional(one) and built[one.domain].keyed.is_empty())
    }


def looked_into(spec: StudySpec, dataset: str) -> set[str]:
    """Return the domains that a dataset as it is submitted is made from: itself, or what it is a part of, and all they look into.

    Empty when the specification makes no such dataset.
    """
    name = dataset.upper()
    of_parts = {part: one.domain for one in spec.domains if one.split for part in one.split.datasets}
    of_parts |= {f"SUPP{part}": f"SUPP{domain}" for part, domain in of_parts.items()}
    found = of_parts.get(name, name)
    return {one.domain for one in _wanted(spec, [found])} if found in {one.domain for one in spec.domains} else set()


def _is_optional(domain: Domain) -> bool:
    """Say whether a dataset is left out while it is empty: if it says so, or follows from another (SUPP--)."""
    return domain.optional or domain.parent is not None


def _wanted(spec: StudySpec, only: Collection[str]) -> list[Domain]:
    """Give the domains to make, in order: those asked for and all that they look into."""
    order = build_order(spec)
    if not only:
        return order
    names = {name.upper() for name in only}
    for domain in reversed(order):
        names |= domain.others if domain.domain in names else set()
    return [domain for domain in order if domain.domain in names]


def _coded(frame: pl.DataFrame) -> pl.DataFrame:
    """Give ticked boxes the codes they have in a dictionary: 1 and 0."""
    return frame.with_columns(cs.boolean().cast(pl.Int8).cast(pl.String))


def _build(domain: Domain, study: Study, *, hidden: Collection[str], terms: Terms | None) -> SdtmDataset:
    frame = rows_of(domain, study.frames, study.made)
    frame = _with_other_domains(frame, domain, study.made)
    for value in value_order(domain):
        try:
            made = _empty(value) if value.name in hidden else _column(value, frame, study, terms)
            frame = frame.with_columns(made.alias(value.name))
        except (ValueError, TypeError, pl.exceptions.PolarsError) as error:
            # What polars says may quote the data; it stays in the chained error.
            told = isinstance(error, ValueError | TypeError)
            why = str(error) if told else f"The data do not fit a {value.type} variable."
            raise MappingError(f"{domain.domain}.{value.name} could not be made; no dataset was made. {why}") from error
    if domain.parent:
        frame = frame.filter(pl.col("QVAL").is_not_null())
    names = [value.name for value in domain.values]
    ordered = frame.sort(domain.sort, maintain_order=True)
    places = ordered.select(cs.by_name(*PLACES, require_all=False))
    return SdtmDataset(domain, ordered.select("subject_id", *names), places)


# --- values ------------------------------------------------------------------------------------------------------------


def _empty(value: Value) -> pl.Expr:
    return pl.lit(None, dtype=pl.Float64 if value.type == "num" else pl.String)


def _column(value: Value, frame: pl.DataFrame, study: Study, terms: Terms | None) -> pl.Expr:
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
    column = made.select(
        as_text(made, "value") if dtype is pl.String or value.codelist else pl.col("value")
    ).to_series()
    if value.codelist is not None:
        column = _decoded(column, value, study)
    if value.terminology is not None and terms is not None:
        try:
            column = submission_values(column, terms, value.terminology)
        except TermError as error:
            raise MappingError(str(error)) from error
    result: pl.Expr = pl.lit(column.cast(dtype))
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
            f"The data hold {_some(unknown)}, which the code list {value.codelist!r} does not have; "
            f"it has {', '.join(table)}. "
            "Add the code to the list, or correct the record."
        )
    return codes.replace_strict(list(table), list(table.values()), default=None, return_dtype=pl.String)


def _some(values: Iterable[str], most: int = 10) -> str:
    """Name values, but no more than can be read."""
    listed = list(values)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")


def _with_other_domains(frame: pl.DataFrame, domain: Domain, made: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Bring in the variables of other domains (such as DM.RFSTDTC) that this one refers to, by subject."""
    for name in sorted({f"{other}.{column}" for other, column in domain.elsewhere()}):
        other, _, column = name.partition(".")
        values = made[other].select("subject_id", pl.col(column).alias(name))
        if values["subject_id"].is_duplicated().any():
            raise MappingError(f"{domain.domain} refers to {name}, but {other} has several rows for some subjects.")
        frame = frame.join(values, on="subject_id", how="left", validate="m:1", maintain_order="left")
    return frame
