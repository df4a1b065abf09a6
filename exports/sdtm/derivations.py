"""The library of derivations. Each is one function and has a test; a specification calls it by its name.

To add one: write a function here (or in a module of your own that is imported before the specification is loaded), mark it
with `@derivation`, and give every argument a type (see `registry`). Dates are ISO 8601 texts, whole or partial, as SDTM
holds them. All derivations are expressions: they never see single rows.
"""

from typing import Literal

import polars as pl

from exports.sdtm.registry import Study, derivation

FULL_DATE = r"^\d{4}-\d{2}-\d{2}"
# A date as far as it is known, with what sites write for an unknown part.
KNOWN_PART = r"^(\d{4}(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12]\d|3[01]))?)?)(?:-(?:NK|UN|UNK|XX|--?))*$"


# --- texts, codes and numbers ------------------------------------------------------------------------------------------


@derivation
def concat(parts: list[pl.Expr], prefix: str = "", separator: str = "-") -> pl.Expr:
    """Join columns with a separator, after a fixed prefix; missing when a part is missing (USUBJID)."""
    joined = pl.concat_str([part.cast(pl.String) for part in parts], separator=separator)
    return pl.lit(prefix) + joined


@derivation
def decode(of: pl.Expr, codelist: str, study: Study) -> pl.Expr:
    """Give what a code list says for another variable; missing where it says nothing."""
    table = study.tables.codelists[codelist]
    return of.cast(pl.String).replace_strict(list(table), list(table.values()), default=None, return_dtype=pl.String)


@derivation
def number(of: pl.Expr) -> pl.Expr:
    """Read a number from a text; missing where the text is no number."""
    return of.cast(pl.Float64, strict=False)


@derivation
def number_text(of: pl.Expr, decimals: pl.Expr | None = None) -> pl.Expr:
    """Write a number as text, without needless zeros, or with as many decimals as the measurement is recorded with.

    `decimals` is the least number of decimals (0 or 1): 97 recorded to one decimal is `97.0`.
    """
    shortest = of.cast(pl.String).str.replace(r"\.0+$", "")
    if decimals is None:
        return shortest
    whole = ~shortest.str.contains(r"\.") & (decimals.cast(pl.Float64) == 1)
    return pl.when(whole).then(shortest + ".0").otherwise(shortest)


# --- dates and days ----------------------------------------------------------------------------------------------------


@derivation
def iso8601(date: pl.Expr, time: pl.Expr | None = None) -> pl.Expr:
    """Write a date as far as it is known in ISO 8601, with the time if the whole date is known.

    `2023-10-NK` and `2023-10` become `2023-10`. A text that is no date gives a missing value.
    """
    day = date.cast(pl.String).str.strip_chars().str.to_uppercase().str.extract(KNOWN_PART, 1)
    if time is None:
        return day
    clock = time.cast(pl.String).str.extract(r"^(\d{2}:\d{2}(?::\d{2})?)", 1)
    return pl.when(clock.is_not_null() & day.str.contains(FULL_DATE)).then(day + "T" + clock).otherwise(day)


@derivation
def study_day(date: pl.Expr, reference: pl.Expr) -> pl.Expr:
    """Count days from the reference date, which is day 1; there is no day 0 (SDTMIG, --DY).

    Missing unless both dates are known to the day.
    """
    days = (_day(date) - _day(reference)).dt.total_days()
    return pl.when(days >= 0).then(days + 1).otherwise(days).cast(pl.Float64)


@derivation
def duration(start: pl.Expr, end: pl.Expr) -> pl.Expr:
    """Write the days from start to end, both included, as an ISO 8601 duration such as `P14D`; missing if end < start."""
    days = (_day(end) - _day(start)).dt.total_days() + 1
    return pl.when(days > 0).then(pl.lit("P") + days.cast(pl.String) + "D")


@derivation
def age(birth: pl.Expr, at: pl.Expr) -> pl.Expr:
    """Count completed years from birth to a date; missing unless both are known to the day."""
    born, then = _day(birth), _day(at)
    before_birthday = (then.dt.month() * 100 + then.dt.day()) < (born.dt.month() * 100 + born.dt.day())
    return (then.dt.year() - born.dt.year() - before_birthday.cast(pl.Int32)).cast(pl.Float64)


