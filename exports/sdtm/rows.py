"""The rows of a domain: taken from forms, tables, other domains or records; joined, filtered, turned from wide to long."""

import re
from collections.abc import Collection, Mapping
from typing import Final

import polars as pl

from datamodel.kernel.errors import BadInputError
from exports.sdtm.spec_types import KEY_COLUMNS, Domain, Join, Relationship, Row, Scalar, Source

# A working column of this name holds a ticked box (1) or an unticked one (0).
TICKED = "ticked"
#: Which of the domain's sources a row comes from, counted from 0; and of which row of another domain, if it does.
SOURCE: Final = ":source"
PARENT: Final = ":parent"
#: What is known of where a row comes from; `line` is the line of a form that was turned from wide to long.
PLACES: Final = ("subject_id", "event_id", "event_repeat", "form_id", "form_repeat", "line", SOURCE, PARENT)


class MappingError(BadInputError, ValueError):
    """Data that the specification has no answer for; no dataset was made."""


def rows_of(domain: Domain, frames: Mapping[str, pl.DataFrame], made: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Return the rows of all sources of a domain, with what its values are made from.

    `frames` are those of forms and tables, `made` the rows of the domains made before.

    Raises
    ------
    MappingError
        When something is joined that is there more than once.
    """
    if domain.relationships:
        return related_rows(domain.relationships, made)
    keep = KEY_COLUMNS.union({PARENT}, *(value.references() for value in domain.values))
    rows = [
        _rows(source, frames, made, keep).with_columns(pl.lit(number).alias(SOURCE))
        for number, source in enumerate(domain.sources)
    ]
    frame = pl.concat(rows, how="diagonal_relaxed")
    return frame if "subject_id" in frame.columns else frame.with_columns(subject_id=pl.lit(None, pl.String))


def _rows(
    source: Source, frames: Mapping[str, pl.DataFrame], made: Mapping[str, pl.DataFrame], keep: Collection[str]
) -> pl.DataFrame:
    frame = _origin(source, frames, made)
    for join in source.joins:
        frame = _joined(frame, join, frames[join.frame])
    for column, wanted in source.where.items():
        frame = frame.filter(_is_one_of(column, wanted))
    for column, unwanted in source.unless.items():
        frame = frame.filter(~_is_one_of(column, unwanted).fill_null(value=False))
    if source.first_by:
        frame = frame.unique(source.first_by, keep="first", maintain_order=True)
    if source.rows:
        frame = _long(source.rows, frame, [column for column in frame.columns if column in keep])
    frame = frame.with_columns(pl.lit(value).alias(name) for name, value in source.values.items())
    if source.needs:
        frame = frame.filter(pl.any_horizontal(_given(column) for column in source.needs))
    return frame


def _origin(source: Source, frames: Mapping[str, pl.DataFrame], made: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    if source.domain:
        return made[source.domain].with_row_index(PARENT)
    if source.records is not None:
        names = dict.fromkeys(key for record in source.records for key in record)
        return pl.DataFrame(
            {name: _column([record.get(name) for record in source.records]) for name in names}, strict=False
        )
    return frames[source.frame or ""]


def _column(values: list[Scalar | None]) -> pl.Series:
    """Return written values as a column: numbers when all of them are, texts otherwise."""
    given = [value for value in values if value is not None]
    if given and all(isinstance(value, int | float) and not isinstance(value, bool) for value in given):
        return pl.Series(values, dtype=pl.Float64, strict=False)
    return pl.Series([None if value is None else str(value) for value in values], dtype=pl.String)


def _is_one_of(column: str, wanted: Scalar | tuple[Scalar, ...]) -> pl.Expr:
    allowed = [str(one) for one in (wanted if isinstance(wanted, tuple) else (wanted,))]
    return pl.col(column).cast(pl.String).is_in(allowed)


def _joined(frame: pl.DataFrame, join: Join, other: pl.DataFrame) -> pl.DataFrame:
    on = list(join.on)
    if other.select(on).is_duplicated().any():
        if on == ["subject_id"]:
            raise MappingError(
                f"The form {join.frame!r} is joined by subject, but some subjects have it more than once."
            )
        raise MappingError(f"{join.frame!r} is joined by {', '.join(on)}, but some of these are there more than once.")
    added = other.select(*on, pl.exclude(*on, *frame.columns, *KEY_COLUMNS))
    return frame.join(added, on=on, how="left", validate="m:1", maintain_order="left")


def _given(column: str) -> pl.Expr:
    """Say whether something was entered; an unticked box (0) is nothing."""
    return pl.col(column).eq_missing("1") if column == TICKED else pl.col(column).is_not_null()


def _long(rows: tuple[Row, ...], frame: pl.DataFrame, keep: list[str]) -> pl.DataFrame:
    """Turn each form into one line per row of the specification; fields become text, numbers in their shortest form.

    `line` numbers the rows of the specification, which is the order of the questions on the form.
    """
    lines = []
    for number, row in enumerate(rows, start=1):
        fields = [as_text(frame, field).alias(name) for name, field in row.fields.items()]
        values = [pl.lit(value).alias(name) for name, value in row.values.items()]
        kept = frame.filter(pl.all_horizontal(pl.col(row.empty).is_null())) if row.empty else frame
        line = kept.select(*keep, *fields, *values, pl.lit(number).alias("line"))
        for name, wanted in row.only.items():
            line = line.filter(pl.col(name).is_in(wanted).fill_null(value=False))
        for name, unwanted in row.unless.items():
            line = line.filter(~pl.col(name).is_in(unwanted).fill_null(value=False))
        lines.append(line)
    return pl.concat(lines, how="diagonal_relaxed")


def as_text(frame: pl.DataFrame, column: str) -> pl.Expr:
    """Give a column as text: ISO dates, numbers without needless zeros, nothing for an empty text."""
    text = pl.col(column).cast(pl.String)
    if frame.schema[column].is_float():
        text = text.str.replace(r"\.0$", "")
    return pl.when(text != "").then(text)


# --- related records ---------------------------------------------------------------------------------------------------


def related_rows(relationships: tuple[Relationship, ...], made: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Return the rows of RELREC: those that have a partner in every other member of the relationship."""
    schema = dict.fromkeys(("subject_id", "rdomain", "usubjid", "idvar", "idvarval", "reltype", "relid"), pl.String)
    found = [pl.DataFrame(schema=schema)]
    for one in relationships:
        found += (
            _of_datasets(one, schema) if any(member.type for member in one.members) else _of_rows(one, made, schema)
        )
    return pl.concat(found)


def _of_datasets(one: Relationship, schema: Mapping[str, type[pl.DataType]]) -> list[pl.DataFrame]:
    rows = [(None, member.domain, None, member.by, None, member.type, one.id) for member in one.members]
    return [pl.DataFrame(rows, schema=dict(schema), orient="row")]


def _of_rows(
    one: Relationship, made: Mapping[str, pl.DataFrame], schema: Mapping[str, type[pl.DataType]]
) -> list[pl.DataFrame]:
    sides = [_side(made[member.domain], member.by, member.match) for member in one.members]
    matched = [column for column in sides[0].columns if column.startswith("match")]
    keys = ["subject_id", *matched]
    found = []
    for number, (member, side) in enumerate(zip(one.members, sides, strict=True)):
        for other in (other for place, other in enumerate(sides) if place != number):
            side = side.join(other.select(keys).unique(), on=keys, how="semi", maintain_order="left")  # noqa: PLW2901
        found.append(
            side.select(
                "subject_id",
                pl.lit(member.domain).alias("rdomain"),
                pl.col("USUBJID").alias("usubjid"),
                pl.lit(member.by).alias("idvar"),
                pl.col("value").alias("idvarval"),
                pl.lit(None, pl.String).alias("reltype"),
                _filled(one.id, matched).alias("relid"),
            ).cast(pl.Schema(schema))
        )
    return found


def _side(frame: pl.DataFrame, by: str, match: tuple[str, ...]) -> pl.DataFrame:
    """Return the rows of one member that can have a partner: what they are matched by, as text, and what tells them."""
    texts = {f"match{place}": as_text(frame, column) for place, column in enumerate(match)}
    return (
        frame.select("subject_id", "USUBJID", as_text(frame, by).alias("value"), **texts)
        .drop_nulls(["value", *texts])
        .unique(maintain_order=True)
    )


def _filled(template: str, matched: list[str]) -> pl.Expr:
    """Return the text in which `{USUBJID}` and `{0}`, `{1}`… have their values."""
    parts = [part for part in re.split(r"(\{\w+\})", template) if part]
    columns = {f"{{{place}}}": pl.col(name) for place, name in enumerate(matched)} | {"{USUBJID}": pl.col("USUBJID")}
    return pl.concat_str([columns.get(part, pl.lit(part)) for part in parts])
