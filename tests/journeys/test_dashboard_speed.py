"""How long the server takes for the grid of the whole trial."""

import time

import pytest

from apps.participants.page import load_grid
from apps.participants.views import grid
from apps.shell.frame import Visit
from apps.shell.pages import PAGES
from apps.shell.session import Visitor, reading
from datamodel.kernel.settings import settings
from datamodel.study import reads as study_reads
from tests.support import dashboard

PATH = f"/app/{dashboard.STUDY}/participants"


@pytest.mark.slow
def test_the_first_screen_of_the_grid_takes_under_a_second_of_server_time(database_url, home, monkeypatch):
    monkeypatch.setenv("METRICIS_DATABASE_URL", database_url)
    settings.cache_clear()
    scene = dashboard.build(database_url, subjects=306, with_runs=False)
    page, named = PAGES.at(PATH)
    visit = Visit(Visitor(scene.actor("coordinator"), ""), page, named, {})
    with reading(visit.visitor.actor) as session:
        visit.study = study_reads.study(session, dashboard.STUDY)
    took = []
    # Processor time of the server, the best of five: other work on the machine must not decide.
    for _ in range(5):
        began = time.process_time()
        made = grid(load_grid(visit), path=PATH)
        took.append(time.process_time() - began)
    assert made.count("<tr class=") == 25
    assert min(took) < 1.0, took