@derivation
def epoch(
    date: pl.Expr,
    starts: list[pl.Expr],
    names: list[str],
    from_next_day: list[str] = [],  # noqa: B006 # a literal default is what the manual shows; it is never changed
    earlier: str | None = None,
) -> pl.Expr:
    """Find the epoch of a date: the last of `names` whose start (same place in `starts`) has come.

    An epoch of `from_next_day` begins the day after its start date; a start that is missing never comes. Before the first
    start it is `earlier`. A partial date that may lie on either side of a start gives a missing value.
    """
    if len(starts) != len(names):
        raise ValueError(f"epoch has {len(names)} names and {len(starts)} starts; each epoch needs one start.")
    day = date.str.slice(0, 10)
    found = pl.lit(earlier, dtype=pl.String)
    unsure = pl.lit(value=False)
    for start, name in zip(starts, names, strict=True):
        known = start.str.slice(0, 10).str.slice(0, day.str.len_chars())
        on_the_day = pl.lit(value=False) if name in from_next_day else day == known
        unsure = unsure | ((day.str.len_chars() < len("2014-01-02")) & (day == known))
        found = pl.when(((day > known) | on_the_day).fill_null(value=False)).then(pl.lit(name)).otherwise(found)
    return pl.when(day.is_not_null() & ~unsure.fill_null(value=False)).then(found)


def _day(date: pl.Expr) -> pl.Expr:
    whole = date.cast(pl.String).str.extract(r"^(\d{4}-\d{2}-\d{2})", 1)
    return whole.str.to_date("%Y-%m-%d", strict=False)


# --- visits ------------------------------------------------------------------------------------------------------------


@derivation
def visit_number(study: Study, unscheduled: pl.Expr | None = None) -> pl.Expr:
    """Give VISITNUM of the event, or the number typed on the form of an unscheduled visit."""
    planned = _visit({event: visit.number for event, visit in study.tables.visits.items()}, pl.Float64)
    return planned if unscheduled is None else pl.coalesce(planned, unscheduled.cast(pl.Float64))


@derivation
def visit_name(study: Study, unscheduled: pl.Expr | None = None) -> pl.Expr:
    """Give VISIT of the event, or UNSCHEDULED and the number typed on the form."""
    planned = _visit({event: visit.name for event, visit in study.tables.visits.items()}, pl.String)
    if unscheduled is None:
        return planned
    return pl.coalesce(planned, pl.lit("UNSCHEDULED ") + number_text(of=unscheduled))


@derivation
def visit_day(study: Study) -> pl.Expr:
    """Give VISITDY: the planned day of the event, missing for a visit that is not planned."""
    days = dict(study.frames["events"].select("event_id", "day").iter_rows())
    return _visit({event: days.get(event) for event, visit in study.tables.visits.items() if visit.planned}, pl.Float64)


@derivation
def visit_epoch(study: Study) -> pl.Expr:
    """Give the epoch that the plan puts the event in."""
    return _visit({event: visit.epoch for event, visit in study.tables.visits.items()}, pl.String)


def _visit(table: dict[str, str | float | None], dtype: type[pl.DataType]) -> pl.Expr:
    return pl.col("event_id").replace_strict(list(table), list(table.values()), default=None, return_dtype=dtype)


# --- rows of a subject -------------------------------------------------------------------------------------------------


@derivation
def sequence(by: list[pl.Expr], within: list[pl.Expr] | None = None, first: pl.Expr | None = None) -> pl.Expr:
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
) -> pl.Expr:
    """Give one value per subject from another form, such as the first and the last exposure.

    `take` is `first` or `last` by `order`, `min`, `max`, or the `only` one; `where` picks rows of that form
    that have one of these values, `unless` drops them.
    """
    frame = study.frames[form]
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
def baseline_at_visit(visit: pl.Expr, name: str) -> pl.Expr:
    """Flag with Y every row of the visit that the protocol calls baseline (--BLFL)."""
    return pl.when(visit == name).then(pl.lit("Y"))


@derivation
def baseline_last(result: pl.Expr, date: pl.Expr, reference: pl.Expr, within: list[pl.Expr]) -> pl.Expr:
    """Flag with Y the last row with a result on or before the reference date, in each group of a subject (--BLFL)."""
    eligible = result.is_not_null() & (date.str.slice(0, 10) <= reference.str.slice(0, 10))
    latest = pl.when(eligible).then(date).max().over("subject_id", *within)
    return pl.when(eligible & (date == latest)).then(pl.lit("Y"))


# --- results -----------------------------------------------------------------------------------------------------------


@derivation
def standard_number(value: pl.Expr, unit: pl.Expr, conversion: str, study: Study) -> pl.Expr:
    """Bring a numeric result to the standard unit of its kind (--STRESN); a unit without conversion leaves it as it is."""
    given = value.cast(pl.Float64, strict=False)
    result = given
    for original, rule in study.tables.conversions[conversion].items():
        # The tiny step undoes what binary fractions take away, so that a half is rounded away from zero.
        changed = given * rule.factor + rule.offset
        rounded = changed if rule.decimals is None else (changed + changed.sign() * 1e-9).round(rule.decimals)
        result = pl.when(unit == original).then(rounded).otherwise(result)
    return result


