"""Build the SDTM of a study's newest snapshot and write it as a package."""

import shutil
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from datamodel.access import reads as access
from datamodel.access.actor import KNOCKING
from datamodel.access.rights import may
from datamodel.audit import ledger
from datamodel.kernel.errors import FaultError, require
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import reading, unit_of_work
from datamodel.study import reads as studies
from exports.marts.reader import Snapshot, open_snapshot
from exports.packages.manifest import Manifest, Provenance, verify_package
from exports.sdtm.dataset import write_sdtm
from exports.sdtm.snapshots import build_snapshot
from exports.sdtm.spec import has_spec, load_spec
from exports.sdtm.terms import Terms
from exports.submission.standards import terms_of


@dataclass(frozen=True, slots=True)
class Export:
    """A package of SDTM files."""

    folder: Path
    snapshot: int
    #: domain -> rows
    rows: dict[str, int]
    is_new: bool


def has_mapping(study: str) -> bool:
    """Return whether a mapping specification to SDTM was written for this study."""
    return has_spec(study)


def export(url: str, *, study: str, marts: Path, exports: Path) -> Export:
    """Write the SDTM package of the newest snapshot below `exports`, unless it is there, whole.

    Raises
    ------
    RefusedError
        When the machine account may not export, or may not see blinded data.
    NotFoundError
        When there is no snapshot yet.
    FaultError
        When a package of this snapshot is there and its files were altered.
    """
    with unit_of_work(url, KNOCKING) as unit:
        actor = access.service_actor(unit.session)
    for permission in ("study:data:export", "study:blinded:read"):
        require(may(actor, permission, study=study))
    snapshot = open_snapshot(marts, study, unblinded=True)
    folder = exports / study / "sdtm" / f"{snapshot.number:04d}"
    if folder.exists():
        return _present(folder, snapshot)
    with reading(url, actor) as session:
        about = studies.study(session, study)
        terms = terms_of(session, study=study, shelf=settings().home / "standards")
    # Written before the transaction begins: one that waits for files would hold up the sealing of the ledger.
    manifest = _write(folder, snapshot, protocol_id=about.protocol_id, terms=terms)
    try:
        with unit_of_work(url, actor, reason="after a sync") as unit:
            ledger.record(
                unit,
                "sdtm.export",
                study_id=about.id,
                subject=f"snapshot:{snapshot.number}",
                role=actor.role(study),
                change={"new": {"files": [{"name": file.name, "sha256": file.sha256} for file in manifest.files]}},
            )
    except BaseException:
        shutil.rmtree(folder)  # what the ledger does not know is not there
        raise
    return Export(folder=folder, snapshot=snapshot.number, rows=_rows(manifest), is_new=True)


def _write(folder: Path, snapshot: Snapshot, *, protocol_id: str, terms: Terms | None) -> Manifest:
    spec = load_spec(snapshot.study)
    datasets = build_snapshot(snapshot, spec, terms=terms)
    provenance = Provenance(
        study=protocol_id,
        snapshot=snapshot.number,
        ledger_position=snapshot.position,
        checkpoint=snapshot.about.get("checkpoint", ""),
        standard=spec.standard,
        standard_version=spec.version,
        mapping_revision=spec.revision,
        mapping_sha256=spec.sha256,
        design_version=snapshot.design_version,
        software_version=version("metricis"),
        # Of the data, not of the writing: the same snapshot gives the same bytes.
        created=snapshot.taken_at,
    )
    return write_sdtm(datasets, folder, provenance=provenance)


def _present(folder: Path, snapshot: Snapshot) -> Export:
    problems = verify_package(folder)
    if problems:
        raise FaultError(
            f"The SDTM package of snapshot {snapshot.number} was altered after it was written: {problems[0]} "
            "Nothing was overwritten. Move the folder away and export again."
        )
    return Export(folder=folder, snapshot=snapshot.number, rows={}, is_new=False)


def _rows(manifest: Manifest) -> dict[str, int]:
    return {file.name.removesuffix(".xpt").upper(): file.rows for file in manifest.files if file.name.endswith(".xpt")}
