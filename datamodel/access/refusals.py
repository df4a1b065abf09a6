"""Refusals for want of a right leave a trace: an entry `access.refused` in the ledger with the sentence that the person read.

The refused act rolls back, so the entry is a transaction of its own, made where the transaction of the act ended. A loop cannot
flood the ledger: each process tells the same refusal of the same account once a minute and at most `MOST` an hour of one
account, and the next entry says how many were left out.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from datamodel.access import store
from datamodel.access.actor import Actor
from datamodel.access.rights import Denied
from datamodel.audit import ledger
from datamodel.kernel.errors import FaultError
from datamodel.kernel.unit import unit_of_work

log = logging.getLogger("metricis.access")

#: Seconds within which the same refusal of the same account is told once.
AGAIN: Final = 60.0
#: Most entries of one account in an hour.
MOST: Final = 60
_HOUR: Final = 3600.0
#: More accounts than this are not remembered at once.
_ACCOUNTS: Final = 10_000


class Told:
    """What was told lately, of this process."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._last: dict[tuple[object, ...], float] = {}
        self._hours: dict[object, tuple[float, int, int]] = {}

    def is_due(self, account: object, *what: object) -> int | None:
        """Return how many refusals of this account were left out before this one, or None when it is left out too."""
        with self._lock:
            now = self._now()
            if len(self._last) > _ACCOUNTS:
                self._last = {key: at for key, at in self._last.items() if now - at < AGAIN}
            if len(self._hours) > _ACCOUNTS:
                self._hours = {key: one for key, one in self._hours.items() if now - one[0] < _HOUR}
            began, told, left_out = self._hours.get(account, (now, 0, 0))
            if now - began >= _HOUR:
                began, told = now, 0
            is_new = now - self._last.get((account, *what), -AGAIN) >= AGAIN and told < MOST
            self._hours[account] = (began, told + 1, 0) if is_new else (began, told, left_out + 1)
            if not is_new:
                return None
            self._last[account, *what] = now
            return left_out


_TOLD: Final = Told()


def note(url: str, actor: Actor, refusal: Denied, *, told: Told = _TOLD) -> None:
    """Put a refusal into log and ledger, unless the same was told a moment ago.

    A fault here is logged and not raised: the person must read why the act was refused, not why that could not be written.
    """
    left_out = told.is_due(actor.id, refusal.permission, refusal.study, refusal.code)
    if left_out is None:
        return
    log.warning("Refused: %s (%s of account %s)", refusal.sentence, refusal.permission, actor.id)
    try:
        with unit_of_work(url, actor) as unit:
            ledger.record(
                unit,
                "access.refused",
                study_id=store.study_id(unit.session, refusal.study) if actor.membership(refusal.study) else None,
                subject=f"study:{refusal.study}" if refusal.study else "",
                role=actor.role(refusal.study),
                change={
                    "new": {
                        "permission": refusal.permission,
                        "code": refusal.code,
                        "sentence": refusal.sentence,
                        "left_out": left_out,
                    }
                },
            )
    except (FaultError, SQLAlchemyError):
        log.exception("A refusal could not be put into the ledger.")
