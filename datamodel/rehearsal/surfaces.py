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
    Surface("action", "rehearsal.open_copy", "make a rehearsal copy of a study"),
    Surface("action", "rehearsal.adopt_design", "bring a rehearsal copy's design up to date"),
    Surface("action", "rehearsal.bypass_consent", "open the tasks of a rehearsal copy without a signed consent"),
    Surface("action", "rehearsal.order", "order invented data for a rehearsal copy"),
    Surface("action", "testdata.generate", "invent participants and their data in a rehearsal copy"),
    Surface("action", "testdata.set_anchors", "set the anchor date of all invented participants"),
    Surface("action", "testdata.clear", "take the invented data out of a rehearsal copy"),
    Surface("command", "rehearse", "move the study's day from the command line"),
    Surface("command", "testdata", "rehearsal copies and their data from the command line"),
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
