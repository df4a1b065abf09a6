"""SDTM datasets of a snapshot, made in memory from the study's mapping."""

from functools import lru_cache

import polars as pl

from datamodel.kernel.errors import NotFoundError
from exports.marts.reader import Snapshot
from exports.sdtm.dataset import SdtmDataset, split_datasets
from exports.sdtm.snapshots import build_snapshot
from exports.sdtm.spec import SPECS


def sdtm_dataset(snapshot: Snapshot, domain: str) -> pl.DataFrame:
    """Return one SDTM dataset made from `snapshot`, as the exported package holds it.

    Raises
    ------
    NotFoundError
        When the study has no mapping, or its mapping makes no such domain.
    """
    whole = _datasets(snapshot)
    made = whole if domain.upper() in whole else whole | split_datasets(whole)
    if domain.upper() not in made:
        raise NotFoundError(f"The mapping of {snapshot.study} makes no {domain.upper()}. It makes: {', '.join(made)}.")
    return made[domain.upper()].frame


@lru_cache(maxsize=2)
def _datasets(snapshot: Snapshot) -> dict[str, SdtmDataset]:
    if not (SPECS / snapshot.study).is_dir():
        raise NotFoundError(f"The study {snapshot.study} has no SDTM mapping yet; it is written in exports/sdtm/specs.")
    return build_snapshot(snapshot)
