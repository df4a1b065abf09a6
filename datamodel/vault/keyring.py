"""The key ring of a database: root key, data keys of studies, keys of participants.

A sealing transaction holds its study's shared lock from the moment it learns which key is present until it ends, and whoever
changes that key holds the lock alone: once a change is committed, nothing more can be sealed with the key before.
"""

import os
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from datamodel.kernel.errors import TransientFault
from datamodel.kernel.ids import new_id
from datamodel.kernel.settings import Settings, settings
from datamodel.vault.keys import KEY_BYTES, Key, Roots, SecretError, load_roots
from datamodel.vault.legacy import read_older
from datamodel.vault.seal import Foreign, Place, Sealed, SingleKey, disclose, enclose, sealed_columns

#: First key of the advisory locks of studies' data keys ("keys" in ASCII).
LOCK_SPACE: Final = 0x6B657973
#: Opened data keys of this process by (installation, key id, root that opened them). Keys of participants are never kept: once
#: destroyed, no process may know them.
_OPENED: Final[dict[tuple[str, str, str], Key]] = {}
_GONE: Final = (
    "This installation has no identity of its own: its database was not migrated. Run `metricis migrate` first."
)


class KeyDestroyedError(TransientFault, SecretError):
    """A key went at the end of a rotation while its value was being read; reading again finds the value under the new key."""

    def __init__(self, place: Place) -> None:
        SecretError.__init__(
            self, "destroyed", f"The key of a value in {place} was destroyed. If keys were just rotated, do it again."
        )


@dataclass(slots=True)
class Keyring:
    """The keys of one database, for one session; see `keyring`."""

    session: Session
    settings: Settings
    roots: Roots
    installation: str
    _present: dict[UUID | None, Key] = field(default_factory=dict)

    def seal(self, place: Place, plain: bytes) -> Sealed:
        """Encrypt `plain` for `place`; raises as `enclose` does."""
        return enclose(self, place, plain)

    def unseal(self, place: Place, sealed: Sealed | Foreign) -> bytes:
        """Decrypt what was sealed for `place`; raises as `disclose` does."""
        return disclose(self, place, sealed)

    def sealing(self, place: Place) -> Key:
        """Return the key that seals here now, made when there is none yet."""
        if place.person is not None:
            return self._person_key(place.study, place.person)
        return self.present(place.study)

    def opening(self, key_id: str, place: Place) -> Key:
        """Return the key with that id.

        Raises
        ------
        SecretError
            `wrong` when it is not here or no root key opens it; `destroyed` when it was destroyed.
        """
        known = _OPENED.get((self.installation, key_id, self.roots.present.id))
        if known is not None:
            return known
        row = self.session.execute(text(_BY_ID), {"key_id": key_id}).one_or_none()
        if row is None:
            raise SecretError(
                "wrong",
                f"A value in {place} was sealed with a key {key_id} that is not in this database; it was not read.",
            )
        if row.wrapped is None:
            raise KeyDestroyedError(place)
        return self.opened(row)

    def older(self, place: Place, found: Foreign) -> bytes:
        """Open what is not `enc:v3`, where the column allows it."""
        takes = any(one.takes_old for one in sealed_columns() if (one.table, one.column) == (place.table, place.column))
        return read_older(self.settings, place, found, takes_old=takes)

    def lookup_key(self) -> Key | None:
        """Return the key of look-up hashes, or None when nothing was ever hashed with it; it stays through rotations."""
        row = self.session.execute(text(_PRESENT), {"study": None, "purpose": "lookup"}).one_or_none()
        return self.opened(row) if row else None

    def lookup_key_made(self) -> Key:
        """Return the key of look-up hashes, made when there is none."""
        return self.lookup_key() or self.opened(self.add(study=None, purpose="lookup"))

    def present(self, study: UUID | None) -> Key:
        """Return the data key that seals values of a study now; until the transaction ends nobody changes it."""
        if study not in self._present:
            lock(self.session, study, is_shared=True)
            row = self.session.execute(text(_PRESENT), {"study": study, "purpose": "seal"}).one_or_none()
            self._present[study] = self.opened(row or self.add(study=study, purpose="seal"))
        return self._present[study]

    def add(self, *, study: UUID | None, purpose: str, person: UUID | None = None) -> Row[Any]:
        """Make a key, wrapped, unless another transaction just made it; return its row."""
        row_id = new_id()
        key = Key(os.urandom(KEY_BYTES), row_id.hex[-16:])
        place = key_place(row_id, study)
        wrapped = enclose(self if person else self.root(self.roots.present), place, key.material)
        self.session.execute(
            text(_ADD),
            {
                "id": row_id,
                "key_id": key.id,
                "study": study,
                "person": person,
                "purpose": purpose,
                "wrapped": wrapped.text,
            },
        )
        found = {"study": study, "purpose": purpose, "person": person}
        return self.session.execute(text(_PRESENT if person is None else _PERSON), found).one()

    def opened(self, row: Row[Any]) -> Key:
        """Unwrap a key."""
        place, sealed = key_place(row.id, row.study_id), Sealed(row.wrapped)
        if row.person_id is not None:
            return Key(disclose(self, place, sealed), row.key_id)
        root = self.roots.by_id(sealed.key_id)
        if root is None:
            raise SecretError(
                "wrong",
                f"This database was sealed under the root key {sealed.key_id}; the one given is {self.roots.present.id}. Nothing "
                "was read or written. Start with the right key, or give the earlier one in METRICIS_ROOT_KEY_PREVIOUS.",
            )
        key = Key(disclose(self.root(root), place, sealed), row.key_id)
        _OPENED[(self.installation, key.id, self.roots.present.id)] = key
        return key

    def root(self, key: Key) -> SingleKey:
        """Return a root key as what seals data keys."""
        return SingleKey(key, self.installation)

    def _person_key(self, study: UUID | None, person: UUID) -> Key:
        row = self.session.execute(text(_PERSON), {"person": person}).one_or_none()
        if row is not None and row.destroyed_at is not None:
            raise SecretError(
                "destroyed",
                "This participant's identity was destroyed for good; nothing that identifies them is kept any more.",
            )
        return self.opened(row or self.add(study=study, purpose="person", person=person))


