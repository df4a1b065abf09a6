"""The verbs: create a study, add a site, publish a design, pin standards, close a study."""

import re
from typing import Final, Literal
from uuid import UUID

from datamodel.access import actions as access
from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.approvals import actions as approvals
from datamodel.audit import ledger
from datamodel.kernel.errors import BadInputError, NotFoundError, Refused, RefusedError, require
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import UnitOfWork
from datamodel.study import reads, store
from datamodel.study.protocol import Protocol
from datamodel.study.tables import DesignRow, SiteRow, StandardsRow, StudyRow

_CODE: Final = re.compile(r"[a-z][a-z0-9_-]{1,39}")
#: Seconds that a closing waits for transactions that write.
_PATIENCE: Final = 20
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


def create_study(
    unit: UnitOfWork[Actor],
    *,
    code: str,
    protocol_id: str,
    title: str,
    time_zone: str = "UTC",
    integration_mode: Literal["redcap", "metricis"] = "redcap",
    consent_mode: Literal["digital", "external", "none"] = "digital",
    planned_enrolment: int | None = None,
) -> UUID:
    """Create a study and let the flows' machine account work in it; return its id.

    Raises
    ------
    RefusedError
        When the actor may not create studies.
    BadInputError
        When the code is taken or not made of lower-case letters, digits, `-` and `_`.
    """
    require(may(unit.actor, "system:studies:create"))
    if not _CODE.fullmatch(code):
        raise BadInputError(
            f"Received the study code “{code}”; a code has 2 to 40 lower-case letters, digits, - or _, and begins with a letter."
        )
    if store.study(unit.session, code):
        raise BadInputError(
            f"There is a study with the code “{code}” already; nothing was created. Choose another code."
        )
    study_id, event_id = new_id(), new_id()
    store.add(
        unit.session,
        StudyRow(
            id=study_id,
            code=code,
            protocol_id=protocol_id,
            title=title,
            status="active",
            integration_mode=integration_mode,
            consent_mode=consent_mode,
            time_zone=time_zone,
            planned_enrolment=planned_enrolment,
            event_id=event_id,
        ),
    )
    access.enlist_service(unit, study_id=study_id)
    ledger.record(
        unit,
        "study.create",
        study_id=study_id,
        subject=f"study:{code}",
        change={
            "new": {
                "protocol_id": protocol_id,
                "title": title,
                "integration_mode": integration_mode,
                "consent_mode": consent_mode,
            }
        },
        event_id=event_id,
    )
    return study_id


def add_site(unit: UnitOfWork[Actor], *, study: str, code: str, name: str, time_zone: str | None = None) -> UUID:
    """Add a site to a study and return its id.

    Raises
    ------
    RefusedError
        When the actor may not write the study's design.
    NotFoundError
        When the study is unknown.
    """
    require(may(unit.actor, "study:design:manage", study=study))
    row = _study(unit, study)
    site_id, event_id = new_id(), new_id()
    store.add(
        unit.session,
        SiteRow(
            id=site_id, study_id=row.id, code=code, name=name, time_zone=time_zone or row.time_zone, event_id=event_id
        ),
    )
    ledger.record(
        unit,
        "study.add_site",
        study_id=row.id,
        subject=f"site:{code}",
        role=unit.actor.role(study),
        change={"new": {"name": name}},
        event_id=event_id,
    )
    return site_id


def publish_design(unit: UnitOfWork[Actor], *, study: str, protocol: Protocol) -> int:
    """Publish `protocol` as the study's design and return its version.

    A design equal to the published one changes nothing and returns the version it has. Values of fields that it blinds are put
    where PostgreSQL shows them to those who may see blinded data.

    Raises
    ------
    RefusedError
        When the actor may not write the study's design, or a field that held blinded data would be open to everybody:
        whoever writes the design would unblind the study alone.
    NotFoundError
        When the study is unknown.
    """
    require(may(unit.actor, "study:design:manage", study=study))
    row = _study(unit, study)
    present = store.published(unit.session, row.id)
    if present is not None and present.fingerprint == protocol.fingerprint:
        return present.version
    blinded = reads.blinded_fields(unit.session, row.id)
    _keep_blinded(protocol, blinded)
    version, event_id = store.next_version(unit.session, row.id), new_id()
    if present is not None:
        store.supersede(unit.session, present.id)
    store.add(
        unit.session,
        DesignRow(
            id=new_id(),
            study_id=row.id,
            version=version,
            status="published",
            document=protocol.as_document(),
            fingerprint=protocol.fingerprint,
            published_at=unit.instant,
            event_id=event_id,
        ),
    )
    ledger.record(
        unit,
        "study.publish_design",
        study_id=row.id,
        subject=f"design:{version}",
        role=unit.actor.role(study),
        change={
            "old": {"version": present.version, "fingerprint": present.fingerprint} if present else None,
            "new": {
                "version": version,
                "fingerprint": protocol.fingerprint,
                "forms": len(protocol.forms),
                "events": len(protocol.events),
            },
        },
        event_id=event_id,
    )
    if newly := {field.name for form in protocol.forms for field in form.fields if field.is_blinded} - blinded:
        unit.session.flush()
        store.blind(unit.session, row.id, newly, event_id=event_id)
    return version


