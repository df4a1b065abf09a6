"""The rules that a field's values must keep, as polars expressions over text. Pure.

A blank is never wrong by itself, and a missing code (“not done”, “unknown”) is legal in any field.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import polars as pl

from datamodel.study.protocol import Field
from validators.findings import CODES

_MOST_CODES_SHOWN: Final = 12
_INTEGER: Final = r"^[+-]?\d{1,18}$"
_NUMBER: Final = r"^[+-]?(\d+\.?\d*|\.\d+)$"
_COMMA_NUMBER: Final = r"^[+-]?(\d+,?\d*|,\d+)$"
_TIMES: Final[dict[str, tuple[str, str]]] = {
    "time_hh_mm_ss": (r"^([01]?\d|2[0-3]):[0-5]\d:[0-5]\d$", "hours:minutes:seconds"),
    "time_mm_ss": (r"^[0-5]?\d:[0-5]\d$", "minutes:seconds"),
    "": (r"^([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d)?$", "hours:minutes, 24 hours"),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule on one column. `holds` is true where the text keeps the rule."""

    column: str
    field: str
    code: str
    holds: pl.Expr
    limit: str = ""

    @property
    def name(self) -> str:
        """A name that is unique within a form."""
        return f"{self.column}:{self.code}"

    @property
    def is_rejected(self) -> bool:
        """Whether a value that breaks it is not accepted."""
        return CODES[self.code].is_rejected

    @property
    def reason(self) -> str:
        """Why, in plain words; never the value itself."""
        return CODES[self.code].reason.format(limit=self.limit)


def rules_of(
    field: Field, column: str, *, missing: Collection[str], complete: str, shown: pl.Expr | None = None
) -> Iterator[Rule]:
    """Yield the rules of one export column; `complete` is the column of the form's status.

    `shown` says in which rows a field with branching logic is asked; without it, whether such a field is filled is not tested.
    """
    text = pl.col(column)
    legal = (text == "") | text.is_in(list(missing)) if missing else (text == "")
    if field.kind == "checkbox":
        yield Rule(column, field.name, "unknown_code", legal | text.is_in(["0", "1"]), "0 or 1")
        return
    if field.kind in {"text", "notes", "calc", "file"}:
        yield Rule(column, field.name, "not_storable", ~text.str.contains("\x00", literal=True))
    shape = _shape(field, text)
    if shape is not None:
        code, holds, limit = shape
        yield Rule(column, field.name, code, legal | holds, limit)
        yield from _range(field, column, text=text, legal=legal | ~holds)
    if field.is_required and (shown is not None or not field.branching):
        is_asked = pl.col(complete) == "2"
        if shown is not None:
            is_asked &= shown
        yield Rule(column, field.name, "required_blank", (text != "") | ~is_asked)


def _shape(field: Field, text: pl.Expr) -> tuple[str, pl.Expr, str] | None:
    """Return (code, what holds, what is allowed) of how a value must be written; None when anything will do."""
    match field.kind:
        case "choice" | "yesno" if field.choices:
            codes = [choice.code for choice in field.choices]
            found = ("unknown_code", text.is_in(codes), _shown(codes))
        case "integer" | "slider":
            found = ("not_an_integer", text.str.contains(_INTEGER), "")
        case "number":
            found = ("not_a_number", text.str.contains(_COMMA_NUMBER if _has_comma(field) else _NUMBER), "")
        case "date":
            found = ("not_a_date", _is_date(text), "")
        case "datetime":
            found = ("not_a_datetime", _is_datetime(field, text), "")
        case "time":
            pattern, words = _TIMES.get(field.validation, _TIMES[""])
            found = ("not_a_time", text.str.contains(pattern), words)
        case _:
            return None
    return found


def _is_date(text: pl.Expr) -> pl.Expr:
    return (text.str.len_bytes() == 10) & text.str.to_date("%Y-%m-%d", strict=False).is_not_null()  # noqa: PLR2004


def _is_datetime(field: Field, text: pl.Expr) -> pl.Expr:
    seconds = text.str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False).is_not_null()
    if "seconds" in field.validation:
        return seconds
    return seconds | text.str.to_datetime("%Y-%m-%d %H:%M", strict=False).is_not_null()


def _range(field: Field, column: str, *, text: pl.Expr, legal: pl.Expr) -> Iterator[Rule]:
    """Yield the soft limits of a field; limits that are not a plain value (`today`, another field) are left to REDCap."""
    for bound, code in ((field.minimum, "below_minimum"), (field.maximum, "above_maximum")):
        compared = _comparable(field, text, bound)
        if compared is None:
            continue
        value, limit = compared
        holds = value >= limit if code == "below_minimum" else value <= limit
        yield Rule(column, field.name, code, legal | holds.fill_null(value=True), bound)


def _comparable(field: Field, text: pl.Expr, bound: str) -> tuple[pl.Expr, pl.Expr] | None:
    """Return value and limit as something that can be compared; None when the limit is no plain value."""
    if not bound:
        return None
    if field.kind in {"integer", "number", "slider"}:
        plain = bound.replace(",", ".") if _has_comma(field) else bound
        number = text.str.replace(",", ".", literal=True) if _has_comma(field) else text
        return (number.cast(pl.Float64, strict=False), pl.lit(float(plain))) if re.fullmatch(_NUMBER, plain) else None
    if field.kind in {"date", "datetime"}:
        is_plain = _is_instant(bound, with_time=field.kind == "datetime")
        return (text, pl.lit(bound)) if is_plain else None
    if field.kind == "time" and re.fullmatch(_TIMES[""][0], bound):
        return text.str.zfill(len(bound)), pl.lit(bound)
    return None


def _is_instant(bound: str, *, with_time: bool) -> bool:
    try:
        if with_time:
            datetime.fromisoformat(bound)
        else:
            date.fromisoformat(bound)
    except ValueError:
        return False
    return True


def _has_comma(field: Field) -> bool:
    return "comma_decimal" in field.validation


def _shown(codes: list[str]) -> str:
    more = len(codes) - _MOST_CODES_SHOWN
    return ", ".join(codes[:_MOST_CODES_SHOWN]) + (f" and {more} more" if more > 0 else "")
