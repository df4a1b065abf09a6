"""REDCap's Data Entry Trigger: a hint that something was saved. Pure but for the key of the installation.

REDCap signs nothing and sends once; so the address that it calls carries a secret of our own, and what it says is never
taken as data: the truth is read through the API. Saves of one place within some seconds are one hint.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import orjson

from datamodel.kernel.errors import BadInputError
from datamodel.kernel.settings import Settings
from datamodel.vault.keys import Key, load_key, load_roots
from datamodel.vault.seal import lookup_hash

#: What every trigger carries (REDCap sends more; nothing else is kept).
NEEDED: Final = ("project_id", "record", "instrument")
_PLACE: Final = (*NEEDED, "redcap_event_name", "redcap_repeat_instance", "redcap_repeat_instrument")
_LONGEST: Final = 200
#: Seconds within which saves of one place are one hint.
_TOGETHER: Final = 10


def secret(settings: Settings, study: str) -> str:
    """Return the secret that the study's trigger address carries; it changes with the root key."""
    return _secret(load_key(settings), study)


def is_secret(settings: Settings, study: str, given: str) -> bool:
    """Return whether `given` is the study's secret, in a time that tells nothing.

    That of an earlier root key works as long as that key is given, so that REDCap's address is changed at leisure.
    """
    roots = load_roots(settings)
    found = [
        hmac.compare_digest(_secret(one, study).encode(), given.encode()) for one in (roots.present, *roots.earlier)
    ]
    return any(found)


def _secret(key: Key, study: str) -> str:
    return lookup_hash(key, "redcap trigger", study).hex()


def hint(form: Mapping[str, str], *, at: datetime) -> tuple[str, bytes]:
    """Return (idempotency key, body) of a trigger: the place that was saved, nothing of what was saved.

    Raises
    ------
    BadInputError
        When a part that REDCap always sends is missing or too long.
    """
    missing = [name for name in NEEDED if not form.get(name)]
    if missing:
        raise BadInputError(
            f"Received a trigger without {', '.join(missing)}; REDCap always sends {', '.join(NEEDED)}. "
            "Nothing was stored. Check that this address is set as the project's Data Entry Trigger."
        )
    if any(len(form.get(name, "")) > _LONGEST for name in _PLACE):
        raise BadInputError(f"Received a trigger with a part longer than {_LONGEST} characters. Nothing was stored.")
    place = {name: form[name] for name in _PLACE if form.get(name)}
    body = orjson.dumps(place, option=orjson.OPT_SORT_KEYS)
    window = int(at.timestamp()) // _TOGETHER
    return f"det:{hashlib.sha256(body).hexdigest()[:32]}:{window}", body
