"""What must hold of a specification as a whole: everything it names is there, and nothing is made from itself."""

import graphlib
from collections.abc import Callable, Iterator, Mapping, Sequence

from exports.sdtm.registry import argument_faults, registered
from exports.sdtm.spec_expand import RELATED_COLUMNS
from exports.sdtm.spec_types import Domain, Qualifier, Relationship, Split, StudySpec, Value

#: Tells a fault: the domain, the place in its file, and the sentence.
Tell = Callable[[str, Sequence[str | int], str], None]
#: Domain -> names of values whose description is at fault already; naming them is no second fault.
Faulty = Mapping[str, frozenset[str]]


def check_spec(spec: StudySpec) -> list[str]:
    """Return every fault of a specification that was put together in memory."""
    faults: list[str] = []
    check(spec, lambda domain, _, text: faults.append(f"{domain.lower()}.yaml: {text}"), faulty={})
    return faults


def check(spec: StudySpec, tell: Tell, *, faulty: Faulty) -> None:
    """Tell every fault of a specification whose parts are sound by themselves."""
    names = [domain.domain for domain in spec.domains]
    for domain in spec.domains:
        if names.count(domain.domain) > 1 and domain.parent is None:
            tell(domain.domain, ("domain",), f"{domain.domain} is described twice")
        if domain.parent is None:
            _check_domain(spec, domain, tell, faulty=faulty)
    for place, one in enumerate(spec.relationships):
        for fault in _relationship_faults(spec, one, faulty):
            tell("study", ("relationships", place), f"relationships: {fault}")
    known = set(names) | set(faulty)
    graph = {domain.domain: domain.others & known for domain in spec.domains}
    if cycle := _cycle(graph):
        tell("study", ("domains",), f"domains: made from itself: {' from '.join(cycle)}")


def build_order(spec: StudySpec) -> list[Domain]:
    """Give the domains so that each comes after those it looks into."""
    graph = {domain.domain: domain.others for domain in spec.domains}
    return [spec.domain(name) for name in graphlib.TopologicalSorter(graph).static_order()]


def value_order(domain: Domain) -> list[Value]:
    """Give the variables and working columns of a domain so that each comes after those it is made from."""
    by_name = {value.name: value for value in domain.values}
    return [by_name[name] for name in graphlib.TopologicalSorter(_needs(domain, by_name)).static_order()]


def _needs(domain: Domain, by_name: Mapping[str, Value]) -> dict[str, set[str]]:
    """Give what each value is made from; one that takes the column of its own name from another domain needs itself not."""
    copies = any(source.domain for source in domain.sources)
    return {
        name: (set(by_name) & set(value.references())) - ({name} if copies and value.field == name else set())
        for name, value in by_name.items()
    }


def _check_domain(spec: StudySpec, domain: Domain, tell: Tell, *, faulty: Faulty) -> None:
    bad = faulty.get(domain.domain, frozenset())
    names = [value.name for value in domain.values]
    if not domain.sources and not domain.relationships and "sources" not in bad:
        tell(domain.domain, ("sources",), "sources: a domain needs at least one")
    for name in sorted({one for one in names if names.count(one) > 1}):
        tell(domain.domain, _place(domain, name, last=True), f"{name} is described twice")
    for key, fault in _order_faults(domain, {*names, *bad}):
        tell(domain.domain, (key,), fault)
    for name in _unknown_sources(spec, domain, faulty):
        tell(domain.domain, ("sources",), f"sources: there is no domain {name!r}")
    for value in domain.values:
        for fault in _value_faults(spec, domain, value, faulty=faulty):
            tell(domain.domain, _place(domain, value.name), f"{value.name}: {fault}")
    if domain.split:
        for fault in _split_faults(domain, domain.split):
            tell(domain.domain, ("split",), f"split: {fault}")
    if len(names) == len(set(names)) and (cycle := _cycle(_needs(domain, {v.name: v for v in domain.values}))):
        tell(domain.domain, _place(domain, cycle[0]), f"made from itself: {' from '.join(cycle)}")


def _order_faults(domain: Domain, known: set[str]) -> Iterator[tuple[str, str]]:
    for key in ("keys", "sort"):
        for name in getattr(domain, key):
            if name not in known:
                yield key, f"{key} name {name}, which is no variable of the domain"


def _unknown_sources(spec: StudySpec, domain: Domain, faulty: Faulty) -> list[str]:
    """Name the domains that give rows and are not there."""
    return [one.domain for one in domain.sources if one.domain and one.domain not in _known(spec, faulty)]


def _place(domain: Domain, name: str, *, last: bool = False) -> tuple[str | int, ...]:
    """Give where a value stands: its list, and its name in it (the reader turns it into a line)."""
    lists = {"working": domain.working, "variables": domain.variables, "supplemental": domain.supplemental}
    found = [(key, f"name={name}") for key, values in lists.items() for value in values if value.name == name]
    return (found[-1] if last else found[0]) if found else ()


