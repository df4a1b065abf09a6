"""Pages for a person."""

from starlette.routing import Route

from simulators.redcap.api.call import Server
from simulators.redcap.web.switches import Traffic


def page_routes(server: Server, traffic: Traffic) -> list[Route]:
    """Routes of the pages."""
    return []