@derivation
def standard_text(value: pl.Expr, unit: pl.Expr, conversion: str, study: Study) -> pl.Expr:
    """Bring a result to the standard unit as text (--STRESC), `<0.2` included; a result that is no number stays as it is."""
    parts = value.str.extract_groups(r"^\s*(?<sign>[<>]=?)?\s*(?<amount>\d+(?:\.\d+)?)\s*$")
    amount = standard_number(value=parts.struct.field("amount"), unit=unit, conversion=conversion, study=study)
    text = parts.struct.field("sign").fill_null("") + number_text(of=amount)
    return pl.coalesce(text, value)


@derivation
def standard_unit(unit: pl.Expr, conversion: str, study: Study, otherwise: pl.Expr | None = None) -> pl.Expr:
    """Give the standard unit that belongs to an original unit (--STRESU); a unit without conversion stays.

    Where `unit` is more than a unit (a test and its unit), `otherwise` is what stays.
    """
    table = {original: rule.unit for original, rule in study.tables.conversions[conversion].items()}
    changed = unit.replace_strict(list(table), list(table.values()), default=None, return_dtype=pl.String)
    return pl.when(unit.is_in(list(table))).then(changed).otherwise(unit if otherwise is None else otherwise)


@derivation
def not_done(value: pl.Expr, ticked: pl.Expr) -> pl.Expr:
    """Say NOT DONE (--STAT) where the form says that a result was not obtained and there is none."""
    return pl.when((ticked == "1") & value.is_null()).then(pl.lit("NOT DONE"))


@derivation
def flag(when: pl.Expr, equals: list[str], then: str = "Y") -> pl.Expr:
    """Give a fixed text where a column has one of these values, and nothing elsewhere."""
    return pl.when(when.cast(pl.String).is_in(equals)).then(pl.lit(then))


@derivation
def first_given(of: list[pl.Expr]) -> pl.Expr:
    """Give the first of several columns that has a value."""
    return pl.coalesce(of)


@derivation
def decode_by(of: pl.Expr, kind: pl.Expr, codelists: dict[str, str], otherwise: pl.Expr, study: Study) -> pl.Expr:
    """Decode by one of several code lists, chosen by another column; `otherwise` stands for rows of no such kind."""
    result = otherwise
    for wanted, codelist in codelists.items():
        result = pl.when(kind == wanted).then(decode(of=of, codelist=codelist, study=study)).otherwise(result)
    return result


@derivation
def prorated_total(items: list[pl.Expr], maxima: list[float]) -> pl.Expr:
    """Add up the items of a scale, raised in proportion when some are missing (ADAS-Cog total of 11 items).

    total = sum of the answered items * possible / (possible - the maxima of the missing items); missing when none is answered.
    """
    if len(items) != len(maxima):
        raise ValueError(
            f"prorated_total has {len(items)} items and {len(maxima)} maxima; each item needs its maximum."
        )
    answers = [item.cast(pl.Float64, strict=False) for item in items]
    reached = [pl.when(answer.is_not_null()).then(most) for answer, most in zip(answers, maxima, strict=True)]
    possible = pl.sum_horizontal(reached)
    return pl.when(possible > 0).then(pl.sum_horizontal(answers) * sum(maxima) / possible)


@derivation
def fixed_text(of: pl.Expr, decimals: int, cut: bool = False) -> pl.Expr:
    """Write a number as text: a whole number as it is, any other with so many decimals, rounded or (`cut`) cut off."""
    # The tiny step keeps 40.3, which binary fractions hold as slightly less, from being cut to 40.2.
    shortened = ((of * 10**decimals + 1e-6).floor() / 10**decimals if cut else of).round(decimals)
    return pl.when(of == of.round(0)).then(number_text(of=of)).otherwise(shortened.cast(pl.String))


@derivation
def product(of: list[pl.Expr], zero_if: pl.Expr | None = None, equals: list[str] = []) -> pl.Expr:  # noqa: B006 # as in epoch
    """Multiply numbers, such as frequency and severity of a symptom; 0 where `zero_if` has one of the values `equals`."""
    made = pl.lit(1.0)
    for factor in of:
        made = made * factor.cast(pl.Float64, strict=False)
    return made if zero_if is None else pl.when(zero_if.is_in(equals)).then(0.0).otherwise(made)


@derivation
def group_total(
    of: pl.Expr,
    within: list[pl.Expr],
    only: pl.Expr,
    equals: list[str],
    counts: pl.Expr | None = None,
    items: int | None = None,
) -> pl.Expr:
    """Add up a column over a group of a subject's rows (a visit), on the rows where `only` has one of these values.

    With `items` the total is raised in proportion when fewer than so many are there; `counts` is 1 on the rows that count.
    """
    group = ["subject_id", *within]
    counted = of if counts is None else pl.when(counts.cast(pl.Float64) == 1).then(of)
    total = counted.sum().over(group)
    if items is not None:
        there = counted.count().over(group)
        total = pl.when(there > 0).then(total * items / there)
    return pl.when(only.is_in(equals)).then(total)
