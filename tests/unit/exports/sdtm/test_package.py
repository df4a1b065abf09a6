"""The pilot's package, opened by a program that is not ours, holds what was derived."""

from datetime import UTC, datetime

import polars as pl
import pyreadstat
import pytest

from exports.packages.manifest import Provenance, verify_package
from exports.sdtm.dataset import split_datasets, write_sdtm
from simulators.cdiscpilot import source

PILOT = [
    "ae",
    "cm",
    "dm",
    "ds",
    "ex",
    "lbch",
    "lbhe",
    "lbur",
    "mh",
    "qsco",
    "qsda",
    "qsgi",
    "qshi",
    "qsmm",
    "qsni",
    "relrec",
    "sc",
    "se",
    "suppae",
    "suppdm",
    "suppds",
    "supplbch",
    "supplbhe",
    "supplbur",
    "sv",
    "ta",
    "te",
    "ti",
    "ts",
    "tv",
    "vs",
]
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
    for name, dataset in split_datasets(pilot.built()).items():
        back, meta = pyreadstat.read_xport(str(folder / f"{name.lower()}.xpt"), output_format="polars")
        empty_is_missing = pl.when(pl.col(pl.String) != "").then(pl.col(pl.String)).name.keep()
        assert back.with_columns(empty_is_missing).equals(dataset.frame), name
        assert meta.column_names_to_labels == dataset.labels
        assert (meta.table_name, meta.file_label) == (name, dataset.label)


def test_the_package_is_whole_and_the_same_data_give_the_same_bytes(pilot, package, tmp_path):
    folder, manifest = package
    assert verify_package(folder) == ()
    assert write_sdtm(pilot.built(), tmp_path / "again", provenance=PROVENANCE).sha256 == manifest.sha256


def test_the_files_are_those_of_the_pilot_row_for_row(pilot, package):
    """Split domains and their SUPP-- are the same files with the same rows; FT has no rows and no file."""
    _, manifest = package
    ours = {file.name.removesuffix(".xpt"): file.rows for file in manifest.files if file.name.endswith(".xpt")}
    own = {
        name for name in pilot.built() if not pilot.has_answer(name)
    }  # a domain that was added has nothing to agree with
    ours = {name: rows for name, rows in ours.items() if name.upper() not in own}
    theirs = {name: source.read(name).height for name in PILOT}
    assert set(ours) == set(theirs)
    uneven = {name for name in theirs if ours[name] != theirs[name]}
    assert uneven == {"se", "supplbch", "supplbhe", "supplbur"}  # explained in docs/sdtm-agreement.md
