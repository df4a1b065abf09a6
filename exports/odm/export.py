"""Exporting a study as ODM: who may, from which snapshot, the file, and the entry in the ledger."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Final

from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.audit import ledger
from datamodel.kernel.errors import BadInputError, NotFoundError, Refused, RefusedError, require
from datamodel.kernel.unit import reading, unit_of_work
from datamodel.study import reads as studies
from datamodel.study.protocol import Event, Protocol
from exports.marts import source
from exports.marts.reader import Snapshot, open_snapshot
from exports.odm.data_out import Asked, DataWriter, Lists
from exports.odm.design_out import About, DesignWriter, Version
from exports.odm.shape import NAMESPACE, visible
from exports.odm.xml import XmlWriter

_CHUNK: Final = 1 << 20
_BLINDED: Final = Refused(
    "blinded-audit",
    "Audit records tell when blinded values changed and why, in words that people typed; you may not see those in this study. "
    "Nothing was written.",
    "Export without audit records, or ask the study's owner for unblinded access, which two people give.",
)


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: the file, its hash, and how many values are in it."""

    path: Path
    sha256: str
    items: int
    snapshot: Snapshot


def export(
    url: str,
    actor: Actor,
    *,
    study: str,
    marts: Path,
    out: Path,
    version: Version = "1.3.2",
    has_audit: bool = False,
    number: int | None = None,
    people: Callable[[Snapshot], frozenset[str] | None] = lambda _: None,
    reason: str = "",
) -> Exported:
    """Write the study as of a snapshot (the newest without `number`) into the new file `out`, as far as the actor may see it.

    With `has_audit` the file is Transactional: every revision with who, where, when and why. The same snapshot and the same
    rights give the same bytes. The file appears whole or not at all. `people` says who of the snapshot is written, None for all.

    Raises
    ------
    RefusedError
        When the actor may not export data; with `has_audit`, when the actor may not read the audit trail, or is blinded.
    BadInputError
        When `out` exists, the version is none that is written, or audit records are asked for in 2.0.
    NotFoundError
        When the study has no such snapshot, or no design by then.
    """
    with reading(url, actor) as session:
        require(may(actor, "study:data:export", study=study))
        if has_audit:
            require(may(actor, "study:audit:read", study=study))
            if not may(actor, "study:blinded:read", study=study):
                raise RefusedError(_BLINDED)
        about = studies.study(session, study)
    _check(out, version, has_audit=has_audit)
    membership = actor.membership(study)
    snapshot = open_snapshot(
        marts,
        study,
        number=number or "latest",
        unblinded=bool(may(actor, "study:blinded:read", study=study)),
        site=membership.site if membership else None,
    )
    part = out.with_name(f".{out.name}.part")
    try:
        with (
            source.as_of(url, actor=actor, study_id=about.id, position=snapshot.position) as of,
            part.open("w", encoding="utf-8", newline="\n") as file,
        ):
            items = _write(
                XmlWriter(file),
                of,
                Asked(snapshot, has_audit, version, people(snapshot)),
                about.protocol_id,
                about.title,
            )
        done = Exported(out, _digest(part), items, snapshot)
        _record(url, actor, study=study, done=done, version=version, has_audit=has_audit, reason=reason)
        os.replace(part, out)  # noqa: PTH105 - one step, or none
    finally:
        part.unlink(missing_ok=True)  # what the ledger does not know is not there
    return done


def _check(out: Path, version: str, *, has_audit: bool) -> None:
    if version not in NAMESPACE:
        raise BadInputError(f"Received ODM version “{version}”; there are {', '.join(NAMESPACE)}. Nothing was written.")
    if has_audit and version != "1.3.2":
        raise BadInputError("Audit records are written in ODM 1.3.2 only. Nothing was written. Ask for 1.3.2.")
    if out.exists():
        raise BadInputError(f"The file {out.name} exists and was left as it is. Name another file.")
    if not out.parent.is_dir():
        raise BadInputError(f"There is no folder {out.parent}. Nothing was written. Make it, or name another.")


def _write(xml: XmlWriter, of: source.Source, asked: Asked, protocol_id: str, title: str) -> int:
    snapshot = asked.snapshot
    found = source.design(of)
    if found is None:
        raise NotFoundError(
            f"The study {snapshot.study} had no design at snapshot {snapshot.number}. Nothing was written."
        )
    design, document = found
    protocol = _seen(Protocol.from_document(document), snapshot)
    tasks = tuple(sorted(set(snapshot.frame("sessions")["task"])))
    at = snapshot.taken_at.isoformat(timespec="seconds")
    kind = f"{snapshot.study}.{snapshot.number}.{'audit' if asked.has_audit else 'data'}"
    xml.open(
        "ODM",
        xmlns=NAMESPACE[asked.version],
        FileType="Transactional" if asked.has_audit else "Snapshot",
        FileOID=f"metricis.{kind}",
        CreationDateTime=at,
        AsOfDateTime=at,
        Granularity="All",
        ODMVersion=asked.version,
        SourceSystem="Metricis",
        SourceSystemVersion=version_of("metricis"),
    )
    DesignWriter(xml, About(snapshot.study, protocol_id, title, design, protocol, tasks), asked.version).write()
    data = DataWriter(xml, Lists.read(of, snapshot), asked, protocol)
    if asked.version == "1.3.2":
        data.admin(design, snapshot.study, at=at)
    data.clinical(of, snapshot.study, design)
    data.sessions(snapshot.study, design)
    xml.close()
    return data.rows


def _seen(protocol: Protocol, snapshot: Snapshot) -> Protocol:
    """Return the design as this reader sees it: what the blinded snapshot lacks, the file lacks."""
    if not snapshot.is_blinded:
        return protocol
    all_fields = set(replace(snapshot, is_blinded=False).catalogue()["field"])
    hidden = all_fields - set(snapshot.catalogue()["field"])
    marked = {one.name for form in protocol.forms for one in form.fields if one.is_blinded}
    seen = visible(protocol, frozenset(hidden | marked))
    if len({event.arm for event in protocol.events}) < 2:  # noqa: PLR2004 - one arm says nothing
        return seen
    events: dict[str, Event] = {}
    for event in seen.events:
        name = event.name.removesuffix(f"_arm_{event.arm}")
        events.setdefault(name, replace(event, name=name, arm="1"))
    return replace(seen, arms=(), events=tuple(events.values()))


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _record(url: str, actor: Actor, *, study: str, done: Exported, version: str, has_audit: bool, reason: str) -> None:
    with unit_of_work(url, actor, reason=reason) as unit:
        ledger.record(
            unit,
            "odm.export",
            study_id=studies.study(unit.session, study).id,
            subject=f"snapshot:{done.snapshot.number}",
            role=actor.role(study),
            change={
                "new": {
                    "version": version,
                    "has_audit": has_audit,
                    "is_blinded": done.snapshot.is_blinded,
                    "site": done.snapshot.site,
                    "items": done.items,
                    "sha256": done.sha256,
                }
            },
        )
