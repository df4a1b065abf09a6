"""The catalogue: reading the packaged rules, each with its examples and what it answers to."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

import polars as pl
import yaml

from validators.conformance.define import DefineFacts
from validators.conformance.rule import Rule, RuleError, read_rule
from validators.datasets.shape import Dataset, Variable
from validators.sdtm.defines import define_of

#: Categories of checks, as users of other validators know them.
CATEGORIES: Final = (
    "Consistency",
    "Presence",
    "Terminology",
    "Format",
    "Limit",
    "Cross-reference",
    "Metadata",
    "Structure",
)
SEVERITIES: Final = ("Reject", "Error", "Warning", "Notice")
STANDARD: Final = "SDTMIG"
VERSION: Final = "3.4"
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
#: One rule from the next, and the part of a rule that holds its data: from its key to the next key.
_NEXT: Final = re.compile(r"^---\s*\n", re.MULTILINE)
_EXAMPLES: Final = re.compile(r"^Examples:[^\n]*\n(?:[ #-][^\n]*(?:\n|\Z)|\n)*", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Entry:
    """One check of the catalogue with data that violate it and data that conform."""

    rule: Rule
    file: str
    answers_to: tuple[str, ...]
    #: Data as YAML, read when they are asked for: a run of the rules asks for none.
    examples: str

    @property
    def violating(self) -> tuple[Dataset, ...]:
        """Datasets that violate it."""
        return _datasets(self._read().get("Violating", {}))

    @property
    def conforming(self) -> tuple[Dataset, ...]:
        """Datasets that conform."""
        return _datasets(self._read().get("Conforming", {}))

    @property
    def define(self) -> DefineFacts | None:
        """What the Define-XML of both examples says, None where the check asks for none."""
        said = self._read().get("Define")
        return define_of(said) if said else None

    def _read(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = (yaml.load(self.examples, Loader=_LOADER) or {}).get("Examples") or {}  # noqa: S506
        return found


@cache
def entries() -> tuple[Entry, ...]:
    """All checks of the catalogue, in the order of its files.

    Raises
    ------
    RuleError
        A packaged file is damaged; the message names file and rule.
    """
    found = [_entry(content, file, examples) for file, content, examples in _documents()]
    names = [one.rule.id for one in found]
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise RuleError(f"The catalogue has two checks of one id: {', '.join(twice)}.")
    return tuple(found)


@cache
def rules() -> tuple[Rule, ...]:
    """The catalogue's rules, ready to be run by the engine."""
    return tuple(one.rule for one in entries())


def _documents() -> Iterator[tuple[str, Mapping[str, Any], str]]:
    """File, rule and the text of its examples; each rule begins with a line of three hyphens."""
    folder = files("validators.sdtm").joinpath("rules")
    for path in sorted(folder.iterdir(), key=lambda one: one.name):
        if path.name.endswith(".yml"):
            for text in _NEXT.split(path.read_text(encoding="utf-8")):
                examples = "".join(_EXAMPLES.findall(text))
                content = yaml.load(_EXAMPLES.sub("", text), Loader=_LOADER)  # noqa: S506 - both loaders are safe
                if content:
                    yield path.name, content, examples


def _entry(content: Mapping[str, Any], file: str, examples: str) -> Entry:
    rule = read_rule(content, place=f"{file}, {content.get('Core', {}).get('Id', 'a rule without id')}")
    if rule.category not in CATEGORIES or rule.severity not in SEVERITIES:
        raise RuleError(
            f"{file}, {rule.id}: category {rule.category!r}, severity {rule.severity!r}; categories are "
            f"{', '.join(CATEGORIES)}, severities {', '.join(SEVERITIES)}."
        )
    return Entry(
        rule=rule,
        file=file,
        answers_to=(*rule.identifiers, *content.get("Answers To", ())),
        examples=examples,
    )


def _datasets(examples: Mapping[str, Any]) -> tuple[Dataset, ...]:
    return tuple(_dataset(name, content) for name, content in examples.items())


def _dataset(name: str, content: Any) -> Dataset:
    """Return a dataset from a list of records, or from its label, variables and records."""
    if isinstance(content, list):
        content = {"rows": content}
    records: list[dict[str, Any]] = content.get("rows", [])
    variables = _declared(content.get("variables")) or _seen(records)
    columns = [
        pl.Series(
            one.name,
            [_value(record.get(one.name), one.type) for record in records],
            dtype=pl.Float64 if one.type == "Num" else pl.String,
        )
        for one in variables
    ]
    return Dataset(name, content.get("label", ""), variables, pl.DataFrame(columns), file=f"{name.lower()}.xpt")


def _declared(variables: list[dict[str, Any]] | None) -> tuple[Variable, ...]:
    return tuple(Variable(**one) for one in variables or ())


def _seen(records: list[dict[str, Any]]) -> tuple[Variable, ...]:
    """Variables of records; one that holds a number, or nothing at all, is a number."""
    names = dict.fromkeys(name for record in records for name in record)
    return tuple(
        Variable(name, type="Char" if any(isinstance(record.get(name), str) for record in records) else "Num")
        for name in names
    )


def _value(value: Any, kind: str) -> Any:
    if value is None:
        return None
    return float(value) if kind == "Num" else str(value)
