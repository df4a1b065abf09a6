"""What may be ordered for a rehearsal copy, and with which details. Pure."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from datamodel.kernel.errors import BadInputError

#: act -> the details it takes
ACTS: Final[Mapping[str, frozenset[str]]] = {
    "generate": frozenset({"participants", "seed", "until"}),
    "set_anchors": frozenset({"on"}),
    "clear": frozenset(),
}
MOST: Final = 2_000
_SEEDS: Final = 2**53


def checked(act: str, details: Mapping[str, Any]) -> dict[str, Any]:
    """Return the details as plain data.

    Raises
    ------
    BadInputError
        When the act or a detail is unknown, missing or out of range.
    """
    if act not in ACTS or set(details) != ACTS[act]:
        raise BadInputError(f"Received the order “{act}” with {sorted(details) or 'nothing'}. Nothing was ordered.")
    participants, seed = details.get("participants", 1), details.get("seed", 0)
    if not 1 <= participants <= MOST:
        raise BadInputError(
            f"Received {participants} participants; 1 to {MOST:,} may be invented at once. Nothing was ordered."
        )
    if not 0 <= seed < _SEEDS:
        raise BadInputError(f"Received the seed {seed}; it is 0 or more, below 2^53. Nothing was ordered.")
    return {name: one.isoformat() if isinstance(one, date) else one for name, one in details.items()}
