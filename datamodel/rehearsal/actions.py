"""The verbs: move a study's day; open a rehearsal copy, bring its design up to date, bypass its consent, order its data."""

from typing import Any, Final
from uuid import UUID

from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.audit import ledger
from datamodel.kernel.errors import BadInputError, Refused, RefusedError, require
from datamodel.kernel.ids import new_id
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import UnitOfWork
from datamodel.rehearsal import orders, store
from datamodel.rehearsal.surfaces import opened
from datamodel.rehearsal.tables import CopyRow
from datamodel.study import actions as studies
from datamodel.study import reads as study_reads
from datamodel.study.reads import Study

#: Further than this no schedule reaches.
LONGEST: Final = 3660
#: What codes of copies end in: user acceptance testing.
ENDING: Final = "-uat"
NOT_A_COPY: Final = Refused(
    "not-a-rehearsal",
    "This study is not a rehearsal copy, so no invented data go into it and its consent gate stands.",
    "Make a copy of it with `metricis testdata copy STUDY` and rehearse there.",
)
_COPY: Final = Refused("is-a-rehearsal", "This study is a rehearsal copy itself.", "Copy the study it was made of.")


def move_day(unit: UnitOfWork[Actor], *, study: str, days: int) -> None:
    """Move a study's day by `days` from the real one (0: back to it).

    Raises
    ------
    RefusedError
        In production, without development mode, or when the actor is no administrator.
    NotFoundError
        When the study is unknown.
    BadInputError
        When it is moved too far.
    """
    require(opened(settings()))
    require(may(unit.actor, "system:rehearsal:manage"))
    if abs(days) > LONGEST:
        raise BadInputError(f"Received {days} days; the day may be moved by at most {LONGEST}. Nothing was changed.")
    found = study_reads.study(unit.session, study)
    before, event_id = store.row(unit.session, found.id), new_id()
    old = before.offset_days if before else 0
    store.save(unit.session, study_id=found.id, days=days, event_id=event_id)
    ledger.record(
        unit,
        "rehearsal.move_day",
        study_id=found.id,
        subject=f"study:{study}",
        role=unit.actor.role(study),
        change={"old": {"days": old}, "new": {"days": days}},
        event_id=event_id,
    )


def open_copy(unit: UnitOfWork[Actor], *, study: str, code: str = "") -> str:
    """Make a study of its own to rehearse `study` in, and return its code (`study` with `-uat` unless given).

    It has the study's title, time zone and kind of consent, no connection, nobody in it, and no design yet (`adopt_design`).

    Raises
    ------
    RefusedError
        In production, without development mode, when the actor is no administrator, or `study` is a copy itself.
    NotFoundError
        When the study is unknown.
    BadInputError
        When the code is taken or malformed.
    """
    require(opened(settings()))
    require(may(unit.actor, "system:rehearsal:manage"))
    found = study_reads.study(unit.session, study)
    if store.copy(unit.session, found.id) is not None:
        raise RefusedError(_COPY)
    made = code or f"{study[: 40 - len(ENDING)]}{ENDING}"
    study_id = studies.create_study(
        unit,
        code=made,
        protocol_id=f"{found.protocol_id}{ENDING.upper()}",
        title=f"Rehearsal of {found.title}",
        time_zone=found.time_zone,
        integration_mode="metricis",
        consent_mode=found.consent_mode,  # type: ignore[arg-type] # as it was accepted for the study itself
        planned_enrolment=found.planned_enrolment,
    )
    event_id = new_id()
    row = CopyRow(study_id=study_id, source_id=found.id, is_consent_bypassed=False, event_id=event_id)
    store.add(unit.session, row)
    ledger.record(
        unit,
        "rehearsal.open_copy",
        study_id=study_id,
        subject=f"study:{made}",
        change={"new": {"of": study}},
        event_id=event_id,
    )
    return made


def adopt_design(unit: UnitOfWork[Actor], *, study: str) -> int:
    """Give a rehearsal copy the sites, design and pinned standards that its study has now; return the design's version.

    Raises
    ------
    RefusedError
        In production, without development mode, without the right to write the design, or when it is no copy.
    NotFoundError
        When the study is unknown or has no published design yet.
    """
    require(opened(settings()))
    require(may(unit.actor, "study:design:manage", study=study))
    found = study_reads.study(unit.session, study)
    source = _copied(unit, found).source_id
    design = study_reads.design(unit.session, source)
    known = {site.code for site in study_reads.sites(unit.session, found.id)}
    for site in study_reads.sites(unit.session, source):
        if site.code not in known:
            studies.add_site(unit, study=study, code=site.code, name=site.name, time_zone=site.time_zone)
    version = studies.publish_design(unit, study=study, protocol=design.protocol)
    if pinned := study_reads.standards(unit.session, source):
        studies.pin_standards(
            unit,
            study=study,
            terminology=(pinned.terminology, pinned.terminology_sha256),
            rules=(pinned.rules, pinned.rules_sha256),
        )
    ledger.record(
        unit,
        "rehearsal.adopt_design",
        study_id=found.id,
        subject=f"design:{version}",
        role=unit.actor.role(study),
        change={"new": {"version": version, "of_version": design.version, "fingerprint": design.fingerprint}},
    )
    return version


def bypass_consent(unit: UnitOfWork[Actor], *, study: str, is_bypassed: bool) -> None:
    """Let the tasks of a rehearsal copy open without a signed consent, or ask for it again.

    Raises
    ------
    RefusedError
        In production, without development mode, when the actor is no administrator, or the study is no copy.
    NotFoundError
        When the study is unknown.
    """
    require(opened(settings()))
    require(may(unit.actor, "system:rehearsal:manage"))
    found = study_reads.study(unit.session, study)
    row, event_id = _copied(unit, found, is_locked=True), new_id()
    old = row.is_consent_bypassed
    row.is_consent_bypassed, row.event_id = is_bypassed, event_id
    ledger.record(
        unit,
        "rehearsal.bypass_consent",
        study_id=found.id,
        subject=f"study:{study}",
        role=unit.actor.role(study),
        change={"old": {"is_bypassed": old}, "new": {"is_bypassed": is_bypassed}},
        event_id=event_id,
    )


def order(unit: UnitOfWork[Actor], *, study: str, act: str, **details: Any) -> UUID:
    """Order invented data for a rehearsal copy, and return the order's ledger event: whoever carries it out names it.

    People decide and the flows' account writes (`datamodel.testdata`), as with a sync.

    Raises
    ------
    RefusedError
        In production, without development mode, when the actor is no administrator, or the study is no copy.
    NotFoundError
        When the study is unknown.
    BadInputError
        When the order cannot be carried out; the sentence says what is allowed.
    """
    require(opened(settings()))
    require(may(unit.actor, "system:rehearsal:manage"))
    found = study_reads.study(unit.session, study)
    _copied(unit, found)
    asked = orders.checked(act, details)
    return ledger.record(
        unit,
        "rehearsal.order",
        study_id=found.id,
        subject=f"study:{study}",
        role=unit.actor.role(study),
        change={"new": {"act": act, **asked}},
    )


def _copied(unit: UnitOfWork[Actor], study: Study, *, is_locked: bool = False) -> CopyRow:
    found = store.copy(unit.session, study.id, is_locked=is_locked)
    if found is None:
        raise RefusedError(NOT_A_COPY)
    return found
