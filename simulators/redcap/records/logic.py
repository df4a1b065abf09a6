"""REDCap's filter logic: comparisons, and/or, parentheses, arithmetic, checkbox options, fields of other events.

``compile_logic`` turns the text into a function of a ``Place`` (one row within its record). A field that is not in the row is
looked for in the record's unrepeated row of the same event.
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from simulators.redcap.formats import ApiError
from simulators.redcap.model import Project, checkbox_column

type RowKey = tuple[int, str, int]
type Term = Callable[["Place"], Any]
_TOKEN = re.compile(
    r"""\s*(?:(?P<number>\d+(?:\.\d+)?|\.\d+)|(?P<text>"[^"]*"|'[^']*')|(?P<ref>\[[^\]]+\])"""
    r"""|(?P<word>[A-Za-z_]\w*)|(?P<sign><>|!=|<=|>=|==|[=<>()+\-*/,]))"""
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "==": operator.eq, "!=": operator.ne, "<>": operator.ne,
    "<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge,
}  # fmt: skip
_FIELD = re.compile(r"(\w+)(?:\(([^)]*)\))?$")


@dataclass(frozen=True, slots=True)
class Place:
    """A row within its record: all rows of the record by (event number, instrument, instance), and which one is meant."""

    record: str
    rows: Mapping[RowKey, Mapping[str, str]]
    at: RowKey


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _compare(sign: str, left: Any, right: Any) -> bool:
    """Numbers as numbers, the rest as text; a blank is smaller than nothing and larger than nothing."""
    first, second = _number(left), _number(right)
    if first is not None and second is not None:
        return _COMPARE[sign](first, second)
    if sign in {"<", ">", "<=", ">="} and "" in {left, right}:
        return False
    return _COMPARE[sign](str(left), str(right))


def _arithmetic(sign: str, left: Any, right: Any) -> Any:
    first, second = _number(left), _number(right)
    if first is None or second is None or (sign == "/" and second == 0):
        return ""
    return {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}[sign](first, second)


class _Parser:
    def __init__(self, text: str, project: Project) -> None:
        self.project = project
        self.text = text
        self.tokens: list[tuple[str, str]] = []
        place = 0
        while text[place:].strip():
            found = _TOKEN.match(text, place)
            if found is None or found.lastgroup is None:
                raise self.refuse()
            self.tokens.append((found.lastgroup, found.group(found.lastgroup)))
            place = found.end()
        self.next = 0

    def refuse(self) -> ApiError:
        return ApiError(400, f"The filterLogic is not valid, so that nothing was exported: {self.text}")

    def take(self, *wanted: str) -> str | None:
        if self.next < len(self.tokens) and self.tokens[self.next][0] in {"word", "sign"}:
            value = self.tokens[self.next][1].lower()
            if value in wanted:
                self.next += 1
                return value
        return None

    def either(self) -> Term:
        terms = [self.both()]
        while self.take("or"):
            terms.append(self.both())
        return terms[0] if len(terms) == 1 else lambda place: any(term(place) for term in terms)

    def both(self) -> Term:
        terms = [self.comparison()]
        while self.take("and"):
            terms.append(self.comparison())
        return terms[0] if len(terms) == 1 else lambda place: all(term(place) for term in terms)

    def comparison(self) -> Term:
        if self.take("not"):
            denied = self.comparison()
            return lambda place: not denied(place)
        left = self.sum()
        sign = self.take(*_COMPARE)
        if sign is None:
            return left
        right = self.sum()
        return lambda place: _compare(sign, left(place), right(place))

    def sum(self) -> Term:
        term = self.product()
        while sign := self.take("+", "-"):
            term = self._calculated(sign, term, self.product())
        return term

    def product(self) -> Term:
        term = self.single()
        while sign := self.take("*", "/"):
            term = self._calculated(sign, term, self.single())
        return term

    @staticmethod
    def _calculated(sign: str, left: Term, right: Term) -> Term:
        return lambda place: _arithmetic(sign, left(place), right(place))

    def single(self) -> Term:
        if self.take("("):
            inner = self.either()
            if not self.take(")"):
                raise self.refuse()
            return inner
        if self.take("-"):
            negated = self.single()
            return lambda place: _arithmetic("-", 0, negated(place))
        if self.next >= len(self.tokens):
            raise self.refuse()
        kind, value = self.tokens[self.next]
        self.next += 1
        if kind == "ref":
            return self.reference(value)
        if kind not in {"number", "text"}:
            raise self.refuse()
        constant = value if kind == "number" else value[1:-1]
        return lambda _: constant

    def reference(self, first: str) -> Term:
        names = [first[1:-1].strip()]
        while self.next < len(self.tokens) and self.tokens[self.next][0] == "ref":
            names.append(self.tokens[self.next][1][1:-1].strip())
            self.next += 1
        event = None
        if len(names) > 1 and (names[0] in self.project.events or names[0] == "event-name"):
            event = self.project.events.get(names.pop(0))
        instance = int(names[1]) if len(names) == len(("field", "instance")) and names[1].isdigit() else None
        found = _FIELD.match(names[0])
        if found is None:
            raise self.refuse()
        name = checkbox_column(found.group(1), found.group(2)) if found.group(2) is not None else found.group(1)
        return _looked_up(self.project, name, event.id if event else None, instance)


def _looked_up(project: Project, name: str, event_id: int | None, instance: int | None) -> Term:
    if name == project.id_field:
        return lambda place: place.record
    column = project.columns_by_name.get(name)
    if column is None:
        raise ApiError(400, f"The filterLogic names a field that is not in the project: {name}")
    blank = "0" if column.kind in {"checkbox", "complete"} else ""
    form = column.form

    def value(place: Place) -> str:
        event = place.at[0] if event_id is None else event_id
        part = form if project.repeats_in(form, event) else ""
        number = (
            instance if instance is not None else place.at[2] if place.at[1] == part and event == place.at[0] else 1
        )
        row = place.rows.get((event, part, number), {})
        return row.get(name, blank)

    return value


def compile_logic(text: str, project: Project) -> Callable[[Place], bool]:
    """The logic as a function.

    Raises
    ------
    ApiError
        400 if the text is not valid logic or names an unknown field.
    """
    parser = _Parser(text, project)
    term = parser.either()
    if parser.next != len(parser.tokens):
        raise parser.refuse()
    return lambda place: bool(term(place))
