"""Authenticated encryption of one value in one place, the column type of sealed values, tokens, keyed look-up hashes."""

import base64
import binascii
import hashlib
import hmac
import os
import re
import secrets
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import CheckConstraint, Dialect, Text, TypeDecorator

from datamodel.kernel.database import Base
from datamodel.vault.keys import Key, SecretError

_VERSION: Final = "enc:v3"
_NONCE: Final = 12
_SEALED: Final = re.compile(r"enc:v3:([0-9a-z]{2,32}):([A-Za-z0-9+/]+={0,2})")
#: What a CHECK of the database says of a sealed column.
SEALED_PATTERN: Final = "^enc:v3:[0-9a-z]{2,32}:[A-Za-z0-9+/]+={0,2}$"
#: The same for a column that may still hold what an earlier build sealed.
OLD_PATTERN: Final = "^enc:v[123]:"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sealed value belongs; a value moved elsewhere does not open.

    `study` is None for what belongs to no study. With `person`, the value is sealed with that participant's own key, and goes
    with it when it is destroyed.
    """

    table: str
    column: str
    row: UUID
    study: UUID | None = None
    person: UUID | None = None

    def __str__(self) -> str:
        """Name table and column."""
        return f"{self.table}.{self.column}"


@dataclass(frozen=True, slots=True, repr=False)
class Sealed:
    """A sealed value. There is no way to put plain text into one."""

    text: str

    def __post_init__(self) -> None:
        """Refuse anything that is not `enc:v3` text."""
        if not isinstance(self.text, str) or not _SEALED.fullmatch(self.text):
            raise SecretError("plaintext", "A sealed value begins with enc:v3; something else was given, and not kept.")

    @property
    def key_id(self) -> str:
        """Id of the key that opens it."""
        return self.text.split(":", 3)[2]

    def __repr__(self) -> str:
        """Name the key."""
        return f"Sealed(key {self.key_id})"


@dataclass(frozen=True, slots=True, repr=False)
class Foreign:
    """What was found in a sealed column and is not `enc:v3`: an older version, or plain text. Its repr shows neither."""

    text: str

    @property
    def version(self) -> str:
        """`v1`, `v2`, or an empty text for plain text and versions nobody knows."""
        found = re.match(r"enc:(v[12]):", self.text)
        return found.group(1) if found else ""

    def __repr__(self) -> str:
        """Name the version only."""
        return f"Foreign({self.version or 'not sealed'})"


class Keys(Protocol):
    """What finds the key for a place: a key ring, or one `SingleKey` for what lies outside the database."""

    @property
    def installation(self) -> str:
        """The installation that sealed values are bound to."""

    def sealing(self, place: Place) -> Key:
        """Return the key that seals here now."""

    def opening(self, key_id: str, place: Place) -> Key:
        """Return the key with that id."""

    def older(self, place: Place, found: Foreign) -> bytes:
        """Open what is not `enc:v3`, or refuse."""


@dataclass(frozen=True, slots=True)
class SingleKey:
    """One key for everything; nothing older is read."""

    key: Key
    installation: str = ""

    def sealing(self, place: Place) -> Key:
        """Return the one key."""
        del place
        return self.key

    def opening(self, key_id: str, place: Place) -> Key:
        """Return the one key, when it is meant."""
        if key_id != self.key.id:
            raise SecretError(
                "wrong",
                f"A value in {place} was not sealed with the present key {self.key.id}; nothing was read. "
                "Start with the key it was sealed with.",
            )
        return self.key

    def older(self, place: Place, found: Foreign) -> bytes:
        """Refuse."""
        raise refused_older(place, found)


def refused_older(place: Place, found: Foreign) -> SecretError:
    """Return the refusal of what is not `enc:v3`."""
    if found.version:
        return SecretError(
            "downgraded",
            f"A value in {place} is not sealed as enc:v3 but as enc:{found.version}, which is not read here; it was not used. "
            "If it comes from an earlier build, give that build's key as REDCAP_ENCRYPTION_KEY.",
        )
    return SecretError(
        "plaintext",
        f"A value in {place} is not sealed; it was not used. Somebody wrote it around the program: find out who, then enter the "
        "secret again.",
    )


def enclose(keys: Keys, place: Place, plain: bytes | Sealed) -> Sealed:
    """Encrypt `plain` for `place`. What is sealed for this place already comes back as it is.

    Raises
    ------
    SecretError
        `empty` for an empty value, which is cleared and never sealed; or when sealed text is given that does not open here.
    """
    if isinstance(plain, bytes) and not plain:
        raise SecretError("empty", f"An empty value for {place} is cleared, not sealed; nothing was written.")
    text = plain.text if isinstance(plain, Sealed) else plain.decode("latin-1")
    if _SEALED.fullmatch(text):
        already = Sealed(text)
        disclose(keys, place, already)
        return already
    key, nonce = keys.sealing(place), os.urandom(_NONCE)
    assert isinstance(plain, bytes)  # noqa: S101 - a Sealed was returned above
    body = AESGCM(_key_for(key, place)).encrypt(nonce, plain, _bound(key, keys.installation, place))
    return Sealed(f"{_VERSION}:{key.id}:{base64.b64encode(nonce + body).decode()}")


def disclose(keys: Keys, place: Place, sealed: Sealed | Foreign) -> bytes:
    """Decrypt what `enclose` made for the same place.

    Raises
    ------
    SecretError
        When it is not sealed, was sealed with a key that is not here or was destroyed, or was altered or moved.
    """
    if isinstance(sealed, Foreign):
        return keys.older(place, sealed)
    key = keys.opening(sealed.key_id, place)
    try:
        raw = base64.b64decode(sealed.text.rpartition(":")[2], validate=True)
        return AESGCM(_key_for(key, place)).decrypt(raw[:_NONCE], raw[_NONCE:], _bound(key, keys.installation, place))
    except (InvalidTag, binascii.Error, ValueError):
        raise SecretError(
            "tampered", f"A value in {place} does not open: it was altered or moved from another row. It was not used."
        ) from None


def parse(text: str) -> Sealed | Foreign:
    """Return what a sealed column holds as what it is."""
    return Sealed(text) if _SEALED.fullmatch(text) else Foreign(text)


def seal(key: Key, place: Place, plain: bytes) -> str:
    """Encrypt with one key what lies outside the database (in a file, a cookie); the result is text."""
    return enclose(SingleKey(key), place, plain).text


def unseal(key: Key, place: Place, sealed: str) -> bytes:
    """Decrypt what `seal` made for the same place; raises as `disclose` does."""
    return disclose(SingleKey(key), place, parse(sealed))


def _key_for(key: Key, place: Place) -> bytes:
    return key.derive(f"seal {place.table}.{place.column}")


def _bound(key: Key, installation: str, place: Place) -> bytes:
    """Return the additional data: each part with its length in front, so that no two places read the same."""
    parts = (_VERSION, key.id, installation, str(place.study or ""), place.table, place.column, str(place.row))
    return b"".join(len(part.encode()).to_bytes(2, "big") + part.encode() for part in parts)


class SealedText(TypeDecorator[Sealed | Foreign]):
    """A column that takes sealed values and nothing else.

    `study` and `person` are SQL for the study and (where the person's own key seals) the participant of a row `t`;
    `takes_old` where values of an earlier build may stand.
    """

    impl = Text
    cache_ok = True

    def __init__(self, *, study: str = "t.study_id", person: str = "null", takes_old: bool = False) -> None:
        super().__init__()
        self.study, self.person, self.takes_old = study, person, takes_old

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Refuse anything but a sealed value."""
        del dialect
        if value is None or isinstance(value, Sealed):
            return value.text if value is not None else None
        raise SecretError(
            "plaintext",
            f"A sealed column takes sealed values only; received {type(value).__name__}. Nothing was written.",
        )

    def process_result_value(self, value: str | None, dialect: Dialect) -> Sealed | Foreign | None:
        """Return what is there as what it is."""
        del dialect
        return None if value is None else parse(value)


class SealedColumn(NamedTuple):
    """A sealed column of the database, as rotation sees it."""

    table: str
    column: str
    study: str
    person: str
    takes_old: bool


def sealed_columns() -> tuple[SealedColumn, ...]:
    """Return every sealed column of the tables that are imported, in the order of their names."""
    return tuple(
        SealedColumn(table.name, column.name, column.type.study, column.type.person, column.type.takes_old)
        for table in sorted(Base.metadata.tables.values(), key=lambda one: one.name)
        for column in table.columns
        if isinstance(column.type, SealedText)
    )


def sealed_check(column: str, *, takes_old: bool = False) -> CheckConstraint:
    """Return the CHECK that the database holds of a sealed column."""
    pattern = OLD_PATTERN if takes_old else SEALED_PATTERN
    return CheckConstraint(f"{column} ~ '{pattern}'", name=f"{column}_is_sealed")


def lookup_hash(key: Key, purpose: str, value: str) -> bytes:
    """Return the keyed hash by which an identifying value is found again (case and outer blanks do not count)."""
    return hmac.new(key.derive(f"lookup {purpose}"), value.strip().casefold().encode(), hashlib.sha256).digest()


def new_token() -> str:
    """Return 256 random bits as text that is safe in an address."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    """Return what is stored of a token."""
    return hashlib.sha256(token.encode()).digest()
