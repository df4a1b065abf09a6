"""Which domain or code list is shown. No widgets, no server."""

from dataclasses import dataclass
from typing import Any, Final

import param

from apps.shell.places import Places
from apps.shell.words import address
from exports.sdtm.registry import registered
from exports.sdtm.spec import Domain, Source, StudySpec, Value

#: choice -> its words
SHOWS: Final = {"mapping": "Mapping to SDTM", "codelists": "Code lists"}


@dataclass(frozen=True, slots=True)
class Line:
    """One variable of a domain in words."""

    name: str
    label: str
    #: `text`, or `number`
    kind: str
    length: int | None
    origin: str
    #: where its value comes from
    source: str
    #: what it is made with, beside what the source says
    detail: str
    codelist: str
    is_empty: bool


@dataclass(frozen=True, slots=True)
class CodeList:
    """One code list: what was entered, and what is submitted."""

    name: str
    #: where it is used: variables of SDTM, or forms
    used: tuple[str, ...]
    #: (code, what is submitted, or None for nothing)
    terms: tuple[tuple[str, str | None], ...]


class StandardsState(param.Parameterized):
    """What the address asks for. Every choice has its place in it."""

    show = param.Selector(default="mapping", objects=list(SHOWS))
    domain = param.String(default="")
    codelist = param.String(default="", doc="Name of the one code list that is shown.")
    text = param.String(default="", doc="Words that a variable or a code list has.")

    def __init__(self, spec: StudySpec, words: Places | None, **choices: Any) -> None:
        self.spec, self.words = spec, words
        super().__init__(**choices)

    @classmethod
    def from_query(cls, spec: StudySpec, words: Places | None, query: dict[str, str]) -> "StandardsState":
        """Return the state that an address describes; what cannot be read is left out."""
        names = [one.domain for one in spec.domains]
        show, domain = query.get("show", ""), query.get("domain", "").upper()
        return cls(
            spec,
            words,
            show=show if show in SHOWS else "mapping",
            domain=domain if domain in names else names[0],
            codelist=query.get("list", "")[:80],
            text=query.get("text", "")[:80],
        )

    def href(self, path: str, **change: Any) -> str:
        """Return the address of this state, with some of it changed."""
        said = {
            "show": self.show if self.show != "mapping" else "",
            "domain": self.domain if self.show == "mapping" else "",
            "list": self.codelist,
            "text": self.text,
        }
        return address(path, **(said | change))

    @property
    def one(self) -> Domain:
        """Return the domain that is shown."""
        return self.spec.domain(self.domain)

    @property
    def lines(self) -> list[Line]:
        """Return the variables of the domain, in their order, under the filter."""
        made = [self._line(value) for value in self.one.variables]
        asked = self.text.lower()
        return [one for one in made if asked in f"{one.name} {one.label} {one.source} {one.codelist}".lower()]

    @property
    def sources(self) -> list[str]:
        """Return the forms that the domain is made of, as people know them."""
        return list(dict.fromkeys(self._made_of(source) for source in self.one.sources))

    @property
    def codelists(self) -> list[CodeList]:
        """Return the code lists under the filter, or the one that was asked for."""
        used: dict[str, list[str]] = {}
        for domain in self.spec.domains:
            for value in domain.values:
                for name in _codelists(value):
                    used.setdefault(name, []).append(f"{domain.domain}.{value.name}")
        asked = self.text.lower()
        found = [
            CodeList(name, tuple(used.get(name, ())), tuple((code, term) for code, term in terms.items()))
            for name, terms in sorted(self.spec.tables.codelists.items())
        ]
        if self.codelist:
            return [one for one in found if one.name == self.codelist]
        return [one for one in found if asked in f"{one.name} {' '.join(one.used)} {one.terms}".lower()]

    def _line(self, value: Value) -> Line:
        source, detail = self._source(value)
        lists = _codelists(value)
        return Line(
            name=value.name,
            label=getattr(value, "label", ""),
            kind="number" if value.type == "num" else "text",
            length=getattr(value, "length", None),
            origin=getattr(value, "origin", ""),
            source=source,
            detail=detail,
            codelist=lists[0] if lists else "",
            is_empty=value.missing is not None,
        )

    def _source(self, value: Value) -> tuple[str, str]:
        if value.missing is not None:
            return f"No value: {value.missing}", ""
        if value.constant is not None:
            return f"Always “{value.constant}”", ""
        if value.field is not None:
            return self._column(value.field), _conditions(self, value)
        summary = registered()[value.derive or ""].summary
        parts = [f"{key.replace('_', ' ')}: {self._argument(given)}" for key, given in value.args.items()]
        return summary, "; ".join([*parts, *filter(None, [_conditions(self, value)])])

    def _argument(self, given: object) -> str:
        if isinstance(given, str):
            return self._column(given)
        if isinstance(given, list | tuple):
            return ", ".join(self._argument(one) for one in given)
        if isinstance(given, dict):
            return ", ".join(f"{key} = {self._argument(one)}" for key, one in given.items())
        return str(given)

    def _column(self, name: str) -> str:
        """Return a field as people know it; what the specification says row by row; another column by its name."""
        if working := next((one for one in self.one.working if one.name == name), None):
            source, detail = self._source(working)
            return f"{source}{f' ({detail})' if detail else ''}"
        rows = [row for source in self.one.sources for row in source.rows]
        if said := [str(row.values[name]) for row in rows if name in row.values]:
            return f"written for each row: {_some(said)}"
        if asked := [row.fields[name].split("___", 1)[0] for row in rows if name in row.fields]:
            return _some([self._field(one) for one in asked])
        return self._field(name)

    def _field(self, name: str) -> str:
        plain = name.replace("_", " ") if name.islower() else name
        if self.words is None:
            return plain
        taken = [(source.form, *(join.form for join in source.joins)) for source in self.one.sources]
        near = [form for forms in taken for form in forms if form]
        for form in (*near, *(one.name for one in self.words.protocol.forms)):
            if self.words.field(form, name) is not None:
                return f"{self.words.form_label(form)}: {self.words.field_label(form, name)}"
        return self.words.labels.get(f"form:{name}") or self.words.labels.get(f"event:{name}", plain)

    def _made_of(self, source: Source) -> str:
        """Return where a source's rows come from: a form, a table, another domain, or the specification itself."""
        if source.form:
            return self._form(source.form)
        if source.domain:
            return f"rows of {source.domain}"
        return f"the table of {source.table}" if source.table else "rows written in the specification"

    def _form(self, name: str) -> str:
        known = self.words is not None and f"form:{name}" in self.words.labels
        return self.words.form_label(name) if known and self.words else name.replace("_", " ").capitalize()


def _some(said: list[str], *, most: int = 3) -> str:
    """Return the first of several things, and how many more there are."""
    several = list(dict.fromkeys(said))
    more = f" and {len(several) - most} more" if len(several) > most else ""
    return ", ".join(several[:most]) + more


def _codelists(value: Value) -> list[str]:
    given = value.args.get("codelists", {})
    named = [value.codelist, value.args.get("codelist"), *(given.values() if isinstance(given, dict) else given)]
    return [one for one in dict.fromkeys(named) if isinstance(one, str)]


def _conditions(state: StandardsState, value: Value) -> str:
    parts = []
    if value.otherwise is not None:
        parts.append(f"“{value.otherwise}” where nothing was given")
    if value.only_if is not None:
        parts.append(f"only where {state._column(value.only_if)} has a value")  # noqa: SLF001 - part of the same state
    return "; ".join(parts)
