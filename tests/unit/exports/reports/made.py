"""Results made by hand: the smallest run that has one of everything."""

from datetime import UTC, datetime
from types import SimpleNamespace

import polars as pl

from exports.reports.model import Head, Unread, make_report
from validators.conformance.result import FINDINGS, RuleResult
from validators.datasets.shape import Dataset, Note, Variable

HEAD = Head(
    "SDTMIG 3.4", datetime(2026, 3, 1, 12, tzinfo=UTC), "Metricis 0.1", define="define.xml", terminology="2022-09-30"
)


def rule(name, *, severity="Error", message="", authorities=()):
    return SimpleNamespace(
        id=name,
        identifiers=authorities,
        message=message or f"Says {name}.",
        description=f"Describes {name}.",
        category="Format",
        severity=severity,
    )


RULES = [
    rule("SD1", severity="Warning", authorities=("CG0001", "CORE-000001")),
    rule("SD2"),
    rule("SD3"),
    rule("SD4", severity="Reject"),
    rule("SD5"),
]


def found(*rows):
    return pl.DataFrame(rows, schema=FINDINGS, orient="row")


def dataset(name, frame, **more):
    kinds = {name: "Num" if dtype.is_numeric() else "Char" for name, dtype in frame.schema.items()}
    return Dataset(name, f"About {name}", tuple(Variable(one, type=kind) for one, kind in kinds.items()), frame, **more)


DATASETS = [
    dataset("DM", pl.DataFrame({"DOMAIN": ["DM", "DM"]}), file="dm.xpt"),
    dataset(
        "LBCH",
        pl.DataFrame({"DOMAIN": ["LB"] * 20}),
        file="lbch.xpt",
        notes=(Note("not_ascii", "byte 0x92", "LBTEST", 3),),
    ),
    dataset("SUPPLBCH", pl.DataFrame({"RDOMAIN": ["LB"]}), file="supplbch.xpt"),
    dataset("EMPTY", pl.DataFrame(schema={"DOMAIN": pl.String}), file="empty.xpt"),
]
DATES = found(
    *[(number, ["LBDTC", "USUBJID"], [f"2023-1{number % 10}-NK", f"01-{number}"]) for number in range(1, 15)],
    *[(number, ["LBDTC", "USUBJID"], ["=1+1", f"01-{number}"]) for number in range(15, 18)],
)
RESULTS = [
    RuleResult("SD1", "LBCH", "ok", count=20, findings=DATES, seconds=0.25),
    RuleResult("SD1", "DM", "ok", seconds=0.5),
    RuleResult("SD2", "DM", "skipped", reason="The dataset has no variable RFSTDTC."),
    RuleResult("SD3", "", "unsupported", reason="The operator is_moonlit is not known."),
    RuleResult("SD4", "DM", "ok", count=1, findings=found((None, ["AGE"], [None]))),
]


def report(**more):
    asked = {"head": HEAD, "unread": [Unread("junk.xpt", "It is no transport file.")]}
    return make_report(RESULTS, DATASETS, RULES, **(asked | more))
