"""Checks that an operator runs, and what an operator hands out."""

from pathlib import Path

from datamodel.access import reads as access
from datamodel.access.actor import KNOCKING
from datamodel.audit import ledger
from datamodel.audit.verify import Verdict
from datamodel.checkpoints import bundle
from datamodel.checkpoints.heads import Record
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import sealing, unit_of_work
from metricis.local.installation import enter
from pipelines.custody.steps import seal, verify_all


def verify_ledger() -> Verdict:
    """Verify this installation's ledger as the nightly check does: seal what is final, then check everything."""
    return verify_all(enter())


def bundle_ledger(folder: Path, *, study: str = "") -> bundle.Bundle:
    """Seal what is final, write the ledger into `folder`, and tell the ledger that it was handed out."""
    url = enter()
    seal(url)
    with sealing(url) as session:
        made = bundle.write(session, Record(settings().home), folder=folder, study=study)
    with unit_of_work(url, KNOCKING) as unit:
        actor = access.installer_actor(unit.session)
    with unit_of_work(url, actor, reason="handed out by an operator") as unit:
        ledger.record(
            unit,
            "ledger.bundle",
            subject=f"bundle:{study or 'installation'}",
            change={"new": {"entries": made.entries, "checkpoints": made.checkpoints, "sha256": made.sha256}},
        )
    return made
