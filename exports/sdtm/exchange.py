"""What Dataset-JSON says of an SDTM dataset: its header and its fields."""

from dataclasses import replace
from datetime import datetime

import polars as pl

from exports.packages.datasetjson import Field, Header, field_of
from exports.sdtm.dataset import SdtmDataset


def header_of(one: SdtmDataset, *, created: datetime, protocol: str, software: str) -> Header:
    """Return the header; `created` is the snapshot's instant, so that the same snapshot gives the same bytes."""
    return Header(
        name=one.name,
        label=one.label,
        item_group_oid=f"IG.{one.name}",
        created=created,
        modified=created,
        study_oid=f"STDY.{protocol}",
        originator=protocol,
        system=("Metricis", software),
    )


def fields_of(one: SdtmDataset) -> list[Field]:
    """Return the fields in order, natural keys numbered."""
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
