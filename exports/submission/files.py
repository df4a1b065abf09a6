"""The datasets of a package as files."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import polars as pl

from exports.packages.datasetjson import Field, Header, field_of, write_dataset_json
from exports.packages.xpt import write_xpt
from exports.sdtm.dataset import SdtmDataset
from exports.submission.manifest import Source


def write_transport(folder: Path, datasets: Mapping[str, SdtmDataset]) -> dict[str, Path]:
    """Write every dataset as a SAS transport file; XptError when one does not fit the format."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for name, one in datasets.items():
        written[name] = folder / f"{name.lower()}.xpt"
        write_xpt(one.frame, written[name], dataset=name, label=one.label, columns=one.columns)
    return written


def write_exchange(folder: Path, datasets: Mapping[str, SdtmDataset], source: Source) -> dict[str, Path]:
    """Write every dataset as Dataset-JSON 1.1; the instants in the files are the snapshot's."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for name, one in datasets.items():
        written[name] = folder / f"{name.lower()}.json"
        header = Header(
            name=name,
            label=one.label,
            item_group_oid=f"IG.{name}",
            created=source.created,
            modified=source.created,
            study_oid=f"STDY.{source.protocol}",
            originator=source.protocol,
            system=("Metricis", source.software_version),
        )
        write_dataset_json(one.frame, written[name], header=header, fields=_fields(one))
    return written


def _fields(one: SdtmDataset) -> list[Field]:
    keys = {name: place for place, name in enumerate(one.spec.keys, start=1)}
    return [
        replace(
            field_of(
                v.name,
                pl.Float64() if v.type == "num" else pl.String(),
                dataset=one.name,
                label=v.label,
                length=v.length,
            ),
            key=keys.get(v.name),
        )
        for v in one.variables
    ]
