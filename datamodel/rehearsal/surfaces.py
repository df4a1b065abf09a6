"""What exists for development only, and whether it exists here. Pure. The one list of such pages, addresses and abilities."""

from typing import Final, Literal, NamedTuple

from datamodel.kernel.errors import Allowed, Answer, Refused
from datamodel.kernel.settings import Settings


class Surface(NamedTuple):
    """One thing that is for development: `route` is in the web process only where it is open; `action` refuses elsewhere."""

    kind: Literal["page", "edge", "action", "command"]
    name: str
    words: str


#: Whoever adds a page, an address or an ability for development or tests lists it here: a test compares the routes of a
#: production process with it, and another calls each action in production.
DEV_TEST_ROUTES: Final[tuple[Surface, ...]] = (
    Surface("page", "/app/{study}/rehearsal", "move the study's day"),
    Surface("action", "rehearsal.move_day", "move the study's day"),
    Surface("command", "rehearse", "move the study's day from the command line"),
)
_CLOSED: Final = Refused(
    "development-only",
    "This is for development only, and this installation is not in development mode.",
    "Outside production, start it with METRICIS_DEV_MODE=true.",
)
_PRODUCTION: Final = Refused("development-only", "This does not exist in production.")


def opened(given: Settings) -> Answer:
    """Answer whether development surfaces exist in this process. `DEV_MODE` in production is ignored."""
    if given.is_production:
        return _PRODUCTION
    return Allowed() if given.dev_mode else _CLOSED


def is_simulation_honoured(given: Settings) -> bool:
    """Whether a stored simulation does anything; never in production, whatever is stored or set."""
    return not given.is_production
