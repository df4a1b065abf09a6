"""Signed scopes: what one transaction may see, told to PostgreSQL so that nobody can alter it on the way.

PostgreSQL holds the same key in a table that only its owner reads, checks the signature, and its row-level security asks
what the scope allows. A statement smuggled in by an injection can drop the scope, but cannot make another one.
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
import time
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from datamodel.kernel.errors import FaultError
from datamodel.kernel.settings import Settings, settings

#: The transaction-local setting that holds the scope.
SETTING: Final = "metricis.scope"
#: For how long a scope is good, in seconds; transactions of the application end before.
SECONDS: Final = 120
KEY_BYTES: Final = 32
_BLOCK: Final = 64
#: Roles that see blinded data of their study; a test holds them against the table of rights.
UNBLINDED_ROLES: Final = frozenset({"pharmacist", "service"})
#: Roles that act for a participant only: what they see follows from the person, not from the membership.
PERSONAL_ROLES: Final = frozenset({"participant", "caregiver"})
#: Roles that may give roles in their own study.
MANAGING_ROLES: Final = frozenset({"owner", "data_manager"})


def load_scope_key(given: Settings) -> bytes:
    """Return the key of scopes: `METRICIS_SCOPE_KEY`, or that of the file `scope.key` in the home folder, made once.

    Raises
    ------
    FaultError
        When the key is malformed.
    """
    text = given.scope_key.get_secret_value()
    try:
        key = base64.b64decode(text or _key_file(given.home / "scope.key"), validate=True)
    except ValueError as error:
        raise FaultError("The scope key is not base64; it must be 32 bytes written in base64.") from error
    if len(key) != KEY_BYTES:
        raise FaultError(f"The scope key has {len(key)} bytes; it must have {KEY_BYTES}, written in base64.")
    return key


def key_id(key: bytes) -> str:
    """Return the name under which PostgreSQL keeps the key."""
    return hashlib.sha256(b"metricis scope key" + key).hexdigest()[:8]


def pads(key: bytes) -> tuple[bytes, bytes]:
    """Return the inner and the outer block of HMAC-SHA-256 (RFC 2104) with this key."""
    block = key.ljust(_BLOCK, b"\0")
    return bytes(one ^ 0x36 for one in block), bytes(one ^ 0x5C for one in block)


def scope_for(url: str, actor: Any, *, seconds: float = SECONDS) -> str:  # noqa: ARG001 - one key for all databases yet
    """Return the signed scope of `actor` for a transaction on the database at `url`, good for `seconds` from now."""
    return signed(claim(actor, ends=time.time() + seconds), key=_key())


def signed(content: dict[str, Any], *, key: bytes) -> str:
    """Return key id, content and signature as one text."""
    payload = json.dumps(content, separators=(",", ":"), sort_keys=True)
    return f"{key_id(key)}{payload}{hmac.new(key, payload.encode(), hashlib.sha256).hexdigest()}"


def claim(actor: Any, *, ends: float) -> dict[str, Any]:
    """Return what a scope says of `actor`; whoever has no memberships is in no study.

    a: account; x: end in seconds since 1970; f: flags; s: studies with all their sites; t: (study, site) pairs;
    b: studies with blinded data; m: studies whose members it manages; p: own participants.
    """
    memberships = [one for one in getattr(actor, "memberships", ()) if one.role not in PERSONAL_ROLES]
    person, reach = getattr(actor, "participant_id", None), getattr(actor, "scopes", None)
    people = {*getattr(actor, "acts_for", ()), *([person] if person else [])}
    return {
        "a": str(actor.id),
        "x": round(ends, 3),
        "f": sorted(_flags(actor, {one.role for one in memberships})),
        "s": sorted(one.study for one in memberships if one.site is None),
        "t": sorted([one.study, one.site] for one in memberships if one.site is not None),
        "b": sorted(one.study for one in memberships if one.is_unblinded or one.role in UNBLINDED_ROLES)
        if reach is None or "study:blinded:read" in reach
        else [],
        "m": sorted(one.study for one in memberships if one.role in MANAGING_ROLES),
        "p": sorted(str(one) for one in people),
    }


def _flags(actor: Any, roles: Iterable[str]) -> set[str]:
    found = set()
    if actor.id.int == 0:
        found.add("door")
    if getattr(actor, "is_administrator", False):
        found.add("administrator")
    if "service" in roles:
        found.add("service")
    return found


def _key() -> bytes:
    given = settings()
    return _loaded(given.scope_key.get_secret_value(), str(given.home))


@lru_cache(maxsize=8)
def _loaded(_text: str, _home: str) -> bytes:
    return load_scope_key(settings())


def _key_file(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    if not path.exists():
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(base64.b64encode(os.urandom(KEY_BYTES)))
        try:
            os.link(fresh, path)  # whole or not at all, and never over another process's key
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_bytes()
