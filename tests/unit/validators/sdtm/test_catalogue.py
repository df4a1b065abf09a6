"""The catalogue: every check finds what violates it and nothing in what conforms."""

import re
from collections import Counter

import pytest

from validators.conformance.engine import run
from validators.library import Codelist, Library, Term, Terminology
from validators.library.facts import codelist_names
from validators.sdtm import CATEGORIES, Entry, entries

#: Checks by subject and what makes them more than copies of each other: their conditions.
LEAST = 200


def terminology_of(entry: Entry) -> Terminology:
    """Terms that make the conforming example conform: the codelists that the check asks for, with its value."""
    lists = []
    names = codelist_names()
    values = [str(value) for dataset in entry.conforming for row in dataset.frame.rows() for value in row if value]
    for operation in entry.rule.operations:
        for code in operation.get("codelists", ()):
            terms = tuple(Term(f"C{place}", value) for place, value in enumerate(values))
            lists.append(Codelist(code, names[code][1], names[code][0], is_extensible=False, terms=terms))
    return Terminology("SDTM", "2022-09-30", tuple(lists))


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.rule.id)
def test_a_check_finds_its_violation_and_nothing_in_what_conforms(entry: Entry) -> None:
    library = Library.bundled(terminology=terminology_of(entry))
    violating = list(run([entry.rule], entry.violating, library, define=entry.define))
    conforming = list(run([entry.rule], entry.conforming, library, define=entry.define))
    assert sum(one.count for one in violating) > 0, [(one.status, one.reason) for one in violating]
    assert sum(one.count for one in conforming) == 0
    assert any(one.status == "ok" for one in conforming), [one.reason for one in conforming]


def test_the_catalogue_has_many_different_checks_of_every_category() -> None:
    found = entries()
    assert len(found) >= LEAST
    conditions = {str(one.rule.check) for one in found if one.rule.category != "Terminology"}
    assert len(conditions) >= LEAST
    assert set(Counter(one.rule.category for one in found)) == set(CATEGORIES)
    assert all(one.rule.message and one.rule.description for one in found)


def test_no_two_checks_are_the_same() -> None:
    seen: dict[str, str] = {}
    for one in entries():
        key = str((one.rule.type, one.rule.scope, one.rule.operations, one.rule.joins, one.rule.check))
        assert key not in seen, f"{one.rule.id} is {seen.get(key)}"
        seen[key] = one.rule.id


def test_what_a_check_answers_to_is_an_identifier_that_somebody_publishes() -> None:
    known = re.compile(r"CG\d{4}|FB\d{4}|TRC\w+|SD\d{4}|SD2201-SD2235|CT2001|CT2002|CORE-\d{6}")
    assert [name for one in entries() for name in one.answers_to if not known.fullmatch(name)] == []
    assert sum(1 for one in entries() if one.answers_to) >= LEAST
