"""Where root keys come from, and what a key must be."""

import base64
import binascii
import hashlib
import os
import shlex
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy.engine import make_url

from datamodel.kernel.errors import FaultError
from datamodel.kernel.settings import Settings

KEY_BYTES: Final = 32
_COMMAND_SECONDS: Final = 20
_HOW: Final = 'Make one with: python -c "import os,base64;print(base64.b64encode(os.urandom(32)).decode())"'
#: The root key's own variables: the only places where its text may stand.
_OWN: Final = frozenset({"METRICIS_ROOT_KEY", "METRICIS_ROOT_KEY_PREVIOUS"})

Kind = Literal["missing", "short", "reused", "wrong", "plaintext", "downgraded", "tampered", "destroyed", "empty"]


class SecretError(FaultError):
    """A key or a sealed value is not what it must be; `kind` says in which way. Nothing was read or written."""

    def __init__(self, kind: Kind, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """A key; its repr shows the id only."""

    material: bytes
    id: str

    def __repr__(self) -> str:
        """Show the id only."""
        return f"Key({self.id})"

    def derive(self, purpose: str) -> bytes:
        """Return 32 bytes for one purpose (HKDF-SHA-256)."""
        return _derive(self.material, purpose)


@lru_cache(maxsize=4096)
def _derive(material: bytes, purpose: str) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=None, info=f"metricis {purpose}".encode()).derive(
        material
    )


@dataclass(frozen=True, slots=True)
class Roots:
    """The present root key, and earlier ones that only open."""

    present: Key
    earlier: tuple[Key, ...] = ()

    def by_id(self, key_id: str) -> Key | None:
        """Return the root key with that id, or None."""
        return next((one for one in (self.present, *self.earlier) if one.id == key_id), None)


def root_key(material: bytes, *, name: str = "The root key") -> Key:
    """Return `material` as a root key.

    Raises
    ------
    SecretError
        `short` when it has not 32 bytes, or is one byte again and again.
    """
    if len(material) != KEY_BYTES or len(set(material)) < KEY_BYTES // 4:
        found = f"{len(material)} bytes" if len(material) != KEY_BYTES else "the same few bytes again and again"
        raise SecretError(
            "short", f"{name} has {found}; it must be {KEY_BYTES} random bytes, written in base64. {_HOW}"
        )
    return Key(material=material, id=hashlib.sha256(b"metricis key id" + material).hexdigest()[:8])


def load_key(settings: Settings) -> Key:
    """Return the present root key: from `METRICIS_ROOT_KEY`, `…_FILE`, `…_COMMAND`, or outside production from the home.

    Raises
    ------
    SecretError
        In production without a key, or when the key is malformed or another secret too.
    """
    text = _given(settings)
    if text:
        key = root_key(_decoded(text, "METRICIS_ROOT_KEY"))
        _refuse_reuse(settings, text, key)
        return key
    if settings.is_production:
        raise SecretError(
            "missing",
            "Production needs METRICIS_ROOT_KEY (32 bytes in base64), METRICIS_ROOT_KEY_FILE or METRICIS_ROOT_KEY_COMMAND; "
            "none is set, so nothing was started.",
        )
    return root_key(_key_file(settings.home / "root.key"), name=f"The key in {settings.home / 'root.key'}")


def load_roots(settings: Settings) -> Roots:
    """Return the present root key and the earlier ones of `METRICIS_ROOT_KEY_PREVIOUS`."""
    given = settings.root_key_previous.get_secret_value()
    name = "METRICIS_ROOT_KEY_PREVIOUS"
    return Roots(
        load_key(settings),
        tuple(root_key(_decoded(one, name), name=name) for one in given.split(",") if one.strip()),
    )


def has_key(settings: Settings) -> bool:
    """Whether a root key is given or was made before; asking makes none."""
    return bool(_given(settings)) or (not settings.is_production and (settings.home / "root.key").exists())


def _given(settings: Settings) -> str:
    if text := settings.root_key.get_secret_value():
        return text
    if settings.root_key_file is not None:
        try:
            return settings.root_key_file.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SecretError(
                "missing", f"The root key's file {settings.root_key_file} cannot be read; nothing was started."
            ) from error
    return _told(settings.root_key_command) if settings.root_key_command else ""


@lru_cache(maxsize=2)
def _told(command: str) -> str:
    """Return what the key's command prints; asked once a process."""
    try:
        done = subprocess.run(shlex.split(command), capture_output=True, check=True, timeout=_COMMAND_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        raise SecretError(
            "missing",
            f"METRICIS_ROOT_KEY_COMMAND failed ({type(error).__name__}), so there is no key; nothing was started.",
        ) from None
    return done.stdout.decode("ascii", "replace").strip()


def _decoded(text: str, name: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise SecretError(
            "short", f"{name} is not base64; it must be {KEY_BYTES} bytes written in base64. {_HOW}"
        ) from None


def _refuse_reuse(settings: Settings, text: str, key: Key) -> None:
    """Refuse a root key that is another secret as well: whoever learns that one would hold everything."""
    where = [name for name, value in os.environ.items() if name not in _OWN and _is_same(value, text, key)]
    others = {
        "REDCAP_ENCRYPTION_KEY": settings.redcap_encryption_key.get_secret_value(),
        "REDCAP_ENCRYPTION_KEY_PREVIOUS": settings.redcap_encryption_key_previous.get_secret_value(),
        "METRICIS_ROOT_KEY_PREVIOUS": settings.root_key_previous.get_secret_value(),
        "the database's password": _password(settings.database_url.get_secret_value()),
    }
    where += [name for name, value in others.items() if any(_is_same(one, text, key) for one in value.split(","))]
    if where:
        raise SecretError(
            "reused",
            f"The root key is also {', '.join(sorted(set(where)))}; a root key protects nothing else and comes from no other "
            f"secret. Nothing was started. {_HOW}",
        )


def _is_same(value: str, text: str, key: Key) -> bool:
    if len(value) > 2 * KEY_BYTES or not value:
        return False
    if value.strip() == text.strip():
        return True
    try:
        return base64.b64decode(value.strip().replace("-", "+").replace("_", "/"), validate=True) == key.material
    except (binascii.Error, ValueError):
        return False


def _password(url: str) -> str:
    return (make_url(url).password or "") if url else ""


def _key_file(path: Path) -> bytes:
    """Return the key in a file, made when there is none; of many that make it at once, all get the one that was first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        # Whole and on the disk before it has its name: nobody reads half a key, and a key that sealed something is not lost.
        fresh = path.with_name(f"{path.name}.{os.urandom(4).hex()}")
        try:
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(base64.b64encode(os.urandom(KEY_BYTES)))
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(fresh, path)
        finally:
            fresh.unlink(missing_ok=True)
    return _decoded(path.read_text("ascii", "replace"), f"The key in {path}")
