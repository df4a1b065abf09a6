"""The manual's page on notebooks names every call, and no call that is not there."""

import re
from pathlib import Path
from typing import get_args

import metricis as mx
from datamodel.scheduling.states import WORDS, VisitState
from metricis.study import Study

PAGE = (Path(__file__).resolve().parents[3] / "docs/manual/notebooks.md").read_text()


def test_the_page_names_each_call_of_a_study():
    public = {name for name in vars(Study) if not name.startswith("_")}
    assert public == set(re.findall(r"`study\.(\w+)", PAGE))


def test_the_page_names_what_the_front_gives():
    named = set(re.findall(r"mx\.(\w+)", PAGE))
    assert named == set(mx.__all__) - {"Study"}


def test_the_page_explains_each_visit_state():
    assert all(f"| `{state}` |" in PAGE for state in get_args(VisitState))
    assert set(get_args(VisitState)) == set(WORDS)
