"""The browser libraries in place are the pinned ones, and the lock files name public sources only."""

import hashlib
import json
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
VENDOR = PROJECT / "apps" / "edge" / "vendor"
LOCK = json.loads((PROJECT / "vendor.lock.json").read_text())["files"]
PACKAGES = json.loads((PROJECT / "package-lock.json").read_text())["packages"]


@pytest.fixture(scope="module")
def manifest() -> dict:
    return json.loads((VENDOR / "manifest.json").read_text())


@pytest.mark.parametrize("name", LOCK)
def test_a_served_file_is_the_pinned_one(name: str, manifest: dict) -> None:
    served = (VENDOR / name).read_bytes()
    assert hashlib.sha256(served).hexdigest() == LOCK[name]["served_sha256"]
    assert manifest["files"][name] == LOCK[name]
    assert b"sourceMappingURL" not in served


def test_nothing_else_is_served(manifest: dict) -> None:
    found = {file.relative_to(VENDOR).as_posix() for file in VENDOR.rglob("*") if file.is_file()}
    assert found == {*LOCK, "manifest.json"}
    assert set(manifest["files"]) == set(LOCK)


@pytest.mark.parametrize("name", LOCK)
def test_the_two_lock_files_agree_on_the_version(name: str) -> None:
    assert PACKAGES[f"node_modules/{LOCK[name]['package']}"]["version"] == LOCK[name]["version"]
    assert LOCK[name]["licence"] in {"MIT", "Apache-2.0", "OFL-1.1"}, "a licence that needs a decision"


def test_packages_are_pinned_with_integrity_and_come_from_the_public_registry() -> None:
    wanted = json.loads((PROJECT / "package.json").read_text())["dependencies"]
    assert all(version[0].isdigit() for version in wanted.values()), "exact versions only"
    for path, package in PACKAGES.items():
        if path:
            assert package["resolved"].startswith("https://registry.npmjs.org/")
            assert package["integrity"].startswith("sha512-")


def test_no_stylesheet_or_script_loads_from_elsewhere() -> None:
    for name in LOCK:
        if name.endswith(".css"):
            text = (VENDOR / name).read_text()
            assert "url(http" not in text
            assert "@import" not in text
