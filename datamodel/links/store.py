"""Load and save links, requests and devices."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import Session

from datamodel.links.tables import DeviceRow, LinkRow, RequestRow
from datamodel.vault.stamps import Stamped, genuine, stamp

_LOCK_SPACE = 0x6C696E6B  # "link" in ASCII


def add(session: Session, row: LinkRow | RequestRow | DeviceRow) -> None:
    """Insert one row, with its stamp where it lets somebody in."""
    if isinstance(row, Stamped):
        row.stamp = stamp(session, row)
    session.add(row)
    session.flush()


def held_link(session: Session, token_hash: bytes, *, now: datetime, most: int) -> LinkRow | None:
    """Return the live link with that token and hold it until the transaction ends: of many at once, one goes first."""
    found = session.scalars(
        select(LinkRow)
        .where(
            LinkRow.token_hash == token_hash,
            LinkRow.used_at.is_(None),
            LinkRow.closed_at.is_(None),
            LinkRow.ends_at > now,
            LinkRow.tries < most,
        )
        .with_for_update()
    ).one_or_none()
    return genuine(session, found)


def is_live(session: Session, token_hash: bytes, *, now: datetime) -> bool:
    """Return whether a link could still be used."""
    found = select(LinkRow.id).where(
        LinkRow.token_hash == token_hash, LinkRow.used_at.is_(None), LinkRow.closed_at.is_(None), LinkRow.ends_at > now
    )
    return session.execute(found).scalar_one_or_none() is not None


def spend(session: Session, link_id: UUID, *, now: datetime) -> bool:
    """Mark a link used; return whether it was not before."""
    found = session.execute(
        update(LinkRow)
        .where(LinkRow.id == link_id, LinkRow.used_at.is_(None))
        .values(used_at=now)
        .returning(LinkRow.id)
    )
    return found.scalar_one_or_none() is not None


def count_try(session: Session, link_id: UUID) -> int:
    """Count a wrong try and return how many there were."""
    found: int = session.execute(
        update(LinkRow).where(LinkRow.id == link_id).values(tries=LinkRow.tries + 1).returning(LinkRow.tries)
    ).scalar_one()
    return found


def close(session: Session, account_id: UUID, *, now: datetime, kinds: tuple[str, ...]) -> int:
    """End the unused links of an account of these kinds and return how many there were."""
    ended = session.scalars(
        update(LinkRow)
        .where(
            LinkRow.account_id == account_id,
            LinkRow.kind.in_(kinds),
            LinkRow.used_at.is_(None),
            LinkRow.closed_at.is_(None),
        )
        .values(closed_at=now)
        .returning(LinkRow.id)
    )
    return len(ended.all())


def hold_address(session: Session, address_hash: bytes) -> None:
    """Let one transaction at a time answer for an address."""
    key = int.from_bytes(address_hash[:4], "big", signed=True)
    session.execute(text("select pg_advisory_xact_lock(:space, :key)"), {"space": _LOCK_SPACE, "key": key})


def requests(session: Session, address_hash: bytes, *, since: datetime) -> int:
    """Return how often a link to that address was asked for."""
    asked = select(func.count()).where(RequestRow.address_hash == address_hash, RequestRow.at > since)
    return session.execute(asked).scalar_one()


def forget_requests(session: Session, *, before: datetime) -> None:
    """Remove requests that count no more."""
    session.execute(delete(RequestRow).where(RequestRow.at < before))


def held_device(session: Session, secret_hash: bytes, *, now: datetime) -> DeviceRow | None:
    """Return the device with that secret, unless it was forgotten or its time is over, and hold it."""
    found = session.scalars(
        select(DeviceRow)
        .where(DeviceRow.secret_hash == secret_hash, DeviceRow.forgotten_at.is_(None), DeviceRow.ends_at > now)
        .with_for_update()
    ).one_or_none()
    return genuine(session, found)


def device(session: Session, secret_hash: bytes, *, now: datetime) -> DeviceRow | None:
    """Return the device with that secret, unless it was forgotten or its time is over."""
    found = session.scalars(
        select(DeviceRow).where(
            DeviceRow.secret_hash == secret_hash, DeviceRow.forgotten_at.is_(None), DeviceRow.ends_at > now
        )
    ).one_or_none()
    return genuine(session, found)


def devices(session: Session, account_id: UUID, *, now: datetime) -> list[DeviceRow]:
    """Return an account's devices, the one used last first."""
    return list(
        session.scalars(
            select(DeviceRow)
            .where(DeviceRow.account_id == account_id, DeviceRow.forgotten_at.is_(None), DeviceRow.ends_at > now)
            .order_by(DeviceRow.used_at.desc())
        )
    )


def forget_devices(session: Session, account_id: UUID, *, now: datetime) -> int:
    """Forget every device of an account and return how many there were."""
    gone = session.scalars(
        update(DeviceRow)
        .where(DeviceRow.account_id == account_id, DeviceRow.forgotten_at.is_(None))
        .values(forgotten_at=now)
        .returning(DeviceRow.id)
    )
    return len(gone.all())
