"""What a study's package is checked with: the standard of its mapping, the terminology and the rules it is pinned to."""

from functools import lru_cache
from pathlib import Path

from sqlalchemy.orm import Session

from datamodel.access.actor import Actor
from datamodel.kernel.errors import FaultError
from datamodel.kernel.unit import reading
from datamodel.study import reads as studies
from exports.reports.check import Catalogue
from exports.reports.standards import Standards, folder_of_rules, made
from exports.sdtm.spec import load_spec
from validators.library import Terminology, read_terminology
from validators.shelf import Shelf, read_kept_terminology, read_ruleset


def standards_of(
    url: str,
    actor: Actor,
    *,
    study: str,
    shelf: Path,
    rules: Path | None = None,
    ct: Path | None = None,
    specs: Path | None = None,
) -> Standards:
    """Return what the study's datasets are checked with; `rules` and `ct` stand in for what it is pinned to.

    `shelf` is the folder of what was loaded. A study that is pinned to nothing is checked by the built-in rules, without
    terminology.

    Raises
    ------
    NotFoundError
        When what the study is pinned to is not on the shelf.
    FaultError
        When it is there with other content than the study was pinned to.
    """
    spec = load_spec(study, folder=specs)
    with reading(url, actor) as session:
        pinned = studies.standards(session, studies.study(session, study).id)
        terminology = read_terminology(ct) if ct else terms_of(session, study=study, shelf=shelf)
    kept = Shelf(shelf)
    catalogue = folder_of_rules(rules) if rules else None
    if catalogue is None and pinned is not None and pinned.rules:
        _same(kept.get("rules", pinned.rules).sha256, pinned.rules_sha256, f"set of rules {pinned.rules}")
        catalogue = Catalogue(f"rules {pinned.rules}", tuple(read_ruleset(kept, pinned.rules)))
    return made(spec.standard, spec.version, catalogue=catalogue, terminology=terminology)


def terms_of(session: Session, *, study: str, shelf: Path) -> Terminology | None:
    """Return the controlled terminology that a study is pinned to, from the folder `shelf`; None without one.

    Raises
    ------
    NotFoundError
        When it is not on the shelf.
    FaultError
        When it is there with other content than the study was pinned to.
    """
    pinned = studies.standards(session, studies.study(session, study).id)
    if pinned is None or not pinned.terminology:
        return None
    kept = Shelf(shelf)
    _same(kept.get("ct", pinned.terminology).sha256, pinned.terminology_sha256, f"terminology {pinned.terminology}")
    return _read(shelf, pinned.terminology, pinned.terminology_sha256)


@lru_cache(maxsize=4)
def _read(shelf: Path, name: str, _sha256: str) -> Terminology:
    """Read a release once: it is large, and its hash was compared before."""
    return read_kept_terminology(Shelf(shelf), name)


def _same(found: str, pinned: str, what: str) -> None:
    if found != pinned:
        raise FaultError(
            f"The {what} that is loaded here (SHA-256 {found[:12]}…) is not the one that the study is pinned to "
            f"({pinned[:12]}…). Nothing was written. Load the right files, or pin the study anew."
        )
