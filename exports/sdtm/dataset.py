"""A derived dataset with its metadata, and its writing as a package."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from datamodel.kernel.errors import BadInputError
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
    #: of a part of a split domain, or of its SUPP--: the whole that it was taken from
    whole: "SdtmDataset | None" = None

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


def split_datasets(datasets: Mapping[str, SdtmDataset]) -> dict[str, SdtmDataset]:
    """Return the datasets as they are submitted: a split domain as its parts (LBCH, LBHE), its SUPP-- with them.

    Raises
    ------
    SplitError
        When a row has a value that the split gives to no part.
    """
    made: dict[str, SdtmDataset] = {}
    for name, one in datasets.items():
        parent = datasets.get(one.spec.parent or "")
        if one.spec.split:
            made |= _parts(one)
        elif parent is not None and parent.spec.split:
            made |= {
                f"SUPP{part}": _taken(one, f"SUPP{part}", _belongs_to(one, rows))
                for part, rows in _parts(parent).items()
            }
        else:
            made[name] = one
    return {name: one for name, one in made.items() if not (one.spec.parent and one.keyed.is_empty())}


class SplitError(BadInputError, ValueError):
    """Rows that a split gives to no dataset; nothing was written."""


def _parts(one: SdtmDataset) -> dict[str, SdtmDataset]:
    split = one.spec.split
    if split is None:
        return {one.name: one}
    # An empty text in the list takes the rows without a value.
    value = pl.col(split.by).cast(pl.String).fill_null("")
    placed = {name: [str(term) for term in values] for name, values in split.datasets.items()}
    everything = [term for terms in placed.values() for term in terms]
    lost = one.keyed.filter(~value.is_in(everything))
    if not lost.is_empty():
        raise SplitError(
            f"{one.name} is split by {split.by}, but {lost.height} rows have a value that no dataset takes: "
            f"{', '.join(str(term) for term in lost[split.by].unique().sort().head(5))}. Nothing was written. "
            f"Give the value to a dataset in {one.name.lower()}.yaml, under split."
        )
    made = {}
    for name, terms in placed.items():
        made[name] = _taken(one, name, one.keyed.select(value.is_in(terms)).to_series())
    return made


def _belongs_to(supp: SdtmDataset, part: SdtmDataset) -> pl.Series:
    """Say which supplemental values are of the rows of one part."""
    number = pl.col(f"{supp.spec.parent}SEQ").cast(pl.Int64).cast(pl.String).alias("IDVARVAL")
    rows = part.keyed.select("subject_id", number, pl.lit(value=True).alias(":is_of_part")).unique()
    found = supp.keyed.join(rows, on=["subject_id", "IDVARVAL"], how="left", maintain_order="left")
    return found[":is_of_part"].fill_null(value=False)


def _taken(one: SdtmDataset, name: str, mask: pl.Series) -> SdtmDataset:
    """Return some rows of a dataset under another name; they keep their places."""
    spec = one.spec.model_copy(update={"domain": name, "split": None})
    places = one.places if one.places.is_empty() else one.places.filter(mask)
    return SdtmDataset(spec, one.keyed.filter(mask), places, one)


def write_sdtm(
    datasets: Mapping[str, SdtmDataset],
    folder: str | os.PathLike[str],
    *,
    provenance: Provenance,
    replace: bool = False,
) -> Manifest:
    """Write the datasets, split domains in their parts, as XPT and Parquet with a manifest (`exports.packages.manifest`)."""
    parts = split_datasets(datasets).values()
    packed = [PackageDataset(one.name, one.label, one.frame, one.columns) for one in parts]
    return write_package(folder, packed, provenance=provenance, replace=replace)