def _value_faults(spec: StudySpec, domain: Domain, value: Value, *, faulty: Faulty) -> Iterator[str]:
    if value.derive:
        yield from argument_faults(value.derive, value.args)
        yield from _type_faults(value)
    tables = {*spec.tables.codelists, *spec.tables.conversions}
    yield from (f"there is no code list or conversion {name!r}" for name in _tables(value) if name not in tables)
    yield from (f"there is no domain {name!r}" for name in _domains(value) if name not in _known(spec, faulty))
    yield from _codelist_faults(spec, value)
    for name in value.references() + (
        [value.evaluator_from] if isinstance(value, Qualifier) and value.evaluator_from else []
    ):
        yield from _name_faults(spec, domain, name, faulty=faulty)


def _type_faults(value: Value) -> Iterator[str]:
    """Say when a derivation gives the other type than the variable has."""
    known = registered().get(value.derive or "")
    if known and known.gives and value.codelist is None and known.gives != value.type:
        kinds = {"num": "a number", "char": "a text"}
        yield f"is of type {value.type}, but {known.name} gives {kinds[known.gives]}"


def _codelist_faults(spec: StudySpec, value: Value) -> Iterator[str]:
    """Say when a code list gives texts to a number."""
    table = spec.tables.codelists.get(value.codelist or "", {}) if value.type == "num" else {}
    texts = sorted(term for term in table.values() if term is not None and not _is_number(term))
    if texts:
        yield f"is of type num, but the code list {value.codelist!r} gives {', '.join(texts[:3])}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _name_faults(spec: StudySpec, domain: Domain, name: str, *, faulty: Faulty) -> Iterator[str]:
    if "." in name:
        other, _, column = name.partition(".")
        here = {v.name for d in spec.domains if d.domain == other for v in d.values} | faulty.get(other, frozenset())
        if column not in here and not _is_lost(other, spec, faulty):
            yield f"{name} is no variable of another domain"
    elif name.isupper() and not _unknown_sources(spec, domain, {}):
        here = {v.name for v in domain.values} | faulty.get(domain.domain, frozenset()) | _copied(spec, domain)
        if name not in here:
            yield f"{name} is no variable of this domain"


def _is_lost(domain: str, spec: StudySpec, faulty: Faulty) -> bool:
    """Say whether a domain is known but could not be read, so that nothing can be said of its variables."""
    return domain in faulty and domain not in {one.domain for one in spec.domains}


def _copied(spec: StudySpec, domain: Domain) -> set[str]:
    """Give the columns that come with rows: of other domains, of tables with upper-case names, of records."""
    taken = {source.domain for source in domain.sources if source.domain}
    found = {value.name for other in spec.domains if other.domain in taken for value in other.values}
    for source in domain.sources:
        found |= set(source.values).union(*(row.fields for row in source.rows), *(row.values for row in source.rows))
        found |= {key for record in source.records or () for key in record}
    return found | (set(RELATED_COLUMNS) if domain.relationships else set())


def _tables(value: Value) -> list[str]:
    """Give the code lists and conversions that a value names."""
    named = [value.codelist] if value.codelist else []
    named += [value.args[key] for key in ("codelist", "conversion") if isinstance(value.args.get(key), str)]
    several = value.args.get("codelists", {})
    return named + [one for one in several.values() if isinstance(one, str)] if isinstance(several, dict) else named


def _domains(value: Value) -> list[str]:
    return [value.args["domain"]] if value.derive and isinstance(value.args.get("domain"), str) else []


def _known(spec: StudySpec, faulty: Faulty) -> set[str]:
    return {one.domain for one in spec.domains} | set(faulty)


def _relationship_faults(spec: StudySpec, one: Relationship, faulty: Faulty) -> Iterator[str]:
    for member in one.members:
        there = {value.name for domain in spec.domains if domain.domain == member.domain for value in domain.values}
        if member.domain not in _known(spec, faulty):
            yield f"there is no domain {member.domain!r}"
        elif there:
            lost = {member.by, *member.match} - there - faulty.get(member.domain, frozenset())
            yield from (f"{name} is no variable or working column of {member.domain}" for name in sorted(lost))
    if len({len(member.match) for member in one.members}) > 1:
        yield "the members are matched by different numbers of columns"


def _split_faults(domain: Domain, split: Split) -> Iterator[str]:
    if split.by not in {one.name for one in domain.variables}:
        yield f"{split.by} is no variable of the domain"
    yield from (
        f"{name} does not begin with {domain.domain}" for name in split.datasets if not name.startswith(domain.domain)
    )
    values = [str(one) for several in split.datasets.values() for one in several]
    yield from (f"{one} is in two datasets" for one in sorted({v for v in values if values.count(v) > 1}))


def _cycle(graph: Mapping[str, set[str]]) -> list[str]:
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []
