"""Values that need more than one row: numbers in order, flags, look-ups in other forms."""

from typing import Literal

import polars as pl

from exports.sdtm.registry import Number, Study, Text, derivation


@derivation
def sequence(by: list[pl.Expr], within: list[pl.Expr] | None = None, first: pl.Expr | None = None) -> Number:
    """Number the rows of a subject in the order of the columns (--SEQ); equal rows keep their order.

    `within` counts anew in each group of a subject, from the number in `first` (1 if there is none).
    """
    rank = pl.struct([part.alias(str(place)) for place, part in enumerate(by)]).rank("ordinal")
    start = pl.lit(1.0) if first is None else first.cast(pl.Float64)
    return rank.over("subject_id", *(within or [])).cast(pl.Float64) + start - 1


@derivation
def from_form(
    study: Study,
    form: str,
    field: str,
    take: Literal["only", "first", "last", "min", "max"] = "only",
    order: str | None = None,
    where: dict[str, list[str]] | None = None,
    unless: dict[str, list[str]] | None = None,
    needs: list[str] | None = None,
) -> pl.Expr:
    """Give one value per subject from another form, such as the first and the last exposure.

    `take` is `first` or `last` by `order`, `min`, `max`, or the `only` one; `where` picks rows of that form
    that have one of these values, `unless` drops them, `needs` those in which none of these fields is filled.
    """
    frame = study.frames[form]
    if needs:
        frame = frame.filter(pl.any_horizontal(pl.col(needs).is_not_null()))
    for column, wanted in (where or {}).items():
        frame = frame.filter(pl.col(column).cast(pl.String).is_in(wanted))
    for column, unwanted in (unless or {}).items():
        frame = frame.filter(~pl.col(column).cast(pl.String).is_in(unwanted))
    pick = {
        "only": pl.col(field).first(),
        "first": pl.col(field).sort_by(order or field).first(),
        "last": pl.col(field).sort_by(order or field).last(),
        "min": pl.col(field).min(),
        "max": pl.col(field).max(),
    }[take]
    picked = frame.group_by("subject_id").agg(pick.alias("value"), pl.len().alias("rows"))
    if take == "only" and (many := picked.filter(pl.col("rows") > 1).height):
        raise ValueError(f"{form}.{field} was taken as the only one of each subject, but {many} subjects have several.")
    value = picked["value"]
    return pl.col("subject_id").replace_strict(picked["subject_id"], value, default=None, return_dtype=value.dtype)


@derivation
def baseline_at_visit(visit: pl.Expr, name: str) -> Text:
    """Flag with Y every row of the visit that the protocol calls baseline (--BLFL)."""
    return pl.when(visit == name).then(pl.lit("Y"))


@derivation
def baseline_last(result: pl.Expr, date: pl.Expr, reference: pl.Expr, within: list[pl.Expr]) -> Text:
    """Flag with Y the last row with a result on or before the reference date, in each group of a subject (--BLFL)."""
    eligible = result.is_not_null() & (date.str.slice(0, 10) <= reference.str.slice(0, 10))
    latest = pl.when(eligible).then(date).max().over("subject_id", *within)
    return pl.when(eligible & (date == latest)).then(pl.lit("Y"))


@derivation
def last_before(
    result: pl.Expr, date: pl.Expr, reference: pl.Expr, within: list[pl.Expr], order: pl.Expr | None = None
) -> Text:
    """Flag with Y one row: the last with a result before or at the reference, in each group of a subject (--LOBXFL).

    A result on the day of the reference counts unless both have times and the result's is later. Of rows at the same moment the
    last by `order` is it.
    """
    both = date.str.len_chars().clip(upper_bound=reference.str.len_chars())
    known = date.str.contains(r"^\d{4}-\d{2}-\d{2}") & (date.str.slice(0, both) <= reference.str.slice(0, both))
    eligible = (result.is_not_null() & known).fill_null(value=False)
    return _last_of(eligible, [date] + ([order] if order is not None else []), within)


@derivation
def last_at_visits(result: pl.Expr, order: pl.Expr, visit: pl.Expr, visits: list[str], within: list[pl.Expr]) -> Text:
    """Flag with Y the last row with a result at one of these visits, by `order`, in each group of a subject (endpoint)."""
    eligible = (result.is_not_null() & visit.is_in(visits)).fill_null(value=False)
    return _last_of(eligible, [order], within)


def _last_of(eligible: pl.Expr, order: list[pl.Expr], within: list[pl.Expr]) -> pl.Expr:
    """Flag the last eligible row of each group; of equal rows the last."""
    place = pl.struct([eligible.alias("eligible"), *(one.alias(str(n)) for n, one in enumerate(order))]).rank("ordinal")
    group = ["subject_id", *within]
    return pl.when(eligible & (place.over(group) == pl.len().over(group))).then(pl.lit("Y"))


@derivation
def from_domain(
    study: Study,
    domain: str,
    variable: str,
    take: Literal["only", "first", "last", "min", "max"] = "only",
    order: str | None = None,
    where: dict[str, list[str]] | None = None,
) -> pl.Expr:
    """Give one value per subject from another domain; `take`, `order` and `where` as in `from_form`."""
    return from_form(
        Study({domain: study.made[domain]}, study.tables),
        form=domain,
        field=variable,
        take=take,
        order=order,
        where=where,
    )


@derivation
def count_in(study: Study, domain: str, given: str) -> Text:
    """Count the rows of another domain in which a variable has a value, as text (ACTSUB)."""
    return pl.lit(str(study.made[domain][given].count()))
