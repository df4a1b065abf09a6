"""Put the design of an ODM file into a study: whole and asked for, or not at all."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.connections import reads as connections
from datamodel.kernel.errors import BadInputError, NotFoundError, Refused, RefusedError, require
from datamodel.kernel.unit import UnitOfWork, reading, unit_of_work
from datamodel.study import actions as studies
from datamodel.study import reads
from datamodel.study.protocol import Protocol
from exports.odm.design_in import is_redcap
from exports.odm.load import Loaded
from exports.odm.shape import Departure

#: Departures that say that the file is not whole: what it names is not in it.
_NOT_WHOLE: Final = frozenset({"unknown OID"})
#: How many things a message names before it only counts.
_MOST: Final = 5


@dataclass(frozen=True, slots=True)
class Published:
    """The version that the study's design has now; `is_new` is false when it was the same before."""

    version: int
    is_new: bool


def ready(url: str, actor: Actor, *, study: str) -> None:
    """Ask before a long file is read whether its design may become the study's.

    Raises
    ------
    RefusedError
        When the actor may not write the study's design, or the study has its design from REDCap.
    NotFoundError
        When the study is unknown.
    """
    with reading(url, actor) as session:
        require(may(actor, "study:design:manage", study=study))
        if connections.is_redcap_managed(session, reads.study(session, study).id):
            raise RefusedError(
                Refused(
                    "design-from-redcap",
                    f"The study {study} has its design from REDCap; the next sync would put REDCap's back. Nothing was published.",
                    "Change the dictionary in REDCap, or name a study that is not connected.",
                )
            )


def publish(url: str, actor: Actor, *, study: str, loaded: Loaded, replace: bool = False) -> Published:
    """Publish a file's design as the study's. A design equal to the study's changes nothing, and no entry is made.

    Raises
    ------
    BadInputError
        When the file has no design, names no field that holds the participant's code, or names what is not in it; and, without
        `replace`, when the study has another design.
    RefusedError, NotFoundError
        As `ready`.
    """
    ready(url, actor, study=study)
    design = _whole_design(loaded)
    with loaded.file.path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    with unit_of_work(url, actor, reason=f"from the ODM file {loaded.file.path.name}, SHA-256 {digest}") as unit:
        present = _present(unit, study)
        if present is not None and present.fingerprint == design.fingerprint:
            return Published(present.version, is_new=False)
        if present is not None and not replace:
            raise BadInputError(
                f"The study {study} has a design already, version {present.version}. It would change: "
                f"{'; '.join(differences(present.protocol, design))}. Nothing was published. To replace it, ask again with --replace."
            )
        return Published(studies.publish_design(unit, study=study, protocol=design), is_new=True)


def _whole_design(loaded: Loaded) -> Protocol:
    name = loaded.file.path.name
    if loaded.design is None or not loaded.design.record_field:
        raise BadInputError(
            f"{name} has no design, or names no field that holds the participant's code. Nothing was published. "
            "Ask for the file with its metadata (a MetaDataVersion)."
        )
    known = _of_redcap if is_redcap(loaded.file) else lambda _: False
    missing = [one for one in loaded.file.departures if one.kind in _NOT_WHOLE and not known(one)]
    if missing:
        raise BadInputError(
            f"{name} names {len(missing):,} things that it does not define: {_some([f'{one.place} ({one.detail})' for one in missing])}. "
            "A file that is not whole is not published, and nothing was. Ask for the whole file; `metricis odm read` without "
            "--into lists every place and gives the data."
        )
    return loaded.design


def _of_redcap(one: Departure) -> bool:
    """Say whether this is an item that REDCap writes beside the fields of a project without defining it."""
    return one.place.startswith("redcap_") or one.place.endswith("_timestamp")


def _present(unit: UnitOfWork[Actor], study: str) -> reads.Design | None:
    try:
        return reads.design(unit.session, reads.study(unit.session, study).id)
    except NotFoundError:
        return None


def differences(old: Protocol, new: Protocol) -> Iterator[str]:
    """Say what `new` has otherwise than `old`: fields, events and forms by name, and the rest by what it is."""
    for kind, before, after in (
        ("fields", _fields(old), _fields(new)),
        ("forms", _labels(old), _labels(new)),
        ("events", {one.name: one for one in old.events}, {one.name: one for one in new.events}),
    ):
        yield from _compared(kind, before, after)
    if old.record_field != new.record_field:
        yield f"the participant's code is in {new.record_field} and no more in {old.record_field}"
    if old.arms != new.arms:
        yield "arms"
    if old.missing_codes != new.missing_codes:
        yield "codes for missing values"
    if list(_fields(old)) != list(_fields(new)) and _fields(old) == _fields(new):
        yield "the order of fields"


def _fields(design: Protocol) -> dict[str, Any]:
    return {f"{form.name}.{field.name}": field for form in design.forms for field in form.fields}


def _labels(design: Protocol) -> dict[str, str]:
    return {form.name: form.label for form in design.forms}


def _compared(kind: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    gone = [name for name in before if name not in after]
    more = [name for name in after if name not in before]
    other = [name for name in before if name in after and before[name] != after[name]]
    for verb, names in (("go", gone), ("come", more), ("change", other)):
        if names:
            yield f"{len(names):,} {kind} {verb} ({_some(names)})"


def _some(names: list[str]) -> str:
    return ", ".join(names[:_MOST]) + (f" and {len(names) - _MOST:,} more" if len(names) > _MOST else "")
