"""Results of measurements: standard units, totals."""

import polars as pl

from exports.sdtm.derive_texts import number_text
from exports.sdtm.registry import Number, Study, Text, derivation


@derivation
def standard_number(value: pl.Expr, unit: pl.Expr, conversion: str, study: Study) -> Number:
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
def standard_text(value: pl.Expr, unit: pl.Expr, conversion: str, study: Study) -> Text:
    """Bring a result to the standard unit as text (--STRESC), `<0.2` included; a result that is no number stays as it is."""
    parts = value.str.extract_groups(r"^\s*(?<sign>[<>]=?)?\s*(?<amount>\d+(?:\.\d+)?)\s*$")
    amount = standard_number(value=parts.struct.field("amount"), unit=unit, conversion=conversion, study=study)
    text = parts.struct.field("sign").fill_null("") + number_text(of=amount)
    return pl.coalesce(text, value)


@derivation
def standard_unit(unit: pl.Expr, conversion: str, study: Study, otherwise: pl.Expr | None = None) -> Text:
    """Give the standard unit that belongs to an original unit (--STRESU); a unit without conversion stays.

    Where `unit` is more than a unit (a test and its unit), `otherwise` is what stays.
    """
    table = {original: rule.unit for original, rule in study.tables.conversions[conversion].items()}
    changed = unit.replace_strict(list(table), list(table.values()), default=None, return_dtype=pl.String)
    return pl.when(unit.is_in(list(table))).then(changed).otherwise(unit if otherwise is None else otherwise)


@derivation
def not_done(value: pl.Expr, ticked: pl.Expr) -> Text:
    """Say NOT DONE (--STAT) where the form says that a result was not obtained and there is none."""
    return pl.when((ticked == "1") & value.is_null()).then(pl.lit("NOT DONE"))


@derivation
def prorated_total(items: list[pl.Expr], maxima: list[float]) -> Number:
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
def product(of: list[pl.Expr], zero_if: pl.Expr | None = None, equals: list[str] = []) -> Number:  # noqa: B006 # as in epoch
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
) -> Number:
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


@derivation
def quotient(of: pl.Expr, by: pl.Expr) -> Number:
    """Divide one number by another; missing where the divisor is zero."""
    divisor = by.cast(pl.Float64, strict=False)
    return pl.when(divisor != 0).then(of.cast(pl.Float64, strict=False) / divisor)


@derivation
def rounded_text(of: pl.Expr, decimals: int) -> Text:
    """Write a number as text with exactly so many decimals, a half rounded away from zero."""
    scaled = ((of.abs() * 10**decimals) + 0.5 + 1e-9).floor().cast(pl.Int64)
    if decimals == 0:
        digits = scaled.cast(pl.String)
    else:
        whole = (scaled // 10**decimals).cast(pl.String)
        digits = whole + "." + (scaled % 10**decimals).cast(pl.String).str.zfill(decimals)
    return pl.when((of < 0) & (scaled > 0)).then("-" + digits).otherwise(digits)


@derivation
def by_size(of: pl.Expr, limit: pl.Expr, below: pl.Expr, otherwise: pl.Expr) -> Text:
    """Tell by the size of a number what nobody wrote down: one column where it is below a limit, another one from there on.

    For units: a height of 67 is in inches, one of 170 in centimetres.
    """
    number = of.cast(pl.Float64, strict=False)
    small = number < limit.cast(pl.Float64, strict=False)
    return pl.when(small).then(below).when(number.is_not_null()).then(otherwise)
