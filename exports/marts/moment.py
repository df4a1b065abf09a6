"""A study as it was at any instant: what a snapshot of that moment would have held, kept beside the snapshots."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import text

from datamodel.access import reads as access
from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.audit import ledger
from datamodel.kernel.errors import BadInputError, NotFoundError, require
from datamodel.kernel.unit import unit_of_work
from datamodel.study import reads as studies
from exports.marts import source
from exports.marts.build import build
from exports.marts.names import FORMAT
from exports.marts.reader import DESCRIPTION, Snapshot, open_folder
from exports.marts.snapshot import SnapshotRefusedError, aside, describe, only_one, settle, software

#: folder beside the numbered snapshots: one folder a position, made once
MOMENTS = "moments"


def as_of(
    url: str, *, study: str, folder: Path, actor: Actor, at: datetime, unblinded: bool = False, site: str | None = None
) -> Snapshot:
    """Return `study` as it was at the instant `at`, rebuilt from the ledger's positions; `number` is 0.

    Equal, table by table, to a snapshot taken at that instant. It is kept for the next who asks, and goes with the
    software that made it.

    Raises
    ------
    BadInputError
        When `at` has no zone or lies ahead.
    NotFoundError
        When the study did not exist yet.
    RefusedError
        When `actor` may not read data, or when the tables of then break their contracts.
    """
    require(may(actor, "study:data:read", study=study))
    if at.tzinfo is None:
        raise BadInputError(
            f"Received {at.isoformat()}, which has no time zone. Give one, as in datetime(2026, 3, 5, 12, tzinfo=UTC)."
        )
    with unit_of_work(url, actor) as unit:
        about, service = studies.study(unit.session, study), access.service_actor(unit.session)
        now = unit.session.execute(text("select clock_timestamp()")).scalar_one()
    if at > now:
        raise BadInputError(
            f"Received {at.astimezone(UTC):%d-%b-%Y %H:%M} UTC, which lies ahead; it is {now.astimezone(UTC):%d-%b-%Y %H:%M} UTC."
        )
    settle(url, service, about.id)
    with unit_of_work(url, service) as unit:
        position = ledger.position_at(unit.session, at)
        known = unit.session.execute(
            text(
                "select count(*) from app.audit_entry e join app.audit_event v on v.id = e.event_id "
                "where v.study_id = :study and e.position <= :position"
            ),
            {"study": about.id, "position": position},
        ).scalar_one()
    if not known:
        raise NotFoundError(
            f"The study {study} did not exist yet on {at.astimezone(UTC):%d-%b-%Y %H:%M} UTC. Ask for a later instant."
        )
    today = at.astimezone(ZoneInfo(about.time_zone)).date()
    place = folder / study / MOMENTS / f"{position}-{today:%Y%m%d}-{FORMAT}-{software()}"
    if not (place / DESCRIPTION).exists():
        _make(url, place, service=service, about=about, position=position, at=at)
    return replace(open_folder(place, study=study, unblinded=unblinded, site=site), taken_at=at)


def _make(url: str, place: Path, *, service: Actor, about: studies.Study, position: int, at: datetime) -> None:
    """Build both files aside and rename the folder; whoever comes second finds it there."""
    place.parent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with only_one(place.parent), source.as_of(url, actor=service, study_id=about.id, position=position) as of:
        if (place / DESCRIPTION).exists():
            return
        with aside(place.parent, position) as building:
            today = at.astimezone(ZoneInfo(about.time_zone)).date()
            design, work = build(of, building, mode=about.integration_mode, today=today)
            if work.found:
                raise SnapshotRefusedError(about.code, work.found)
            data = source.data_position(of)
            describe(building, work, number=0, of=of, data=data, design=design, at=at, event=UUID(int=0))
            building.rename(place)
