"""What the sync runs page tells, worked out from truth. No widgets, no server."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import param
from sqlalchemy.orm import Session

from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.connections import reads
from datamodel.connections.reads import Run, SyncHealth
from datamodel.kernel.errors import Refused
from datamodel.kernel.settings import settings

SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class Glance:
    """Health and runs at one moment."""

    health: SyncHealth
    runs: tuple[Run, ...]


class SyncState(param.Parameterized):
    """What is known of the sync now."""

    glance = param.ClassSelector(class_=Glance, allow_None=True, default=None)
    may_run = param.Boolean(default=False)
    why_not = param.String(default="")

    def look(self, session: Session, actor: Actor, *, study: str) -> None:
        """Read health and runs again."""
        health = reads.sync_health(session, actor, study=study)
        runs = reads.runs(session, actor, study=study, limit=SHOWN)
        answer = may(actor, "study:connections:sync", study=study)
        self.param.update(
            glance=Glance(health, tuple(runs)),
            may_run=bool(answer),
            why_not=answer.sentence if isinstance(answer, Refused) else "",
        )

    @property
    def is_busy(self) -> bool:
        """Whether a run is going on or asked for."""
        return self.glance is not None and (self.glance.health.is_running or self.glance.health.is_requested)

    @property
    def button(self) -> tuple[str, bool]:
        """Return the button's words and whether it is disabled."""
        if self.glance is None or not self.glance.health.is_connected:
            return "Run now", True
        if self.glance.health.is_altered:
            return "Run now", True  # the banner says why
        if self.glance.health.is_running:
            return "Running…", True
        if self.glance.health.is_requested:
            return "Asked for, begins shortly…", True
        return "Run now", not self.may_run


def log_link(run: Run) -> str:
    """Return the address of a run's log, or an empty text."""
    base = settings().prefect_url
    if not base or not run.flow_run:
        return ""
    parts = urlsplit(base)
    return f"{parts.scheme}://{parts.netloc}/runs/flow-run/{run.flow_run}"
