"""A derived dataset with its metadata, and its writing as a package."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from exports.packages.columns import Column
from exports.packages.manifest import Manifest, PackageDataset, Provenance, write_package
from exports.sdtm.spec import Domain, Variable


@dataclass(frozen=True, slots=True)
class SdtmDataset:
    """One domain: its specification, and its rows (`keyed` also has the study's own subject key and the working columns).

    `places` has a row for each row: the form that it comes from (`exports.sdtm.trace`).
    """

    spec: Domain
    keyed: pl.DataFrame
    places: pl.DataFrame = field(default_factory=pl.DataFrame)

    @property
    def name(self) -> str:
        """The domain's name, such as DM."""
        return self.spec.domain

    @property
    def label(self) -> str:
        """The dataset's label."""
        return self.spec.label

    @property
    def frame(self) -> pl.DataFrame:
        """The rows as SDTM has them."""
        return self.keyed.select(variable.name for variable in self.spec.variables)

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The metadata of the variables, in order."""
        return self.spec.variables

    @property
    def labels(self) -> dict[str, str]:
        """The label of each variable."""
        return {variable.name: variable.label for variable in self.spec.variables}

    @property
    def columns(self) -> tuple[Column, ...]:
        """The variables as a SAS transport file describes them."""
        return tuple(Column(v.name, v.label, v.type, v.length) for v in self.spec.variables)


def write_sdtm(
    datasets: Mapping[str, SdtmDataset],
    folder: str | os.PathLike[str],
    *,
    provenance: Provenance,
    replace: bool = False,
) -> Manifest:
    """Write the datasets as XPT and Parquet with a manifest; see `exports.packages.manifest.write_package`."""
    packed = [PackageDataset(one.name, one.label, one.frame, one.columns) for one in datasets.values()]
    return write_package(folder, packed, provenance=provenance, replace=replace)
