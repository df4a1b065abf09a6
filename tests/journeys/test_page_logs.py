"""What a page's messages leave in logs: where a fault was, and nothing that somebody typed."""

import pytest

from tests.journeys.test_dashboard import HOME, base, scene
from tests.journeys.test_people_page import visit
from tests.support.logs import kept
from tests.support.web import wait_until

__all__ = ["base", "kept", "scene", "visit"]
pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

SECRET = "Canary-Surname-4711"
#: A change of a field that the server has taken away meanwhile, in Bokeh's three frames.
CHANGE = """typed => {
    const socket = window.sockets.at(-1)
    const change = {kind: 'ModelChanged', model: {id: 'p999999'}, attr: 'value', new: typed}
    socket.send(JSON.stringify({msgid: 'M1', msgtype: 'PATCH-DOC'}))
    socket.send('{}')
    socket.send(JSON.stringify({events: [change]}))
}"""
KEEP = """const Real = window.WebSocket
window.sockets = []
window.WebSocket = class extends Real {
    constructor(...all) { super(...all); window.sockets.push(this) }
}"""


def test_what_was_typed_into_a_field_that_is_gone_is_in_no_log(visit, base, kept, capfd):
    page, _ = visit("owner", "/people")
    page.context.add_init_script(KEEP)
    page.goto(f"{base}{HOME}/people")
    page.get_by_label("Sign-in name").fill(SECRET)
    page.evaluate(CHANGE, SECRET)
    wait_until(lambda: "UnknownReferenceError" in kept.text)
    told = next(one for one in kept.lines if "UnknownReferenceError" in one)
    assert told.startswith("metricis.apps bokeh.server.protocol_handler, protocol_handler.py line ")
    assert "serialization.py" in told, "an operator finds the place"
    printed = capfd.readouterr()
    assert SECRET not in kept.text + printed.out + printed.err
