"""The datasets of a package as files, and as a validator reads them."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from exports.packages.xpt import write_xpt
from exports.sdtm.dataset import SdtmDataset
from validators.datasets.shape import Dataset, Variable


def write_transport(folder: Path, datasets: Mapping[str, SdtmDataset]) -> dict[str, Path]:
    """Write every dataset as a SAS transport file; XptError when one does not fit the format."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for name, one in datasets.items():
        written[name] = folder / f"{name.lower()}.xpt"
        write_xpt(one.frame, written[name], dataset=name, label=one.label, columns=one.columns)
    return written


def as_checked(datasets: Mapping[str, SdtmDataset]) -> list[Dataset]:
    """Return the datasets as a validator takes them: text as text, numbers as Float64."""
    return [
        Dataset(
            name=name,
            label=one.label,
            variables=tuple(
                Variable(v.name, v.label, "Num" if v.type == "num" else "Char", v.length) for v in one.variables
            ),
            frame=one.frame.select(
                pl.col(v.name).cast(pl.Float64 if v.type == "num" else pl.String) for v in one.variables
            ),
            file=f"{name.lower()}.xpt",
        )
        for name, one in datasets.items()
    ]
