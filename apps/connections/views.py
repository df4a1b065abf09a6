"""How the sync runs look."""

from datetime import timedelta
from functools import lru_cache
from pathlib import Path

from markupsafe import Markup

from apps.connections.state import SyncState, log_link
from apps.shell.words import markup, span
from datamodel.connections.reads import Run


@lru_cache(maxsize=1)
def style() -> str:
    """Return the room's own rules."""
    return (Path(__file__).resolve().parent / "sync.css").read_text("utf-8")


def sync(state: SyncState, *, zone: str) -> Markup:
    """Return health and the table of runs."""
    return markup("connections/sync.html", state=state, zone=zone, by=_by, took=_took, log=log_link)


def _by(run: Run) -> str:
    return "on schedule" if run.asked_by in {"", "schedule"} else f"asked for by {run.asked_by}"


def _took(run: Run) -> str:
    return "–" if run.seconds is None else span(timedelta(seconds=run.seconds))
