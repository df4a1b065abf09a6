"""The verbs: connect a study to REDCap, ask for a sync."""

import re
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.approvals import actions as approvals
from datamodel.audit import ledger
from datamodel.connections import reads, store
from datamodel.connections.address import target
from datamodel.connections.mapping import Mapping
from datamodel.connections.tables import ConnectionRow, SyncRequestRow
from datamodel.kernel.errors import Allowed, Answer, BadInputError, NotFoundError, Refused, RefusedError, require
from datamodel.kernel.ids import new_id
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import UnitOfWork
from datamodel.vault.keyring import keyring
from datamodel.vault.seal import Place
from datamodel.vault.stamps import genuine

_TOKEN: Final = re.compile(r"[0-9A-Fa-f]{32}")
#: A run that is "running" longer than this does not hold back a new request (its process is long gone).
_LONGEST_RUN: Final = timedelta(hours=6)
_NEEDS_TWO: Final = Refused(
    "needs-second-person",
    "In production another address for a connected study is decided by two people; nothing was connected.",
    "Propose it under People and rights, let somebody else approve it, and do it from there.",
)


def connect(
    unit: UnitOfWork[Actor],
    *,
    study: str,
    api_url: str,
    token: str,
    mapping: Mapping,
    server_time_zone: str = "UTC",
    approval: UUID | None = None,
) -> UUID:
    """Connect a study to its REDCap project, or replace address, token and mapping; return the connection's id.

    In production another address for a study that is connected is a change of two people: `approval` is the proposal of the
    kind `outbound_rule` that names it (`{"api_url": …}`).

    Raises
    ------
    RefusedError
        When the actor may not set up the connection, or in production changes the address without a second person.
    BadInputError
        When address, token or time zone cannot be right; nothing was written.
    NotFoundError
        When the study is unknown.
    """
    require(may(unit.actor, "study:connections:manage", study=study))
    _check(api_url=api_url, token=token, server_time_zone=server_time_zone)
    target(api_url, settings())
    study_id = store.study_id(unit.session, study)
    if study_id is None:
        raise NotFoundError(f"There is no study with the code “{study}”; nothing was connected.")
    present, event_id = store.connection(unit.session, study_id), new_id()
    if present is not None and present.api_url != api_url:
        _approved(unit, approval, study=study, api_url=api_url)
    row_id = present.id if present else new_id()
    new = {
        "api_url": api_url,
        "token": keyring(unit.session).seal(Place("redcap_connection", "token", row_id, study_id), token.encode()),
        "mapping": mapping.as_document(),
        "server_time_zone": server_time_zone,
        "event_id": event_id,
    }
    old = _shown(present.api_url, present.mapping, present.server_time_zone) if present else None
    if present is None:
        store.add(unit.session, ConnectionRow(id=row_id, study_id=study_id, **new))
    else:
        for name, value in new.items():
            setattr(present, name, value)
        store.add(unit.session, present)
    ledger.record(
        unit,
        "connections.connect",
        study_id=study_id,
        subject=f"study:{study}",
        role=unit.actor.role(study),
        change={"old": old, "new": _shown(api_url, mapping.as_document(), server_time_zone)},
        event_id=event_id,
    )
    return row_id


def check_address(api_url: str) -> None:
    """Raise BadInputError when this cannot be the address of a REDCap that may be asked."""
    _check_address(api_url)
    target(api_url, settings())


def move(unit: UnitOfWork[Actor], *, study: str, api_url: str, token: str, approval: UUID) -> None:
    """Ask REDCap at another address that two people approved; everything else of the connection stays. Errors as `connect`."""
    require(may(unit.actor, "study:connections:manage", study=study))
    row = store.connection_of(unit.session, study)
    if row is None:
        raise NotFoundError(f"The study {study} is not connected to REDCap, so there is no address to change.")
    connect(
        unit,
        study=study,
        api_url=api_url,
        token=token,
        mapping=Mapping.from_document(row.mapping),
        server_time_zone=row.server_time_zone,
        approval=approval,
    )


def _approved(unit: UnitOfWork[Actor], approval: UUID | None, *, study: str, api_url: str) -> None:
    """Take the approval of another address; outside production one may do without."""
    if approval is None:
        require(_NEEDS_TWO if settings().is_production else Allowed())
        return
    what = approvals.take(unit, approval, kind="outbound_rule", study=study)
    if what.get("api_url") != api_url:
        raise BadInputError(
            "The address received is not the one that two people approved, so nothing was connected. Propose it again with the "
            "address that is meant."
        )


def request_sync(unit: UnitOfWork[Actor], *, study: str) -> UUID:
    """Ask for a sync now; the dispatcher starts it. Return the request's id.

    Raises
    ------
    RefusedError
        When the actor may not, a run is going on or asked for already, or somebody altered the connection in the database.
    NotFoundError
        When the study is not connected.
    """
    require(may(unit.actor, "study:connections:sync", study=study))
    row = store.connection_of(unit.session, study)
    if row is None:
        raise NotFoundError(f"The study {study} is not connected to REDCap, so there is nothing to sync.")
    newest = store.newest_runs(unit.session, row.id, limit=1)
    is_running = bool(newest) and newest[0].state == "running" and unit.instant - newest[0].started_at < _LONGEST_RUN
    if genuine(unit.session, row) is None:
        raise RefusedError(reads.IS_ALTERED)
    require(may_request(is_running=is_running, is_requested=store.has_request(unit.session, row.id)))
    request_id, event_id = new_id(), new_id()
    store.add(
        unit.session,
        SyncRequestRow(
            id=request_id, connection_id=row.id, asked_by=unit.actor.name, asked_at=unit.instant, event_id=event_id
        ),
    )
    ledger.record(
        unit,
        "connections.request_sync",
        study_id=row.study_id,
        subject=f"study:{study}",
        role=unit.actor.role(study),
        event_id=event_id,
    )
    return request_id


def may_request(*, is_running: bool, is_requested: bool) -> Answer:
    """Answer whether one more run may be asked for."""
    if is_running:
        return Refused("sync-running", "A sync is running already.", "Wait until it has ended, then look at the data.")
    if is_requested:
        return Refused("sync-requested", "A sync was asked for already and begins shortly.", "Wait for it.")
    return Allowed()


def _check_address(api_url: str) -> None:
    parts = urlsplit(api_url)
    if parts.scheme not in {"http", "https"} or not parts.netloc or not parts.path.endswith("/api/"):
        raise BadInputError(
            "A REDCap API address begins with http:// or https:// and ends in /api/ "
            "(for example https://redcap.example.org/api/); the address received does not. Nothing was connected."
        )
    if parts.username or parts.password or parts.query:
        raise BadInputError(
            "A REDCap API address holds no user, password or parameters. Nothing was connected; leave them out."
        )


def _check(*, api_url: str, token: str, server_time_zone: str) -> None:
    _check_address(api_url)
    if not _TOKEN.fullmatch(token):
        raise BadInputError(
            f"A REDCap API token has 32 hexadecimal digits; received {len(token)} characters that are not that. "
            "Nothing was connected; copy the token from the project's API page."
        )
    try:
        ZoneInfo(server_time_zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise BadInputError(
            f"“{server_time_zone}” is not a time zone; use a name such as Europe/Vienna. Nothing was connected."
        ) from error


def _shown(api_url: str, mapping: object, zone: str) -> dict[str, object]:
    """Return what the ledger may hold of a connection: everything but the token."""
    return {"api_url": api_url, "mapping": mapping, "server_time_zone": zone}
