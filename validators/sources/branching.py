"""REDCap's branching logic over one form's rows, as a polars condition. Pure.

Understood: comparisons of a field of the same form with a value or another such field (`=`, `!=`, `<>`, `<`, `<=`, `>`, `>=`; ticked
boxes as `[name(code)]`), joined by `and`, `or`, `not` and parentheses, which Python's own parser reads. Everything else
(functions, sums, other events and forms, smart variables) is told as a reason and never guessed.

As in REDCap, a blank equals a blank and is neither less nor more than anything; what reads as a number on both sides is compared as one.
"""

import ast
import operator
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import reduce
from typing import Any, Final, NamedTuple

import polars as pl

from datamodel.study.protocol import Field
from validators.sources.columns import checkbox_code

_OPERAND: Final = (
    r"\[(?P<{0}_name>[a-z][a-z0-9_]*)(?:\((?P<{0}_code>[^()\[\]]+)\))?\]"
    r"""|'(?P<{0}_single>[^']*)'|"(?P<{0}_double>[^"]*)"|(?P<{0}_number>(?<![\w.])[+-]?\d+(?:\.\d+)?(?![\w.]))"""
)
_COMPARISON: Final = re.compile(
    rf"(?:{_OPERAND.format('left')})\s*(?P<operator><=|>=|<>|!=|=|<|>)\s*(?:{_OPERAND.format('right')})", re.IGNORECASE
)
_NUMBER: Final = r"^[+-]?(\d+\.?\d*|\.\d+)$"
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}([ T].*)?")
_DAYS: Final = frozenset({"date", "datetime", "time"})
_ELSEWHERE: Final = "looks at another event or form, or uses a smart variable"
_ORDERS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class NotUnderstoodError(Exception):
    """Logic that cannot be decided from one form's row; the text says why, after “its condition”."""


class _Side(NamedTuple):
    """One side of a comparison; a day or a time is compared as it is written."""

    text: pl.Expr
    is_day: bool

    @property
    def number(self) -> pl.Expr:
        """Its number; null where it is none."""
        return pl.when(self.text.str.contains(_NUMBER)).then(self.text).cast(pl.Float64, strict=False)


def condition_of(logic: str, *, fields: Sequence[Field], columns: Collection[str]) -> pl.Expr:
    """Return when a field with this branching logic is shown; `columns` are the text columns of the form's frame.

    Raises
    ------
    NotUnderstoodError
        When the logic looks elsewhere, calculates, or is not as REDCap writes it.
    """
    known, comparisons = {field.name: field for field in fields}, list[pl.Expr]()

    def place(found: re.Match[str]) -> str:
        left, right = (_side(found, name, known, columns) for name in ("left", "right"))
        comparisons.append(_compared(left, found["operator"], right))
        return f" c{len(comparisons) - 1} "

    joined = " ".join(_COMPARISON.sub(place, logic).split()).lower()
    left_over = re.findall(r"\[([^\]]*)", joined)
    if any(name.partition("(")[0] not in known for name in left_over):
        raise NotUnderstoodError(_ELSEWHERE)
    if left_over:
        raise NotUnderstoodError("calculates, or names a field without comparing it")
    try:
        tree = ast.parse(joined, mode="eval")
    except SyntaxError as error:
        raise NotUnderstoodError("calculates, or is not as REDCap writes it") from error
    return _joined(tree.body, comparisons)


def _joined(node: ast.expr, comparisons: Sequence[pl.Expr]) -> pl.Expr:
    match node:
        case ast.BoolOp(op=ast.And(), values=values):
            return reduce(operator.and_, (_joined(one, comparisons) for one in values))
        case ast.BoolOp(op=ast.Or(), values=values):
            return reduce(operator.or_, (_joined(one, comparisons) for one in values))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return ~_joined(operand, comparisons)
        case ast.Name(id=name) if re.fullmatch(r"c\d+", name) and int(name[1:]) < len(comparisons):
            return comparisons[int(name[1:])]
        case _:
            raise NotUnderstoodError("calculates, or uses a function")


def _side(found: re.Match[str], side: str, known: Mapping[str, Field], columns: Collection[str]) -> _Side:
    name, code = found[f"{side}_name"], found[f"{side}_code"]
    if name is None:
        text = next(one for kind in ("single", "double", "number") if (one := found[f"{side}_{kind}"]) is not None)
        return _Side(pl.lit(text), is_day=bool(_DAY.fullmatch(text)))
    name = name.lower()
    column = f"{name}___{checkbox_code(code.strip())}" if code is not None else name
    if name not in known:
        raise NotUnderstoodError(_ELSEWHERE)
    if column not in columns:
        raise NotUnderstoodError("looks at a value that is not taken in")
    return _Side(pl.col(column), is_day=known[name].kind in _DAYS)


def _compared(left: _Side, sign: str, right: _Side) -> pl.Expr:
    if sign in _ORDERS:
        if left.is_day or right.is_day:
            return _ORDERS[sign](left.text, right.text) & (left.text != "") & (right.text != "")  # type: ignore[no-any-return]
        return _ORDERS[sign](left.number, right.number).fill_null(value=False)  # type: ignore[no-any-return]
    is_equal = (left.text == right.text) | (left.number == right.number).fill_null(value=False)
    return is_equal if sign == "=" else ~is_equal
