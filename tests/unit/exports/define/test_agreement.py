"""What was derived is what its Define says, where clause by where clause; one spoiled value is found by its record."""

from datetime import UTC, datetime

import polars as pl

from exports.define.build import define_of
from exports.define.write import define_bytes
from exports.sdtm.dataset import split_datasets
from exports.sdtm.spec import load_spec
from tests.unit.exports.sdtm import pilot
from validators.conformance.define import facts
from validators.conformance.engine import run
from validators.datasets.shape import Dataset, Variable
from validators.library import Library
from validators.library.define_read import parse_define
from validators.sdtm import rules

KINDS = {"num": "Num", "char": "Char"}


def test_the_pilots_datasets_are_what_their_define_says_and_a_spoiled_value_is_found():
    parts = split_datasets(pilot.built())
    made = define_of(load_spec("cdiscpilot"), parts, created=datetime(2026, 1, 2, tzinfo=UTC))
    define = facts(parse_define(define_bytes(made)))
    assert sum(len(one) for one in define.levels.values()) > 500
    checks = [one for one in rules() if one.id.startswith("MS11")]
    datasets = {
        name: Dataset(
            name,
            one.label,
            tuple(Variable(column.name, column.label, KINDS[column.type], column.length) for column in one.variables),
            one.frame,
        )
        for name, one in parts.items()
    }
    found = run(checks, list(datasets.values()), Library.bundled("3.4"), define=define)
    assert {one.rule for one in found if one.status == "ok"} == {one.id for one in checks}
    assert [(one.rule, one.dataset, one.count) for one in found if one.count] == []

    vs = datasets["VS"]
    row = vs.frame.with_row_index("row", offset=1).filter(pl.col("VSTESTCD") == "PULSE")["row"][3]
    is_row = pl.int_range(1, pl.len() + 1) == row
    spoiled = vs.frame.with_columns(
        VSORRES=pl.when(is_row).then(pl.lit("fast")).otherwise("VSORRES"),
        VSSTRESN=pl.when(is_row).then(pl.lit(60.5)).otherwise("VSSTRESN"),
    )
    others = [one for one in datasets.values() if one.name != "VS"]
    again = run(
        checks, [*others, Dataset("VS", vs.label, vs.variables, spoiled)], Library.bundled("3.4"), define=define
    )
    hits = {(one.rule, one.dataset): one.findings["record"].to_list() for one in again if one.count}
    assert hits == {("MS1112", "VS"): [row], ("MS1113", "VS"): [row]}
