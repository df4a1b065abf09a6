"""A package is whole or absent, says where it comes from, and shows when it was changed."""

import json
from datetime import UTC, datetime

import polars as pl
import pytest

from exports.packages import manifest as packages
from exports.packages.columns import Column, XptError
from exports.packages.manifest import (
    LABELS_KEY,
    PackageDataset,
    PackageExistsError,
    Provenance,
    read_manifest,
    verify_package,
    write_package,
)
from exports.packages.xpt import read_xpt

PROVENANCE = Provenance(
    study="CDISCPILOT01",
    snapshot=3,
    ledger_position=4711,
    standard="SDTMIG",
    standard_version="3.4",
    software_version="0.1.0",
    created=datetime(2026, 3, 1, 12, tzinfo=UTC),
)
DM = PackageDataset(
    "DM",
    "Demographics",
    pl.DataFrame({"USUBJID": ["01-701-1015", "01-701-1023"], "AGE": [63, None], "EXTRA": [1, 2]}),
    (Column("AGE", "Age", "num"), Column("USUBJID", "Unique Subject Identifier", length=20)),
)
AE = PackageDataset(
    "AE", "Adverse Events", pl.DataFrame({"AETERM": ["HEADACHE"]}), (Column("AETERM", "Reported Term"),)
)


def test_a_package_holds_each_dataset_twice_and_says_what_it_is(tmp_path):
    written = write_package(tmp_path / "p", [DM, AE], provenance=PROVENANCE)
    assert sorted(path.name for path in (tmp_path / "p").iterdir()) == [
        "ae.parquet", "ae.xpt", "dm.parquet", "dm.xpt", "manifest.json",
    ]  # fmt: skip
    read = read_manifest(tmp_path / "p")
    assert read == written
    assert read.provenance == PROVENANCE
    dm = {file.name: file for file in read.files}["dm.xpt"]
    assert (dm.rows, dm.columns, dm.bytes) == (2, ("AGE", "USUBJID"), (tmp_path / "p" / "dm.xpt").stat().st_size)
    assert read_xpt(tmp_path / "p" / "dm.xpt").rows() == [(63.0, "01-701-1015"), (None, "01-701-1023")]


def test_parquet_carries_the_labels(tmp_path):
    write_package(tmp_path / "p", [DM], provenance=PROVENANCE)
    labels = json.loads(pl.read_parquet_metadata(tmp_path / "p" / "dm.parquet")[LABELS_KEY])
    assert labels == {"AGE": "Age", "USUBJID": "Unique Subject Identifier"}
    assert pl.read_parquet(tmp_path / "p" / "dm.parquet").schema == {"AGE": pl.Int64, "USUBJID": pl.String}


def test_the_same_data_and_instant_give_the_same_hash(tmp_path):
    first = write_package(tmp_path / "a", [DM, AE], provenance=PROVENANCE)
    second = write_package(tmp_path / "b", [AE, DM], provenance=PROVENANCE)
    assert first.sha256 == second.sha256
    assert verify_package(tmp_path / "a") == ()


@pytest.mark.parametrize(
    ("harm", "kind", "file"),
    [
        (lambda p: (p / "ae.xpt").unlink(), "missing", "ae.xpt"),
        (lambda p: (p / "ae.xpt").write_bytes(b"short"), "changed", "ae.xpt"),
        (lambda p: (p / "new.txt").write_text("?"), "unlisted", "new.txt"),
        (lambda p: flip(p / "dm.parquet"), "changed", "dm.parquet"),
    ],
)
def test_any_change_is_found(tmp_path, harm, kind, file):
    write_package(tmp_path / "p", [DM, AE], provenance=PROVENANCE)
    harm(tmp_path / "p")
    assert [(fault.kind, fault.file) for fault in verify_package(tmp_path / "p")] == [(kind, file)]


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_wrong_counts_in_the_manifest_are_found(tmp_path):
    write_package(tmp_path / "p", [AE], provenance=PROVENANCE)
    path = tmp_path / "p" / "manifest.json"
    content = json.loads(path.read_text())
    content["files"][1]["rows"] = 2
    path.write_text(json.dumps(content))
    assert [fault.detail for fault in verify_package(tmp_path / "p")] == [
        "has other rows or columns than the manifest says"
    ]


def test_a_dataset_that_does_not_fit_leaves_no_folder(tmp_path):
    bad = PackageDataset("ZZ", "Bad", pl.DataFrame({"A": ["é"]}), (Column("A"),))
    with pytest.raises(XptError):
        write_package(tmp_path / "p", [DM, bad], provenance=PROVENANCE)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_package_is_kept_unless_replacing_is_asked_for(tmp_path):
    write_package(tmp_path / "p", [DM, AE], provenance=PROVENANCE)
    with pytest.raises(PackageExistsError, match="left as it is"):
        write_package(tmp_path / "p", [AE], provenance=PROVENANCE)
    assert verify_package(tmp_path / "p") == ()
    write_package(tmp_path / "p", [AE], provenance=PROVENANCE, replace=True)
    assert [path.name for path in tmp_path.iterdir()] == ["p"]
    assert [file.name for file in read_manifest(tmp_path / "p").files] == ["ae.parquet", "ae.xpt"]


def test_a_failed_replacement_keeps_the_earlier_package(tmp_path, monkeypatch):
    write_package(tmp_path / "p", [DM], provenance=PROVENANCE)

    def full(_folder):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(packages, "_settle", full)
    with pytest.raises(OSError, match="No space left"):
        write_package(tmp_path / "p", [AE], provenance=PROVENANCE, replace=True)
    assert [path.name for path in tmp_path.iterdir()] == ["p"]
    assert verify_package(tmp_path / "p") == ()


def test_an_instant_without_zone_is_refused(tmp_path):
    naive = PROVENANCE.model_copy(update={"created": PROVENANCE.created.replace(tzinfo=None)})
    with pytest.raises(ValueError, match="no time zone"):
        write_package(tmp_path / "p", [DM], provenance=naive)


def test_a_folder_without_manifest_is_no_package(tmp_path):
    with pytest.raises(ValueError, match=r"holds no manifest\.json"):
        verify_package(tmp_path)
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(ValueError, match="not of the form"):
        verify_package(tmp_path)
