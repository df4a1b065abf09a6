"""From revisions to one tidy, typed frame a form. Pure.

Columns follow the design: keys first, then the fields in dictionary order, then the form's own state. What a field
becomes is in `columns_of`; a value that does not fit its field's type is reported, never dropped.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import polars as pl

from datamodel.study.protocol import Field, Form, Protocol

#: names that a form's table uses itself; a field of such a name is called `name__entered`
RESERVED: Final = frozenset(
    {"subject_id", "site_id", "arm_id", "event_id", "event_repeat", "form_id", "form_repeat", "form_status"}
    | {"form_updated_at"}
)
#: validations that say a text field holds a date of which only a part may be known
PARTIAL: Final = frozenset({"date_partial", "partial_date"})
#: fields whose values are codes
CODED: Final = frozenset({"choice", "yesno"})

_DATE: Final = "%Y-%m-%d"
_TYPES: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "number": pl.Float64,
    "calc": pl.Float64,
    "integer": pl.Int64,
    "slider": pl.Int64,
    "date": pl.Date,
    "datetime": pl.Datetime("us"),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a form's table and the field it comes from."""

    name: str
    field: Field
    #: `value`, `choice` (one of a checkbox), `missing`, `date`, `precision`
    role: str
    dtype: pl.DataType | type[pl.DataType]
    #: name of the text value it is made of
    source: str
    #: the code of a checkbox's choice
    code: str = ""

    @property
    def label(self) -> str:
        """The label that people read for this column."""
        match self.role:
            case "choice":
                chosen = next(one.label for one in self.field.choices if one.code == self.code)
                return f"{self.field.label}: {chosen}"
            case "missing":
                return f"{self.field.label} (reason missing)"
            case "date":
                return f"{self.field.label} (when whole)"
            case "precision":
                return f"{self.field.label} (known to)"
        return self.field.label


@dataclass(frozen=True, slots=True)
class Unfit:
    """A value that does not fit the type of its field."""

    form: str
    field: str
    kind: str
    subject: str
    event: str
    value: str


def column_name(field: str) -> str:
    """Return the name that `field` has as a column."""
    return f"{field}__entered" if field in RESERVED else field


def checkbox_name(field: str, code: str) -> str:
    """Return the name of a checkbox choice as REDCap writes it: lower case, a minus as an underscore."""
    return f"{field}___{code.lower().replace('-', '_')}"


def is_partial(field: Field) -> bool:
    """Return whether `field` is text declared as a date that may be partial."""
    return field.kind == "text" and field.validation in PARTIAL


def kept_fields(form: Form, protocol: Protocol, *, blinded: frozenset[str] | None) -> Iterator[Field]:
    """Yield the fields of `form` that become columns: not the record's name, no text blocks, no identifiers.

    With `blinded` (names beside the ones that the design marks) blinded fields are left out.
    """
    for field in form.fields:
        is_ours = field.name != protocol.record_field and field.kind != "descriptive" and not field.is_identifier
        if is_ours and (blinded is None or not (field.is_blinded or field.name in blinded)):
            yield field


def columns_of(field: Field, *, has_missing_codes: bool) -> Iterator[Column]:
    """Yield the columns that `field` becomes.

    - checkbox: one Boolean for each choice, `field___code`
    - number and calc: Float64; integer and slider: Int64; date: Date; datetime: Datetime without a zone (site's clock)
    - choice and yesno: the raw code as text; time, text, notes, file: text
    - text declared as a partial date: the text, `field__date` (when whole) and `field__precision` (year, month, day)
    - with declared missing codes: `field__missing` holds the code, and the value is null
    """
    name = column_name(field.name)
    if field.kind == "checkbox":
        for choice in field.choices:
            source = checkbox_name(field.name, choice.code)
            yield Column(source, field, "choice", pl.Boolean, source, code=choice.code)
        return
    yield Column(name, field, "value", _TYPES.get(field.kind, pl.String), field.name)
    if has_missing_codes:
        yield Column(f"{name}__missing", field, "missing", pl.String, field.name)
    if is_partial(field):
        yield Column(f"{name}__date", field, "date", pl.Date, field.name)
        yield Column(f"{name}__precision", field, "precision", pl.String, field.name)


def form_columns(form: Form, protocol: Protocol, *, blinded: frozenset[str] | None = None) -> list[Column]:
    """Return all columns of a form's fields, in dictionary order."""
    has_codes = bool(protocol.missing_codes)
    return [
        column
        for field in kept_fields(form, protocol, blinded=blinded)
        for column in columns_of(field, has_missing_codes=has_codes)
    ]


