"""Seal and verify."""

from datamodel.access.actor import KNOCKING
from datamodel.audit import ledger
from datamodel.audit.verify import Verdict, verify
from datamodel.kernel.unit import unit_of_work
from datamodel.records.digest import DIGESTS


def seal(url: str) -> int:
    """Give all final events their positions; return the newest position."""
    with unit_of_work(url, KNOCKING) as unit:
        return ledger.seal(unit.session)


def verify_all(url: str) -> Verdict:
    """Seal, then verify the ledger and the rows whose digests it carries."""
    seal(url)
    with unit_of_work(url, KNOCKING) as unit:
        return verify(unit.session, digests=DIGESTS)
