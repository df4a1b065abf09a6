"""The questions: by how much a study's day is moved, and which instant its schedule goes by."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from datamodel.kernel.settings import settings
from datamodel.rehearsal import store
from datamodel.rehearsal.surfaces import is_simulation_honoured


def offset_days(session: Session, study_id: UUID) -> int:
    """Return by how many days a study's day is moved now; always 0 in production."""
    if not is_simulation_honoured(settings()):
        return 0
    found = store.row(session, study_id)
    return found.offset_days if found else 0


def effective(session: Session, study_id: UUID, at: datetime) -> datetime:
    """Return the instant that the study's schedule goes by when it is `at`; what is written keeps `at`."""
    return at + timedelta(days=offset_days(session, study_id))


def notice(session: Session, study_id: UUID, at: datetime) -> str:
    """Return the banner's sentence, or an empty text when the study's day is the real one."""
    days = offset_days(session, study_id)
    if not days:
        return ""
    day = at + timedelta(days=days)
    return f"Simulated day: {day:%d-%b-%Y} ({days:+d} days). Visits and tasks go by it; what is written keeps the real time."
