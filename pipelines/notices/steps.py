"""The steps: what is due, one mail at a time."""

import logging
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from datamodel.access import reads as access
from datamodel.access.actor import KNOCKING, Actor
from datamodel.kernel.errors import FaultError, NotFoundError, TransientFault
from datamodel.kernel.settings import Settings, settings
from datamodel.kernel.unit import reading, unit_of_work
from datamodel.notices import actions as notices
from datamodel.notices import reads
from datamodel.vault.keys import SecretError
from pipelines.clients.mail import Mailer, UndeliverableError, mailer

logger = logging.getLogger("metricis.notices")
_WHY: Final = "delivered from the outbox"
_SEALED: Final = "Its address or text cannot be opened any more."


@dataclass(slots=True)
class Delivered:
    """What came of a round, in mails."""

    sent: int = 0
    failed: int = 0
    put_off: int = 0


def deliver(url: str, *, given: Settings | None = None) -> Delivered:
    """Send every mail that is due; what cannot be sent now waits for its next try. Without a mail server all of it waits."""
    summary, given = Delivered(), given or settings()
    if not given.smtp_host:
        return summary
    with reading(url, KNOCKING) as door:
        try:
            actor = access.service_actor(door)
        except NotFoundError:
            return summary
    with unit_of_work(url, actor) as unit:
        due = reads.due(unit.session, now=unit.instant)
    if not due:
        return summary
    try:
        with mailer(given) as server:
            for one in due:
                _one(url, actor, one, server, summary)
    except FaultError as error:
        logger.warning("%s Mails that wait: %s.", error, len(due))
        for one in due:
            _put_off(url, actor, one, str(error), summary)
    return summary


def _one(url: str, actor: Actor, notice_id: UUID, server: Mailer, summary: Delivered) -> None:
    with unit_of_work(url, actor, reason=_WHY) as unit:
        try:
            mail = notices.take(unit, notice_id)
        except SecretError:
            notices.settle(unit, notice_id, state="failed", outcome=_SEALED)
            summary.failed += 1
            return
        if mail is None:
            return
        try:
            server.send(mail.id, to=mail.address, subject=mail.subject, text=mail.text)
        except UndeliverableError as error:
            notices.settle(unit, notice_id, state="failed", outcome=str(error))
            summary.failed += 1
            logger.warning("Notice %s failed: %s", notice_id, error)
        except TransientFault as error:
            notices.put_off(unit, notice_id, outcome=str(error))
            summary.put_off += 1
        else:
            notices.settle(unit, notice_id, state="sent")
            summary.sent += 1


def _put_off(url: str, actor: Actor, notice_id: UUID, why: str, summary: Delivered) -> None:
    with unit_of_work(url, actor, reason=_WHY) as unit:
        if notices.take(unit, notice_id) is not None:
            notices.put_off(unit, notice_id, outcome=why)
            summary.put_off += 1
