"""Are accounts and roles what the ledger tells of them? Every change of one is told there, so that all of them can be replayed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from datamodel.access.reads import INSTALLER_NAME, SERVICE_NAME

#: (role, site, whether blinded data are seen)
Held = tuple[str, str | None, bool]


@dataclass(slots=True)
class _Span:
    """The time during which an account had a role in a study, from the event that gave it to the one that ended it."""

    account: UUID
    study: UUID
    role: str
    begins: int
    begins_at: datetime
    ends: int | None = None
    ends_at: datetime | None = None


class _Told:
    """What the ledger tells of accounts and roles, event by event."""

    def __init__(self) -> None:
        #: account -> what is told of it
        self.accounts: dict[str, dict[str, Any]] = {}
        #: (account, study) -> its role now; None: ended
        self.roles: dict[tuple[str, str], Held | None] = {}
        #: account, or account and study -> position of what was told last
        self.places: dict[object, int] = {}
        self.spans: list[_Span] = []
        self._now: dict[tuple[str, str], _Span] = {}

    def take(self, row: Row[Any]) -> None:
        account, new = row.subject.partition(":")[2], row.change.get("new") or {}
        if row.study_id is not None and row.action in _ROLES:
            key = (account, str(row.study_id))
            is_over = row.action == "access.end_role"
            self.roles[key] = None if is_over else (new["role"], new["site"], new["is_unblinded"])
            self.places[key] = row.position
            if before := self._now.pop(key, None):
                before.ends, before.ends_at = row.position, row.at
            if not is_over:
                self._now[key] = _Span(UUID(account), row.study_id, new["role"], row.position, row.at)
                self.spans.append(self._now[key])
        elif row.action == "access.create_account":
            self.accounts[account] = {"is_active": True} | new
            self.places[account] = row.position
        elif account in self.accounts:
            self.accounts[account] |= new
            self.places[account] = row.position


def rights_as_told(session: Session) -> Iterator[tuple[str, int, str]]:
    """Yield study id, position and detail of each account or role that is not, or when it was used was not, what the ledger tells.

    What happened after the newest position is not looked at: accounts and roles with such an event are left out.
    """
    told = _Told()
    for row in session.execute(text(_EVENTS), {"actions": [*_ACCOUNTS, *_ROLES]}):
        told.take(row)
    fresh = set(session.execute(text(_FRESH), {"actions": [*_ACCOUNTS, *_ROLES, "study.create"]}).scalars())
    yield from _accounts(session, told, fresh)
    yield from _roles(session, told, fresh)
    yield from _used(session, told.spans)


def _used(session: Session, spans: list[_Span]) -> Iterator[tuple[str, int, str]]:
    """Yield study id, position and detail of what somebody did in a role that the ledger does not tell they had then.

    That is how a role shows that was written into the database and taken out again. An act that began before its role ended may
    be told after it, so a role counts for an hour longer than it was held.
    """
    given = {
        "accounts": [one.account for one in spans],
        "studies": [one.study for one in spans],
        "roles": [one.role for one in spans],
        "begins": [one.begins for one in spans],
        "ends": [one.ends for one in spans],
        "begins_at": [one.begins_at for one in spans],
        "ends_at": [one.ends_at for one in spans],
    }
    for row in session.execute(text(_USED), given):
        said = (
            f"The account {row.actor_id} acted as {row.role}, a role that the ledger does not tell it had then; "
            f"{row.number} such acts in this study, of which this is the first."
        )
        yield str(row.study_id), row.position, said


def _accounts(session: Session, told: _Told, fresh: set[str]) -> Iterator[tuple[str, int, str]]:
    lost, services = set(told.accounts), 0
    for row in session.execute(text("select id, kind, name, is_administrator, is_active from app.account order by id")):
        account, present = str(row.id), dict(row._mapping)  # noqa: SLF001 - the row as a mapping
        lost.discard(account)
        expected = told.accounts.get(account)
        is_service = row.kind == "machine" and row.name == SERVICE_NAME and not row.is_administrator
        services += is_service and expected is None
        if f"account:{account}" in fresh or (expected is None and is_service and services == 1):
            continue
        if expected is None:
            yield "", 0, f"No event of the ledger made the account {account}."
            continue
        differing = [
            name for name in ("kind", "name", "is_administrator", "is_active") if _differs(expected, present, name)
        ]
        if differing:
            said = f"The account {account} has another {', '.join(differing)} than the ledger tells."
            yield "", told.places[account], said
    for account in sorted(lost):
        yield "", told.places[account], f"The account {account}, which this event made, is gone."


def _differs(expected: dict[str, Any], present: dict[str, Any], name: str) -> bool:
    if name == "is_administrator" and name not in expected:
        # Events of earlier releases do not tell it of a new account; the installer was made one.
        return bool(present[name]) and expected["kind"] != "staff" and expected["name"] != INSTALLER_NAME
    return bool(expected[name] != present[name])


def _roles(session: Session, told: _Told, fresh: set[str]) -> Iterator[tuple[str, int, str]]:
    lost = {key for key, held in told.roles.items() if held is not None}
    rows = session.execute(
        text(
            "select m.account_id, m.study_id, m.role, m.site_code, m.is_unblinded, m.ended_at is not null as is_over, "
            "a.kind = 'machine' and a.name = :service as is_service from app.membership m "
            "left join app.account a on a.id = m.account_id order by m.id"
        ),
        {"service": SERVICE_NAME},
    )
    for row in rows:
        key = (str(row.account_id), str(row.study_id))
        lost.discard(key)
        present: Held | None = None if row.is_over else (row.role, row.site_code, row.is_unblinded)
        is_service = row.is_service and key not in told.roles and present == ("service", None, False)
        if is_service or f"account:{row.account_id}" in fresh or told.roles.get(key) == present:
            continue
        study = key[1] if _is_study(session, row.study_id) else ""
        yield (
            study,
            told.places.get(key, 0),
            f"The role of account {row.account_id} in this study is not the one that the ledger tells.",
        )
    for account, study in sorted(lost):
        if f"account:{account}" not in fresh:
            yield study, told.places[account, study], f"The role of account {account}, which this event tells, is gone."


def _is_study(session: Session, study: UUID) -> bool:
    found: bool = session.execute(
        text("select exists (select from app.study where id = :id)"), {"id": study}
    ).scalar_one()
    return found


_ROLES: Final = ("access.grant", "access.change_role", "access.unblind", "access.end_role")
_ACCOUNTS: Final = (
    "access.create_account",
    "access.set_administrator",
    "access.close_account",
    "access.open_account",
)
_EVENTS: Final = """
    select s.position, e.at, e.action, e.subject, e.study_id, e.change from app.audit_entry s
    join app.audit_event e on e.id = s.event_id where e.action = any(:actions) order by s.position
"""
_USED: Final = """
    with held as (
        select * from unnest(
            cast(:accounts as uuid[]), cast(:studies as uuid[]), cast(:roles as text[]), cast(:begins as bigint[]),
            cast(:ends as bigint[]), cast(:begins_at as timestamptz[]), cast(:ends_at as timestamptz[])
        ) as t(account, study, role, begins, ends, begins_at, ends_at)
    )
    select e.study_id, e.actor_id, e.role, min(s.position) as position, count(*) as number
    from app.audit_entry s join app.audit_event e on e.id = s.event_id
    where e.study_id is not null and e.role <> '' and e.actor_kind = 'staff' and not exists (
        select from held h where h.account = e.actor_id and h.study = e.study_id and h.role = e.role and (
            (s.position >= h.begins and (h.ends is null or s.position <= h.ends))
            or (e.at >= h.begins_at - interval '1 hour' and (h.ends_at is null or e.at <= h.ends_at + interval '1 hour'))
        )
    )
    group by 1, 2, 3 order by position
"""
_FRESH: Final = """
    select e.subject from app.audit_event e where e.action = any(:actions)
    and not exists (select from app.audit_entry s where s.event_id = e.id)
"""
