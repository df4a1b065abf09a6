"""The questions: by how much a study's day is moved, which instant its schedule goes by, which study a copy was made of."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from datamodel.kernel.settings import settings
from datamodel.rehearsal import store
from datamodel.rehearsal.surfaces import is_simulation_honoured, opened


def offset_days(session: Session, study_id: UUID) -> int:
    """Return by how many days a study's day is moved now; always 0 in production."""
    if not is_simulation_honoured(settings()):
        return 0
    found = store.row(session, study_id)
    return found.offset_days if found else 0


def effective(session: Session, study_id: UUID, at: datetime) -> datetime:
    """Return the instant that the study's schedule goes by when it is `at`; what is written keeps `at`."""
    return at + timedelta(days=offset_days(session, study_id))


def copy_of(session: Session, study_id: UUID) -> str | None:
    """Return the code of the study that this one is a rehearsal copy of (empty when the reader does not see it), or None."""
    found = store.copy(session, study_id)
    return store.code(session, found.source_id) if found else None


def copies_of(session: Session, study_id: UUID) -> list[str]:
    """Return the codes of a study's rehearsal copies that the reader sees, sorted."""
    return sorted(filter(None, (store.code(session, one) for one in store.copies(session, study_id))))


def is_bypassed(*, is_stored: bool) -> bool:
    """Whether a consent bypass that is stored counts here: in development mode outside production, and nowhere else."""
    return is_stored and bool(opened(settings()))


def is_consent_bypassed(session: Session, study_id: UUID) -> bool:
    """Return whether the tasks of a study open without a signed consent here; only ever in a rehearsal copy."""
    found = store.copy(session, study_id)
    return found is not None and is_bypassed(is_stored=found.is_consent_bypassed)


def notice(session: Session, study_id: UUID, at: datetime) -> str:
    """Return the banner's sentences: that the study is a rehearsal copy (also in production), and a day that is simulated."""
    words = []
    if (source := copy_of(session, study_id)) is not None:
        words.append(
            f"Rehearsal copy{f' of {source}' if source else ''}: every participant and value in it is invented."
        )
        if is_consent_bypassed(session, study_id):
            words.append("Tasks open without a signed consent.")
    if days := offset_days(session, study_id):
        day = at + timedelta(days=days)
        words.append(
            f"Simulated day: {day:%d-%b-%Y} ({days:+d} days). Visits and tasks go by it; what is written keeps the real time."
        )
    return " ".join(words)


def order(session: Session, event_id: UUID, *, done: str) -> store.Order | None:
    """Return what an administrator ordered, by its ledger event; `done` is the action that carries it out."""
    return store.order(session, event_id, done=done)
