"""What the demo's participants are asked for: the consent text in two languages and one battery."""

from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import yaml

from datamodel.access.actor import Actor
from datamodel.assessments import actions as assessments
from datamodel.consent import actions as consent
from datamodel.consent import reads as consent_reads
from datamodel.kernel.unit import UnitOfWork
from datamodel.tasks import actions as tasks
from datamodel.tasks import reads as task_reads

_FOLDER: Final = Path(__file__).resolve().parent
LANGUAGES: Final = ("en", "fr")
#: code of the demo's battery
BATTERY: Final = "reaction"
#: A task of the demo stays open this long.
_OPEN_FOR: Final = timedelta(days=7)


def consent_text(language: str) -> dict[str, Any]:
    """Return the demo's consent in one language: version, language, title, sections."""
    return _read(f"consent.{language}.yaml")


def publish_consent(unit: UnitOfWork[Actor], *, study: str) -> None:
    """Publish the demo's consent in every language, unless it is there. The actor must be an owner or investigator."""
    for language in LANGUAGES:
        consent.publish(unit, study=study, **consent_text(language))


def make_battery(unit: UnitOfWork[Actor], *, study: str) -> UUID:
    """Create the demo's battery, unless it is there. The actor must be an owner or coordinator."""
    return assessments.create_battery(unit, study=study, **_read("battery.yaml"))


def assign(unit: UnitOfWork[Actor], *, study: str, participant_id: UUID) -> UUID:
    """Ask a participant to do the demo's battery within a week. The actor must be an owner or coordinator."""
    today = task_reads.today(consent_reads.who(unit.session, participant_id), at=unit.instant)
    return tasks.assign(
        unit, study=study, participant_id=participant_id, battery=BATTERY, opens_on=today, due_on=today + _OPEN_FOR
    )


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((_FOLDER / name).read_text(encoding="utf-8"))
    return found
