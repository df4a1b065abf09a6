"""What an earlier build sealed (`enc:v1:`, `enc:v2:`: Fernet), and the one-time bridge for plain text. Reading only."""

import logging
from functools import lru_cache
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from datamodel.kernel.settings import Settings
from datamodel.vault.keys import SecretError
from datamodel.vault.seal import Foreign, Place, refused_older

_LOG: Final = logging.getLogger("metricis.vault")


def read_older(settings: Settings, place: Place, found: Foreign, *, takes_old: bool) -> bytes:
    """Open a value that is not `enc:v3`, where that is allowed.

    Raises
    ------
    SecretError
        `downgraded` where no older version may stand or no key for it is given; `wrong` when that key does not open it;
        `plaintext` without the bridge `REDCAP_ENCRYPTION_ALLOW_PLAINTEXT_READS`.
    """
    if found.version and takes_old and settings.redcap_encryption_key.get_secret_value():
        return _fernet_opened(settings, place, found)
    if not found.version and takes_old and settings.allow_plaintext_reads and not found.text.startswith("enc:"):
        _LOG.critical(
            "A secret in plain text was read from %s, row %s, over the one-time bridge.",
            place,
            place.row,
            extra={"requires_investigation": True, "place": str(place), "row": str(place.row)},
        )
        return found.text.encode()
    raise refused_older(place, found)


def _fernet_opened(settings: Settings, place: Place, found: Foreign) -> bytes:
    keys = _fernets(
        settings.redcap_encryption_key.get_secret_value(), settings.redcap_encryption_key_previous.get_secret_value()
    )
    try:
        return keys.decrypt(found.text.split(":", 2)[2].encode())
    except InvalidToken:
        raise SecretError(
            "wrong",
            f"A value in {place} (enc:{found.version}) does not open with REDCAP_ENCRYPTION_KEY or its previous keys: the key is "
            "another one, or the value was altered. It was not used; give the key it was sealed with.",
        ) from None


@lru_cache(maxsize=4)
def _fernets(present: str, previous: str) -> MultiFernet:
    try:
        return MultiFernet([Fernet(one.strip()) for one in (present, *previous.split(",")) if one.strip()])
    except ValueError:
        raise SecretError(
            "short",
            "REDCAP_ENCRYPTION_KEY (or one of REDCAP_ENCRYPTION_KEY_PREVIOUS) is not a Fernet key: 32 bytes in URL-safe base64. "
            "Nothing was read.",
        ) from None
