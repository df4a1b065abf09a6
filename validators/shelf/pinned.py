"""The files that a study is pinned to, found on the shelf."""

from pathlib import Path

from datamodel.kernel.errors import FaultError
from validators.shelf.shelf import Kind, Shelf


def pinned_files(
    shelf: Shelf, *, terminology: tuple[str, str] = ("", ""), rules: tuple[str, str] = ("", "")
) -> tuple[Path | None, Path | None]:
    """Return the file of terminology and the folder of rules that are pinned by version and SHA-256; None for "".

    Raises
    ------
    NotFoundError
        That version is not here.
    FaultError
        What is here under that version is not what was pinned, or was changed.
    """
    terms = _folder(shelf, "ct", terminology)
    return next(iter(sorted(terms.iterdir())), None) if terms else None, _folder(shelf, "rules", rules)


def _folder(shelf: Shelf, kind: Kind, pinned: tuple[str, str]) -> Path | None:
    version, sha256 = pinned
    if not version:
        return None
    kept = shelf.get(kind, version)
    if kept.sha256 != sha256:
        raise FaultError(
            f"The study is pinned to {version} with the SHA-256 {sha256[:12]}…; here is {kept.sha256[:12]}…. "
            "Load the files that were pinned, or pin those that are here. Nothing was checked."
        )
    return shelf.folder_of(kept)
