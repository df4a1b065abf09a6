"""A folder that appears whole or not at all."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from exports.packages.manifest import PackageExistsError


@contextmanager
def appearing(target: Path) -> Iterator[Path]:
    """Give a folder beside `target` to write into, and rename it to `target` when the block ends well.

    When the block raises, everything that was written is taken away.

    Raises
    ------
    PackageExistsError
        When `target` is there already, before the block or after it; it is untouched.
    """
    _refuse_existing(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    building = target.with_name(f".{target.name}.{secrets.token_hex(4)}.building")
    building.mkdir()
    try:
        yield building
        _settle(building)
        _refuse_existing(target)
        building.rename(target)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _refuse_existing(target: Path) -> None:
    if target.exists():
        raise PackageExistsError(
            f"A folder named {target.name!r} exists already and was left as it is; nothing was written. "
            "Name another folder, or move that one away."
        )


def _settle(folder: Path) -> None:
    """Bring every file to the disk before the rename, so that a power cut leaves the whole folder or none."""
    for path in (*folder.rglob("*"), folder):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