def form_frame(form: Form, protocol: Protocol, rows: pl.DataFrame, subjects: pl.DataFrame) -> pl.DataFrame:
    """Return the tidy frame of `form` from its revisions (`source.revisions`) and the participants.

    Raises
    ------
    ValueError
        Never for values: what does not fit becomes null here; ask `unfit_values` first.
    """
    columns = form_columns(form, protocol)
    texts = _texts(rows, columns)
    codes = [choice.code for choice in protocol.missing_codes]
    typed = texts.with_columns(_typed(column, codes).alias(f"={column.name}") for column in columns)
    keys = key_columns(form, protocol, rows)
    placed = typed.join(subjects.select("subject_id", "site_id", "arm_id"), on="subject_id", how="left")
    return placed.select(
        "subject_id",
        "site_id",
        "arm_id",
        *(key for key in keys if key != "subject_id"),
        *(pl.col(f"={column.name}").alias(column.name) for column in columns),
        "form_status",
        "form_updated_at",
    )


def key_columns(form: Form, protocol: Protocol, rows: pl.DataFrame | None = None) -> list[str]:
    """Return the columns that make a row of this form unique, by the design (and by older data that repeat)."""
    events = [event for event in protocol.events if form.name in event.forms]
    has_rows = rows is not None and not rows.is_empty()
    keys = ["subject_id"]
    # A project without events has one event without a name.
    if any(event.name for event in protocol.events):
        keys.append("event_id")
    if any(event.is_repeating for event in events) or (has_rows and rows["event_repeat"].max() != 0):  # type: ignore[index]
        keys.append("event_repeat")
    if protocol.is_repeating(form.name) or (has_rows and rows["form_repeat"].max() != 0):  # type: ignore[index]
        keys.append("form_repeat")
    return keys


def unfit_values(form: Form, protocol: Protocol, rows: pl.DataFrame, *, at_most: int = 20) -> list[Unfit]:
    """Return the values of `form` that do not fit their field's type, at most so many a field."""
    codes = [choice.code for choice in protocol.missing_codes]
    columns = [one for one in form_columns(form, protocol) if one.role == "value" and one.dtype != pl.String]
    texts = _texts(rows, columns)
    found: list[Unfit] = []
    for column in columns:
        text = pl.col(_slot(column.source))
        lost = texts.filter(text.is_not_null() & ~text.is_in(codes) & _typed(column, codes).is_null())
        found.extend(
            Unfit(form.name, column.field.name, column.field.kind, row["subject_id"], row["event_id"], row["value"])
            for row in lost.head(at_most).select("subject_id", "event_id", text.alias("value")).iter_rows(named=True)
        )
    return found


def _slot(source: str) -> str:
    """Return the working name of a text value: it must not meet the name of a key column."""
    return f"~{source}"


def _texts(rows: pl.DataFrame, columns: list[Column]) -> pl.DataFrame:
    """Spread the JSON of `values` into one text column a field, blanks as null."""
    sources = list(dict.fromkeys(column.source for column in columns))
    if not sources:
        return rows
    shape = pl.Struct(dict.fromkeys(sources, pl.String))
    decoded = rows.with_columns(pl.col("values").str.json_decode(shape))
    value = pl.col("values").struct
    return decoded.with_columns(
        pl.when(value.field(source) != "").then(value.field(source)).alias(_slot(source)) for source in sources
    ).drop("values")


def _typed(column: Column, codes: list[str]) -> pl.Expr:
    text = pl.col(_slot(column.source))
    known = pl.when(~text.is_in(codes)).then(text) if codes else text
    match column.role:
        case "choice":
            # Blank boxes are left out of a revision: whoever has the form and not the tick did not choose it.
            return text.is_in(["1"]).fill_null(value=False)
        case "missing":
            return pl.when(text.is_in(codes)).then(text)
        case "date":
            return known.str.to_date(_DATE, strict=False)
        case "precision":
            return _precision(known)
    return _value(column.field, known, column.dtype)


def _precision(text: pl.Expr) -> pl.Expr:
    return (
        pl.when(text.str.contains(r"^\d{4}-\d{2}-\d{2}$"))
        .then(pl.lit("day"))
        .when(text.str.contains(r"^\d{4}-\d{2}$"))
        .then(pl.lit("month"))
        .when(text.str.contains(r"^\d{4}$"))
        .then(pl.lit("year"))
    )


def _value(field: Field, text: pl.Expr, dtype: pl.DataType | type[pl.DataType]) -> pl.Expr:
    match field.kind:
        case "date":
            return text.str.to_date(_DATE, strict=False)
        case "datetime":
            return pl.coalesce(
                text.str.to_datetime(form, strict=False, time_unit="us")
                for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M")
            )
        case "number" | "calc" if "comma" in field.validation:
            return text.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
    return text if dtype == pl.String else text.cast(dtype, strict=False)