def keyring(session: Session, *, given: Settings | None = None) -> Keyring:
    """Return the key ring of the database that `session` is on.

    Raises
    ------
    SecretError
        When the root key is missing, malformed or reused.
    """
    found = given or settings()
    row = session.execute(text("select id from app.installation")).one_or_none()
    if row is None:
        raise SecretError("missing", _GONE)
    return Keyring(session=session, settings=found, roots=load_roots(found), installation=str(row.id))


def lock(session: Session, study: UUID | None, *, is_shared: bool) -> None:
    """Hold a study's present data key as it is (`is_shared`), or alone to change it, until the transaction ends."""
    function = "pg_advisory_xact_lock_shared" if is_shared else "pg_advisory_xact_lock"
    session.execute(text(f"select {function}(:space, hashtext(:study))"), {"space": LOCK_SPACE, "study": str(study)})


def destroy_person_key(session: Session, *, study: UUID, person: UUID, at: datetime) -> bool:
    """Destroy a participant's key: what was sealed with it is unreadable from now on. False when that had been done."""
    if session.execute(text(_PERSON), {"person": person}).one_or_none() is None:
        keyring(session).add(study=study, purpose="person", person=person)
    done = session.execute(text(_DESTROY), {"person": person, "at": at})
    return bool(done.rowcount)  # type: ignore[attr-defined]


def key_place(row: UUID, study: UUID | None) -> Place:
    """Return where a wrapped key belongs."""
    return Place("data_key", "wrapped", row, study)


_COLUMNS: Final = "select id, key_id, study_id, person_id, purpose, wrapped, destroyed_at from app.data_key"
_BY_ID: Final = f"{_COLUMNS} where key_id = :key_id"
_PRESENT: Final = (
    f"{_COLUMNS} where study_id is not distinct from cast(:study as uuid) and purpose = :purpose and retired_at is null"
)
_PERSON: Final = f"{_COLUMNS} where person_id = :person"
_ADD: Final = """
    insert into app.data_key (id, key_id, study_id, person_id, purpose, wrapped)
    values (:id, :key_id, :study, :person, :purpose, :wrapped)
    on conflict do nothing
"""
_DESTROY: Final = """
    update app.data_key set wrapped = null, retired_at = null, destroyed_at = :at
    where person_id = :person and destroyed_at is null
"""
