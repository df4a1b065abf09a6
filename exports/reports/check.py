"""Rules over datasets, as a report: which rules a standard asks for, running them, telling what came out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version as installed
from typing import Any, Final

from datamodel.kernel.errors import BadInputError
from exports.reports.model import LISTED, Head, Report, Unread, make_report
from validators.conformance.engine import run
from validators.conformance.result import RuleResult
from validators.conformance.rule import Rule
from validators.datasets.shape import Dataset
from validators.datasets.study import Part, Study
from validators.library import Library

#: What a rule of these is left out with.
_OTHER: Final = "The rule is not for {standard} {version}; it names {named}."


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Rules that are to be run, what others call them (`answers_to`), and what could not be read as one: file and reason."""

    name: str
    rules: tuple[Rule, ...]
    unread: tuple[tuple[str, str], ...] = ()
    answers_to: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a run. `rule` and `domain` narrow it; None for `listed` lists every finding."""

    standard: str
    version: str
    generated: datetime
    rules: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    listed: int | None = LISTED
    is_timed: bool = True
    define: str = ""
    terminology: str = ""
    more: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Told:
    """What the report tells of a rule; without more, that a file is none."""

    id: str
    message: str = "The file could not be read as a rule."
    description: str = ""
    category: str = "Metadata"
    severity: str = "Notice"
    identifiers: tuple[str, ...] = ()


def check(
    datasets: Sequence[Dataset],
    catalogue: Catalogue,
    asked: Asked,
    *,
    library: Library | None = None,
    define: Any = None,
    unread: Sequence[Unread] = (),
) -> Report:
    """Run the catalogue's rules on datasets and report; every rule that was asked for is in the report.

    Raises
    ------
    BadInputError
        When a rule or a domain is asked for that is not there.
    """
    chosen = _chosen(catalogue.rules, asked)
    fitting = [one for one in chosen if asked.rules or _fits(one, asked)]
    others = [one for one in chosen if one not in fitting]
    # Rules look into other datasets, so that all are there even when one domain is asked for.
    wanted = _wanted(datasets, asked)
    ran = run(fitting, datasets, library, define=define, limit=asked.listed)
    results: list[RuleResult] = [one for one in ran if not asked.domains or one.dataset in wanted]
    results += [RuleResult(one.id, "", "skipped", _other(one, asked)) for one in others]
    unreadable = () if asked.rules else catalogue.unread
    results += [RuleResult(file, "", "unsupported", reason) for file, reason in unreadable]
    return make_report(
        results,
        [one for one in datasets if one.name in wanted],
        [*(_told(one, catalogue) for one in chosen), *(_Told(file) for file, _ in unreadable)],
        head=Head(
            configuration=f"{asked.standard.upper()} {asked.version}, {catalogue.name}",
            generated=asked.generated,
            software=f"Metricis {installed('metricis')}",
            define=asked.define,
            terminology=asked.terminology,
            more=asked.more,
        ),
        unread=unread,
        class_of=library.class_of if library else lambda _: "",
        listed=asked.listed,
        is_timed=asked.is_timed,
    )


def _told(rule: Rule, catalogue: Catalogue) -> _Told:
    names = catalogue.answers_to.get(rule.id, rule.identifiers)
    return _Told(rule.id, rule.message, rule.description, rule.category, rule.severity, names)


def _chosen(rules: Iterable[Rule], asked: Asked) -> list[Rule]:
    by_id = {one.id: one for one in rules}
    if not asked.rules:
        return list(by_id.values())
    if unknown := sorted(asked.rules - by_id.keys()):
        raise BadInputError(
            f"There is no rule {', '.join(unknown)} among the {len(by_id)} rules of this run; nothing was checked. "
            "Name rules by their own ids, as the sheet Rules of a report lists them."
        )
    return [one for one in by_id.values() if one.id in asked.rules]


def _fits(rule: Rule, asked: Asked) -> bool:
    """Say whether a rule is for the standard; a rule that names none is for every one."""
    named = [one for one in rule.authorities if one.standard]
    same = [one for one in named if _plain(one.standard) == _plain(asked.standard)]
    return not named or any(one.version in {"", asked.version} for one in same)


def _plain(standard: str) -> str:
    return "".join(letter for letter in standard.lower() if letter.isalnum())


def _other(rule: Rule, asked: Asked) -> str:
    named = ", ".join(
        dict.fromkeys(f"{one.standard} {one.version}".strip() for one in rule.authorities if one.standard)
    )
    return _OTHER.format(standard=asked.standard.upper(), version=asked.version, named=named)


def _wanted(datasets: Sequence[Dataset], asked: Asked) -> set[str]:
    """Return the names of the datasets of the domains that are asked for: LB, LBCH and SUPPLB for LB."""
    if not asked.domains:
        return {one.name for one in datasets}
    parts: Mapping[str, Part] = {one.name: one for one in Study.of(datasets).parts}
    found = {
        name
        for name, one in parts.items()
        if {name, one.domain, one.related} & {each.upper() for each in asked.domains}
    }
    if not found:
        raise BadInputError(
            f"No dataset is of the domain {', '.join(sorted(asked.domains))}; nothing was checked. "
            f"Datasets that were read: {', '.join(sorted(parts)) or 'none'}."
        )
    return found
