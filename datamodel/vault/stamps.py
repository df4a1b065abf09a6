"""Stamps of rows that let somebody in or say where a secret goes, and of events: what the database's owner wrote counts for nothing.

A password, a session, a token, a passkey or a link is a row that says whom it lets in; a connection says to which address
REDCap's token is sent. The stamp beside it is HMAC-SHA-256 (RFC 2104) over the row's table and the columns that decide this.
Its key is derived from the one of look-up hashes: it is in the database only as wrapped by the root key, and stays through
rotations. Whoever looks such a row up takes it only with its stamp, so that a row made, altered or given to another account
past the program is a row that is not there. An event's stamp is over its bytes, and is looked at by verification.
"""

import hashlib
import hmac
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Final
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, LargeBinary, MetaData, event, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from datamodel.kernel.database import Base
from datamodel.kernel.settings import Settings, settings
from datamodel.vault.keyring import keyring
from datamodel.vault.keys import has_key

log = logging.getLogger("metricis.vault")
#: The key by database, once a transaction that saw it was kept, and the settings it was opened with.
_KEYS: Final[WeakKeyDictionary[Engine, tuple[Settings, bytes]]] = WeakKeyDictionary()


class Stamped:
    """A table whose rows are stamped; `__stamped__` names the columns that decide who comes in, with what and until when."""

    __tablename__: Any
    metadata: Any
    id: Any
    __stamped__: ClassVar[tuple[str, ...]]

    stamp: Mapped[bytes | None] = mapped_column(LargeBinary)

    def lets_in(self) -> bool:
        """Return whether there is anything in this row that needs a stamp."""
        return True


def stamp(session: Session, row: Stamped, **changes: Any) -> bytes:
    """Return the stamp of a row, as it is or with `changes`; whoever writes the row keeps it there."""
    return stamped(session, row.__tablename__, _values(row) | changes)


def stamped(session: Session, table: str, values: Mapping[str, Any]) -> bytes:
    """Return the stamp of a row of `table` whose deciding columns are `values`; makes the key when there is none yet."""
    key = _key(session, is_made=True)
    if key is None:  # pragma: no cover - it was just made
        raise AssertionError("a key that was made is there")
    return _stamp(key, table, values)


def event_stamp(session: Session, body: bytes) -> bytes | None:
    """Return the stamp of an event of the ledger, whose bytes are `body`; None in a process that was given no root key."""
    key = _key(session, is_made=True) if can_stamp(settings()) else None
    return _event_stamp(key, body) if key is not None else None


def event_check(session: Session) -> Callable[[bytes, bytes | None], bool] | None:
    """Return what tells whether an event's bytes carry their stamp; None when nothing was ever stamped here."""
    key = _key(session, is_made=False)
    if key is None:
        return None
    return lambda body, found: found is not None and hmac.compare_digest(found, _event_stamp(key, body))


def can_stamp(given: Settings) -> bool:
    """Whether this process has the root key. In production a process that seals nothing (a notebook) may be without it."""
    return not given.is_production or has_key(given)


def genuine[Row: Stamped](session: Session, row: Row | None) -> Row | None:
    """Return the row when this installation wrote it as it stands, else None, which the log tells without naming anybody."""
    if row is None or is_genuine(session, row.__tablename__, _values(row), row.stamp):
        return row
    return None


def is_genuine(session: Session, table: str, values: Mapping[str, Any], found: bytes | None) -> bool:
    """Return whether a row with these deciding columns carries its stamp."""
    key = _key(session, is_made=False)
    if key is not None and found is not None and hmac.compare_digest(found, _stamp(key, table, values)):
        return True
    log.critical(
        "A row of the table “%s” was not written by this program as it stands, so it counts for nothing. "
        "Run “metricis ledger verify”, which says which one, and find out who can write to the database.",
        table,
    )
    return False


def stamped_tables(metadata: MetaData) -> list[type[Stamped]]:
    """Return the stamped tables of the whole database, whose `metadata` whoever asks has loaded (`migrations.schema`)."""
    kinds = [one.class_ for one in Base.registry.mappers if issubclass(one.class_, Stamped)]
    return sorted((one for one in kinds if one.metadata is metadata), key=lambda one: str(one.__tablename__))


def strangers(session: Session, metadata: MetaData) -> Iterator[tuple[str, UUID]]:
    """Yield table and id of every row that the session sees and that does not carry its stamp."""
    key = _key(session, is_made=False)
    for kind in stamped_tables(metadata):
        for row in session.scalars(select(kind).execution_options(yield_per=2_000)):
            if not row.lets_in():
                continue
            if (
                key is None
                or row.stamp is None
                or not hmac.compare_digest(row.stamp, _stamp(key, kind.__tablename__, _values(row)))
            ):
                yield kind.__tablename__, row.id


def _values(row: Stamped) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__stamped__}


def _stamp(key: bytes, table: str, values: Mapping[str, Any]) -> bytes:
    content = json.dumps([table, {name: _plain(value) for name, value in values.items()}], sort_keys=True)
    return hmac.new(key, content.encode(), hashlib.sha256).digest()


def _event_stamp(key: bytes, body: bytes) -> bytes:
    return hmac.digest(key, b"audit_event\n" + body, "sha256")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, bytes):
        return value.hex()
    return str(value) if isinstance(value, UUID) else value


def _key(session: Session, *, is_made: bool) -> bytes | None:
    engine, present = session.get_bind().engine, settings()
    known = _KEYS.get(engine)
    if known is not None and known[0] is present:
        return known[1]
    ring = keyring(session)
    found = ring.lookup_key_made() if is_made else ring.lookup_key()
    if found is None:
        return None
    key = found.derive("stamps")

    # A key that this transaction made is not there when the transaction fails, so it is remembered once it is kept.
    @event.listens_for(session, "after_commit", once=True)
    def _remember(_session: Session) -> None:
        _KEYS[engine] = (present, key)

    return key
