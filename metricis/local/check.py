"""Checks that an operator runs."""

from datamodel.access.actor import KNOCKING
from datamodel.audit import ledger
from datamodel.audit.verify import Verdict, verify
from datamodel.kernel.unit import unit_of_work
from datamodel.records.digest import DIGESTS
from metricis.local.installation import database_url


def verify_ledger() -> Verdict:
    """Seal what is final, then verify the whole ledger and the rows whose digests it carries."""
    url = database_url()
    with unit_of_work(url, KNOCKING) as unit:
        ledger.seal(unit.session)
    with unit_of_work(url, KNOCKING) as unit:
        return verify(unit.session, digests=DIGESTS)
