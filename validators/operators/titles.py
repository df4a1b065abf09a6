"""Operators on the writing of labels: whether they are in title case."""

import re

import polars as pl

from validators.operators.table import Condition, Operator, Table, by_value, is_empty, text

#: Words that stay small inside a title.
SMALL = frozenset(
    [
        "a",
        "an",
        "and",
        "as",
        "at",
        "but",
        "by",
        "en",
        "for",
        "from",
        "if",
        "in",
        "into",
        "of",
        "on",
        "or",
        "per",
        "the",
        "to",
        "v",
        "via",
        "vs",
        "with",
    ]
)
PARTS = re.compile(r"[-/]")
LETTERS = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")


def titled(value: str) -> bool:
    """Whether a label is in title case: each word begins large, but for small words inside; abbreviations stay as they are."""
    words = value.split()
    return all(
        written(part, is_edge=place in {0, len(words) - 1})
        for place, word in enumerate(words)
        for part in PARTS.split(word)
    )


def written(word: str, *, is_edge: bool) -> bool:
    """Whether one word is as it must be: small inside a title if it is a small word, large else."""
    found = LETTERS.search(word)
    if found is None or (found.start() and word[found.start() - 1].isdigit()):
        return True
    letters = found.group()
    if letters.lower() in SMALL and not is_edge:
        return letters.islower()
    return letters[0].isupper()


def title_case(*, wanted: bool) -> Operator:
    """Whether a label is in title case; an empty one is."""

    def test(table: Table, condition: Condition) -> pl.Series:
        series = text(table.column(str(condition["name"])))
        hits = by_value(series, lambda values: [titled(one) for one in values]) | is_empty(series)
        return hits if wanted else ~hits

    return test


TITLES: dict[str, Operator] = {
    "is_title_case": title_case(wanted=True),
    "is_not_title_case": title_case(wanted=False),
}
