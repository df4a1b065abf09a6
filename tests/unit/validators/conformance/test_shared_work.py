"""Rules that run together share work; what each finds is what it finds alone."""

from itertools import chain

import polars as pl
import pytest

from tests.support.rules import condition, dataset, rule
from validators import sdtm
from validators.conformance.engine import run
from validators.library import Library
from validators.operators.table import Table, text

DM = dataset("DM", USUBJID=["1", "2"], DOMAIN=["DM", "DM"], RFSTDTC=["2024-01-02", ""])
AE = dataset("AE", USUBJID=["1", "2", "2"], DOMAIN=["AE"] * 3, AESEQ=[1, 1, 2], AESTDTC=["2024-01-01", "", "x"])


def told(results):
    """What results say, without their times."""
    return [
        (one.rule, one.dataset, one.status, one.reason, one.count, one.findings.rows(), one.findings.schema)
        for one in results
    ]


def test_the_whole_catalogue_finds_together_what_each_rule_finds_alone():
    datasets = {}
    for one in chain.from_iterable(entry.violating for entry in sdtm.entries()):
        datasets.setdefault(one.name, one)
    study, library = list(datasets.values()), Library.bundled("3.4")
    every = sdtm.rules()
    together = told(run(every, study, library))
    assert sum(count for *_, count, _, _ in together) > 100
    chosen = [*every[::9], *(one for one in every if one.joins and one.operations)]
    for single in chosen:
        assert [one for one in together if one[0] == single.id] == told(run([single], study, library))


JOIN = [{"Name": "DM", "Keys": ["USUBJID"]}]
WITH = rule(condition("RFSTDTC", "non_empty"), Core={"Id": "WITH"}, Match_Datasets=JOIN, Scope=None)
DOTTED = rule(condition("DM.USUBJID", "non_empty"), Core={"Id": "DOTTED"}, Match_Datasets=JOIN, Scope=None)
PLAIN = rule(condition("RFSTDTC", "non_empty"), Core={"Id": "PLAIN"})
POINT = rule(condition("DM.USUBJID", "non_empty"), Core={"Id": "POINT"})


@pytest.mark.parametrize("order", [(WITH, PLAIN, DOTTED, POINT), (POINT, DOTTED, PLAIN, WITH)])
def test_a_variable_of_a_joined_dataset_is_not_there_for_rules_without_the_join(order):
    found = {one.rule: one for one in run(order, [AE, DM]) if one.dataset == "AE"}
    assert [found[one].count for one in ("WITH", "DOTTED", "PLAIN", "POINT")] == [1, 3, 0, 0]
    assert "RFSTDTC" in found["PLAIN"].reason
    assert not found["WITH"].reason


def test_letters_of_the_domain_may_name_a_column_that_a_join_brings():
    notes = dataset("CO", USUBJID=["1", "2"], DOMAIN=["CO", "CO"], AEVAL=["a", ""])
    joins = [{"Name": "CO", "Keys": ["USUBJID"]}]
    with_join = rule(condition("--VAL", "empty"), Core={"Id": "WITH"}, Match_Datasets=joins)
    without = rule(condition("--VAL", "empty"), Core={"Id": "WITHOUT"})
    for order in ((with_join, without), (without, with_join)):
        found = {one.rule: one.count for one in run(order, [AE, notes]) if one.dataset == "AE"}
        assert found == {"WITH": 2, "WITHOUT": 0}


def test_a_result_of_one_rule_is_not_that_of_another_under_the_same_name():
    first = rule(
        condition("$at", "equal_to", value=1.0),
        Core={"Id": "FIRST"},
        Operations=[{"id": "$at", "operator": "record_count", "group": ["USUBJID"]}],
    )
    second = rule(
        condition("$at", "equal_to", value=1.0),
        Core={"Id": "SECOND"},
        Operations=[{"id": "$at", "operator": "record_count", "group": ["AESTDTC"]}],
    )
    for order in ((first, second), (second, first)):
        found = {one.rule: one.count for one in run(order, [AE])}
        assert found == {"FIRST": 1, "SECOND": 3}


def test_only_what_is_made_of_a_column_is_kept():
    table = Table(frame=pl.DataFrame({"A": [1.0, 2.5]}))
    made = []

    def counted(series):
        made.append(series)
        return text(series)

    column = table.column("A")
    assert table.once(column, "text", counted).to_list() == ["1", "2.5"]
    assert table.once(table.column("A"), "text", counted).to_list() == ["1", "2.5"]
    assert len(made) == 1
    table.once(column + 0, "text", counted)
    assert len(made) == 2
    table.frame = table.frame.with_columns(pl.Series("A", [7.0, 8.0]))
    assert table.once(table.column("A"), "text", counted).to_list() == ["7", "8"]
