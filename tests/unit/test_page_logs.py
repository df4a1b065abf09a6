"""Complaints of the web process's libraries are told again without anything that could be a value."""

import logging

import pytest

from apps import logs
from tests.support.logs import kept

__all__ = ["kept"]
SECRET = "Canary-Surname-4711"
NAMES = ("bokeh.server.views.ws", "panel.state", "param.main", "tornado.application", "uvicorn.error", "asyncio")


@pytest.mark.parametrize("name", NAMES)
def test_a_complaint_of_a_library_is_told_without_its_words(name, kept, monkeypatch):
    monkeypatch.setattr(logging.getLogger("uvicorn"), "propagate", True)  # a server of another test may have shut it
    logs.quiet()
    logs.quiet()
    one = logging.getLogger(name)
    one.debug("received nothing of note" if name in logs.WITHOUT_WORDS else f"received {SECRET}")
    try:
        int(SECRET)
    except ValueError:
        one.exception("could not do it" if name in logs.WITHOUT_WORDS else f"could not do {SECRET}")
    assert kept.text.count("ValueError\n") == 1
    assert "test_page_logs.py" in kept.text
    assert SECRET not in kept.text
