"""SDTM datasets of a snapshot, made in memory from the study's mapping."""

from functools import lru_cache

import polars as pl

from datamodel.kernel.errors import NotFoundError, Refused, RefusedError
from datamodel.kernel.settings import settings
from exports.marts.reader import Snapshot
from exports.sdtm.dataset import SdtmDataset, split_datasets
from exports.sdtm.snapshots import build_snapshot
from exports.sdtm.spec import OWN, has_spec, load_spec
from exports.sdtm.unblinding import withheld
from exports.submission.standards import terms_of
from metricis.opening import asking
from validators.library import Terminology


def sdtm_dataset(snapshot: Snapshot, domain: str) -> pl.DataFrame:
    """Return one SDTM dataset made from `snapshot`, as the exported package holds it.

    Raises
    ------
    NotFoundError
        When the study has no mapping, or its mapping makes no such domain.
    RefusedError
        When the reader is blinded and the dataset tells the treatment.
    """
    whole = _datasets(snapshot, _terms(snapshot.study))
    if snapshot.is_blinded and domain.upper() in withheld(load_spec(snapshot.study)):
        raise RefusedError(
            Refused(
                "blinded-reader",
                f"{domain.upper()} tells the treatment arm, which you may not see in this study.",
                "Ask the study's owner for unblinded access; the other datasets are made without what tells the treatment.",
            )
        )
    made = whole if domain.upper() in whole else whole | split_datasets(whole)
    if domain.upper() not in made:
        raise NotFoundError(f"The mapping of {snapshot.study} makes no {domain.upper()}. It makes: {', '.join(made)}.")
    return made[domain.upper()].frame


@lru_cache(maxsize=2)
def _datasets(snapshot: Snapshot, terms: Terminology | None) -> dict[str, SdtmDataset]:
    if not has_spec(snapshot.study):
        raise NotFoundError(
            f"The study {snapshot.study} has no SDTM mapping yet; write one in {settings().home / OWN}."
        )
    return build_snapshot(snapshot, terms=terms)


def _terms(study: str) -> Terminology | None:
    """Return the terminology that the study is pinned to, where its mapping looks terms up."""
    if not has_spec(study) or not any(v.terminology for one in load_spec(study).domains for v in one.values):
        return None
    with asking() as (session, _):
        return terms_of(session, study=study, shelf=settings().home / "standards")
