"""Small datasets and rules for tests of the rule engine."""

import polars as pl

from validators.conformance.data import Dataset, Variable
from validators.conformance.engine import Run
from validators.conformance.rule import read_rule


def dataset(name, label="", **columns):
    """A dataset; lists of numbers are Num, lists of texts Char."""
    number = {one: all(isinstance(v, int | float | None) for v in values) for one, values in columns.items()}
    frame = pl.DataFrame(
        {one: pl.Series(values, dtype=pl.Float64 if number[one] else pl.String) for one, values in columns.items()}
    )
    variables = tuple(Variable(one, type="Num" if number[one] else "Char", length=8) for one in columns)
    return Dataset(name=name, label=label, variables=variables, frame=frame, file=f"{name.lower()}.xpt")


def rule(*conditions, how="all", **more):
    """A rule with these conditions; more keys of its file by name, `_` for a space."""
    content = {
        "Core": {"Id": "TEST"},
        "Check": {how: list(conditions)},
        "Outcome": {"Message": "It is wrong."},
        "Scope": {"Classes": {"Include": ["ALL"]}, "Domains": {"Include": ["ALL"]}},
    }
    return read_rule(content | {name.replace("_", " "): value for name, value in more.items()})


def condition(name, operator, value=None, **more):
    """One condition."""
    return {"name": name, "operator": operator, **({} if value is None else {"value": value}), **more}


def results(rule, *datasets, library=None, define=None):
    """The results of one rule."""
    return list(Run(datasets, catalogue=library, define=define).rule(rule))


def hits(rule, *datasets, library=None, define=None):
    """Dataset and record of each finding."""
    return [
        (one.dataset, record)
        for one in results(rule, *datasets, library=library, define=define)
        for record in one.findings["record"]
    ]
