"""Making a package of a study: who may, from which snapshot, and the entry in the ledger."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Final

from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.audit import ledger
from datamodel.kernel.errors import FaultError, NotFoundError, Refused, RefusedError, require
from datamodel.kernel.unit import reading, unit_of_work
from datamodel.study import reads as studies
from exports.define.build import define_of
from exports.define.page import stylesheet, write_define_html
from exports.define.write import write_define
from exports.extracts.signatures import signatures
from exports.marts.reader import Snapshot, open_snapshot
from exports.reports.standards import Standards
from exports.sdtm.dataset import split_datasets
from exports.sdtm.snapshots import build_snapshot
from exports.sdtm.spec import has_spec, load_spec
from exports.submission.build import DEFINE, Contents, Package, build_package
from exports.submission.manifest import Manifest, Source, read_manifest, verify

_BLINDED: Final = Refused(
    "blinded-reader",
    "A submission package holds the treatment arm, which you may not see in this study. Nothing was written.",
    "Ask the study's owner for unblinded access, which two people give.",
)
_ONE_SITE: Final = Refused(
    "one-site",
    "A submission package holds every site, and your role in this study is for one. Nothing was written.",
    "Ask somebody whose role is for the whole study.",
)


@dataclass(frozen=True, slots=True)
class Export:
    """A package of a study; `package` is None when a whole one of this snapshot was there and was left as it is."""

    folder: Path
    snapshot: int
    manifest: Manifest
    package: Package | None


def export(
    url: str,
    actor: Actor,
    *,
    study: str,
    marts: Path,
    target: Callable[[Snapshot], Path],
    standards: Callable[[], Standards],
    number: int | None = None,
    specs: Path | None = None,
    reason: str = "",
) -> Export:
    """Make the package of a snapshot (the newest without `number`) in the folder that `target` names for it.

    Raises
    ------
    RefusedError
        When the actor may not export data or see form values, is blinded, or sees one site only.
    NotFoundError
        When the study has no such snapshot, or no mapping to SDTM.
    FaultError
        When a package is there and its files were altered; nothing was overwritten.
    """
    require(may(actor, "study:data:export", study=study))
    require(may(actor, "study:records:read", study=study))  # of whose forms the signatures are told
    if not may(actor, "study:blinded:read", study=study):
        raise RefusedError(_BLINDED)
    membership = actor.membership(study)
    if membership is not None and membership.site is not None:
        raise RefusedError(_ONE_SITE)
    snapshot = open_snapshot(marts, study, number=number or "latest", unblinded=True)
    folder = target(snapshot)
    if folder.exists():
        return _present(folder, snapshot)
    if not has_spec(study, folder=specs):
        raise NotFoundError(f"The study {study} has no mapping to SDTM yet, so there is nothing to package.")
    with reading(url, actor) as session:
        about = studies.study(session, study)
        signed = signatures(session, actor, study=study, position=snapshot.position)
    contents = _contents(snapshot, standards(), specs=specs, protocol=about.protocol_id, title=about.title)
    contents = replace(contents, signatures=signed)
    # Written before the transaction begins: one that waits for files would hold up the sealing of the ledger.
    package = build_package(folder, contents)
    try:
        _record(url, actor, study=study, package=package, reason=reason)
    except BaseException:
        shutil.rmtree(folder)  # what the ledger does not know is not there
        raise
    return Export(folder=folder, snapshot=snapshot.number, manifest=package.manifest, package=package)


def _contents(snapshot: Snapshot, standards: Standards, *, specs: Path | None, protocol: str, title: str) -> Contents:
    spec = load_spec(snapshot.study, folder=specs)
    source = Source(
        study=snapshot.study,
        protocol=protocol,
        snapshot=snapshot.number,
        ledger_position=snapshot.position,
        checkpoint=snapshot.about.get("checkpoint", ""),
        design_version=snapshot.design_version,
        mapping_version=spec.revision,
        mapping_sha256=spec.sha256,
        standard=spec.standard,
        standard_version=spec.version,
        terminology=standards.terminology,
        rules=standards.catalogue.name,
        software_version=version("metricis"),
        created=snapshot.taken_at,
    )
    library = standards.library
    # As they are submitted: a split domain in its parts, and what belongs to them.
    datasets = split_datasets(build_snapshot(snapshot, spec, terms=library.terminology if library else None))

    def define(place: Path) -> list[tuple[Path, str]]:
        made = define_of(spec, datasets, created=snapshot.taken_at, library=library, title=title)
        write_define(made, place / DEFINE)
        write_define_html(made, place / "define.html")
        shutil.copyfile(stylesheet(), place / stylesheet().name)
        return [
            (place / DEFINE, "Define-XML 2.1 of the datasets"),
            (place / "define.html", "the Define-XML as a page"),
            (place / stylesheet().name, "stylesheet that shows the Define-XML in a browser"),
        ]

    return Contents(source, title, datasets, standards.catalogue, library, define)


def _record(url: str, actor: Actor, *, study: str, package: Package, reason: str) -> None:
    source = package.manifest.source
    with unit_of_work(url, actor, reason=reason) as unit:
        ledger.record(
            unit,
            "submission.export",
            study_id=studies.study(unit.session, study).id,
            subject=f"snapshot:{source.snapshot}",
            role=actor.role(study),
            change={
                "new": {
                    "manifest_sha256": package.manifest.sha256,
                    "files": len(package.manifest.files),
                    "standard": f"{source.standard} {source.standard_version}",
                    "terminology": source.terminology,
                    "rules": source.rules,
                    "findings": package.manifest.findings,
                }
            },
        )


def _present(folder: Path, snapshot: Snapshot) -> Export:
    """Give the package that is there, when it is of this snapshot and whole."""
    manifest = read_manifest(folder)
    if manifest.source.snapshot != snapshot.number or manifest.source.study != snapshot.study:
        raise FaultError(
            f"The folder {folder.name!r} holds a package of {manifest.source.study}, snapshot {manifest.source.snapshot}. "
            "Nothing was overwritten. Name another folder."
        )
    if problems := verify(folder):
        raise FaultError(
            f"The package of snapshot {snapshot.number} was altered after it was written: {problems[0].file} "
            f"{problems[0].detail}. Nothing was overwritten. Move the folder away and make the package again."
        )
    return Export(folder=folder, snapshot=snapshot.number, manifest=manifest, package=None)
