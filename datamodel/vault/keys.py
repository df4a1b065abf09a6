"""Where the root key comes from."""

import base64
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from datamodel.kernel.errors import FaultError
from datamodel.kernel.settings import Settings

KEY_BYTES = 32


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """A root key; its repr shows the id only."""

    material: bytes
    id: str

    def __repr__(self) -> str:
        """Show the id only."""
        return f"Key({self.id})"


def _key(material: bytes) -> Key:
    if len(material) != KEY_BYTES:
        raise FaultError(
            f"The root key has {len(material)} bytes; it must have {KEY_BYTES}, written in base64. "
            'Make one with: python -c "import os,base64;print(base64.b64encode(os.urandom(32)).decode())"'
        )
    return Key(material=material, id=hashlib.sha256(b"metricis key id" + material).hexdigest()[:8])


def load_key(settings: Settings) -> Key:
    """Return the root key from `METRICIS_ROOT_KEY`, or outside production from a 0600 file in the home folder.

    Raises
    ------
    FaultError
        In production without a key, or when the key is malformed.
    """
    given = settings.root_key.get_secret_value()
    if given:
        try:
            return _key(base64.b64decode(given, validate=True))
        except ValueError as error:
            raise FaultError("METRICIS_ROOT_KEY is not base64; it must be 32 bytes written in base64.") from error
    if settings.is_production:
        raise FaultError(
            "Production needs METRICIS_ROOT_KEY (32 bytes in base64); none is set, so nothing was started."
        )
    return _key(_key_file(settings.home / "root.key"))


def _key_file(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return base64.b64decode(path.read_bytes())
    material = os.urandom(KEY_BYTES)
    with os.fdopen(handle, "wb") as file:
        file.write(base64.b64encode(material))
    return material
