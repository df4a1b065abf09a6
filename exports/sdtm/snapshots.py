"""SDTM of a snapshot: its forms, its events, and the tables of Metricis that a specification may name."""

from collections.abc import Collection
from typing import Final

import polars as pl

from exports.marts.reader import Snapshot
from exports.sdtm.build import build_domains, looked_into
from exports.sdtm.dataset import SdtmDataset, split_datasets
from exports.sdtm.spec import load_spec
from exports.sdtm.spec_types import EVENTS, StudySpec, table_frame
from exports.sdtm.terms import Terms

#: The tables beside the forms that a specification may take rows from (`table: scores`).
TABLES: Final = ("participants", "visits", "sessions", "scores", "consents", "discrepancies")
#: table -> columns that older snapshots lack
_LATE: Final = {"sessions": ("actor",)}


def frames_of(snapshot: Snapshot) -> dict[str, pl.DataFrame]:
    """Return everything that a specification may name: forms, the schedule (`table:events`), and tables as `table:scores`."""
    tables = {table_frame(name): _whole(name, snapshot.frame(name)) for name in TABLES}
    return snapshot.form_frames() | {EVENTS: snapshot.events()} | tables


def _whole(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Return a table with the columns that snapshots taken before they existed do not have, empty."""
    late = [column for column in _LATE.get(name, ()) if column not in frame.columns]
    return frame.with_columns(pl.lit(None, pl.String).alias(column) for column in late)


def build_snapshot(
    snapshot: Snapshot, spec: StudySpec | None = None, *, only: Collection[str] = (), terms: Terms | None = None
) -> dict[str, SdtmDataset]:
    """Derive the SDTM of a snapshot as its reader may have it: a blinded one gets nothing that tells the treatment.

    Errors are those of `exports.sdtm.build.build_domains` and, without `spec`, of `exports.sdtm.spec.load_spec`.
    """
    wanted = spec or load_spec(snapshot.study)
    return build_domains(frames_of(snapshot), wanted, only=only, blinded=snapshot.is_blinded, terms=terms)


def traceable(
    snapshot: Snapshot, dataset: str, spec: StudySpec | None = None, *, terms: Terms | None = None
) -> dict[str, SdtmDataset]:
    """Derive a dataset as it is submitted, a part of a split domain too, with every domain that its rows were made from.

    `exports.sdtm.trace` needs them to lead a supplemental value to the form of its record. Empty when the mapping makes no such
    dataset; errors are those of `build_snapshot`.
    """
    wanted = spec or load_spec(snapshot.study)
    names = looked_into(wanted, dataset)
    if not names:
        return {}
    made = build_snapshot(snapshot, wanted, only=names, terms=terms)
    return made | split_datasets(made)
