"""The pilot's package, opened by a program that is not ours, holds what was derived."""

from datetime import UTC, datetime

import polars as pl
import pyreadstat
import pytest

from exports.packages.manifest import Provenance, verify_package
from exports.sdtm.dataset import write_sdtm

PROVENANCE = Provenance(
    study="CDISCPILOT01",
    snapshot=1,
    ledger_position=1,
    standard="SDTMIG",
    standard_version="3.4",
    software_version="0",
    created=datetime(2026, 3, 1, tzinfo=UTC),
)


@pytest.fixture(scope="module")
def package(pilot, tmp_path_factory):
    folder = tmp_path_factory.mktemp("package") / "sdtm"
    return folder, write_sdtm(pilot.built(), folder, provenance=PROVENANCE)


def test_every_dataset_is_read_back_equal_with_labels(pilot, package):
    folder, _ = package
    for name, dataset in pilot.built().items():
        back, meta = pyreadstat.read_xport(str(folder / f"{name.lower()}.xpt"), output_format="polars")
        empty_is_missing = pl.when(pl.col(pl.String) != "").then(pl.col(pl.String)).name.keep()
        assert back.with_columns(empty_is_missing).equals(dataset.frame), name
        assert meta.column_names_to_labels == dataset.labels
        assert (meta.table_name, meta.file_label) == (name, dataset.label)


def test_the_package_is_whole_and_the_same_data_give_the_same_bytes(pilot, package, tmp_path):
    folder, manifest = package
    assert verify_package(folder) == ()
    assert write_sdtm(pilot.built(), tmp_path / "again", provenance=PROVENANCE).sha256 == manifest.sha256