def pin_standards(
    unit: UnitOfWork[Actor], *, study: str, terminology: tuple[str, str] = ("", ""), rules: tuple[str, str] = ("", "")
) -> bool:
    """Say which terminology and rules a study goes by, each as version and SHA-256; False when that is so already.

    Empty texts stand for no terminology and for the built-in rules.

    Raises
    ------
    RefusedError
        When the actor may not write the study's design.
    NotFoundError
        When the study is unknown.
    BadInputError
        When a version comes without its SHA-256.
    """
    require(may(unit.actor, "study:design:manage", study=study))
    row = _study(unit, study, is_locked=True)
    for version, sha256 in (terminology, rules):
        if bool(version) != bool(_SHA256.fullmatch(sha256)):
            raise BadInputError(
                f"Received the version “{version}” with the hash “{sha256[:70]}”; a version has a SHA-256 of 64 hexadecimal digits. "
                "Nothing was changed."
            )
    present = store.standards(unit.session, row.id)
    old = (present.terminology, present.terminology_sha256, present.rules, present.rules_sha256) if present else None
    if old == (*terminology, *rules):
        return False
    event_id = new_id()
    store.add(
        unit.session,
        StandardsRow(
            id=new_id(),
            study_id=row.id,
            terminology=terminology[0],
            terminology_sha256=terminology[1],
            rules=rules[0],
            rules_sha256=rules[1],
            at=unit.instant,
            event_id=event_id,
        ),
    )
    names = ("terminology", "terminology_sha256", "rules", "rules_sha256")
    ledger.record(
        unit,
        "study.pin_standards",
        study_id=row.id,
        subject=f"study:{study}",
        role=unit.actor.role(study),
        change={
            "old": dict(zip(names, old, strict=True)) if old else None,
            "new": dict(zip(names, (*terminology, *rules), strict=True)),
        },
        event_id=event_id,
    )
    return True


def close_study(unit: UnitOfWork[Actor], *, study: str, approval: UUID) -> None:
    """Close a study for good, as two people decided: nothing is captured, synced or changed any more; what is in it is read on.

    Pages that are open in the study end, as with every change of rights.

    Raises
    ------
    RefusedError
        When the actor may not close the study, nobody else approved it, the study is closed already, or something keeps
        writing.
    NotFoundError
        When the study is unknown, or there is no such proposal.
    """
    require(may(unit.actor, "study:closing:decide", study=study))
    # Before any other lock: who writes at this moment ends first, and who comes after is refused by PostgreSQL.
    store.stop_writing(unit.session, seconds=_PATIENCE)
    row = _study(unit, study, is_locked=True)
    if row.status == "closed":
        require(Refused("study-closed", f"The study {study} is closed already.", "Nothing is to be done."))
    approvals.take(unit, approval, kind="study_close", study=study)
    event_id = ledger.record(
        unit,
        "study.close",
        study_id=row.id,
        subject=f"study:{study}",
        role=unit.actor.role(study),
        change={"old": {"status": row.status}, "new": {"status": "closed", "approval": str(approval)}},
    )
    row.status, row.event_id = "closed", event_id
    unit.session.flush()


def _keep_blinded(protocol: Protocol, blinded: frozenset[str]) -> None:
    opened = sorted(
        {
            field.name
            for form in protocol.forms
            for field in form.fields
            if field.name in blinded and not field.is_blinded
        }
    )
    if opened:
        raise RefusedError(
            Refused(
                "field-is-blinded",
                f"This design would show everybody the values of {', '.join(opened)}, which are blinded. Nothing was published.",
                "Keep the field blinded, in the mapping as well; who must see its values is allowed to by two people.",
            )
        )


def _study(unit: UnitOfWork[Actor], code: str, *, is_locked: bool = False) -> StudyRow:
    row = store.study(unit.session, code, is_locked=is_locked)
    if row is None:
        raise NotFoundError(f"There is no study with the code “{code}”.")
    return row
